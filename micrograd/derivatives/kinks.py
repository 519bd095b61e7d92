"""Kinks and jumps: where a slope is a choice, no number comes out when it is differentiated again.

On a graph that is an error. A program computes all rows at once, so there it is nan in the row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.ops import KINKS, Op, Rule
from micrograd.value import hooks
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
        if isinstance(node.args[j], Value) and where(*numbers)
    ]
    return slope + _Kink(0.0, operands, node.op.name) if operands else slope


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

    __slots__ = ()

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
    return made
