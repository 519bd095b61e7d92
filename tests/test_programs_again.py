"""The result of a program, differentiated again as a graph: as the loop over the rows is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program

w, b = Value(0.7), Value(-0.2)
X = np.array([0.5, -1.0, 2.0, -0.25])
Y = np.array([1.0, 0.0, 0.5, 2.0])


def error(x: Any, y: Any) -> Any:
    z = w * x + b
    if x > 0:
        return (mg.tanh(z) - y) ** 2
    return mg.exp(z) * w


def both(x: Any, y: Any) -> Any:
    return [error(x, y), mg.sin(w * b * x)]


of_one, of_both = program(error), program(both)


def rows(f: Callable[..., Any]) -> Any:
    return np.array([f(x, y) for x, y in zip(X.tolist(), Y.tolist())])


# Each with what it is in the loop.
GRAPHS: dict[str, tuple[Callable[[], Value], Callable[[], Any]]] = {
    "mean": (lambda: of_one(X, Y).mean(), lambda: rows(error).sum() / 4),
    "within": (
        lambda: mg.sin(of_one(X, Y).mean() * w) + b * w**2,
        lambda: mg.sin(rows(error).sum() / 4 * w) + b * w**2,
    ),
    "two": (
        lambda: of_both(X, Y)[:, 0].sum() * of_both(X, Y)[:, 1].mean(),
        lambda: rows(both)[:, 0].sum() * rows(both)[:, 1].sum() / 4,
    ),
    "part": (
        lambda: of_both(X, Y)[X > 0].sum() + of_both(X, Y)[3, 1] * w,
        lambda: rows(both)[X > 0].sum() + rows(both)[3, 1] * w,
    ),
    "pair": (
        lambda: mg.value_and_grad(of_one)(X, Y)[1].sum(),
        lambda: sum(mg.grad(error)(Value(x), y) for x, y in zip(X.tolist(), Y.tolist())),
    ),
}


def numbers(values: Any) -> Any:
    return [v.data for v in values]


@pytest.mark.parametrize(("graph", "loop"), GRAPHS.values(), ids=GRAPHS)
def test_derivatives_of_any_order_are_those_of_the_loop(graph: Any, loop: Any) -> None:
    out, wanted = graph(), loop()
    for _ in range(3):
        assert out.data == pytest.approx(wanted.data, rel=1e-12)
        slopes, expected = mg.grad(out, [w, b]), mg.grad(wanted, [w, b])
        np.testing.assert_allclose(numbers(slopes), numbers(expected), rtol=1e-11)
        out, wanted = slopes[0] + 2 * slopes[1], expected[0] + 2 * expected[1]
    w.grad = b.grad = 0.0
    out.backward()
    found, w.grad, b.grad = (w.grad, b.grad), 0.0, 0.0
    wanted.backward()
    assert found == pytest.approx((w.grad, b.grad), rel=1e-10)
    w.grad = b.grad = 0.0


@pytest.mark.parametrize(("graph", "loop"), GRAPHS.values(), ids=GRAPHS)
def test_along_a_direction(graph: Any, loop: Any) -> None:
    out, wanted = graph(), loop()
    direction = [1.0, -2.0]
    rate = mg.jvp(out, [w, b], direction)
    assert rate.data == pytest.approx(mg.jvp(wanted, [w, b], direction).data, rel=1e-12)
    found, expected = (numbers(mg.hvp(y, [w, b], direction)) for y in (out, wanted))
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert (w.grad, b.grad) == (0.0, 0.0)


def test_what_was_computed_outside_passes_on() -> None:
    doubled = 2 * w * w
    out = program(lambda x: doubled**2 * x)([1.0, 3.0]).sum()
    slope = mg.grad(out, w)
    assert slope.data == pytest.approx(4 * 16 * 0.7**3)
    assert mg.grad(slope, w).data == pytest.approx(4 * 48 * 0.7**2)


def test_a_result_of_other_parameters_is_refused() -> None:
    out = of_one(X, Y).mean()
    w.data = 1.0
    try:
        with pytest.raises(ValueError, match=r"have changed since it was called.*Call it again"):
            mg.grad(out, w)
    finally:
        w.data = 0.7
    assert mg.grad(out, b).data == pytest.approx(mg.grad(rows(error).sum() / 4, b).data)


def test_no_rows_and_nan() -> None:
    assert mg.grad(of_one(X[:0], Y[:0]).sum(), w).data == 0.0
    x = np.array([1.0, np.nan])
    assert np.isnan(mg.grad(program(lambda x: w * w * x)(x).sum(), w).data)
