"""An argument that holds integers or truths: sets, dicts and `if` take it for what it is."""

from __future__ import annotations

from micrograd.engine import Value
from micrograd.programs.trace.comparisons import as_float
from micrograd.value import hooks


class IntegerInput(Value):
    """A leaf for an integer, whose hash and truth are the integer's while a function is traced."""

    __slots__ = ("_hash",)

    _hash: int

    def __bool__(self) -> bool:
        return hooks.tracer_here() is None or bool(self != 0)

    def __hash__(self) -> int:
        tracer = hooks.tracer_here()
        if tracer is None:
            return object.__hash__(self)
        if not hasattr(self, "_hash"):
            self._hash = hash(_found_by_halves(self, tracer.kind))
        return self._hash


def _found_by_halves(v: Value, kind: str) -> float:
    """Ask for an integer by comparisons of which each depends on the answers before alone.

    So paths of the same truths have the same number. It is compared with floats of its `kind`.
    """
    if v < 0:
        return -_found_by_halves(-v, kind)
    low, high = 0.0, 1.0
    while v >= high:
        low, high = high, 2 * high
    while low < (middle := as_float((low + high) // 2, kind)) < high:
        low, high = (low, middle) if v < middle else (middle, high)
    return low
