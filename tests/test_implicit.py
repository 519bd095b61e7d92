"""Linear equations, roots and fixed points, with derivatives of any order."""

from __future__ import annotations

import copy
import math
import pickle
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value

# solve -------------------------------------------------------------------------------------------


def by_elimination(A: Any, b: Any) -> Any:  # noqa: N803
    """Solve by Cramer's rule for two unknowns, every operation recorded."""
    (p, q), (r, s) = A
    det = p * s - q * r
    return np.array([(b[0] * s - q * b[1]) / det, (p * b[1] - r * b[0]) / det])


@given(st.lists(st.floats(-2, 2), min_size=6, max_size=6))
def test_solve_has_the_derivatives_of_cramers_rule(x: list[float]) -> None:
    x[0], x[3] = x[0] + 5, x[3] - 5

    def first(method: Any) -> Any:
        def f(v: Any) -> Any:
            u = method([[v[0], v[1]], [v[2], v[3]]], [v[4], v[5]])
            return u[0] * u[1] + u[0] ** 2

        return f

    ours, cramer = first(mg.solve), first(by_elimination)
    for derivative in (mg.value_and_grad, mg.hessian):
        for a, b in zip(derivative(ours)(x), derivative(cramer)(x)):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_solve_pivots_takes_matrices_and_arrays_and_matches_numpy() -> None:
    rng = np.random.default_rng(1)
    A, b = rng.normal(size=(6, 6)), rng.normal(size=(6, 3))  # noqa: N806
    A[0, 0] = 0.0
    np.testing.assert_allclose(mg.solve(A, b), np.linalg.solve(A, b), rtol=1e-12)
    assert mg.solve([[0.0, 2.0], [1.0, 0.0]], [4.0, 3.0]).tolist() == [3.0, 2.0]
    values = np.array([[Value(x) for x in row] for row in A])
    found = mg.solve(values, b)
    assert found.shape == (6, 3)
    np.testing.assert_allclose([[v.data for v in row] for row in found], np.linalg.solve(A, b))
    found[2, 1].backward()
    inverse = np.linalg.inv(A)
    expected = -np.outer(inverse[2], np.linalg.solve(A, b)[:, 1])
    np.testing.assert_allclose([[v.grad for v in row] for row in values], expected, rtol=1e-10)


def test_the_third_derivative_of_a_solve() -> None:
    """1 / a, by one equation: -6 / a**4."""
    third = mg.grad(mg.grad(mg.grad(lambda a: mg.solve([[a]], [1.0])[0])))
    assert third(2.0) == pytest.approx(-6 / 16, rel=1e-13)
    third = mg.grad(mg.grad(mg.grad(lambda a: mg.solve([[a, 1.0], [0.0, a]], [0.0, 1.0])[0])))
    assert third(2.0) == pytest.approx(24 / 2**5, rel=1e-12)  # of -1 / a**2


def test_the_graph_of_a_solve_is_quadratic() -> None:
    n = 20
    A = [[Value(float(i == j) + 0.01 * i * j) for j in range(n)] for i in range(n)]  # noqa: N806
    x = mg.solve(A, [1.0] * n)
    nodes = mg.toposort(*x)
    assert len(nodes) == n * n + 3 * n


def test_solve_runs_in_programs() -> None:
    @mg.program
    def f(a: Any, b: Any) -> Any:
        x = mg.solve([[a, w], [1.0, b]], [1.0, w])
        return x[0] * x[1]

    w = Value(0.5)
    a, b = [2.0, 0.1, -3.0], [4.0, 3.0, 5.0]
    total = f(a, b).sum()
    total.backward()
    by_program, w.grad = w.grad, 0.0
    each: Any = sum(f.__wrapped__(*row) for row in zip(a, b))
    each.backward()
    assert total.data == pytest.approx(each.data, rel=1e-13)
    assert by_program == pytest.approx(w.grad, rel=1e-12)


@pytest.mark.parametrize(
    ("A", "b", "kind", "words"),
    [
        ([[1.0, 2.0]], [1.0], ValueError, r"square matrix A .* \(1, 2\) and \(1,\)"),
        ([[1.0, 2.0], [2.0, 4.0]], [1.0, 1.0], ValueError, "singular .*rank is 1 of 2"),
        ([[1.0, 2.0], [2.0]], [1.0, 1.0], ValueError, "rows of A must be lists of one length"),
        ("A", [1.0], TypeError, "A is a list or an array"),
        ([[1.0, "a"], [1.0, 2.0]], [1.0, 1.0], TypeError, "A must be a real number, got 'a'"),
        ([], [], ValueError, "not empty"),
    ],
)
def test_what_cannot_be_solved_is_named(A: Any, b: Any, kind: Any, words: str) -> None:  # noqa: N803
    with pytest.raises(kind, match=words):
        mg.solve(A, b)
    if kind is ValueError and "singular" in words:
        with pytest.raises(kind, match=words):
            mg.solve([[Value(x) for x in row] for row in A], b)


# implicit_root -----------------------------------------------------------------------------------


@given(st.floats(0.1, 10.0))
def test_derivatives_of_a_root_to_third_order(a: float) -> None:
    """The root of x e^x = a, Lambert's W, against mpmath."""

    def w(a: Any) -> Any:
        return mg.implicit_root(lambda x, a: x * mg.exp(x) - a, 1.0, a)

    f = w
    for order in range(4):
        with mpmath.workdps(40):
            wanted = float(mpmath.diff(mpmath.lambertw, a, order))
        assert f(a) == pytest.approx(wanted, rel=1e-11, abs=1e-13)
        f = mg.grad(f)


def test_a_system_in_several_parameters_has_the_hessian_of_its_closed_form() -> None:
    """The intersection of a circle and a line: x**2 + y**2 = r**2, y = m x."""

    def point(p: Any) -> Any:
        def f(z: Any, r: Any, rest: Any) -> Any:
            return [z[0] ** 2 + z[1] ** 2 - r**2, z[1] - rest["m"] * z[0]]

        x, y = mg.implicit_root(f, [1.0, 1.0], p[0], {"m": p[1], "name": "line", "n": [1, 2]})
        return x * y + y

    def closed(p: Any) -> Any:
        x = p[0] / mg.sqrt(1 + p[1] ** 2)
        return p[1] * x * x + p[1] * x

    at = [2.0, 0.7]
    np.testing.assert_allclose(mg.grad(point)(at), mg.grad(closed)(at), rtol=1e-13)
    np.testing.assert_allclose(mg.hessian(point)(at), mg.hessian(closed)(at), rtol=1e-12)
    mg.check_grads(point, at)


def test_numbers_give_numbers_and_arguments_may_be_anything() -> None:
    @dataclass
    class Bond:
        price: Any
        coupon: float
        years: int

    def value(rate: Any, bond: Bond) -> Any:
        terms = [bond.coupon / (1 + rate) ** t for t in range(1, bond.years + 1)]
        return sum(terms) + 100 / (1 + rate) ** bond.years - bond.price

    plain = mg.implicit_root(value, 0.05, Bond(95.0, 4.0, 10))
    assert isinstance(plain, float)
    price = Value(95.0)
    rate = mg.implicit_root(value, 0.05, Bond(price, 4.0, 10))
    rate.backward()
    h = 1e-4
    up = mg.implicit_root(value, 0.05, Bond(95.0 + h, 4.0, 10))
    down = mg.implicit_root(value, 0.05, Bond(95.0 - h, 4.0, 10))
    assert rate.data == plain
    assert price.grad == pytest.approx((up - down) / (2 * h), rel=1e-7)
    at = mg.implicit_root(lambda x: x * x - np.array([4.0, 9.0]), np.array([1.0, 1.0]))
    assert at.tolist() == [2.0, 3.0]


def test_newton_goes_on_where_a_step_leaves_the_domain_or_overshoots() -> None:
    assert mg.implicit_root(lambda x: mg.log(x) - 3.0, 0.1) == pytest.approx(math.exp(3), rel=1e-15)
    assert mg.implicit_root(lambda x: mg.arctan(x), 20.0) == pytest.approx(0.0, abs=1e-12)
    assert mg.implicit_root(lambda x: mg.log(x / 1e-10), 1.0) == pytest.approx(1e-10, rel=1e-13)
    assert mg.implicit_root(lambda x: x, 0.0) == 0.0
    found = mg.implicit_root(lambda z: [z[0] - 1, z[0] * z[1]], [3.0, 0.3])
    np.testing.assert_allclose(found, [1.0, 0.0], atol=1e-15)


def test_a_value_that_was_not_given_is_refused() -> None:
    a = Value(2.0)
    with pytest.raises(ValueError, match=r"uses Value\(data=2.0.*give it as an argument"):
        mg.implicit_root(lambda x: x * x - a, 1.0)
    with pytest.raises(ValueError, match="which is not among its arguments"):
        mg.grad(lambda a: mg.implicit_root(lambda x: x * x - 2 * a, 1.0))(2.0)
    with pytest.raises(ValueError, match="which is not among its arguments"):
        mg.fixed_point(lambda x: mg.cos(a * x), 1.0)
    fresh = mg.implicit_root(lambda x, a: x * x - a * Value(1.0), 1.0, a)
    assert mg.grad(fresh, a).data == pytest.approx(0.25 * 2**0.5)


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda: mg.implicit_root(lambda x: x * x + 1, 1.0), ValueError, "no root of <lambda> was"),
        (lambda: mg.implicit_root(lambda x: x * x - 1, 0.0), ValueError, "no root of"),
        (lambda: mg.implicit_root(lambda x: [x, x], 1.0), ValueError, "2 results for 1 unknowns"),
        (lambda: mg.implicit_root(lambda x: x, Value(1.0)), TypeError, "x0 is where the search"),
        (lambda: mg.implicit_root(lambda x: x, "a"), TypeError, "x must be a number"),
        (
            lambda: mg.implicit_root(lambda x: None, 1.0),
            TypeError,
            "a result must be a real number",
        ),
        (lambda: mg.fixed_point(lambda x: 2 * x, 1.0), ValueError, "leads to no fixed point"),
        (
            lambda: mg.grad(lambda a: mg.implicit_root(lambda x, a: (x - a) ** 3, 0.0, a))(0.0),
            ValueError,
            "has no derivative",
        ),
    ],
)
def test_what_has_no_root_is_named(call: Any, kind: Any, words: str) -> None:
    with pytest.raises(kind, match=words):
        call()


def test_a_program_refuses_to_search() -> None:
    with pytest.raises(TypeError, match="solve for each row outside"):
        mg.program(lambda a: mg.implicit_root(lambda x, a: x * x - a, 1.0, a))([1.0, 2.0])


def test_no_grad_and_leaves_grads_are_left_alone() -> None:
    a = Value(2.0)
    with mg.no_grad():
        x = mg.implicit_root(lambda x, a: x * x - a, 1.0, a)
    assert x.parents == ()
    assert mg.solve([[a]], [1.0])[0].data == 0.5
    assert a.grad == 0.0


# fixed_point -------------------------------------------------------------------------------------


def test_a_fixed_point_has_the_derivatives_of_its_equation() -> None:
    def kepler(p: Any) -> Any:
        """Return the eccentric anomaly: E = M + e sin E."""
        return mg.fixed_point(lambda E, M, e: M + e * mg.sin(E), p[0], p[0], p[1])  # noqa: N803

    def closed(p: list[float]) -> list[float]:
        E, e = kepler(p), p[1]  # noqa: N806
        by_mean = 1 / (1 - e * math.cos(E))
        return [by_mean, math.sin(E) * by_mean]

    at = [0.8, 0.3]
    with pytest.raises(TypeError, match="x0 is where the search"):
        mg.grad(kepler)(at)  # where to begin is a number

    def from_one(p: Any) -> Any:
        return mg.fixed_point(lambda E, M, e: M + e * mg.sin(E), 1.0, p[0], p[1])  # noqa: N803

    np.testing.assert_allclose(mg.grad(from_one)(at), closed(at), rtol=1e-13)
    mg.check_grads(from_one, at)
    both = mg.fixed_point(lambda z: [0.5 * mg.cos(z[1]), 0.5 * mg.sin(z[0])], [0.0, 0.0])
    np.testing.assert_allclose(both, [0.5 * math.cos(both[1]), 0.5 * math.sin(both[0])], rtol=1e-15)


def square_minus(x: Any, a: Any) -> Any:
    return x * x - a


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))])
@pytest.mark.parametrize(
    "solved",
    [
        lambda a: mg.solve([[a, 1.0], [2.0, a]], [1.0, 3.0])[1],
        lambda a: mg.implicit_root(square_minus, 1.0, a),
    ],
)
def test_solutions_are_copied_and_pickled_with_their_derivatives(copied: Any, solved: Any) -> None:
    a = Value(3.0)
    y = solved(a)
    expected = [mg.grad(y, a).data, mg.grad(mg.grad(y, a), a).data]
    b, z = copied([a, y])
    slope = mg.grad(z, b)
    assert [slope.data, mg.grad(slope, b).data] == expected
    z.backward()
    assert (b.grad, a.grad) == (pytest.approx(expected[0]), 0.0)


def test_a_matrix_with_nan_is_refused_as_such() -> None:
    with pytest.raises(ValueError, match="entries that are nan"):
        mg.solve([[math.nan, 2.0], [2.0, 4.0]], [Value(1.0), 2.0])
