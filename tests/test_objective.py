"""A program's objective: what SciPy fits, with the derivatives of the eager function."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_programs_random import BINARY, BRANCHES, CHOICES, Choice

import micrograd as mg
from micrograd import Value, program
from micrograd.nn import MLP
from micrograd.programs import ProgramError

Array = np.ndarray[Any, Any]

T = np.linspace(0.1, 3.0, 40)
RNG = np.random.default_rng(3)
Y = 2.0 * np.exp(-0.7 * T) + 0.3 + 0.01 * RNG.normal(size=40)


@dataclasses.dataclass
class Decay:
    """The parameters of a decay, nested."""

    size: Any
    rates: dict[str, Any]


def decay(start: list[float]) -> tuple[Decay, Any]:
    p = Decay(Value(start[0]), {"rate": Value(start[1]), "floor": [Value(start[2])]})

    @program
    def residual(t: Any, y: Any) -> Any:
        return p.size * mg.exp(-p.rates["rate"] * t) + p.rates["floor"][0] - y

    return p, residual


def eager(b: Any) -> Any:
    return [b[0] * mg.exp(-b[1] * t) + b[2] - y for t, y in zip(T, Y)]


def test_residuals_and_their_jacobian_are_those_of_the_eager_function() -> None:
    p, residual = decay([1.0, 1.0, 0.0])
    fit = residual.objective(p, T, Y)
    x = np.array([1.3, 0.4, 0.2])
    np.testing.assert_allclose(fit.residuals(x), eager(x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(fit.jacobian(x), mg.jacobian(eager)(x), rtol=1e-12, atol=1e-15)
    assert fit.x0.tolist() == [1.0, 1.0, 0.0]
    assert repr(fit) == "<objective of <program residual> and 3 parameters>"


@pytest.mark.parametrize("method", ["trf", "dogbox", "lm"])
def test_least_squares_fits_and_bounds_hold(method: Any) -> None:
    from scipy.optimize import least_squares

    p, residual = decay([1.0, 1.0, 0.0])
    fit = residual.objective(p, T, Y)
    found = least_squares(fit.residuals, fit.x0, jac=fit.jacobian, method=method)
    by_differences = least_squares(fit.residuals, fit.x0)
    np.testing.assert_allclose(found.x, by_differences.x, rtol=1e-5)
    assert (p.size.data, p.rates["floor"][0].data) == (1.0, 0.0)  # a fit moves no Value
    fit.assign(found.x)
    assert [p.size.data, p.rates["rate"].data, p.rates["floor"][0].data] == found.x.tolist()
    if method != "lm":
        bounds = ([0.0, 0.0, 0.4], [9.0, 9.0, 9.0])
        start = [1.0, 1.0, 0.5]
        bound = least_squares(fit.residuals, start, fit.jacobian, bounds, method)
        assert bound.x[2] == pytest.approx(0.4, abs=1e-6)


def mixture(values: list[Value]) -> Callable[..., Any]:
    """Return minus the log-likelihood of a point by two normal distributions, and a prior."""

    def misfit(x: Any) -> Any:
        a, m, n, s = values
        first = mg.log_ndtr(a) - (x - m) ** 2 * mg.exp(-s) / 2 - s / 2
        second = mg.log_ndtr(-a) - (x - n) ** 2 / 2
        return -mg.logsumexp([first, second])

    return misfit


def test_minimize_with_hessian_and_with_products() -> None:
    from scipy.optimize import minimize

    data = np.concatenate([RNG.normal(-2, 0.5, 60), RNG.normal(1.5, 1, 90)])
    start = [0.1, -1.0, 1.0, 0.2]
    values = [Value(v) for v in start]
    fit = program(mixture(values)).objective(values, data)

    def total(p: Any) -> Any:
        misfit = mixture(list(p))
        return sum(misfit(x) for x in data.tolist())

    value, gradient = mg.value_and_grad(total)(start)
    assert fit.fun(fit.x0) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(fit.jac(start), gradient, rtol=1e-12)
    hessian = mg.hessian(total)(start)
    np.testing.assert_allclose(
        fit.hess(start), hessian, rtol=1e-12, atol=1e-12 * abs(hessian).max()
    )
    assert (fit.hess(start) == fit.hess(start).T).all()
    v = [1.0, -2.0, 0.5, 0.0]
    np.testing.assert_allclose(fit.hessp(start, v), hessian @ v, rtol=1e-11)
    exact = minimize(fit.fun, start, jac=fit.jac, hess=fit.hess, method="trust-exact")
    products = minimize(fit.fun, start, jac=fit.jac, hessp=fit.hessp, method="trust-ncg")
    quasi = minimize(fit.fun, start, jac=fit.jac, method="BFGS")
    np.testing.assert_allclose(exact.x, quasi.x, rtol=1e-3)
    np.testing.assert_allclose(exact.x, products.x, rtol=1e-4)
    assert abs(fit.jac(exact.x)).max() < 1e-4


def test_a_list_of_results_is_summed_and_spread() -> None:
    a, b = Value(2.0), Value(3.0)
    two = program(lambda x: [a * x, b * x**2])
    fit = two.objective([b, a], [1.0, 2.0])
    assert fit.fun([3.0, 2.0]) == 2 + 3 + 4 + 12
    assert fit.jac([3.0, 2.0]).tolist() == [5.0, 3.0]
    assert fit.residuals([3.0, 2.0]).tolist() == [2.0, 3.0, 4.0, 12.0]
    assert fit.jacobian([3.0, 2.0]).tolist() == [[0.0, 1.0], [1.0, 0.0], [0.0, 2.0], [4.0, 0.0]]


def test_other_parameters_may_move_and_no_grad_is_touched() -> None:
    a, other = Value(2.0), Value(3.0)
    fit = program(lambda x: a * a * other * x).objective(a, [1.0])
    assert fit.fun([2.0]) == 12.0
    other.data = 5.0
    assert fit.jac([2.0]).tolist() == [20.0]
    assert fit.hess([2.0]).tolist() == [[10.0]]
    other.data = 7.0
    assert fit.hess([2.0]).tolist() == [[14.0]]
    assert fit.fun([2.0]) == 28.0
    assert (a.grad, other.grad) == (0.0, 0.0)


def test_models_ragged_rows_and_no_rows() -> None:
    model = MLP(2, [3, 1])
    loss = program(lambda x, y: (model(x) - y) ** 2)
    fit = loss.objective(model, RNG.normal(size=(5, 2)), RNG.normal(size=5))
    assert fit.x0.tolist() == [p.data for p in model.parameters()]
    total = loss(*fit._args).sum()
    total.backward()
    np.testing.assert_allclose(fit.jac(fit.x0), [p.grad for p in model.parameters()], rtol=1e-12)
    w = Value(2.0)
    mean = program(lambda x: w * w * sum(x) / len(x))
    ragged = mean.objective(w, [[1.0], [1.0, 3.0]])
    assert ragged.jacobian([2.0]).tolist() == [[4.0], [8.0]]
    empty = mean.objective(w, np.empty((0, 2)))
    assert (empty.fun([1.0]), empty.jac([1.0]).tolist()) == (0.0, [0.0])
    assert (empty.hess([1.0]).tolist(), empty.jacobian([1.0]).shape) == ([[0.0]], (0, 1))


def test_many_rows_run_in_blocks() -> None:
    a = Value(0.5)
    x = np.linspace(-1, 1, 20_000)
    fit = program(lambda x: mg.softplus(a * x)).objective(a, x)
    s = 1 / (1 + np.exp(-0.5 * x))
    assert fit.jac([0.5])[0] == pytest.approx((s * x).sum(), rel=1e-10)
    assert fit.hess([0.5])[0, 0] == pytest.approx((s * (1 - s) * x * x).sum(), rel=1e-10)


b = Value(1.0)
computed = b * 2
line = program(lambda x: b * x)
pair: Any = mg.value_and_grad(line)


@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda: line.objective([1.0], T), TypeError, r"params\[0\] is 1.0: .* Values that"),
        (lambda: line.objective([b, b], T), ValueError, r"params\[1\] is given twice"),
        (lambda: line.objective([], T), ValueError, "at least one parameter"),
        (lambda: line.objective({"b": computed}, T), ValueError, "'b'] was computed"),
        (lambda: line.objective(b, T).fun([1.0, 2.0]), ValueError, r"\(2,\): .* of shape \(1,\)"),
        (lambda: line.objective(b, T).assign([]), ValueError, r"\(0,\): .* of shape \(1,\)"),
        (lambda: line.objective(Value(1.0), T).fun([1.0]), ValueError, "uses none of these"),
        (
            lambda: program(lambda x: x * computed).objective(b, T).fun([1.0]),
            ValueError,
            "computed from a parameter of the objective before",
        ),
        (
            lambda: pair.objective(b, T).fun([1.0]),
            TypeError,
            "several results: an objective is of one",
        ),
        (lambda: line.objective(b).fun([1.0]), TypeError, "missing a required argument"),
    ],
)
def test_what_is_no_objective_says_why_and_changes_nothing(
    ask: Callable[[], Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        ask()
    assert b.data == 1.0


@pytest.mark.parametrize("duplicate", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy])
def test_its_pickle_computes_what_was_asked_for_before(duplicate: Callable[[Any], Any]) -> None:
    p, residual = decay([1.0, 1.0, 0.0])
    fit = residual.objective(p, T, y=Y)
    x = np.array([1.3, 0.4, 0.2])
    untried = duplicate(fit)  # nothing was evaluated
    assert untried.fun(x) == fit.fun(x)
    with pytest.raises(ProgramError, match=r"derivative of the objective was not taken .* before"):
        untried.hess(x)
    fit.hess(x), fit.jacobian(x)
    own = duplicate(fit)
    for name in ("fun", "jac", "hess", "residuals", "jacobian"):
        np.testing.assert_array_equal(getattr(own, name)(x), getattr(fit, name)(x))
    np.testing.assert_array_equal(duplicate(own.jac)(x), fit.jac(x))
    own.assign(x)
    assert own.x0.tolist() == x.tolist()
    assert fit.x0.tolist() == [1.0, 1.0, 0.0]


def test_the_pickle_of_an_objective_of_a_global_function_has_its_own_parameters() -> None:
    fit = line.objective(b, T)
    own = pickle.loads(pickle.dumps(fit))
    own.assign([7.0])
    assert (own.fun([2.0]), own.x0[0], b.data) == (fit.fun([2.0]), 7.0, 1.0)


def test_rows_that_change_later_change_no_method() -> None:
    a, x = Value(2.0), np.array([1.0, 2.0])
    fit = program(lambda x: (a * x - 1.0) ** 2).objective(a, x)

    def found() -> Any:
        at = fit.x0
        return [fit.fun(at), fit.jac(at).tolist(), fit.hess(at).tolist(), fit.jacobian(at).tolist()]

    before = found()
    x *= 10
    assert found() == before
    assert fit.fun(fit.x0 + 1) == 4.0 + 25.0


def test_a_function_that_fails_leaves_the_parameters_as_they_were() -> None:
    fit = program(lambda x: b * x.data).objective(b, T)
    with pytest.raises(TypeError, match="a number of one row"):
        fit.fun([3.0])
    assert b.data == 1.0


@settings(max_examples=15)
@given(st.lists(CHOICES, min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_random_programs_agree_with_the_eager_sum(choices: list[Choice], seed: int) -> None:
    values = [Value(0.0) for _ in range(3)]

    def branching(parameters: Any, x: Any) -> Any:
        nodes = [0.25, x[0], x[1], *parameters]
        for which, first, second, _ in choices:
            a, b = nodes[-1 - first % len(nodes)], nodes[-1 - second % len(nodes)]
            nodes.append((BRANCHES + BINARY)[which](a, b + 0.013 if a is b else b))
        return nodes[-1] * mg.sin(parameters[0] * x[0]) + parameters[1] ** 2 * parameters[2]

    rng = np.random.default_rng(seed)
    rows, at = rng.uniform(-1, 1, (int(rng.integers(1, 6)), 2)), rng.uniform(-1, 1, 3)
    fit = program(lambda x: branching(values, x)).objective(values, rows)
    value, gradient = mg.value_and_grad(lambda p: sum(branching(p, x) for x in rows))(at)
    hessian = mg.hessian(lambda p: sum(branching(p, x) for x in rows))(at)
    jacobian = mg.jacobian(lambda p: [branching(p, x) for x in rows])(at)
    size = max(1.0, abs(hessian).max(), abs(jacobian).max()) * len(rows)
    assert fit.fun(at) == pytest.approx(value, rel=1e-12, abs=1e-13 * size)
    np.testing.assert_allclose(fit.jac(at), gradient, rtol=1e-12, atol=1e-13 * size)
    np.testing.assert_allclose(fit.hess(at), hessian, rtol=1e-12, atol=1e-12 * size)
    np.testing.assert_allclose(fit.jacobian(at), jacobian, rtol=1e-12, atol=1e-13 * size)


@pytest.mark.parametrize("x", [[None], ["1"], "a", {}, [1j], [Value(1.0)]])
def test_parameters_of_an_objective_are_real_numbers(x: Any) -> None:
    a = Value(1.0)
    fit = program(lambda x: (a * x - 1.0) ** 2).objective(a, [1.0, 2.0])
    for method in (fit.fun, fit.jac, fit.hess, fit.residuals, fit.jacobian, fit.assign):
        with pytest.raises(TypeError, match="real number per parameter"):
            method(x)
    assert (a.data, fit.fun(np.array([2.0], object))) == (1.0, 10.0)


def test_what_is_no_parameter_and_what_can_be_read_once_are_refused() -> None:
    w = Value(2.0)
    scaled = program(lambda x: w * x)
    for params in (None, "w", [1.0], {"w": None}):
        with pytest.raises(TypeError, match="the parameters of an objective are the Values"):
            scaled.objective(params, [1.0])
    for rows in ((x for x in [1.0]), map(float, [1.0]), iter([1.0])):
        with pytest.raises(TypeError, match="its rows must stay: give a list"):
            scaled.objective(w, rows)
