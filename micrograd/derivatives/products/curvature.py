"""The Hessian of an output times a vector, in numbers: up through its graph, then down.

On the way up a sweep finds how fast each node moves as the variables move along the vector; on the
way down, the adjoint of each node and how fast that changes (Pearlmutter 1994). How fast a local
derivative changes follows from its rule, called on `Dual`s. Nothing is recorded. The C core has
both sweeps too, with the rules on Duals written out by tools/ops_header.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from micrograd.derivatives.kinks import kinks_of
from micrograd.derivatives.sweeps import Own, slopes_at, steps_between
from micrograd.engine import Value
from micrograd.native import takeover
from micrograd.ops import Op
from micrograd.value.numbers import to_float
from micrograd.value.operators import Operators


class Dual(Operators["Dual"]):
    """A number and how fast it changes, as operations and their rules take it.

    >>> x = Dual(3.0, 1.0)
    >>> (x * x + 1).rate
    6.0
    """

    __slots__ = ("number", "rate")

    def __init__(self, number: Any, rate: Any) -> None:
        self.number, self.rate = number, rate

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Dual:
        if any(isinstance(x, Value) for x in operands):
            return NotImplemented  # type: ignore[no-any-return]
        numbers = [x.number if isinstance(x, Dual) else x for x in operands]
        out = op(*numbers)
        rate: Any = 0.0
        for x, rule in zip(operands, op.derivatives):
            if isinstance(x, Dual) and rule is not None:
                rate = rate + rule(*numbers, out) * x.rate
        return Dual(out, rate)

    # Compared are the numbers, as those of Values.

    def __lt__(self, other: Any) -> bool:
        return bool(self.number < _number(other))

    def __le__(self, other: Any) -> bool:
        return bool(self.number <= _number(other))

    def __gt__(self, other: Any) -> bool:
        return bool(self.number > _number(other))

    def __ge__(self, other: Any) -> bool:
        return bool(self.number >= _number(other))

    def __eq__(self, other: object) -> bool:
        return bool(self.number == _number(other))

    __hash__ = None  # type: ignore[assignment]


def _number(x: Any) -> Any:
    return x.number if isinstance(x, Dual) else x


def hessian_product(
    output: Value, variables: Sequence[Value], vector: list[float], own: Own = False
) -> list[float] | None:
    """Return the Hessian of `output` by the variables times a vector.

    None where numbers do not tell, and only derivatives as Values can answer or say why not: at
    kinks, at slopes that are not finite, at nodes that no operation made; and where the output
    depends on the variables of another call, if these are the `own` ones of one.
    """
    if takeover.c_core is not None:
        product: Any = takeover.c_core.hessian_product(output, variables, own, bends_at, vector)
        return product  # type: ignore[no-any-return]
    steps = steps_between([output], variables, own)
    if steps is None or any(node._closure is not None for node, _ in steps):
        return None
    rates: dict[int, float] = {}
    for x, along in zip(variables, vector):
        rates[id(x)] = rates.get(id(x), 0.0) + along
    bends: list[list[float]] = []
    for node, positions in steps:
        moving = [rates[id(node.args[i])] for i in positions]
        found = bends_at(node, positions, moving, rates.get(id(node), 0.0))
        if found is None:
            return None
        rates[id(node)], *bend = found
        bends.append(bend)
    adjoints, changes = dict.fromkeys(rates, 0.0), dict.fromkeys(rates, 0.0)
    adjoints[id(output)] = 1.0
    for (node, positions), bend in zip(reversed(steps), reversed(bends)):
        adjoint, change = adjoints[id(node)], changes[id(node)]
        if adjoint == 0.0 and change == 0.0:
            continue
        for i, slope, turn in zip(positions, bend, bend[len(positions) :]):
            operand = id(node.args[i])
            adjoints[operand] += slope * adjoint
            changes[operand] += slope * change + turn * adjoint
    entries = [changes[id(x)] for x in variables]
    return entries if all(map(math.isfinite, entries)) else None


def bends_at(
    node: Value, positions: Sequence[int], rates: Sequence[float], start: float
) -> list[float] | None:
    """Return how fast a node moves, its local derivatives, and how fast these change.

    `rates` are those of the operands at these positions; the node moves by `start` beside. None
    where numbers do not tell.
    """
    op = node.op
    if op is None:
        return None
    moving = dict(zip(positions, rates))
    numbers = [x._number if isinstance(x, Value) else x for x in node.args]
    operands = [
        Dual(number, moving.get(i, 0.0)) if isinstance(x, Value) else number
        for i, (x, number) in enumerate(zip(node.args, numbers))
    ]
    try:
        if any(
            is_kink(*numbers)
            for pair, is_kink in kinks_of(op).items()
            if all(isinstance(node.args[i], Value) for i in pair)
        ):
            return None
        slopes = slopes_at(node, positions)
        for slope, rate in zip(slopes, rates):
            start += slope * rate
        turns = [_turn(op, i, [*operands, Dual(node._number, start)]) for i in positions]
    except Exception:  # of a rule at this place, or of a user's rule, which may do anything
        return None
    return [start, *slopes, *turns] if all(map(math.isfinite, (*slopes, *turns))) else None


def _turn(op: Op, i: int, operands_and_out: list[Any]) -> float:
    """Return how fast the local derivative by operand `i` changes."""
    rule = op.derivatives[i]
    slope = 0.0 if rule is None else rule(*operands_and_out)
    if isinstance(slope, Dual):
        return to_float(slope.rate, "a rate")
    to_float(slope, "a local derivative")  # a Value, say, may depend on what is not seen here
    return 0.0
