"""Every row whose rules choose (where, equal, sign): at its special points and beside them.

Beside, all derivatives to third order agree with mpmath's; at the point, the first is the
convention, and a second is right or an error.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import mpmath
import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, grad, hessian
from micrograd.derivatives import sweeps

inf = math.inf

# The row, its value by mpmath, and points beside the special ones.
BESIDE: list[tuple[Any, Any, list[tuple[float, ...]]]] = [
    (abs, mpmath.fabs, [(1e-3,), (-1e-3,), (2.0,)]),
    (mg.relu, lambda x: x if x > 0 else mpmath.mpf(0), [(1e-3,), (-1e-3,)]),
    (mg.maximum, lambda x, y: max(x, y), [(1.0, 1.001), (1.001, 1.0)]),
    (mg.minimum, lambda x, y: min(x, y), [(1.0, 1.001), (1.001, 1.0)]),
    (
        mg.hypot,
        lambda x, y: mpmath.sqrt(x * x + y * y),
        [(1e-3, 0.0), (0.0, -1e-3), (-3.0, 4.0), (3.0, -4.0), (0.0, 2.0), (1e3, -1e-3)],
    ),
    (
        mg.power,
        lambda x, y: mpmath.power(x, y),
        [(1e-3, 2.0), (1e-3, 0.0), (1e-3, 1.0), (2.0, 0.0), (3.0, -1.5)],
    ),
    (
        mg.logaddexp,
        lambda x, y: mpmath.log(mpmath.exp(x) + mpmath.exp(y)),
        [(0.0, 0.0), (-2.5, -2.5), (1.0, 1.001), (30.0, -5.0)],
    ),
    (mg.softplus, lambda x: mpmath.log(1 + mpmath.exp(x)), [(0.0,), (1e-3,), (-20.0,)]),
    (mg.sigmoid, lambda x: 1 / (1 + mpmath.exp(-x)), [(0.0,), (1e-3,), (-20.0,)]),
]
CASES = [(row, exact, at) for row, exact, points in BESIDE for at in points]


@pytest.mark.parametrize(("row", "exact", "at"), CASES)
def test_beside_its_kink_a_row_is_right_to_third_order(row: Any, exact: Any, at: Any) -> None:
    x = [Value(v) for v in at]
    derivatives: dict[tuple[int, ...], Any] = {(): row(*x)}
    for order in range(1, 4):
        for way in itertools.product(range(len(x)), repeat=order):
            derivatives[way] = grad(derivatives[way[:-1]], x[way[-1]])
            counts = tuple(way.count(i) for i in range(len(x)))
            with mpmath.workdps(60):
                expected = float(mpmath.diff(exact, tuple(map(mpmath.mpf, at)), counts))
            scale = max(abs(expected), *(abs(d.data) for d in derivatives.values()))
            assert abs(derivatives[way].data - expected) <= 1e-11 * scale + 1e-14, way


@pytest.mark.parametrize("size", [1e-300, 1e-150, 1e-9, 1.0, 1e9, 1e150, 1e300])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_hypot_does_not_cancel(size: float, sign: float) -> None:
    with mpmath.workdps(700):
        x, y = mpmath.mpf(sign * size), mpmath.mpf(1)
        expected = float(y**2 / mpmath.sqrt(x * x + y * y) ** 3)
    assert grad(grad(lambda x: mg.hypot(x, 1)))(sign * size) == pytest.approx(
        expected, rel=1e-6, abs=1e-300
    )
    assert grad(lambda x: mg.hypot(x, 1))(sign * size) == pytest.approx(
        sign * size / math.hypot(size, 1), rel=1e-15
    )


# At these points a second derivative does not exist, or not from what is chosen for the first.
AT: list[tuple[Any, list[float]]] = [
    (lambda v: abs(v[0]), [0.0]),
    (lambda v: abs(v[0]) ** 2, [0.0]),
    (lambda v: (mg.sign(v[0]) * v[0]) ** 2, [0.0]),
    (lambda v: mg.maximum(v[0], -v[0]) ** 2, [0.0]),
    (lambda v: mg.max([v[0], -v[0], -1.0]) ** 2, [0.0]),
    (lambda v: mg.min([v[0] ** 2, v[0], v[1]]), [1.0, 2.0]),
    (lambda v: mg.minimum(v[0], v[1]), [1.5, 1.5]),
    (lambda v: mg.hypot(v[0], v[1]), [0.0, 0.0]),
    (lambda v: mg.exp(-(mg.hypot(v[0], v[1]) ** 2)), [0.0, 0.0]),
    (lambda v: v[0] ** v[1], [0.0, 1.0]),
    (lambda v: v[0] ** v[1], [0.0, 0.0]),
    (lambda v: mg.max([v[0], 2 * v[0], v[0] - 1]) ** 2, [0.0]),
    (lambda v: mg.min([v[0], v[1], 1.5]) ** 2, [1.5, 2.0]),
]


@pytest.mark.parametrize(("f", "at"), AT)
def test_at_a_kink_a_second_derivative_is_an_error(f: Any, at: list[float]) -> None:
    assert all(map(math.isfinite, grad(f)(at)))
    with pytest.raises(TypeError, match="kink or jump where its operands are"):
        hessian(f)(at)
    x = np.array([Value(v) for v in at])
    slopes = grad(f(x), x)
    for slope in slopes:
        if not mg.toposort(slope)[:-1]:
            continue
        with pytest.raises(TypeError, match="second derivative does not exist"):
            grad(slope, x)
        with pytest.raises(TypeError, match="second derivative does not exist"):
            slope.backward()
        with pytest.raises((TypeError, ZeroDivisionError), match=r"not exist|arctan2\(0.0, 0.0\)"):
            sweeps.tangents([slope], list(x))
    assert {v.grad for v in x} <= {0.0}


def test_where_there_is_no_kink_at_zero_second_derivatives_are_right() -> None:
    for n, expected in ((0, 0.0), (1, 0.0), (2, 2.0), (3, 0.0)):
        assert grad(grad(lambda x, n=n: x**n))(0.0) == expected
    assert grad(grad(lambda x: x ** Value(2.0)))(0.0) == 2.0
    assert hessian(lambda v: v[0] ** v[1])([0.0, 2.0]).tolist() == [[2.0, 0.0], [0.0, 0.0]]
    assert grad(grad(lambda y: Value(0.0) ** y))(1.0) == 0.0
    x, y = Value(0.0), Value(3.0)
    assert grad(grad(x**y, x), y).data == grad(grad(x**y, y), x).data == 0.0
    assert grad(grad(lambda x: x ** Value(1.0)))(0.0) == 0.0
    assert hessian(lambda v: mg.relu(v[0]) * v[1])([0.0, 1.0]).tolist() == [[0.0, 0.0]] * 2
    assert grad(grad(lambda x: x * mg.maximum(x, 5.0)))(1.0) == 0.0
    assert hessian(lambda v: mg.hypot(v[0], v[1]))([3.0, 0.0]).tolist() == [
        [0.0, 0.0],
        [0.0, 1 / 3],
    ]


def repeated(f: Any, order: int) -> Any:
    for _ in range(order):
        f = grad(f)
    return f


SPECIAL = [0.0, 0.5, 1.0, -1.0, 2.0]  # on the special points of a row, or beside them
IN_PROGRAMS = [
    *(lambda x, row=row: row(x) for row in (abs, mg.sign, mg.relu, mg.cbrt, mg.softplus)),
    *(lambda x, row=row: row(x, 0.5) for row in (mg.maximum, mg.minimum, mg.logaddexp)),
    *(lambda x, row=row: row([x, 2 * x, 0.5]) for row in (mg.max, mg.min)),
    *(lambda x, n=n: x**n for n in (0, 1, 2, 3, 0.5, 1.5, -1, Value(1.0), Value(2.0))),
    *(lambda x, n=n: n**x for n in (Value(0.0), 0.0, 2.0)),
    lambda x: x**x,
    lambda x: (x * x) ** (x + 1),
    lambda x: mg.hypot(x, 0.0),
    lambda x: x * mg.hypot(x, 2 * x),
    lambda x: mg.arctan2(x, x * x),
    lambda x: x * abs(x),
    lambda x: abs(x) ** 2,
    lambda x: mg.exp(-(mg.hypot(x, x) ** 2)),
    lambda x: mg.where(x > 0.5, x * x, x**3),
    lambda x: mg.where(x > 0.5, abs(x) + 1, x**x) * x,
    lambda x: mg.maximum(mg.log(x), -1.0) ** 2 * mg.where(x > 1, x, mg.log(x)),
    lambda x: mg.maximum(x * x, mg.stop_gradient(x)),
    *(lambda x, row=row: row(x) for row in (mg.sqrt, mg.log, mg.log1p, mg.log2, mg.log10)),
    *(lambda x, row=row: row(x) for row in (mg.arcsin, mg.arccos, mg.arctanh, mg.arccosh)),
    *(lambda x, row=row: row(x) for row in (mg.tan, mg.sigmoid, mg.erf, mg.arcsinh, mg.tanh)),
]


@pytest.mark.parametrize("f", IN_PROGRAMS)
@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_program_has_a_number_only_where_a_graph_has_the_same(f: Any, order: int) -> None:
    derivative = repeated(f, order)
    found = mg.program(derivative)(SPECIAL).data
    for number, x in zip(found, SPECIAL):
        expected = number_of(derivative, x)
        if expected is None:
            assert not math.isfinite(number), x
        else:
            assert number == pytest.approx(expected, rel=1e-12, abs=1e-14, nan_ok=True), x


def number_of(derivative: Any, x: float) -> float | None:
    try:
        expected = derivative(Value(x))
    except (TypeError, ArithmeticError, ValueError):
        return None
    return float(getattr(expected, "data", expected))


@pytest.mark.parametrize("f", [abs, mg.sign, lambda x: mg.maximum(x, -x), lambda x: mg.hypot(x, 0)])
def test_a_program_has_no_gradient_of_a_slope_that_is_a_choice(f: Any) -> None:
    w = Value(3.0)
    slope = mg.program(lambda x: grad(lambda t: f(w * t))(x))
    slope([1.0, -2.0]).sum().backward()
    assert math.isfinite(w.grad)
    slope([1.0, 0.0]).sum().backward()
    assert math.isnan(w.grad)


@pytest.mark.parametrize("op", [mg.logaddexp, mg.maximum, mg.minimum])
def test_equal_infinities_share_the_slope(op: Any) -> None:
    for x in itertools.permutations([-inf, -inf, 0.0]):
        slopes = grad(lambda v: functools.reduce(op, v))(x).tolist()
        low = op is mg.minimum
        expected = [0.5 if low else 0.0, 0.0 if low else 1.0]
        assert sorted(set(slopes)) in ([0.0, 1.0], [0.0, 0.5], [0.0, 0.25, 0.5])
        assert slopes[x.index(0.0)] == expected[1]
    assert grad(lambda v: op(v[0], v[1]))([inf, inf]).tolist() == [0.5, 0.5]
    assert grad(lambda v: op(v[0], v[1]))([-inf, -inf]).tolist() == [0.5, 0.5]
    assert grad(lambda v: op(v[0], v[1]))([2.0, 2.0]).tolist() == [0.5, 0.5]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: mg.where(x > 0, mg.sqrt(x), 0.0 * x),
        lambda x: mg.where(x > 0, mg.sqrt(x) * mg.sin(x), x),
        lambda x: mg.maximum(mg.sqrt(x), 1e-3),
        lambda x: mg.max([mg.cbrt(x), 1e-3, x]),
        lambda x: mg.where(x > 0, mg.hypot(x, 0.0) ** 0.5, x * x),
        grad(lambda x: mg.where(x > 0, abs(x), x * x)),
        grad(lambda x: mg.where(x >= 0, x**3, abs(x) * x)),
    ],
)
def test_in_a_program_a_slope_of_zero_passes_nothing_on(f: Any) -> None:
    slopes = mg.program(grad(f))([0.0, 0.25]).data
    assert slopes == pytest.approx([grad(f)(0.0), grad(f)(0.25)], rel=1e-14)


@pytest.mark.parametrize("op", [lambda v: mg.max(v), lambda v: mg.maximum(*v)])
def test_where_a_nan_wins_every_slope_is_nan(op: Any) -> None:
    for numbers in ([1.0, math.nan], [math.nan, 1.0], [math.nan, math.nan]):
        x = [Value(number) for number in numbers]
        out = op(x)
        out.backward()
        assert math.isnan(out.data)
        assert all(math.isnan(v.grad) for v in x)


def test_where_an_operation_has_no_number_it_has_no_kink() -> None:
    x, y = Value(1.5), Value(2.0)
    z = mg.mod(x, y)
    y.data = 0.0  # derivatives are evaluated on the data as it is now
    assert mg.grad(z, [x])[0].data == 1.0
    assert mg.hvp(z, [x], [1.0])[0].data == 0.0
    with mg.ieee():
        assert mg.hvp(mg.mod(x, 0.0), [x], [1.0])[0].data == 0.0
