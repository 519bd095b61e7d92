"""The derivatives of a program are programs: they agree with those of the function, row by row."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_programs_random import (
    BINARY,
    BRANCHES,
    CHOICES,
    PARAMETERS,
    STEPS,
    UNARY,
    Choice,
    Step,
)

import micrograd as mg
from micrograd import Value, program

Array = np.ndarray[Any, Any]
w = Value(0.5, label="w")


def wave(x: Any, t: Any) -> Any:
    """Take one of two ways, by the first input."""
    if x[0] > 0:
        return w * x[0] ** 2 * mg.sin(x[1]) + t**3
    return mg.exp(x[0] * t) * x[1]


traced = program(wave)
X = np.array([[1.0, 2.0], [-1.0, 0.5], [3.0, 1.0], [0.0, -1.5]])
T = np.array([1.0, 2.0, 3.0, -0.5])


def each_row(f: Callable[..., Any], *arguments: Any) -> Any:
    """Compute row by row, with the results of all rows in one array, or in a tuple of these."""
    found = [f(*row) for row in zip(*arguments)]
    if not isinstance(found[0], tuple):
        return np.array(found, float)
    return tuple(each_row(lambda *row, i=i: f(*row)[i], *arguments) for i in range(len(found[0])))


def assert_close(found: Any, wanted: Any) -> None:
    if isinstance(wanted, tuple):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted):
            assert_close(one, other)
        return
    assert found.shape == wanted.shape
    size = np.abs(wanted).max(initial=1e-3)
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-12 * size)


DERIVATIVES: dict[str, Callable[..., Any]] = {
    "grad": mg.grad,
    "value_and_grad": mg.value_and_grad,
    "jacobian": mg.jacobian,
    "hessian": mg.hessian,
    "by_time": lambda f: mg.grad(f, argnums=1),
    "by_both": lambda f: mg.grad(f, argnums=(0, 1)),
    "hessian_by_both": lambda f: mg.hessian(f, argnums=(1, 0)),
    "of_a_gradient": lambda f: mg.jacobian(mg.grad(f)),
    "mixed": lambda f: mg.jacobian(mg.grad(f, argnums=1)),
    "third": lambda f: mg.jacobian(mg.hessian(f)),
    "of_a_pair": lambda f: mg.jacobian(mg.value_and_grad(f)),
}


@pytest.mark.parametrize("derivative", DERIVATIVES.values(), ids=DERIVATIVES.keys())
def test_each_row_has_the_derivative_of_its_own_way(derivative: Callable[[Any], Any]) -> None:
    of_rows = derivative(traced)
    assert_close(of_rows(X, T), each_row(derivative(wave), X, T))
    wave_at, w.data = w.data, 2.0
    try:
        assert_close(of_rows(X, T), each_row(derivative(wave), X, T))
    finally:
        w.data = wave_at


def test_shapes_of_arguments_and_results() -> None:
    net = program(lambda x: [x[0][0] * x[1][2], x[0][1] ** 2, 3.0])
    images = np.arange(24.0).reshape(4, 2, 3)
    found = mg.jacobian(net)(images)
    assert found.shape == (4, 3, 2, 3)
    assert_close(
        found, each_row(mg.jacobian(lambda x: [x[0, 0] * x[1, 2], x[0, 1] ** 2, 3.0]), images)
    )
    slopes = mg.grad(program(lambda a, b: a * b))([1.0, 2.0], b=[3.0, 4.0])
    assert slopes.data.tolist() == [3.0, 4.0]
    assert mg.hessian(traced)(X[:0], T[:0]).shape == (0, 2, 2)
    value, slope = mg.value_and_grad(traced)(X[:0], T[:0])
    assert (value.shape, slope.shape) == ((0,), (0, 2))
    assert program(lambda x: np.array([[x, 2 * x], [x * x, 1.0]]))([3.0]).data.tolist() == [
        [[3.0, 6.0], [9.0, 1.0]]
    ]


def test_a_derivative_is_trained_as_any_program() -> None:
    """Check that the parameters get the gradient of a sum of slopes."""
    a, b = X[X[:, 0] > 0].T  # the rows that w plays a part in
    w.grad = 0.0
    slopes = mg.grad(traced)
    slopes(X, T).sum().backward()
    assert w.grad == pytest.approx((2 * a * np.sin(b) + a**2 * np.cos(b)).sum(), rel=1e-12)
    w.grad = 0.0
    value, slope = mg.value_and_grad(traced)(X, T)
    (value.mean() + slope[:, 1].sum()).backward()
    assert w.grad == pytest.approx((a**2 * (np.sin(b) / 4 + np.cos(b))).sum(), rel=1e-12)
    assert "cos(x[1])" in str(slopes)


def test_lists_stay_lists_and_integers_are_still_told() -> None:
    joined = program(lambda x: sum(a * a for a in x + x[:1]))  # lists are joined, arrays would add
    assert mg.grad(joined)([[1.0, 2.0]]).data.tolist() == [[4.0, 4.0]]
    switched = program(lambda x: x * x if x else 7.0)
    assert mg.grad(switched)([0, 3]).data.tolist() == [0.0, 6.0]
    within = program(lambda x: mg.grad(joined)([x, 2 * x])[0])
    assert within([3.0]).data.tolist() == [12.0]
    both = program(lambda x: mg.grad(program(lambda a, b: a * b))(x, x**2))
    assert both([3.0]).data.tolist() == [9.0]  # by a alone, though b depends on it
    table = [1.0, 5.0]
    looked_up = program(lambda i, x: mg.take(table, i) * x)
    assert mg.grad(looked_up, argnums=1)([1, 0], [2.0, 2.0]).data.tolist() == [5.0, 1.0]


class Spring:
    """A program that is a method."""

    def __init__(self, stiffness: float) -> None:
        self.stiffness = Value(stiffness)

    @program
    def energy(self, stretch: Any) -> Any:
        """Return the energy of one stretch."""
        return self.stiffness * stretch**2 / 2

    slope = mg.grad(energy, argnums=0)


def test_of_one_example_lists_beside_stay_lists() -> None:
    def mixed(x: Any, y: Any) -> Any:
        assert isinstance(x, list)
        return x[0] * y * y + x[1]

    p = program(mixed)
    of_one: Any = [Value(1.0), Value(2.0)], Value(3.0)
    assert mg.grad(p, argnums=1)(*of_one).data == 6.0
    value, slope = mg.value_and_grad(p, argnums=1)(*of_one)
    assert (value.data, slope.data) == (11.0, 6.0)
    assert mg.jacobian(p, argnums=1)(*of_one).data == 6.0
    assert mg.hessian(p, argnums=1)(*of_one).data == 2.0
    assert [v.data for v in mg.grad(p)(*of_one)] == [9.0, 1.0]
    by_x, by_y = mg.grad(p, argnums=(0, 1))(*of_one)
    assert ([v.data for v in by_x], by_y.data) == ([9.0, 1.0], 6.0)
    beside = program(lambda x, y: (mixed(x, y), x[1]))
    slope, aux = mg.grad(beside, argnums=1, has_aux=True)(*of_one)
    assert (slope.data, aux.data) == (6.0, 2.0)
    within = program(lambda x, y: mg.grad(p, argnums=1)(x, y))
    assert within([[1.0, 2.0], [2.0, 5.0]], [3.0, 1.0]).data.tolist() == [6.0, 4.0]


def test_within_a_program_rows_may_be_ragged() -> None:
    q = program(lambda x: x[0][0] * x[1][1] * x[1][0])

    def slopes(a: Any) -> Any:
        [[first], [second, third]] = mg.grad(q)([[a], [a, 2 * a]])
        return [first, second, third]

    assert program(slopes)([1.0, 2.0]).data.tolist() == [[2.0, 2.0, 1.0], [8.0, 8.0, 4.0]]


def test_of_methods_pickles_and_copies() -> None:
    soft, hard = Spring(1.0), Spring(4.0)
    assert mg.grad(hard.energy)([1.0, 2.0]).data.tolist() == [4.0, 8.0]
    assert soft.slope([3.0]).data.tolist() == [3.0]
    assert hard.slope([3.0]).data.tolist() == [12.0]
    for made in (pickle.loads(pickle.dumps(mg.hessian(traced))), copy.deepcopy(mg.hessian(traced))):
        assert_close(made(X, T), each_row(mg.hessian(wave), X, T))
    assert repr(mg.jacobian(mg.grad(traced))) == "<program jacobian(grad(wave))>"
    assert mg.grad(traced).__doc__ == wave.__doc__


def test_kinks_and_far_values_are_those_of_a_program() -> None:
    bent = program(lambda x: abs(x) ** 2)
    assert mg.grad(bent)([-1.0, 0.0]).data.tolist() == [-2.0, 0.0]
    assert np.isnan(mg.grad(mg.grad(bent))([0.0]).data).all()
    larger = program(lambda x: mg.maximum(x[0] ** 2, x[1]) * w)
    assert mg.hessian(larger)([[3.0, 1.0]]).data.tolist() == [[[1.0, 0.0], [0.0, 0.0]]]
    rooted = program(lambda x: mg.sqrt(x))
    assert mg.grad(rooted)([0.0, 4.0]).data.tolist() == [np.inf, 0.25]


@pytest.mark.parametrize("derive", [mg.grad, mg.value_and_grad, mg.jacobian, mg.hessian])
def test_what_a_function_returns_beside_comes_with_the_derivative(derive: Any) -> None:
    scale = Value(1.5)

    def f(x: Any, t: Any) -> Any:
        z = scale * x[0] * mg.sin(x[1] * t)
        return (z - 1.0) ** 2, (z, [z * t, x[0]])

    rows, by_rows = derive(f, has_aux=True), derive(program(f), has_aux=True)
    found = leaves(by_rows(X, T))
    loop = [leaves(rows(x, float(t))) for x, t in zip(X, T)]
    assert len(found) == len(loop[0])
    for part, each in zip(found, zip(*loop)):
        np.testing.assert_allclose(part, np.array(each), rtol=1e-12, atol=1e-13)
    *_, beside = by_rows(X, T) if derive is not mg.value_and_grad else by_rows(X, T)[0]
    beside[0].sum().backward()
    assert scale.grad == pytest.approx((X[:, 0] * np.sin(X[:, 1] * T)).sum(), rel=1e-12)


def leaves(parts: Any) -> list[Any]:
    """Return the arrays in nested results, in their order; a list of numbers is an array."""
    if isinstance(parts, tuple):
        return [x for part in parts for x in leaves(part)]
    return [parts.data if isinstance(parts, mg.programs.Result) else np.array(parts)]


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: mg.grad(traced, argnums=2)(X, T), TypeError, "2 positional .* argument 2"),
        (lambda: DERIVATIVES["grad"](traced, argnums="x"), TypeError, "argnums is the position"),
        (lambda: mg.hessian(traced, sparse=True), TypeError, "<program wave>: sparse is for func"),
        (lambda: mg.grad(traced, has_aux=True)(X, T), TypeError, "has_aux=True it returns a pair"),
        (lambda: mg.grad(program(lambda x: [x, x]))(T), TypeError, "2 results; .* Use jacobian"),
        (lambda: mg.grad(program(lambda x: None))(T), TypeError, "returned None"),
        (
            lambda: mg.grad(program(lambda x: sum(x)))([[1.0], [1.0, 2.0]]),
            ValueError,
            "rows of x differ in length.*call it on the rows of each length",
        ),
    ],
)
def test_what_cannot_be_had_says_what_to_write(
    ask: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask()


# Random programs ---------------------------------------------------------------------------------


def assert_derivatives_agree(function: Callable[..., Any], seed: int, values: list[Value]) -> None:
    """Compare gradients and Hessians, by inputs and by parameters, with the eager ones."""
    rng = np.random.default_rng(seed)
    for v in values:
        v.data = rng.uniform(-1, 1)
    rows = int(rng.integers(1, 5))
    x, y = rng.uniform(-1, 1, (rows, 3)), rng.uniform(-1, 1, rows)
    p = program(function)
    for derivative in (mg.grad, mg.hessian):
        assert_close(derivative(p)(x, y), each_row(derivative(function), x, y))
    by_both = mg.jacobian(mg.grad(p), argnums=1)
    assert_close(by_both(x, y), each_row(mg.jacobian(mg.grad(function), argnums=1), x, y))


def _two_of(nodes: list[Any], first: int, second: int) -> tuple[Any, Any]:
    """Return two operands, apart from each other: at a kink there is no second derivative."""
    a, b = nodes[-1 - first % len(nodes)], nodes[-1 - second % len(nodes)]
    return a, b + 0.013 if a is b else b


@settings(max_examples=15)
@given(st.lists(STEPS, min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_random_programs(steps: list[Step], seed: int) -> None:
    values = [Value(0.0) for _ in range(PARAMETERS)]

    def planned(x: Any, y: Any) -> Any:
        nodes = [*values, 0.75, y, x[0], x[1], x[2]]
        for which, first, second in steps:
            a, b = _two_of(nodes, first, second)
            unary = which < len(UNARY)
            nodes.append(UNARY[which](a) if unary else BINARY[which - len(UNARY)](a, b))
        return nodes[-1] + x[0] * x[1] * nodes[-1]

    assert_derivatives_agree(planned, seed, values)


@settings(max_examples=15)
@given(st.lists(CHOICES, min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_random_branches(choices: list[Choice], seed: int) -> None:
    values = [Value(0.0) for _ in range(PARAMETERS)]

    def branching(x: Any, y: Any) -> Any:
        nodes = [*values, 0.25, y, x[0], x[1], x[2]]
        for which, first, second, _ in choices:
            a, b = _two_of(nodes, first, second)
            nodes.append((BRANCHES + BINARY)[which](a, b))
        return nodes[-1] * mg.sin(x[2] * y) + nodes[-1] ** 2

    assert_derivatives_agree(branching, seed, values)


def test_a_pickle_holds_what_was_traced_of_a_derivative() -> None:
    def inner(x: Any) -> Any:
        return w * x**3

    slope = mg.grad(program(inner))
    with pytest.raises(pickle.PicklingError, match="nothing was traced"):
        pickle.dumps(slope)
    slope([1.0])
    loaded = pickle.loads(pickle.dumps(slope))
    assert loaded([2.0]).data.tolist() == [6.0]
    assert copy.copy(slope)([2.0]).data.tolist() == [6.0]
    assert pickle.loads(pickle.dumps(mg.grad(hard.energy)))([2.0]).data.tolist() == [8.0]


hard = Spring(4.0)


def test_what_is_retraced_has_its_derivatives_retraced() -> None:
    class Line:
        def __init__(self) -> None:
            self.weights = [Value(1.0), Value(2.0)]

        @mg.program
        def square(self, x: Any) -> Any:
            return (sum(self.weights) * x) ** 2

    line = Line()
    program = line.square
    slope, curve = mg.grad(program), mg.jacobian(mg.grad(program))
    objective = program.objective([line.weights[0]], [1.0])
    of_objective = objective.jac([1.0]), objective.hess([1.0]), objective.jacobian([1.0])
    assert [float(x.squeeze()) for x in of_objective] == [6.0, 2.0, 6.0]
    assert (slope([1.0]).data, curve([1.0]).data) == (18.0, 18.0)
    line.weights[1] = Value(4.0)
    line.square.retrace()
    assert (slope([1.0]).data, curve([1.0]).data) == (50.0, 50.0)
    assert mg.grad(line.square)([1.0]).data == 50.0
    line.weights.append(Value(5.0))
    program.retrace()
    of_objective = objective.jac([1.0]), objective.hess([1.0]), objective.jacobian([1.0])
    assert [float(x.squeeze()) for x in of_objective] == [20.0, 2.0, 20.0]
    assert slope([1.0]).data == 200.0
