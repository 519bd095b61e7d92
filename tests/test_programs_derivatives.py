"""Derivatives of functions, taken within a program: they agree with the loop over the examples."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program

Array = np.ndarray[Any, Any]
w = Value(1.5, label="w")
one = Value(1.0)


def cubed(x: Any) -> Any:
    return mg.grad(lambda t: t**3)(x[0])


def known_before(x: Any) -> Any:
    """Differentiate t**3 when the tape has x**3 already."""
    y = x[0] ** 3 + 1
    return mg.grad(lambda t: t**3 * x[1])(x[0]) + y


def twice(x: Any) -> Any:
    return mg.grad(mg.grad(lambda t: t**4 * w))(x[0])


def not_confused(x: Any) -> Any:
    """Take the inner derivative by s alone."""
    return mg.grad(lambda t: t * mg.grad(lambda s: s * t)(x[0]))(x[0])


def unchanged(x: Any) -> Any:
    """Return t * 1, which is t and not what t stands for."""
    return mg.grad(lambda t: (t * 1 + 0) * (t / 1) * x[0])(x[0])


def of_a_graph(x: Any) -> Any:
    """Differentiate the gradient again, as a graph."""
    return mg.grad(mg.grad(lambda t: t**3)(x[0]) * x[1], x[0])


def by_a_parameter(x: Any) -> Any:
    """Use a parameter, which must not be frozen."""
    return mg.grad(lambda t: t**3 * x[0])(w)


def by_a_parameter_alone(x: Any) -> Any:
    return mg.grad(lambda t: t**3)(w) * x[0]


def by_a_value_of_one(x: Any) -> Any:
    t = Value(1.0)
    return mg.grad(t * x[0], t)


def with_values(x: Any) -> Any:
    value, gradient = mg.value_and_grad(lambda t: t[0] ** 2 * t[1] * w)(x)
    return [value, gradient[0], gradient[1]]


def hessian(x: Any) -> Any:
    h = mg.hessian(lambda t: t[0] ** 3 * t[1] + w * t[0])(x)
    return [*h[0], *h[1]]


def jacobian(x: Any) -> Any:
    return list(mg.jacobian(lambda t: [t[0] * t[1], t[0].sin(), w * t[1] ** 2])(x).flat)


def hessian_times_a_vector(x: Any) -> Any:
    return mg.hvp(x[0] ** 3 * x[1] * w, x, [x[1], w])


def force(x: Any) -> Any:
    """Feed what is trained: the gradient by a parameter goes through the derivative."""
    return (mg.grad(lambda q: w * q**2 + mg.tanh(w * q))(x[0]) - x[1]) ** 2


FUNCTIONS = [
    *(cubed, known_before, twice, not_confused, unchanged, of_a_graph),
    *(by_a_parameter, by_a_parameter_alone, by_a_value_of_one),
    *(with_values, hessian, jacobian, hessian_times_a_vector, force),
]
X = np.array([[0.5, 2.0], [-1.25, 0.75], [3.0, -1.0]])


def total(results: Any) -> Any:
    return sum((i + 1) * r for i, r in enumerate(results))


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_derivatives_of_functions_agree_with_the_loop(function: Callable[[Any], Any]) -> None:
    rows = [function([Value(float(v)) for v in row]) for row in X]
    expected = [row if isinstance(row, list) else [row] for row in rows]
    w.grad = 0.0
    total(v for row in expected for v in row).backward()
    slope, w.grad = w.grad, 0.0
    traced = program(function)
    result = traced(X)
    numbers = [[v.data for v in row] for row in expected]
    assert np.allclose(result.data.reshape(len(X), -1), numbers, rtol=1e-12)
    width = len(numbers[0])
    parts = [
        result[i, k] if result.ndim == 2 else result[i] for i in range(3) for k in range(width)
    ]
    total(parts).backward()
    assert w.grad == pytest.approx(slope, rel=1e-12, abs=1e-12)
    w.data = 2.5
    try:
        again = np.array([[v.data for v in np.ravel(function(list(map(Value, row))))] for row in X])
        assert np.allclose(traced(X).data.reshape(len(X), -1), again, rtol=1e-12)
    finally:
        w.data = 1.5


def test_a_derivative_by_a_number_may_vary_with_the_example() -> None:
    def slope(x: Any) -> Any:
        return mg.grad(lambda t: t * x[0] + (t - 1) * x[1] ** 2 * w)(1.0)

    result = program(slope)(X)
    assert np.allclose(result.data, X[:, 0] + X[:, 1] ** 2 * 1.5)
    w.grad = 0.0
    result.sum().backward()
    assert w.grad == pytest.approx((X[:, 1] ** 2).sum())
    assert program(lambda x: mg.grad(lambda t: t**3)(2.0) * x)([1.0]).data.tolist() == [12.0]


def test_a_derivative_may_part_the_rows() -> None:
    traced = program(lambda x: mg.grad(lambda t: t**2 if t > 0 else w * t)(x))
    assert traced([3.0, -1.0, 0.0]).data.tolist() == [6.0, 1.5, 1.5]


def test_a_stand_in_is_forgotten() -> None:
    """Check that the variable of a derivative leaves nothing on the Values that come back."""
    kept: list[Any] = []
    mg.grad(lambda t: kept.append(t) or t * t)(w)  # type: ignore[func-returns-value]
    assert not kept[0]._attributes


def test_derivatives_add_nothing_to_the_equations() -> None:
    traced = program(lambda x: mg.grad(lambda t: w * t**2)(x))
    traced([1.0])
    assert "identity" not in str(traced)


@pytest.mark.parametrize("inner", [mg.sin, mg.tanh, lambda v: v * v, lambda v: 1 / v, mg.sqrt])
def test_a_missing_number_moves_nothing_where_another_way_is_chosen(inner: Any) -> None:
    def chosen(x: Any) -> Any:
        return mg.grad(mg.where(x[1] > 0, inner(x[1]), mg.cos(x[0])) * 3.0, x)

    def of_a_product(x: Any) -> Any:
        return mg.grad(mg.tanh(mg.where(x[1] > 0, inner(x[1] * x[0]), x[0] * w)) ** 2, x)

    rows = [[1.0, math.nan], [2.0, 0.5], [-1.0, math.nan], [0.5, -0.0]]
    for function in (chosen, of_a_product):
        with mg.ieee():
            expected = [
                [getattr(g, "data", g) for g in function([*map(Value, row)])] for row in rows
            ]
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(program(function)(rows).data, expected, rtol=1e-12)


def test_a_slope_that_is_only_chosen_at_kinks_moves_nothing_elsewhere() -> None:
    """A negative base has the slope nan by its exponent, which is 0 around, but for the kinks."""

    def f(v: Any) -> Any:
        second = mg.grad(mg.grad(lambda u: mg.maximum(u, v[2]) + mg.ops.abs(u)))(v[0])
        return v[1] ** second + v[0]

    rows = [[1.0, -1.7, 0.5], [-1.0, -1.7, 2.0], [1.0, -1.7, 1.0]]
    slopes = mg.grad(mg.program(f))(rows).data
    for row, own in zip(rows[:2], slopes):
        assert own.tolist() == mg.grad(f)(row).tolist() == [1.0, 0.0, 0.0]
    assert np.isnan(slopes[2]).any()  # at a tie


@pytest.mark.parametrize(
    ("f", "at"),
    [
        (lambda x: mg.sqrt(x) * 0.0 + x, [0.0, 1.0]),
        (lambda x: mg.sqrt(x) * mg.ops.less(1.0, x) + x, [0.0, 1.0, 4.0]),
        (lambda x: mg.relu(-mg.sqrt(x)), [0.0, 2.0]),
        (lambda x: mg.grad(lambda u: mg.relu(-mg.sqrt(u)))(x), [0.0, 2.0]),
        (lambda x: mg.arcsin(x) * (1 - x), [1.0, 0.5]),
        (lambda x: mg.ops.cbrt(x) * x, [0.0, -0.5]),
        (lambda x: x**0.5 * mg.tanh(x), [0.0, 0.5]),
    ],
)
def test_a_zero_stops_an_infinite_slope_in_rows_as_in_the_loop(f: Any, at: list[float]) -> None:
    traced = mg.program(f)
    found = mg.grad(traced)(at).data
    np.testing.assert_allclose(found, [mg.grad(f)(x) for x in at], rtol=1e-14, atol=0)
    for x, bend in zip(at, mg.hessian(traced)(at).data):
        try:
            expected = mg.hessian(f)(x)
        except ZeroDivisionError:  # what the zero depends on moves an infinite slope
            expected = math.nan
        np.testing.assert_allclose(bend, expected, rtol=1e-13, atol=0)
    assert np.isinf(mg.grad(mg.program(mg.sqrt))([0.0]).data).all()


FINITE = [0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 3.0]


def slope_at(op: mg.Op, i: int, at: tuple[float, ...]) -> float:
    """Return the slope by an operand, as NumPy has it; 0 where the result is no number."""
    rule = op.derivatives[i]
    try:
        out = op.value(*at)
        if rule is None or not math.isfinite(out):
            return 0.0
        with np.errstate(all="ignore"):
            return float(np.ravel(rule(*[np.array([x]) for x in (*at, out)]))[0])
    except (ArithmeticError, ValueError, TypeError):
        return 0.0


STEEP = [
    (op, at)
    for op in mg.ops.TABLE.values()
    for at in itertools.product(FINITE, repeat=len(op.derivatives))
    if any(math.isinf(slope_at(op, i, at)) for i in range(len(at)))
]


def test_a_zero_stops_the_infinite_slopes_of_all_operations() -> None:
    steep = {"sqrt", "cbrt", "power", "arcsin", "arccos", "arccosh", "xlogy"}
    assert {op.name for op, _ in STEEP} >= steep
    for op, at in STEEP:
        traced = mg.program(lambda v, op=op: op(*v) * 0.0 + v[0])
        assert mg.grad(traced)([at]).data[0].tolist() == [1.0] + [0.0] * (len(at) - 1), (op, at)


def test_what_was_not_chosen_does_not_rise_in_rows() -> None:
    def rise(x: Any, along: Any) -> Any:
        u = x * 1.0
        chosen = mg.where(u > 0, u, mg.sqrt(-u)) + mg.maximum(u, 2.0) + mg.max([u, 1.0, -u])
        return mg.jvp(chosen + mg.floor(u), [u], [along])

    rows = [[3.0, 1.0], [1.5, math.inf], [0.5, math.nan], [4.0, 0.0]]
    found = mg.program(lambda row: rise(*row))(rows).data
    with mg.ieee():
        expected = [rise(*map(Value, row)).data for row in rows]
    np.testing.assert_array_equal(found, expected)
    assert found[0] == 3.0


def test_each_part_of_a_result_passes_back_to_its_own_numbers() -> None:
    w = [Value(0.7), Value(-0.4)]

    def f(x: Any) -> Any:
        return mg.tanh(w[0] * x[0] + w[1]) * x[1] * x[1]

    rows = np.array([[0.5, 1.5], [-0.3, 0.8], [1.1, -0.6]])
    values, slopes = mg.value_and_grad(program(f))(rows)
    weighed = values.sum() + 2.0 * slopes.sum() + 3.0 * slopes[1, 0] + 5.0 * slopes[:, 1].mean()
    weighed.backward()
    found = [p.grad for p in w]
    total = Value(0.0)
    for i, row in enumerate(rows):
        x = [Value(float(number)) for number in row]
        value = f(x)
        by_x, by_y = mg.grad(value, x)
        total = total + value + 2.0 * (by_x + by_y) + 3.0 * by_x * (i == 1) + 5.0 / 3.0 * by_y
    assert weighed.data == pytest.approx(total.data, rel=1e-12)
    assert found == pytest.approx([g.data for g in mg.grad(total, w)], rel=1e-12)
