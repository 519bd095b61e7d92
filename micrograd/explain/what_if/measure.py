"""What nudge and step both measure: a derivative, with nothing changed, and a loss anew."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from micrograd.engine import Value, toposort
from micrograd.explain.names import called
from micrograd.native.gc_pause import uncollected

Loss = Callable[[], Value]


@uncollected()
def gradient_of(output: Value, values: list[Value], who: str) -> list[float]:
    """The derivatives of `output` by these, 0 for those it does not depend on; no grad changes."""
    nodes = toposort(output)
    used = set(nodes).intersection(values)
    if not used:
        names = ", ".join(called(v) for v in values[:3])
        raise ValueError(
            f"{who}: {called(output)} was not computed from {names or 'any parameter'}, so it "
            "cannot change with that. Use the same Value, not a copy, in what computes it"
        )
    before = [v.grad for v in nodes]
    try:
        for v in used:
            v.grad = 0.0
        output.backward()
        return [v.grad if v in used else 0.0 for v in values]
    finally:
        for v, grad in zip(nodes, before):
            v.grad = grad


@uncollected()
def computed(compute: Loss, who: str) -> Value:
    output = compute()
    if not isinstance(output, Value):
        raise TypeError(
            f"{who}: the function must return a Value, recorded anew by each call; it returned "
            f"{output!r}"
        )
    return output


@contextmanager
def data_kept(values: list[Value]) -> Iterator[None]:
    """Give the Values their data back in the end."""
    before = [v.data for v in values]
    try:
        yield
    finally:
        for v, number in zip(values, before):
            v.data = number


def same(x: float, y: float) -> bool:
    if not (math.isfinite(x) and math.isfinite(y)):
        return not (math.isfinite(x) or math.isfinite(y))
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)


def axes(ax: Any) -> Any:
    if ax is not None:
        return ax
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("plot needs matplotlib: pip install 'micrograd[plot]'") from error
    return pyplot.subplots()[1]
