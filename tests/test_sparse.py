"""Sparse Jacobians and Hessians are the dense ones, found in fewer sweeps."""

from __future__ import annotations

import math
import re
from itertools import combinations, pairwise, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value
from micrograd.derivatives import sparse, sweeps

np = pytest.importorskip("numpy")
pytest.importorskip("scipy")

patterns = st.integers(1, 9).flatmap(
    lambda n: st.lists(st.sets(st.integers(0, n - 1)).map(sorted), min_size=n, max_size=n)
)


@given(patterns)
def test_columns_of_one_colour_share_no_row(rows: list[list[int]]) -> None:
    columns = sparse._transposed(rows, len(rows))
    chosen = sparse.colours(columns, rows)
    for row in rows:
        assert len({chosen[j] for j in row}) == len(row)


@settings(max_examples=3 * settings().max_examples)
@given(patterns)
def test_a_star_colouring_has_no_path_of_four_in_two_colours(rows: list[list[int]]) -> None:
    rows = sparse._symmetric(rows)
    chosen = sparse.star_colours(rows)
    edges = {(i, j) for i, row in enumerate(rows) for j in row if i != j}
    assert all(chosen[i] != chosen[j] for i, j in edges)
    for a, b, c, d in permutations(range(len(rows)), 4):
        if {(a, b), (b, c), (c, d)} <= edges:
            assert len({chosen[v] for v in (a, b, c, d)}) >= 3


def test_few_colours_are_enough() -> None:
    n = 200
    arrow = [[0, j] for j in range(n)]
    arrow[0] = list(range(n))
    assert max(sparse.star_colours(arrow)) == 1
    band = [[j for j in (i - 1, i, i + 1) if 0 <= j < n] for i in range(n)]
    assert max(sparse.star_colours(band)) == 2


OPERATIONS = [
    lambda a, b: a * b,
    lambda a, b: a + b,
    lambda a, b: a - 2 * b,
    lambda a, b: (a * 0.5).tanh(),
    lambda a, b: (a - b).exp(),
    lambda a, b: a / (1 + b * b),
    lambda a, b: a**3,
    lambda a, b: (1 + a * a) ** (b * 0.5),
    lambda a, b: mg.logaddexp(a, b),
    lambda a, b: mg.maximum(a, b + 0.25),
    lambda a, b: mg.where(a < b, a, b * b),
    lambda a, b: a * 1.5,
]
steps = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 10**6), st.integers(0, 10**6)),
    max_size=14,
)
points = st.lists(st.floats(-1.5, 1.5).map(lambda x: round(x, 3)), min_size=1, max_size=7)


def results(x: Any, program: list[Any]) -> list[Any]:
    values = list(x)
    for operation, first, second in program:
        values.append(operation(values[first % len(values)], values[second % len(values)]))
    return values


@settings(max_examples=3 * settings().max_examples)
@given(points, steps)
def test_a_random_jacobian_is_the_dense_one(at: list[float], program: list[Any]) -> None:
    def f(x: Any) -> Any:
        return results(x, program)[-5:]

    found = mg.jacobian(f, sparse=True)(at)
    dense = mg.jacobian(f)(at)
    assert found.shape == dense.shape
    np.testing.assert_allclose(found.toarray(), dense, rtol=1e-12, atol=1e-12)


@settings(max_examples=3 * settings().max_examples)
@given(points, steps)
def test_a_random_hessian_is_the_dense_one(at: list[float], program: list[Any]) -> None:
    def f(x: Any) -> Any:
        values = results(x, program)
        return sum(a * b for a, b in pairwise(values[-5:])) + values[-1] ** 2

    try:
        dense = mg.hessian(f)(at)
    except TypeError as error:  # a kink
        with pytest.raises(TypeError, match=re.escape(str(error))):
            mg.hessian(f, sparse=True)(at)
        return
    found = mg.hessian(f, sparse=True)(at)
    np.testing.assert_allclose(found.toarray(), dense, rtol=1e-12, atol=1e-12)
    assert (found != found.T).nnz == 0


def test_the_pattern_is_that_of_the_graph() -> None:
    x, y, z = (Value(float(i)) for i in range(1, 4))
    a = x * y
    outputs = [a + 1, mg.where(x < z, y, y * y), Value(1.0), z, a * z + x, 2.0]
    expected = [[0, 1], [1], [], [2], [0, 1, 2], []]
    assert sparse.pattern(outputs, [x, y, z]) == expected


def test_few_sweeps_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    widths = []
    tangents = sweeps.tangents

    def counted(*args: Any, **kwargs: Any) -> Any:
        widths.append(len(args[2]))
        return tangents(*args, **kwargs)

    monkeypatch.setattr(sweeps, "tangents", counted)

    def rosenbrock(x: Any) -> Any:
        return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))

    at = np.linspace(-1, 1.2, 50)
    found = mg.hessian(rosenbrock, sparse=True)(at)
    assert widths == [3]
    assert found.nnz == 3 * 50 - 2
    np.testing.assert_allclose(found.toarray(), mg.hessian(rosenbrock)(at), rtol=1e-14)


def test_a_jacobian_with_a_dense_column_is_found_by_its_rows() -> None:
    def f(x: Any) -> Any:
        return [x[0] * x[i] for i in range(1, 30)] + [x[0]]

    def g(x: Any) -> Any:
        return [sum(x), *[x[i] * 2 for i in range(30)]]

    at = np.linspace(0.5, 1, 30)
    for function in (f, g, lambda x: g(x)[1:] + f(x)):
        found = mg.jacobian(function, sparse=True)(at)
        np.testing.assert_allclose(found.toarray(), mg.jacobian(function)(at), rtol=1e-14)


def test_zeros_that_meet_infinity_are_zeros() -> None:
    def f(x: Any) -> Any:
        return [x[0] * 2 + mg.stop_gradient(x[1].sqrt()), mg.where(x[1] > 0, x[1].sqrt(), x[0])]

    at = [3.0, 0.0]
    found = mg.jacobian(f, sparse=True)(at)
    np.testing.assert_array_equal(found.toarray(), [[2, 0], [1, 0]])
    np.testing.assert_array_equal(found.toarray(), mg.jacobian(f)(at))


def test_shapes() -> None:
    matrix = np.arange(1.0, 7.0).reshape(2, 3)
    found = mg.hessian(lambda x: (x**3).sum(), sparse=True)(matrix)
    np.testing.assert_array_equal(found.toarray(), np.diag(6 * matrix.ravel()))
    assert mg.jacobian(lambda x: x * x, sparse=True)(matrix).shape == (6, 6)
    assert mg.jacobian(lambda x: x * x, sparse=True)(3.0).toarray() == [[6.0]]
    assert mg.hessian(lambda x: x * 2, sparse=True)(3.0).nnz == 0
    assert mg.jacobian(lambda x: [1.0, 2.0], sparse=True)([3.0]).nnz == 0
    assert mg.hessian(lambda x, k: k * x[0] ** 2, sparse=True)([3.0], k=5.0).toarray() == [[10.0]]


def test_it_is_what_scipy_takes() -> None:
    from scipy.optimize import minimize, rosen

    def f(x: Any) -> Any:
        return sum(100 * (b - a**2) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))

    start = np.full(20, 0.5)
    found = minimize(
        rosen, start, jac=mg.grad(f), hess=mg.hessian(f, sparse=True), method="trust-constr"
    )
    np.testing.assert_allclose(found.x, 1, atol=1e-4)


def test_derivatives_that_are_values_are_refused() -> None:
    x = Value(2.0)
    for derivative in (mg.jacobian, mg.hessian):
        with pytest.raises(TypeError, match="gives numbers"):
            derivative(lambda x: x * x, sparse=True)(x)
        with pytest.raises(TypeError, match="gives numbers"):
            mg.grad(lambda y, d=derivative: d(lambda x: x * x * y, sparse=True)(1.0) + y)(3.0)


def test_a_kink_raises_as_for_the_dense_one() -> None:
    for f in (lambda x: abs(x[0]) ** 2, lambda x: mg.maximum(x[0], x[1]) ** 2):
        with pytest.raises(TypeError, match="cannot differentiate again"):
            mg.hessian(f)([0.0, 0.0])
        with pytest.raises(TypeError, match="cannot differentiate again"):
            mg.hessian(f, sparse=True)([0.0, 0.0])


def test_a_step_by_hand_is_taken() -> None:
    def f(x: Any) -> Any:
        out = Value(2 * x[0].data, (x[0],))

        def closure() -> None:
            x[0].grad += 2 * out.grad

        out._backward = closure
        return [out, x[1] * out]

    found = mg.jacobian(f, sparse=True)([3.0, 4.0])
    np.testing.assert_array_equal(found.toarray(), [[2, 0], [8, 6]])


def test_nothing_is_lost_where_rounding_differs() -> None:
    assert all(
        math.isclose(mg.hessian(lambda x, i=i, j=j: x[i] * x[j], sparse=True)([1.0] * 4)[i, j], 1)
        for i, j in combinations(range(4), 2)
    )
