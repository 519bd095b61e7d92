"""Flattening: chains of `+`, `-` and `*` become sums of products, chains of maximum one maximum.

`b + w0 * x0 + w1 * x1` is four nodes on the tape, and one sum of three terms here. A term has a
sign and one or two factors. A sum or product goes into the sum that consumes it if nothing else
uses it, with two exceptions: what is shared by all examples stays a node of its own, to be computed
once; and a sum that multiplies parameters ends where something else than such products is added, so
that the `z = W x + b` of a network is seen as such when `z - y` is its only use.

A product never goes into a product: `(x * 1e200) * (y * 1e200)` may be 1 where `x * y` is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op
from micrograd.programs.lift.forest import Forest, Leaves
from micrograd.programs.lift.links import Links, are, ids, released
from micrograd.programs.lift.running import written_out
from micrograd.programs.trace.tape import Tape
from micrograd.value.selection import Extreme

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Factors = tuple[int, ...]
Term = tuple[int, Factors]  # the sign, 1 or -1, and the nodes that are multiplied

_EXTREMES = (ops.maximum, ops.minimum)


class Sum:
    """Terms to be added up, or of which the maximum or minimum is taken.

    `is_open` says that it was written with `sum()` or `max()`, of which others may have more terms.
    """

    __slots__ = ("combine", "is_open", "terms")

    def __init__(self, combine: Op, terms: list[Term], is_open: bool = True) -> None:
        self.combine: Op = combine
        self.terms: list[Term] = terms
        self.is_open: bool = is_open


class Flat:
    """A tape with its sums of products: `sums[i]` where node i is one; `nodes` are what is left.

    `arrives` says which nodes a gradient arrives at. What stops it there is a node of its own;
    elsewhere, it is the `same` as its operand.
    """

    def __init__(self, tape: Tape, roots: Iterable[int], arrives: Sequence[bool]) -> None:
        self._tape, self._arrives = tape, arrives
        self.same: list[int] = _aliases(tape, arrives)
        self.sums: list[Sum | None] = [None] * len(tape.ops)
        roots = [self.same[root] for root in roots]
        links = Links(tape, self.same)
        uses = links.uses(roots)
        added = np.flatnonzero((uses > 0) & links.are([ops.add])).tolist()
        written = sorted(written_out(tape, uses, added))
        forest = Forest(tape, links, uses, written)
        leaves = forest.leaves()
        self._write(leaves, forest.is_open())
        self._write_out(links, written)
        inside = forest.parents != np.arange(links.count)
        others = [*written, *self._find_extremes(links, uses, inside)]
        plain = (uses > 0) & ~forest.is_sum
        plain[others] = False
        reads = links.reads(plain) + leaves.reads(links.count)
        np.add.at(reads, [x for i in others for x in self._factors(i)], 1)
        np.add.at(reads, roots, 1)
        reads = released(reads, (uses > 0) & ~inside, self._factors)
        self.nodes: list[int] = np.flatnonzero((reads > 0) & ~inside).tolist()

    def operands(self, i: int) -> list[int]:
        """Return the operands of a node that is no sum."""
        return [self.same[x] for x in self._tape.operands[i]]

    def _write(self, leaves: Leaves, is_open: Array) -> None:
        """Put the terms of each sum together."""
        owners, _, signs, left, right = leaves
        factors: list[Factors] = list(zip(left.tolist(), right.tolist()))
        for k in np.flatnonzero(right < 0).tolist():
            factors[k] = factors[k][:1]
        terms = list(zip(signs.tolist(), factors))
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        ends = [*starts[1:].tolist(), len(terms)]
        own = owners[starts]
        for i, start, end, written in zip(
            own.tolist(), starts.tolist(), ends, is_open[own].tolist()
        ):
            self.sums[i] = Sum(ops.add, terms[start:end], written)

    def _write_out(self, links: Links, running: Iterable[int]) -> None:
        """Let each of these be the sum of all that its left operand adds up, and the right one."""
        for i in running:
            before = self.sums[links.left[i]]  # of 0, with which sums begin, there is none
            terms = [] if before is None else before.terms
            self.sums[i] = Sum(ops.add, [*terms, (1, (links.right.item(i),))])

    def _find_extremes(self, links: Links, uses: Array, inside: Array) -> list[int]:
        """Join maxima of maxima, and return them; `inside` marks what goes into its consumer.

        Where a gradient arrives, how ties share it depends on how the operands are paired.
        """
        found: list[int] = []
        of_tape, sums, arrives, varies = self._tape.ops, self.sums, self._arrives, links.varies
        kinds = [op for op in set(of_tape) if op in _EXTREMES or isinstance(op, Extreme)]
        for i in np.flatnonzero((uses > 0) & links.are(kinds)).tolist():
            written = of_tape[i]
            assert written is not None
            if arrives[i] and not isinstance(written, Extreme):
                continue
            op = written.pairwise if isinstance(written, Extreme) else written
            terms: list[Term] = []
            for x in self.operands(i):
                inner = sums[x]
                own = uses[x] > 1 or arrives[x] or varies[x] != varies[i]
                if own or inner is None or inner.combine is not op:
                    terms.append((1, (x,)))
                    continue
                inside[x] = True
                terms, shorter = sorted((terms, inner.terms), key=len, reverse=True)
                terms += shorter
            sums[i] = Sum(op, terms)
            found.append(i)
        return found

    def _factors(self, i: int) -> list[int]:
        """Return what a node is made of."""
        found = self.sums[i]
        if found is None:
            return self.operands(i)
        return [x for _, factors in found.terms for x in factors]


def _aliases(tape: Tape, arrives: Sequence[bool]) -> list[int]:
    """Return which node each is the same as."""
    same = list(range(len(tape.ops)))
    stops = [op for op in set(tape.ops) if op is ops.stop_gradient or isinstance(op, Choice)]
    for i in np.flatnonzero(are(ids(tape), stops)).tolist():
        x = tape.operands[i][0]
        if not arrives[x if tape.ops[i] is ops.stop_gradient else i]:
            same[i] = same[x]
    return same
