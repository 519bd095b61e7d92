"""Slopes while a program is traced: they hold for all rows, also where a graph would raise.

There is no error that could tell a row from the others; what would be one is nan in the row.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Any

from micrograd import ops
from micrograd.derivatives.kinks import chosen
from micrograd.derivatives.sweeps import identity
from micrograd.engine import Value
from micrograd.value.identity import IdentityDict
from micrograd.value.selection import Extreme, Take

# Their slopes are numbers where they are not defined themselves.
_UNDEFINED = (ops.log, ops.log1p, ops.log2, ops.log10, ops.arctanh)
_CHOOSING = (ops.where, ops.maximum, ops.minimum)
# Finite where their operands are.
_TAME = {
    *(ops.add, ops.subtract, ops.multiply, ops.negative, ops.sign, ops.abs, ops.relu, ops.hypot),
    *(ops.where, ops.maximum, ops.minimum, ops.less, ops.less_equal, ops.equal, identity),
    *(ops.sin, ops.cos, ops.tanh, ops.arctan, ops.erf, ops.erfc, ops.stop_gradient),
    *(ops.sigmoid, ops.softplus, ops.logaddexp, ops.arcsinh),
}


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


class Unreached:
    """The rows in which nothing arrives at a node, since `where` or `maximum` chose another way.

    What does not arrive passes nothing on there, though a slope be infinite. A zero that arrives is
    another thing: it may vary.
    """

    def __init__(self) -> None:
        self._wild: IdentityDict[Value, bool] = IdentityDict()
        self._of: dict[int, Any] = {}  # by node: a truth; None where something arrives in all rows

    def passed(self, node: Value, i: int, slope: Any, adjoint: Any) -> tuple[Any, Any]:
        """Return a slope and what arrived, of which the product is passed on to operand `i`."""
        here = self._of.get(id(node))
        there = here
        if node.op in _CHOOSING or isinstance(node.op, (Extreme, Take)):
            passed_by = ops.equal(slope, 0.0)
            there = passed_by if here is None else ops.less(0.0, here + passed_by)
        operand = id(node.args[i])
        if operand in self._of:
            before = self._of[operand]
            there = None if before is None or there is None else before * there
        self._of[operand] = there
        if here is None or not self._may_be_infinite(slope):
            return slope, adjoint
        return ops.where(here, 0.0, slope * adjoint), 1.0

    def _may_be_infinite(self, slope: Any) -> bool:
        """Return whether a number may be infinite or nan though the leaves are finite."""
        if not isinstance(slope, Value):
            return not math.isfinite(slope)
        wild, todo = self._wild, [slope]
        while todo:
            v = todo[-1]
            new = [x for x in v.args if isinstance(x, Value) and x not in wild]
            if new:
                todo += new
                continue
            wild[todo.pop()] = (v.op is not None and v.op not in _TAME) or any(
                wild[x] if isinstance(x, Value) else not math.isfinite(x) for x in v.args
            )
        return wild[slope]
