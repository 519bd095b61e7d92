"""Shared by nudge and step: derivatives that leave the grads alone, a loss evaluated anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from micrograd.derivatives.sweeps import adjoints
from micrograd.engine import Value, toposort
from micrograd.explain.names import name_of
from micrograd.native.gc_pause import uncollected
from micrograd.value.hooks import set_on_compare

Loss = Callable[[], Value]


@uncollected()
def gradient_of(output: Value, values: list[Value], who: str) -> list[float]:
    """Return the derivatives of `output` with respect to Values, 0 for those it does not use."""
    used = set(toposort(output)).intersection(values)
    if not used:
        names = ", ".join(name_of(v) for v in values[:3])
        raise ValueError(
            f"{who}: {name_of(output)} was not computed from {names or 'any parameter'}, so it "
            "cannot change with that. Use the same Value, not a copy, in what computes it"
        )
    [slopes] = adjoints([output], values) or [[]]
    return slopes


@uncollected()
def evaluate(loss: Loss, who: str) -> Value:
    """Call a user's loss; raise TypeError if it does not return a Value."""
    output = loss()
    if not isinstance(output, Value):
        raise TypeError(
            f"{who}: the function must return a Value, recorded anew by each call; it returned "
            f"{output!r}"
        )
    return output


@contextmanager
def compared_values() -> Iterator[list[Value]]:
    """List the Values that are compared in this block, on either side."""
    found: list[Value] = []
    set_on_compare(lambda *sides: found.extend(v for v in sides if isinstance(v, Value)))
    try:
        yield found
    finally:
        set_on_compare(None)


@contextmanager
def restoring_data(values: list[Value]) -> Iterator[None]:
    """Restore the data of these Values at the end."""
    before = [v.data for v in values]
    try:
        yield
    finally:
        for v, number in zip(values, before):
            v.data = number


def same(x: float, y: float) -> bool:
    """Tell whether two numbers agree up to rounding; all infinities and NaNs count as one."""
    if not (math.isfinite(x) and math.isfinite(y)):
        return not (math.isfinite(x) or math.isfinite(y))
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)
