"""Slopes that need care: at kinks and jumps, and in all rows of a program at once.

Where a slope is a choice, no number comes out when it is differentiated again. On a graph that is
an error. In a program, no error could tell a row from the others: there it is nan in the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.ops import KINKS, Op, Rule
from micrograd.special.elementary import xlogy
from micrograd.value import hooks
from micrograd.value.numbers import is_number
from micrograd.value.selection import Extreme


def chosen(slope: Any, node: Value, i: int) -> Any:
    """Return the slope of a node by operand `i`, as one that refuses to be differentiated again.

    Only where the node is at a kink, and by the operands that have it, it refuses.
    """
    assert node.op is not None
    kinks = {j: where for (of, j), where in kinks_of(node.op).items() if of == i}
    if not any(isinstance(node.args[j], Value) for j in kinks):
        return slope
    if hooks.tracer_here() is not None:
        return choice(node.op, i)(slope, *node.args)
    numbers = [x.data if isinstance(x, Value) else x for x in node.args]
    operands = [
        node.args[j]
        for j, where in kinks.items()
        if isinstance(node.args[j], Value) and _holds(where, numbers)
    ]
    return slope + _Kink(0.0, operands, node.op.name) if operands else slope


def _holds(where: Rule, numbers: Sequence[float]) -> bool:
    """Return whether a kink is here; where the operation has no number, none is."""
    try:
        return bool(where(*numbers))
    except ArithmeticError:  # mod by a zero that was set later, or within ieee()
        return False


@cache
def kinks_of(op: Op) -> Mapping[tuple[int, int], Rule]:
    """Return where the slope by one operand has no derivative by another, by their positions."""
    if isinstance(op, Extreme):
        pairs = [(i, j) for i in range(op.count) for j in range(op.count)]
        return dict.fromkeys(pairs, lambda *values: _are_several(op, values))
    return KINKS.get(op, {})


def _are_several(op: Op, values: tuple[Any, ...]) -> Any:
    """Return whether more than one of the values is the largest, or the smallest."""
    out = op(*values)
    return ops.less(1.0, sum(ops.equal(x, out) for x in values))


class _Kink(Value):
    """A zero that makes a slope depend on operands by which it cannot be differentiated."""

    __slots__ = ()

    @property
    def _why_no_derivative(self) -> str:  # type: ignore[override]
        at = ", ".join(f"{v.label}={v.data!r}" if v.label else repr(v.data) for v in self.parents)
        return (
            f"cannot differentiate again: {self._op} has a kink or jump where its operands are "
            f"{at}. Its slope there is a choice, and a second derivative does not exist. Keep the "
            "operands away from this point"
        )

    @property
    def _closure(self) -> Callable[[], object]:  # type: ignore[override]
        return self._refuse

    def _refuse(self) -> None:
        raise TypeError(self._why_no_derivative)


class Choice(Op):
    """A slope, its first operand, that depends on the others only at kinks: by nan."""

    __slots__ = ("of",)

    of: tuple[Op, int]  # the operation that it is a slope of, and by which operand

    def __reduce__(self) -> tuple[Any, ...]:
        return choice, self.of

    def _dispatch(self, operands: tuple[Any, ...]) -> Any:
        slope = operands[0]
        return slope if hasattr(slope, "__array_namespace__") else super()._dispatch(operands)


@cache
def choice(op: Op, i: int) -> Choice:
    """Return the operation that makes a choice of the slope of `op` by operand `i`."""

    def rule(where: Rule) -> Rule:
        def slope(_: Any, *operands_and_out: Any) -> Any:
            operands = operands_and_out[:-1]
            # It is nan in all orders: its own derivative is none, either.
            return made(ops.where(where(*operands), math.nan, 0.0), *operands)

        return slope

    kinks = {j: where for (of, j), where in kinks_of(op).items() if of == i}
    rules = [rule(kinks[j]) if j in kinks else None for j in range(len(op.derivatives))]
    made = Choice(f"slope of {op.name}", lambda slope, *_: slope, lambda *_: 1.0, *rules)
    made.of = op, i
    return made


def _zero(*_: Any) -> float:
    return 0.0


def _always(_: Any) -> float:
    return 1.0


# While a program is traced, slopes hold for all rows, also where a graph would raise --------------

# Their slopes are numbers where they are not defined themselves.
_UNDEFINED = (ops.log, ops.log1p, ops.log2, ops.log10, ops.arctanh)


def traced_slopes(node: Value, positions: Sequence[int], flat: Collection[int]) -> list[Any]:
    """Return the local derivatives of a node as Values; those that are `flat` stay as they are."""
    assert node.op is not None
    slopes = []
    for i in positions:
        slope = node.op.derivatives[i](*node.args, node)  # type: ignore[misc]
        if node.op in _UNDEFINED:
            slope = slope * ops.where(ops.equal(node, node), 1.0, math.nan)
        slopes.append(chosen(ops.stop_gradient(slope) if i in flat else slope, node, i))
    return slopes


def _is_level(slope: Any) -> bool:
    """Return whether a slope is zero everywhere, and only chosen so at jumps."""
    is_choice = isinstance(slope, Value) and isinstance(slope.op, Choice)
    return is_choice and slope.args[0]._is_plain_number and slope._number == 0


# Operations that have a number where their slope is infinite; a power has its own condition.
_STEEP = (ops.sqrt, ops.cbrt, ops.arcsin, ops.arccos, ops.arccosh, xlogy)


def _is_steep(node: Value, i: int) -> bool:
    """Return whether a slope may be infinite where the operation is not."""
    if node.op is ops.power:
        return i == 0 and not (is_number(exponent := node.args[1]) and exponent >= 1)
    return node.op in _STEEP


def zeroed(node: Value, i: int, slope: Any, entry: Any) -> tuple[Any, Any]:
    """Return a slope and what arrived, so that a zero of the latter stops an infinite slope.

    Differentiated again there, the product is nan: in a graph, that is an error.
    """
    if not isinstance(entry, Value) or not _is_steep(node, i):
        return slope, entry
    stops = ops.equal(entry, 0.0) * ops.equal(ops.abs(slope), math.inf)
    return ops.where(stops, choice(_nothing, 0)(0.0, entry), slope * entry), 1.0


def rising(node: Value, slope: Any, rate: Any) -> tuple[Any, Any]:
    """Return a slope and how fast an operand rises; in programs nothing by what was not chosen."""
    if hooks.tracer_here() is None:
        return slope, rate
    if _is_level(slope):
        return slope, 1.0
    if node.op not in ops.STOPS or not isinstance(rate, Value):
        return slope, rate
    return ops.where(ops.equal(slope, 0.0), 0.0, slope * rate), 1.0


_nothing = Op("nothing", _zero, _zero)
KINKS[_nothing] = {(0, 0): _always}


class Unreached:
    """The rows in which nothing arrives at a node, since `where` or `maximum` chose another way.

    What does not arrive passes nothing on there, though a slope be infinite, or nan since a number
    is missing. A zero that arrives is another thing: it may vary.
    """

    def __init__(self) -> None:
        self._of: dict[int, Any] = {}  # by node: a truth; None where something arrives in all rows

    def passed(self, node: Value, i: int, slope: Any, adjoint: Any) -> tuple[Any, Any]:
        """Return a slope and what arrived, of which the product is passed on to operand `i`."""
        if _is_level(slope):
            return slope, 1.0  # zero times what arrived, which may be nan
        here = self._of.get(id(node))
        there = here
        if node.op in ops.STOPS or isinstance(node.op, Choice):
            passed_by = ops.equal(slope, 0.0)
            there = passed_by if here is None else ops.less(0.0, here + passed_by)
        operand, nothing = id(node.args[i]), there
        if operand in self._of:
            before = self._of[operand]
            there = None if before is None or there is None else before * there
        self._of[operand] = there
        if nothing is None or (not isinstance(slope, Value) and math.isfinite(slope)):
            return slope, adjoint
        return ops.where(nothing, 0.0, slope * adjoint), 1.0
