"""grad, value_and_grad, jvp, hvp, jacobian, hessian: their results and their errors."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares, minimize

import micrograd as mg
from micrograd import Op, Value, grad, hessian, hvp, jacobian, jvp, value_and_grad


def numbers(values: Any) -> Any:
    return [v.data for v in values]


# Of graphs -------------------------------------------------------------------------------------


def test_grad_of_a_graph_gives_values_in_the_form_that_was_asked_for() -> None:
    x, y = Value(3.0), Value(4.0)
    out = x * x * y
    assert grad(out, x).data == 24.0
    assert numbers(grad(out, [x, y])) == [24.0, 9.0]
    array = grad(out, np.array([[x], [y]]))
    assert array.shape == (2, 1)
    assert numbers(array.flat) == [24.0, 9.0]


def test_grad_can_be_differentiated_to_any_order() -> None:
    x = Value(0.7)
    derivative: Value = (2 * x).sin()
    for order in range(1, 7):
        derivative = grad(derivative, x)
        assert derivative.data == pytest.approx(2**order * math.sin(1.4 + order * math.pi / 2))


def test_no_grad_is_touched() -> None:
    w, x = Value(2.0), Value(3.0)
    w.grad, x.grad = 7.0, 8.0
    product = w * x
    product.grad = 9.0
    grad(product.exp(), [w, x])
    jvp(product, [w, x], [1.0, 1.0])
    hvp(product, [w, x], [1.0, 1.0])
    grad(lambda y: product * y * w)(2.0)
    value_and_grad(lambda y: (y * product).sum())([2.0])
    jacobian(lambda y: [y[0] * product])([2.0])
    hessian(lambda y: y[0] * y[0] * product)([2.0])
    assert (w.grad, x.grad, product.grad) == (7.0, 8.0, 9.0)


def test_no_grad_is_touched_when_the_derivative_fails() -> None:
    w = Value(0.0)
    w.grad = 5.0
    with pytest.raises(ZeroDivisionError, match="sqrt"):
        grad(lambda x: (x * w).sqrt())(1.0)
    assert w.grad == 5.0


ZERO_TIMES = [
    lambda x: mg.sqrt(x) * 0.0,
    lambda x: mg.sqrt(x) * mg.stop_gradient(x),
    lambda x: mg.where(x > 0, mg.sqrt(x), x),
    lambda x: mg.maximum(mg.sqrt(x), 1.0) * 2,
    lambda x: mg.arcsin(x + 1) * (x.data - x.data),
]


@pytest.mark.parametrize("f", ZERO_TIMES)
def test_a_zero_passes_nothing_on_in_any_kind_of_derivative(f: Any) -> None:
    """Even where a slope is infinite: the answer is that of `backward()`."""
    x = Value(0.0)
    y = f(x)
    y.backward()
    assert math.isfinite(x.grad)
    assert grad(y, x).data == x.grad
    assert jvp(y, x, 1.0).data == x.grad
    assert [v.data for v in jvp([y, x], x, 2.0)] == [2 * x.grad, 2.0]
    assert hvp(y, x, 1.0).data == 0.0
    assert grad(f)(0.0) == x.grad
    assert jacobian(lambda x: [f(x), x])(0.0).tolist() == [x.grad, 1.0]
    assert hessian(f)(0.0) == 0.0
    assert grad(grad(f))(0.0) == 0.0


def test_what_makes_a_slope_zero_cannot_be_differentiated_by_where_the_slope_is_infinite() -> None:
    x, k = Value(0.0), Value(0.0, label="k")
    slope = grad(mg.sqrt(x) * k, x)
    assert slope.data == 0.0
    assert grad(slope, x).data == 0.0
    with pytest.raises(ZeroDivisionError, match=r"derivative of slope of sqrt\(k=0.0\).*by zero"):
        grad(slope, k)


def test_an_input_that_does_not_matter_gets_a_zero() -> None:
    x, y = Value(3.0), Value(4.0)
    zero = grad(x * x, y)
    assert isinstance(zero, Value)
    assert zero.data == 0.0
    assert jvp(x * x, y, 1.0).data == 0.0
    assert grad(grad(3 * x, x), x).data == 0.0
    assert numbers(hvp(3 * x + y, [x, y], [1.0, 2.0])) == [0.0, 0.0]
    assert numbers(hvp(x - y, [x, y], [1.0, 2.0])) == [0.0, 0.0]


def test_an_interior_node_may_be_an_input_and_lets_the_rest_pass() -> None:
    x = Value(3.0)
    square = x * x
    assert numbers(grad(square * x, [square, x])) == [3.0, 27.0]
    assert grad(square, square).data == 1.0
    assert jvp(square * x, [x, square], [1.0, 0.0]).data == 27.0
    assert jvp(square * x, [x, square], [0.0, 1.0]).data == 3.0


def test_grad_output_scales_the_gradient_and_may_be_differentiated() -> None:
    x, scale = Value(3.0), Value(5.0)
    assert grad(x * x, x, 2.0).data == 12.0
    scaled = grad(x * x, x, grad_output=scale)
    assert scaled.data == 30.0
    assert grad(scaled, scale).data == 6.0


def test_results_are_objects_of_their_own() -> None:
    x, y = Value(3.0, label="x"), Value(4.0, label="y")
    dx, dy = grad(x * y, [x, y])
    dx.label = "dx"
    dy.label = "dy"
    assert (x.label, y.label) == ("x", "y")
    a, b = grad(x + y, [x, y], grad_output=x)
    assert a is not b
    assert a is not x


def test_linear_graphs_make_no_nodes() -> None:
    xs = [Value(float(i)) for i in range(50)]
    total = sum(xs, Value(0.0))
    assert all(not g.parents and g.data == 1.0 for g in grad(-(total - 3), xs, -1.0))


def test_a_third_derivative_stays_small() -> None:
    x = Value(0.5)
    third: Value = x.tanh() * x.exp()
    for _ in range(3):
        third = grad(third, x)
    assert len(mg.toposort(third)) < 100


def test_graphs_may_be_deeper_than_the_stack() -> None:
    x = Value(1.0)
    deep = x
    for _ in range(20_000):
        deep = deep * 1.0
    assert grad(deep, x).data == 1.0
    assert jvp(deep, x, 2.0).data == 2.0


def test_jvp_is_the_jacobian_times_the_tangents() -> None:
    x, y, t = Value(3.0), Value(4.0), Value(10.0)
    assert numbers(jvp([x * y, x + y, x.sin()], [x, y], [1.0, t])) == [34.0, 11.0, math.cos(3.0)]
    along = jvp(x * y, [x, y], [1.0, t])
    assert grad(along, t).data == 3.0
    assert grad(along, y).data == 1.0
    assert jvp(x * y, [x, x], [1.0, 2.0]).data == 12.0


def test_hvp_is_the_hessian_times_the_vector() -> None:
    x, y = Value(3.0), Value(4.0)
    out = x**2 * y + (x * y).sin()
    rows = [grad(g, [x, y]) for g in grad(out, [x, y])]
    product = [row[0].data * 2.0 - row[1].data * 3.0 for row in rows]
    assert numbers(hvp(out, [x, y], [2.0, -3.0])) == pytest.approx(product, rel=1e-14)
    assert hvp(x**3, x, 2.0).data == 36.0
    assert hvp(x**3, x, 2 * x).data == 108.0  # the vector is no part of what is differentiated
    v = Value(2.0)
    product_again = hvp(x**3, x, v)
    assert (grad(product_again, v).data, grad(product_again, x).data) == (18.0, 12.0)


@given(st.lists(st.floats(0.2, 2), min_size=3, max_size=3), st.data())
def test_forward_reverse_and_backward_agree(point: list[float], data: st.DataObject) -> None:
    xs = [Value(p) for p in point]
    nodes = list(xs)
    steps = [lambda a, b: a * b, lambda a, b: a / (b * b + 1), lambda a, b: (a - b).tanh()]
    steps += [lambda a, b: (a * 0.1).exp() + b, lambda a, b: a.hypot(b)]
    for _ in range(data.draw(st.integers(1, 12))):
        a, b = (data.draw(st.integers(0, len(nodes) - 1)) for _ in range(2))
        nodes.append(data.draw(st.sampled_from(steps))(nodes[a], nodes[b]))
    out = nodes[-1] * nodes[0]
    reverse = numbers(grad(out, xs))
    directions = [[1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]]
    forward = [jvp(out, xs, direction).data for direction in directions]
    out.backward()
    assert forward == pytest.approx(reverse, rel=1e-12, abs=1e-14)
    assert [x.grad for x in xs] == pytest.approx(reverse, rel=1e-12, abs=1e-14)


# Nodes that no row made ------------------------------------------------------------------------


def test_value_node_with_a_function_is_differentiated_to_any_order() -> None:
    x = Value(2.0)
    cube = Value.node(8.0, (x,), lambda x, out: (3 * x * x,))
    assert grad(cube, x).data == 12.0
    assert grad(grad(cube, x), x).data == 12.0
    assert grad(grad(grad(cube, x), x), x).data == 6.0


def test_value_node_with_numbers_is_differentiated_once() -> None:
    x, y = Value(2.0), Value(3.0)
    node = Value.node(6.0, (x, y), (3.0, 2.0))
    slope = grad(node * node, x)
    assert slope.data == 36.0
    with pytest.raises(TypeError, match="cannot differentiate again"):
        grad(slope, x)
    with pytest.raises(TypeError, match="cannot differentiate again"):
        slope.backward()
    assert jacobian(lambda x: [Value.node(1.0, (x,), (2.0,))])(1.0).tolist() == [2.0]


def flat_node(slope: object) -> Callable[[Value], Value]:
    return lambda x: Value.node(1.0, (x,), lambda x, out: (slope,))


def flat_op(slope: object) -> Callable[[Value], Value]:
    return Op("flat", lambda x: 1.0, lambda x, out: slope)


@pytest.mark.parametrize("made_by", [flat_node, flat_op])
@pytest.mark.parametrize("slope", [0, False, np.float64(0.0), np.int64(0), -0.0])
def test_a_slope_of_zero_is_zero_whatever_its_type(made_by: Any, slope: object) -> None:
    x = Value(2.0)
    y = made_by(slope)(x)
    assert [str(jvp(y, x, -2.5).data), str(grad(y, x, -2.5).data)] == ["0.0", "0.0"]
    with pytest.raises(TypeError, match="a local derivative"):
        grad(made_by("no number")(x), x)


def test_value_node_with_too_few_derivatives_is_refused() -> None:
    x, y = Value(2.0), Value(3.0)
    with pytest.raises(ValueError, match="got 1 for 2 parents"):
        grad(Value.node(6.0, (x, y), lambda x, y, out: (y,)), x)


def test_a_closure_cannot_be_differentiated() -> None:
    x = Value(2.0)
    by_hand = Value(4.0, (x,))
    by_hand._backward = lambda: None
    with pytest.raises(TypeError, match=r"assigned by hand.*Value.node"):
        grad(by_hand * 3, x)
    product = x * 3
    product._backward = lambda: None
    with pytest.raises(TypeError, match="assigned by hand"):
        grad(product, x)
    other = Value(1.0)
    assert grad(product * other, other).data == 6.0  # not on the way


def test_children_without_a_rule_pass_no_gradient_and_say_so() -> None:
    x = Value(2.0)
    with pytest.warns(RuntimeWarning, match="no gradient passes"):
        assert grad(Value(4.0, (x,)) * 3, x).data == 0.0


def test_a_local_derivative_that_cannot_be_computed_names_its_row() -> None:
    x = Value(0.0, label="radius")
    with pytest.raises(ZeroDivisionError, match=r"derivative of sqrt\(radius=0.0\)"):
        grad(x.sqrt(), x)
    y = Value(2.0)
    with pytest.raises(ZeroDivisionError, match="with respect to radius"):
        grad(y + x.cbrt(), [y, x])


def test_a_rule_that_is_not_needed_is_not_evaluated() -> None:
    x = Value(-2.0)
    assert grad(x**2, x).data == -4.0
    base, exponent = Value(0.0), Value(0.5)
    assert grad(base**exponent, exponent).data == 0.0  # by the base it would divide by zero


def test_stop_gradient_stops_every_derivative() -> None:
    x = Value(3.0)
    assert grad(x * x.stop_gradient(), x).data == 3.0
    assert grad(grad(x * x.stop_gradient(), x), x).data == 0.0
    assert jvp(x * x.stop_gradient(), x, 1.0).data == 3.0


def test_a_users_own_row_works() -> None:
    cube = Op("cube", lambda x: x**3, lambda x, out: 3 * x**2)
    assert grad(cube)(2.0) == 12.0
    assert grad(grad(cube))(2.0) == 12.0
    assert hessian(cube)(2.0) == 12.0


# Of functions ----------------------------------------------------------------------------------


def test_numbers_give_floats_and_arrays_give_arrays() -> None:
    slope = grad(lambda x: x**3)(2)
    assert (type(slope), slope) == (float, 12.0)
    value, slope = value_and_grad(lambda x: x**3)(np.float64(2))
    assert (type(value), type(slope), value, slope) == (float, float, 8.0, 12.0)
    seen = []

    def sum_of_squares(x: Any) -> Any:
        seen.append(x)
        return (x * x).sum()

    gradient = grad(sum_of_squares)(np.arange(6).reshape(2, 3))
    assert seen[0].shape == (2, 3)
    assert seen[0].dtype == object
    assert gradient.dtype == float
    assert gradient.tolist() == [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]]
    assert grad(lambda x: x[0] * x[1])((2.0, 3.0)).tolist() == [3.0, 2.0]
    assert grad(lambda x: np.array(x * x))(3.0) == 6.0  # an array without dimensions


def test_values_give_values() -> None:
    x = Value(2.0)
    slope = grad(lambda x: x**3)(x)
    assert slope.data == 12.0
    assert grad(slope, x).data == 12.0
    y = Value(3.0)
    mixed = grad(lambda x: (x * x * x).sum())([y, 1.0])
    assert numbers(mixed) == [27.0, 3.0]
    assert grad(mixed[0], y).data == 18.0


def test_only_x_is_differentiated() -> None:
    def model(x: Any, scale: float, *, shift: Any = 0.0) -> Any:
        return scale * x * x + shift

    assert value_and_grad(model)(3.0, 2.0, shift=1.0) == (19.0, 12.0)
    w = Value(4.0)
    assert grad(model)(3.0, 2.0, shift=w) == 12.0
    assert w.grad == 0.0


def test_nested_derivatives_are_not_confused() -> None:
    assert grad(lambda x: x * grad(lambda y: x + y)(1))(1) == 1.0
    assert grad(lambda x: x * grad(lambda y: x * y)(1))(4) == 8.0
    assert grad(lambda x: grad(lambda y: x * y)(x))(3.0) == 1.0
    assert grad(lambda x: x * grad(lambda y: y * grad(lambda z: x * y * z)(1.0))(2.0))(3.0) == 24.0
    inner = jacobian(lambda y: [y[0] * y[1], y[0]])
    assert grad(lambda x: inner([x, x * x])[0][0])(3.0) == 6.0
    assert grad(lambda x: hessian(lambda y: x * y**3)(2.0))(5.0) == 12.0


def test_a_nested_derivative_that_knows_nothing_of_the_outer_x_is_a_number() -> None:
    inner = []

    def f(x: Any) -> Any:
        inner.append(grad(lambda y: y * y)(3.0))
        return x * inner[0]

    assert grad(f)(1.0) == 6.0
    assert inner == [6.0]
    assert type(inner[0]) is float
    with_array = grad(lambda x: (x * grad(lambda y: (y * y).sum())([1.0, 2.0])).sum())
    assert with_array(2.0) == 6.0


def test_an_outer_value_can_still_be_differentiated_by_graph() -> None:
    x = Value(3.0)
    value, slope = value_and_grad(lambda y: y * y * y)(x * x)
    assert value.data == 729.0
    assert grad(value, x).data == pytest.approx(6 * 3.0**5)
    assert grad(slope, x).data == pytest.approx(3 * 4 * 3.0**3)


def test_the_history_of_x_is_not_walked_again() -> None:
    walked = []

    def potential(y: Any) -> Any:
        walked.append(len(mg.toposort(y)))
        return y * y

    def trajectory(x: Any) -> Any:
        for _ in range(20):
            x = x - 0.1 * grad(potential)(x)
        return x

    assert grad(trajectory)(1.0) == pytest.approx(0.8**20)
    assert set(walked) == {1}


def test_the_jacobian_has_the_shape_of_results_and_x() -> None:
    assert jacobian(lambda x: x[0] * x[1])([3.0, 4.0]).tolist() == [4.0, 3.0]
    assert jacobian(lambda x: [x, x * x])(3.0).tolist() == [1.0, 6.0]
    assert jacobian(lambda x: x * x)(3.0) == 6.0
    tall = jacobian(lambda x: [x[0], x[1], x[0] * x[1]])([3.0, 4.0])
    assert tall.tolist() == [[1.0, 0.0], [0.0, 1.0], [4.0, 3.0]]
    wide = jacobian(lambda x: [x[0] * x[2], x[1]])([3.0, 4.0, 5.0])
    assert wide.tolist() == [[5.0, 0.0, 3.0], [0.0, 1.0, 0.0]]
    matrix = jacobian(lambda x: x @ x)(np.eye(2))
    assert matrix.shape == (2, 2, 2, 2)
    same = jacobian(lambda x: [x[0]] * 3)([1.0])
    assert same.tolist() == [[1.0]] * 3


@given(st.integers(1, 5), st.integers(1, 5))
def test_the_jacobian_is_right_whichever_way_it_is_computed(m: int, n: int) -> None:
    a = np.random.default_rng(m + 10 * n).normal(size=(m, n))
    x = np.linspace(0.5, 1.5, n)
    result = jacobian(lambda x: mg.tanh(a @ x))(x)
    assert result == pytest.approx((1 - np.tanh(a @ x) ** 2)[:, None] * a, rel=1e-13, abs=1e-15)
    values = jacobian(lambda x: mg.tanh(a @ x))([Value(e) for e in x])
    assert np.vectorize(lambda v: v.data)(values) == pytest.approx(result, rel=1e-14, abs=1e-15)


def test_the_hessian_is_symmetric_to_the_bit() -> None:
    rng = np.random.default_rng(7)
    x = rng.normal(size=12)
    a = rng.normal(size=(12, 12))

    def f(x: Any) -> Any:
        return (mg.tanh(a @ x) * mg.exp(0.3 * x)).sum() / (1 + x @ x)

    h = hessian(f)(x)
    assert (h == h.T).all()
    differences = np.array([(grad(f)(x + d) - grad(f)(x - d)) / 2e-5 for d in 1e-5 * np.eye(12)])
    assert h == pytest.approx(differences, rel=1e-6, abs=1e-8)


def test_the_hessian_of_one_number_and_of_a_linear_function() -> None:
    assert hessian(lambda x: x**3)(2.0) == 12.0
    assert hessian(lambda x: 2 * x[0] - x[1])([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert hessian(lambda x: (x * x).sum())(np.ones((2, 2))).shape == (2, 2, 2, 2)


def test_parameters_of_a_network_keep_their_grads() -> None:
    network = mg.nn.MLP(2, [3, 1], activation="tanh")
    for p in network.parameters():
        p.grad = 0.25
    gradient = grad(network)([0.5, -0.3])
    assert gradient.shape == (2,)
    assert all(p.grad == 0.25 for p in network.parameters())


# With SciPy ------------------------------------------------------------------------------------


def test_minimize_takes_value_and_grad() -> None:
    def rosenbrock(x: Any) -> Any:
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    fit = minimize(value_and_grad(rosenbrock), [-1.2, 1.0], jac=True, method="BFGS")
    assert fit.x == pytest.approx([1.0, 1.0], abs=1e-6)
    newton = minimize(
        value_and_grad(rosenbrock),
        [-1.2, 1.0],
        jac=True,
        hess=hessian(rosenbrock),
        method="trust-exact",
    )
    assert newton.x == pytest.approx([1.0, 1.0], abs=1e-6)


def test_scipy_passes_its_args_on() -> None:
    t = np.linspace(0, 1, 20)
    y = 3 * np.exp(-2 * t)

    def residuals(b: Any, t: Any, y: Any) -> Any:
        return b[0] * mg.exp(-b[1] * t) - y

    def loss(b: Any, t: Any, y: Any) -> Any:
        return (residuals(b, t, y) ** 2).sum()

    fit = minimize(value_and_grad(loss), np.ones(2), args=(t, y), jac=True)
    assert fit.x == pytest.approx([3.0, 2.0], rel=1e-4)
    fit = least_squares(residuals, np.ones(2), jac=jacobian(residuals), args=(t, y))
    assert fit.x == pytest.approx([3.0, 2.0], rel=1e-8)


# Constants -------------------------------------------------------------------------------------


def data_or_zero(data: Any) -> float:
    return 1e10


def test_the_derivatives_of_a_constant_are_zeros() -> None:
    assert value_and_grad(data_or_zero)(3.0) == (1e10, 0.0)
    assert grad(lambda x: 7)([1.0, 2.0]).tolist() == [0.0, 0.0]
    assert hessian(lambda x: 7.0)([1.0, 2.0]).tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert jacobian(lambda x: [x[0] * 3, 2.0, x[1]])([1.0, 2.0]).tolist() == [
        [3.0, 0.0],
        [0.0, 0.0],
        [0.0, 1.0],
    ]
    assert jacobian(lambda x: np.array([1.0, 2.0]))([1.0]).tolist() == [[0.0], [0.0]]
    x, y = Value(1.0), Value(2.0)
    assert [v.data for v in grad(5.0, [x, y])] == [0.0, 0.0]  # type: ignore[call-overload]
    assert [v.data for v in jvp([x * 2, 5.0], [x, y], [1.0, 1.0])] == [2.0, 0.0]


# Only what leads to x --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("f", "slope"),
    [
        (lambda x: x + mg.sqrt(Value(0.0)), 1.0),
        (lambda x: x * mg.stop_gradient(mg.sqrt(x - 1.0)), 0.0),
        (lambda x: x + mg.sqrt(mg.stop_gradient(x) - 1.0), 1.0),
        (lambda x: x + mg.sqrt(mg.where(x - 1.0, 3.0, 0.0)), 1.0),
        (lambda x: x + mg.sqrt(mg.less(x, 0.0)), 1.0),
        (lambda x: Value(0.0) ** (x / 2), 0.0),
        (lambda x: mg.where(False, mg.sqrt(x - 1.0), x * 3), 3.0),
        (lambda x: mg.maximum(mg.sqrt(x - 1.0), 1e-10) + x, 1.0),
        (lambda x: x * mg.log(Value(1.0)) + mg.where(True, x, (x - 1.0) ** 0.5), 1.0),
    ],
)
def test_what_x_does_not_depend_on_cannot_fail(f: Any, slope: float) -> None:
    assert grad(f)(1.0) == slope
    assert jacobian(lambda x: [f(x), f(x)])(1.0).tolist() == [slope, slope]
    x = Value(1.0)
    assert grad(f(x), x).data == slope


# Beside other derivatives ----------------------------------------------------------------------


def test_derivatives_nest_across_threads() -> None:
    with ThreadPoolExecutor(1) as pool:

        def f(x: Any) -> Any:
            return x * pool.submit(grad(lambda y: x * y), 1.0).result()

        assert grad(f)(4.0) == 8.0
        assert grad(grad(lambda x: x * f(x)))(4.0) == 24.0


def test_a_gradient_is_not_lost_beside_another_thread() -> None:
    w = Value(2.0)
    inside, done = threading.Event(), threading.Event()

    def wait(x: Any, out: Any) -> Any:
        inside.set()
        assert done.wait(10)
        return x * 0 + 1

    pause = Op("pause", lambda x: x, wait)
    with ThreadPoolExecutor(1) as pool:
        slope = pool.submit(grad(lambda x: w * pause(x)), 2.0)
        assert inside.wait(10)
        (w * 2).backward()
        done.set()
        assert slope.result() == 2.0
    assert w.grad == 2.0


def test_threads_lose_no_gradient() -> None:
    w = Value(3.0)
    go = threading.Barrier(2)

    def differentiate() -> set[float]:
        go.wait()
        return {grad(lambda x: w * x * w)(float(i % 7)) for i in range(500)}

    with ThreadPoolExecutor(1) as pool:
        slopes = pool.submit(differentiate)
        go.wait()
        for _ in range(500):
            (w * 2).backward()
        assert slopes.result() == {9.0}
    assert w.grad == 1000.0


def test_a_value_kept_from_an_earlier_call_is_refused() -> None:
    kept: dict[str, Any] = {}

    def f(x: Any) -> Any:
        square = kept.setdefault("square", x * x)
        return square * x

    assert grad(f)(2.0) == 12.0
    for differentiate in (grad, value_and_grad, jacobian, hessian):
        with pytest.raises(ValueError, match="got in an earlier call of grad and kept"):
            differentiate(f)(2.0)
    kept.clear()
    assert hessian(f)(2.0) == 12.0
    x, y = Value(2.0), Value(3.0)
    for differentiate in (grad, value_and_grad, jacobian, hessian):
        kept.clear()
        differentiate(f)(x)
        for again in (x, y, [x], np.array([y, x])):
            with pytest.raises(ValueError, match="got in an earlier call of grad and kept"):
                differentiate(lambda v: f(v[0] if np.ndim(v) else v) + 1)(again)
    kept.clear()
    assert grad(lambda v: grad(f)(v) * 0 + v * v)(x).data == 4.0  # while the outer call runs
    with pytest.raises(ValueError, match="got in an earlier call of grad and kept"):
        grad(lambda v: grad(f)(v))(x)


def test_what_a_derivative_gave_may_be_used_in_others() -> None:
    x = Value(2.0)
    value, slope = value_and_grad(lambda v: v**3)(x)
    assert grad(lambda v: slope * value * v)(x).data == 12.0 * 8.0
    assert grad(lambda v: grad(lambda u: u * u * v)(v))(x).data == 8.0
    slopes = jacobian(lambda u: [u[0] * u[0] * slope])
    assert grad(lambda v: slopes(v)[0, 0])([x])[0].data == 24.0
    assert hessian(lambda v: slope * v * v)(x).data == 24.0


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])
def test_a_copy_of_x_would_lose_the_gradient_and_is_refused(duplicate: Any) -> None:
    for differentiate in (grad, value_and_grad, jacobian, hessian):
        with pytest.raises(ValueError, match="used a copy of its x"):
            differentiate(lambda x: duplicate(x) * x)(2.0)
    with pytest.raises(ValueError, match="used a copy of its x"):
        grad(lambda x: copy.deepcopy(x * x) * x)(2.0)
    assert grad(lambda x: copy.copy(x * x) * x)(2.0) == 12.0  # on the same operands
    x = Value(2.0)
    assert duplicate(x)._is_variable is False


def test_a_closure_on_the_way_to_x_gets_what_it_gets_from_backward() -> None:
    w = Value(5.0)
    w.grad = 7.0

    def f(x: Any) -> Any:
        by_hand = Value(x.data * x.data, (x, w))

        def backward() -> None:
            x.grad += 2 * x.data * by_hand.grad
            w.grad += by_hand.grad

        by_hand._backward = backward
        return by_hand * x * 2

    assert value_and_grad(f)(3.0) == (54.0, 54.0)
    assert jacobian(lambda x: [f(x), x, f(x) * 2])(3.0).tolist() == [54.0, 1.0, 108.0]
    assert w.grad == 7.0


def test_masked_numbers_are_refused() -> None:
    masked = np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False])
    for x in (masked, np.ma.masked, [1.0, np.ma.masked]):
        with pytest.raises(ValueError, match="1 masked element, for which there is no number"):
            grad(lambda x: x * 2 if getattr(x, "shape", ()) == () else x.sum())(x)
    with pytest.raises(ValueError, match="masked"):
        jacobian(lambda x: x * masked)(2.0)
    base = Value(2.0)
    for use in (
        Value,
        lambda m: base**m,
        lambda m: base + m,
        lambda m: base < m,
        lambda m: base == m,
        lambda m: mg.maximum(base, m),
    ):
        with pytest.raises(ValueError, match="masked"):
            use(np.ma.masked)
    whole = np.ma.array([1.0, 2.0], mask=False)
    assert grad(lambda x: (x * x).sum())(whole).tolist() == [2.0, 4.0]


# What is refused -------------------------------------------------------------------------------


def relu_by_max(x: Any) -> Any:
    return max(x, 0)


def hidden_from_sight(x: Any) -> float:
    return float(getattr(x, "data", x))


def test_a_dropped_gradient_is_found_where_a_common_change_of_x_does_not_show_it() -> None:
    def ratio(x: Any) -> Any:
        return x[0].data / x[1].data

    def difference(x: Any) -> Any:
        return x[0].data - x[1].data

    with pytest.raises(TypeError, match="dropped"):
        grad(lambda x: ratio(x))([2.0, 4.0])
    with pytest.raises(TypeError, match="dropped"):
        grad(lambda x: difference(x))([2.0, 2.0])
    with pytest.raises(TypeError, match="dropped"):
        jacobian(lambda x: [x[0] * 1.0, ratio(x)])([1.0, 2.0])


def test_a_dropped_gradient_is_an_error_that_shows_the_place() -> None:
    line = relu_by_max.__code__.co_firstlineno + 1
    with pytest.raises(TypeError, match=rf"line {line} of .*max.*write maximum\(x, 0\)"):
        grad(relu_by_max)(-1.0)
    with pytest.raises(TypeError, match=r"gradient was dropped .* write x for x.data"):
        value_and_grad(lambda x: x.data * 2)(1.0)
    with pytest.raises(TypeError, match=r"as result 1, which is not a Value.*maximum\(x, 0\)"):
        jacobian(lambda x: [x, max(x, 3.0)])(1.0)
    with pytest.raises(TypeError, match="the gradient was dropped on the way"):
        grad(lambda x: hidden_from_sight(x) ** 2)(1.0)  # not a constant: it changes with x
    with pytest.raises(TypeError, match="in a comparison"):
        grad(lambda x: x > 0)(1.0)
    with pytest.raises(TypeError, match="returned None"):
        hessian(lambda x: None)(1.0)
    with pytest.raises(TypeError, match="not a Value"):
        grad(lambda x: "text")(1.0)
    with pytest.raises(TypeError, match="bool returned True"):
        grad(bool)(1.0)


def test_more_than_one_output_is_an_error_that_names_jacobian() -> None:
    x = Value(1.0)
    with pytest.raises(TypeError, match=r"returned 2 results.*jacobian"):
        grad(lambda x: [x, x])(1.0)
    with pytest.raises(TypeError, match="jacobian"):
        grad([x, x], x)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="takes one output, got 2"):
        hvp([x, x], x, 1.0)  # type: ignore[call-overload]


def test_what_is_not_a_value_is_refused() -> None:
    x = Value(1.0)
    with pytest.raises(TypeError, match=r"takes a Value .* got '3.0'"):
        grad("3.0", x)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"inputs of grad must be Values, got 2.0"):
        grad(x * x, [x, 2.0])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="inputs of grad"):
        grad(x * x, None)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="outputs of jvp"):
        jvp("3.0", x, 1.0)
    with pytest.raises(TypeError, match=r"grad\(f\)\(x\)"):
        grad(lambda x: x, x)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="takes a function"):
        jacobian(x * x)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="grad_output"):
        grad(x * x, x, "1")  # type: ignore[call-overload]
    for wrong in ("12", {1.0, 2.0}, None, 1j):
        with pytest.raises(TypeError, match="x must be"):
            grad(lambda x: x)(wrong)
    assert grad(lambda x: x[0][1] * x[1][0])([[1.0, 2.0], [3.0]]) == [[0.0, 3.0], [2.0]]


def test_lengths_must_agree() -> None:
    x, y = Value(1.0), Value(2.0)
    with pytest.raises(ValueError, match="got 1 for 2"):
        jvp(x * y, [x, y], [1.0])
    with pytest.raises(ValueError, match="got 3 for 2"):
        hvp(x * y, [x, y], [1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="a number per input"):
        jvp(x * y, [x, y], 1.0)


# Against arithmetic with many digits -----------------------------------------------------------

UNARY = ["sin", "cos", "tanh", "exp", "arctan", "arcsinh", "erf", "log", "sqrt", "cbrt"]
MPMATH = {"arctan": "atan", "arcsinh": "asinh"}


def composite(seed: int, library: Any, x: Any) -> Any:
    """Draw a random function of one variable: positive, so that log and sqrt are defined."""
    rng = np.random.default_rng(seed)
    terms = [x, 1 / x, x * x]
    for _ in range(6):
        name = rng.choice(UNARY)
        a, b = rng.choice(len(terms), size=2)
        inner = (terms[a] + float(rng.uniform(0.5, 1.5))) / (2 + terms[b])
        positive = inner * inner + 0.5
        terms.append(getattr(library, name)(positive) * terms[a] / (1 + terms[b] * terms[b]))
    return terms[-1] + terms[-2] * terms[-3]


class Many:
    """The same names in mpmath."""

    def __getattr__(self, name: str) -> Any:
        return getattr(mpmath, MPMATH.get(name, name))


@pytest.mark.parametrize("seed", range(12))
def test_composite_functions_to_third_order(seed: int) -> None:
    x = 0.8
    derivative = v = Value(x)
    derivative = composite(seed, mg, v)
    with mpmath.workdps(60):
        for order in range(4):
            exact = mpmath.diff(lambda t: composite(seed, Many(), t), mpmath.mpf(x), order)
            assert derivative.data == pytest.approx(float(exact), rel=1e-11, abs=1e-12)
            derivative = grad(derivative, v)


def test_of_no_numbers_there_are_no_derivatives() -> None:
    assert mg.grad(lambda x: sum(x))([]).shape == (0,)
    assert mg.value_and_grad(lambda x: Value(3.0))(np.empty((0, 2)))[1].shape == (0, 2)
    assert mg.jacobian(lambda x: [1.0, Value(2.0)])([]).shape == (2, 0)
    assert mg.hessian(lambda x: 2.0)([]).shape == (0, 0)
    slopes = mg.grad(mg.program(lambda x, y: 2 * y))(np.empty((3, 0)), [1.0, 2.0, 3.0])
    assert slopes.shape == (3, 0)


@pytest.mark.parametrize("alone", [3, Value(2.0), [Value(2.0)]])
def test_a_value_alone_is_no_function(alone: Any) -> None:
    with pytest.raises(TypeError, match=r"grad\(output, inputs\); got .* alone"):
        mg.grad(alone)


@pytest.mark.parametrize("second", [hessian, lambda f: lambda x: hvp(f)(x, 1.0)])
def test_second_derivatives_within_a_derivative_may_be_of_one(second: Any) -> None:
    def cube(u: Value) -> Value:
        return u * u * u

    slope = grad(lambda x: second(lambda z: grad(cube)(z) * z)(x))  # of 3 z^3
    assert slope(0.7) == pytest.approx(18.0, rel=1e-12)
