"""Flattening: chains of `+`, `-` and `*` become sums of products, chains of maximum one maximum.

`b + w0 * x0 + w1 * x1` is four nodes on the tape, and one sum of three terms here. A term has a
sign and one or two factors. A sum or product goes into the sum that consumes it if nothing else
uses it, with two exceptions: what is shared by all examples stays a node of its own, to be computed
once; and a sum that multiplies parameters ends where something else than such products is added, so
that the `z = W x + b` of a network is seen as such when `z - y` is its only use.

A product never goes into a product: `(x * 1e200) * (y * 1e200)` may be 1 where `x * y` is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op
from micrograd.programs.lift.running import written_out
from micrograd.programs.trace.tape import Tape
from micrograd.value.selection import Extreme

Factors = tuple[int, ...]
Term = tuple[int, Factors]  # the sign, 1 or -1, and the nodes that are multiplied

SUMS = (ops.add, ops.subtract, ops.negative)


def is_square(tape: Tape, i: int) -> bool:
    """Return whether a node is a product with itself."""
    op = tape.ops[i]
    if op is not ops.multiply and op is not ops.power:
        return False
    x, y = tape.operands[i]
    return x == y if op is ops.multiply else tape.constants.get(y) == 2


class Sum:
    """Terms to be added up, or of which the maximum or minimum is taken.

    A term's sign counts relative to `sign`; `dense` says that a parameter multiplies what varies,
    `is_open` that it was written with `sum()` or `max()`, of which others may have more terms.
    """

    __slots__ = ("combine", "dense", "is_open", "sign", "terms")

    def __init__(self, combine: Op, terms: list[Term], dense: bool = False) -> None:
        self.combine: Op = combine
        self.terms: list[Term] = terms
        self.dense: bool = dense
        self.sign: int = 1
        self.is_open: bool = combine is not ops.add


class Flat:
    """A tape with its sums of products: `sums[i]` where node i is one; `nodes` are what is left.

    `arrives` says which nodes a gradient arrives at. What stops it there is a node of its own;
    elsewhere, it is the `same` as its operand.
    """

    def __init__(self, tape: Tape, roots: Iterable[int], arrives: Sequence[bool]) -> None:
        self._tape = tape
        self._ops, self._operands = tape.ops, tape.operands
        self._varies, self._arrives = tape.varies, arrives
        roots = list(roots)
        self.same: list[int] = list(range(len(tape.ops)))
        self.sums: list[Sum | None] = [None] * len(tape.ops)
        self._uses = self._count_uses(roots)
        self._written_out = written_out(tape, self._uses)
        flatten: dict[Op, Callable[[int, Op], Sum | None]] = {
            ops.add: self._add,
            ops.subtract: self._add,
            ops.negative: self._negative,
            ops.multiply: self._multiply,
            ops.power: self._power,
            ops.maximum: self._extreme,
            ops.minimum: self._extreme,
        }
        for i, op in enumerate(tape.ops):
            if op is not None and self._uses[i]:
                rule = self._extreme if isinstance(op, Extreme) else flatten.get(op)
                self.sums[i] = None if rule is None else rule(i, op)
        self.nodes: list[int] = self._reached([self.same[root] for root in roots])

    def operands(self, i: int) -> list[int]:
        """Return the operands of a node that is no sum."""
        return [self.same[x] for x in self._operands[i]]

    def _count_uses(self, roots: list[int]) -> list[int]:
        operands, same = self._operands, self.same
        for i, op in enumerate(self._ops):
            aliased = isinstance(op, Choice) and not self._arrives[i]
            if op is ops.stop_gradient:
                aliased = not self._arrives[operands[i][0]]
            if aliased:
                same[i] = same[operands[i][0]]
        uses = [0] * len(operands)
        for root in roots:
            uses[same[root]] += 1
        for i in range(len(operands) - 1, -1, -1):
            if uses[i]:
                for x in operands[i]:
                    uses[same[x]] += 1
        return uses

    def _inlined(self, x: int, consumer: int, combine: Op = ops.add) -> Sum | None:
        """Return the sum at `x`, if it can go into its only consumer."""
        found = self.sums[x]
        if found is None or found.combine is not combine or self._uses[x] != 1:
            return None
        varies = self._varies
        return found if varies[x] == varies[consumer] else None

    def _factor(self, x: int) -> tuple[int, int]:
        """Return `x` as a sign and the node that has it: of `-y`, that is y."""
        found = self.sums[x]
        if found is not None and len(found.terms) == 1 and not found.is_open:
            sign, factors = found.terms[0]
            if len(factors) == 1:
                return sign * found.sign, factors[0]
        return 1, x

    def _multiply(self, i: int, op: Op) -> Sum:
        x, y = self._operands[i]
        sign, left = self._factor(self.same[x])
        other, right = self._factor(self.same[y])
        return self._single(i, sign * other, (left, right))

    def _power(self, i: int, op: Op) -> Sum | None:
        x = self.same[self._operands[i][0]]
        return self._single(i, 1, (x, x)) if is_square(self._tape, i) else None

    def _negative(self, i: int, op: Op) -> Sum:
        [x] = self.operands(i)
        inlined = self._inlined(x, i)
        if inlined is not None:
            inlined.sign = -inlined.sign
            return inlined
        return self._single(i, -1, (x,))

    def _single(self, i: int, sign: int, factors: Factors) -> Sum:
        dense = False
        varies = self._varies
        if varies[i]:
            for x in factors:
                if not varies[x] and x not in self._tape.constants:
                    dense = True
        return Sum(ops.add, [(sign, factors)], dense)

    def _add(self, i: int, op: Op) -> Sum:
        x, y = self._operands[i]
        x, y = self.same[x], self.same[y]
        if i in self._written_out:
            return self._written(x, y)
        if op is ops.add and self._tape.constants.get(x) == 0:
            begun = self._part(y, i)
            begun.is_open = True
            return begun
        sign = -1 if op is ops.subtract else 1
        left, right = self._part(x, i), self._part(y, i)
        mixed = left.dense != right.dense
        if mixed and left.dense and self._varies[y]:
            left = Sum(ops.add, [(1, (x,))])
        if mixed and right.dense and self._varies[x]:
            right = Sum(ops.add, [(1, (y,))])
        return self._joined(left, right, sign)

    def _written(self, x: int, y: int) -> Sum:
        """Return the sum of all that x adds up, and y, which is a node of its own."""
        before = self.sums[x]  # of 0, with which sums begin, there is none
        terms = [(s * before.sign, f) for s, f in before.terms] if before is not None else []
        written = Sum(ops.add, [*terms, (1, (y,))])
        written.is_open = True
        return written

    def _part(self, x: int, consumer: int) -> Sum:
        if self.sums[x] is None:
            return Sum(ops.add, [(1, (x,))])
        inlined = self._inlined(x, consumer)
        if inlined is not None:
            return inlined
        sign, factor = self._factor(x)
        return Sum(ops.add, [(sign, (factor,))])

    def _joined(self, left: Sum, right: Sum, sign: int) -> Sum:
        """Extend the longer by the shorter, so that a chain in either direction stays linear."""
        dense = left.dense or right.dense
        longer, shorter, factor = left, right, sign
        if len(right.terms) > len(left.terms):
            longer, shorter, factor = right, left, sign
            longer.sign *= sign
            factor = 1
        if longer.sign * shorter.sign * factor > 0:
            longer.terms += shorter.terms
        else:
            longer.terms += [(-s, factors) for s, factors in shorter.terms]
        longer.dense = dense
        return longer

    def _extreme(self, i: int, op: Op) -> Sum | None:
        """Where a gradient arrives, how ties share it depends on how the operands are paired."""
        if self._arrives[i] and not isinstance(op, Extreme):
            return None
        terms: list[Term] = []
        op = op.pairwise if isinstance(op, Extreme) else op
        for x in self.operands(i):
            inlined = None if self._arrives[x] else self._inlined(x, i, op)
            if inlined is None:
                terms.append((1, (x,)))
            elif len(inlined.terms) > len(terms):
                terms, shorter = inlined.terms, terms
                terms += shorter
            else:
                terms += inlined.terms
        return Sum(op, terms)

    def _reached(self, roots: list[int]) -> list[int]:
        """List what the roots are made of, operands first, without what went into a consumer."""
        sums, same, operands = self.sums, self.same, self._operands
        reached = [False] * len(sums)
        for root in roots:
            reached[root] = True
        for i in range(len(reached) - 1, -1, -1):
            if reached[i]:
                found = sums[i]
                if found is None:
                    for x in operands[i]:
                        reached[same[x]] = True
                else:
                    for _, nodes in found.terms:
                        for x in nodes:
                            reached[x] = True
        return [i for i, wanted in enumerate(reached) if wanted]
