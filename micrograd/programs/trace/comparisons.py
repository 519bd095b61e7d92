"""A comparison in a function that is traced: an array inside `where`, else asked for its truth."""

from __future__ import annotations

import operator
from array import array
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

from micrograd import ops
from micrograd.engine import Value
from micrograd.ops import Op
from micrograd.value.operators import Operators


def as_float(number: Any, kind: str) -> float:
    """Round a number to a float of a kind, "d" or "f"."""
    return array(kind, [float(number)])[0]


def is_rounded(number: Any, kind: str) -> bool:
    """Return whether a number is an integer that floats of a kind do not have."""
    return kind == "f" and isinstance(number, Integral) and as_float(number, kind) != int(number)


def outcome(op: Op, numbers: Sequence[float], kind: str) -> bool:
    """Compare two numbers as a program does that computes in floats of this kind, "d" or "f"."""
    return bool(op(*array(kind, numbers)))


class Comparison(Operators[Any]):
    """Stand for the bool that a comparison gives.

    With `where`, and in arithmetic with Values, it is a number of each row. Whatever else is done
    with it asks for its truth, and is told to `decide`.
    """

    __slots__ = ("_decide", "_negated", "_node", "_op", "_operands", "truth")

    def __init__(
        self,
        op: Op,
        operands: tuple[Any, Any],
        truth: bool,
        decide: Callable[[Comparison], object],
        negated: bool = False,
    ) -> None:
        self._op = op
        self._operands = operands
        self._negated = negated
        self._decide = decide
        self._node: Any = None
        self.truth: bool = truth  # of the operation, which `!=` turns round

    def node(self) -> Any:
        """Record the operation that compares, as a node."""
        if self._node is None:
            self._node = self._op(*self._operands)
        return self._node

    def _number(self) -> Any:
        return 1 - self.node() if self._negated else self.node()

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Any:
        if op is ops.where or any(isinstance(x, Value) for x in operands):
            return op(*[x._number() if isinstance(x, Comparison) else x for x in operands])
        return op(*[bool(x) if isinstance(x, Comparison) else x for x in operands])

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """What isinstance asks."""
        return bool

    def __bool__(self) -> bool:
        self._decide(self)
        return self.truth is not self._negated

    def __hash__(self) -> int:
        return hash(bool(self))

    def __int__(self) -> int:
        return int(bool(self))

    __index__ = __int__

    def __float__(self) -> float:
        return float(bool(self))

    def __repr__(self) -> str:
        return repr(bool(self))

    def __format__(self, spec: str) -> str:
        return format(bool(self), spec)


def _of_truths(function: Callable[[Any, Any], Any], swapped: bool = False) -> Any:
    """Make the operator that asks both operands, where they are comparisons, for their truth."""

    def ask(self: Comparison, other: Any) -> Any:
        other = bool(other) if isinstance(other, Comparison) else other
        return function(other, bool(self)) if swapped else function(bool(self), other)

    return ask


for _name in ("eq", "ne", "lt", "le", "gt", "ge", "and_", "or_", "xor"):
    _function = getattr(operator, _name)
    setattr(Comparison, f"__{_name.rstrip('_')}__", _of_truths(_function))
    if _name in ("and_", "or_", "xor"):
        setattr(Comparison, f"__r{_name.rstrip('_')}__", _of_truths(_function, swapped=True))
