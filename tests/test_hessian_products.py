"""The Hessian of a function times a vector, in numbers: beside Hessians, graphs, and both cores."""

from __future__ import annotations

import dataclasses
import inspect
import math
import pickle
import random
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
from both_cores import CORES
from test_cores import bits, on_both, outcome

import micrograd as mg
from micrograd import Op, Value
from micrograd.derivatives.products.curvature import Dual
from micrograd.ops import TABLE

NUMBERS = [0.5, -0.3, 1.2, 2.0, 0.0, -1.7]
SMOOTH = ["add", "subtract", "multiply", "tanh", "sin", "exp", "sigmoid", "hypot", "logaddexp"]
ROWS = sorted(set(TABLE) - {"stop_gradient"})


def random_function(m: Any, seed: int, names: list[str]) -> Any:
    """Return a function of three Values, with operations, constants and nodes of all kinds."""

    def f(x: Any) -> Any:
        rng = random.Random(seed)
        values: list[Any] = list(x)
        for _ in range(rng.randrange(1, 14)):
            op = m.ops.TABLE[rng.choice(names)]
            operands = [rng.choice(values) for _ in op.derivatives]
            if rng.random() < 0.3:
                operands[-1] = rng.choice([2, 3.0, 0.5, 0, 1, -1, m.Value(2.0)])
            if rng.random() < 0.1:
                values.append(m.logsumexp([rng.choice(values) for _ in range(3)]))
            if rng.random() < 0.1:
                base = rng.choice(values)
                values.append(base ** rng.choice([2, 3, -1, 1.5] if base.data > 0 else [2, 3]))
            if rng.random() < 0.03:
                slopes: Any = lambda x, y, out: (2 * x * y, x * x)  # noqa: E731
                a, b = rng.choice(values), rng.choice(values)
                values.append(m.Value.node(a.data * a.data * b.data, [a, b], slopes))
            result = outcome(partial(op, *operands))
            if isinstance(result, m.Value):
                values.append(result)
        out = values[-1]
        for v in values[-5:-1]:
            out = out + v * rng.choice([1.0, 2.0])
        return out

    return f


def numbers(values: list[Any]) -> list[float]:
    return [v.data for v in values]


def described(product: Any) -> Any:
    """Return the bits of a product, in which zeros have no sign."""
    return [bits(float(x) + 0.0) for x in product]


@pytest.mark.parametrize("names", [ROWS, SMOOTH], ids=["all", "smooth"])
@pytest.mark.parametrize("start", [0, 50])
def test_products_are_those_of_the_hessian_and_of_graphs(start: int, names: list[str]) -> None:
    for seed in range(start, start + 50):
        rng = random.Random(-seed)
        x = [rng.choice([*NUMBERS, rng.uniform(-2, 2)]) for _ in range(3)]
        v = [rng.choice([1.0, 0.0, -1.0, 2.5]) for _ in range(3)]

        compare(names, seed, x, v)


def compare(names: list[str], seed: int, x: list[float], v: list[float]) -> None:
    on_both(lambda m: described(m.hvp(random_function(m, seed, names))(x, v)))
    f = random_function(mg, seed, names)
    found = outcome(lambda: mg.hvp(f)(x, v))
    values = [Value(number) for number in x]
    expected = outcome(lambda: numbers(mg.hvp(f(values), values, v)))
    if isinstance(expected, tuple):
        assert isinstance(found, tuple), seed  # what raises on graphs raises
        return
    if not np.isfinite(expected).all():
        assert not np.isfinite(found).all(), seed
        return
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9, err_msg=str(seed))
    hessian = outcome(lambda: mg.hessian(f)(x))
    if not isinstance(hessian, tuple):
        np.testing.assert_allclose(found, hessian @ v, rtol=1e-8, atol=1e-8, err_msg=str(seed))


@pytest.mark.parametrize("name", ROWS)
def test_of_each_operation(name: str) -> None:
    def products(m: Any) -> list[Any]:
        op = m.ops.TABLE[name]
        arity = len(op.derivatives)
        return [of_operation(m, op, [x, y, 1.5][:arity]) for x in NUMBERS for y in [*NUMBERS, 2, 0]]

    on_both(products)


def of_operation(m: Any, op: Any, x: list[float]) -> Any:
    """Return the product of one operation, or its error; compare it with the graph's."""
    v = [1.0, -0.5, 0.7][: len(x)]
    values = [m.Value(number) for number in x]
    found = outcome(lambda: m.hvp(lambda p: op(*p))(x, v))
    graph = outcome(lambda: numbers(m.hvp(op(*values), values, v)))
    if isinstance(graph, tuple):
        assert isinstance(found, tuple), (x, graph)
        return found
    np.testing.assert_allclose(found, graph, rtol=1e-12, atol=1e-14)
    return described(found)


@pytest.mark.parametrize("core", CORES)
def test_numbers_tell_of_smooth_functions(core: str) -> None:
    """Else the tests above would compare derivatives as Values with themselves."""
    m = CORES[core]
    by_numbers = inspect.unwrap(m.hvp).__globals__["hessian_product"]
    told = 0
    for seed in range(50):
        leaves = [m.Value(0.4), m.Value(-0.8), m.Value(1.3)]
        output = random_function(m, seed, SMOOTH)(leaves)
        told += by_numbers(output, leaves, [1.0, 2.0, -1.0]) is not None
    assert told > 30


@pytest.mark.parametrize("core", CORES)
def test_where_numbers_do_not_tell_graphs_answer(core: str) -> None:
    m = CORES[core]
    with pytest.raises(TypeError, match="kink or jump"):
        m.hvp(lambda x: abs(x) * x)(0.0, 1.0)
    assert m.hvp(lambda x: m.sqrt(x) * 0)(0.0, 1.0) == 0.0
    with pytest.raises(ZeroDivisionError, match="derivative"):
        m.hvp(lambda x: m.sqrt(x[0]) * x[1])([0.0, 1.0], [1.0, 0.0])
    # The slope by y is infinite, and what it is multiplied by is zero, but not for every x.
    with pytest.raises((TypeError, ZeroDivisionError, ValueError)):
        m.hvp(lambda p: p[0] ** 2 * m.sqrt(p[1]))([0.0, 0.0], [1.0, 1.0])


def test_operations_and_nodes_of_ones_own() -> None:
    cube = Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
    assert mg.hvp(lambda x: cube(x))(2.0, 1.0) == 12.0
    by_cases = Op("cases", lambda x: x * x, lambda x, out: 2 * x if x > 0 else 2.0 * x)
    assert mg.hvp(lambda x: by_cases(x))(2.0, 1.0) == 2.0
    given = mg.hvp(lambda x: Value.node(x.data**2, (x,), lambda x, out: (2 * x,)))
    assert given(3.0, 1.0) == 2.0
    with pytest.raises(TypeError, match="cannot differentiate again"):
        mg.hvp(lambda x: Value.node(x.data**2, (x,), (2 * x.data,)) * x)(3.0, 1.0)


def test_the_result_has_the_form_of_x() -> None:
    assert mg.hvp(lambda x: x**3)(2.0, 1.0) == 12.0
    square = mg.hvp(lambda p: p["a"] ** 2 * p["b"][0])
    assert square({"a": 2.0, "b": [3.0]}, {"a": 1.0, "b": [0.0]}) == {"a": 6.0, "b": [4.0]}
    x = np.arange(6.0).reshape(2, 3)
    found = mg.hvp(lambda x: (x**3).sum() / 6)(x, np.ones((2, 3)))
    np.testing.assert_array_equal(found, x)
    assert mg.hvp(lambda x, k=1.0: k * x**2)(2.0, 1.0, k=3.0) == 6.0
    assert mg.hvp(lambda x, k: k * x**2)(2.0, 1.0, 3.0) == 6.0
    assert mg.hvp(lambda x: 4.0)(2.0, 1.0) == 0.0


@pytest.mark.parametrize(
    ("x", "vector", "message"),
    [
        ([1.0, 2.0], [1.0], r"of shape \(2,\), but it is an array of shape \(1,\)"),
        (1.0, [1.0], "one number, but it is an array"),
        ({"a": 1.0}, {"b": 1.0}, r"with \['a'\], but it is a nesting with \['b'\]"),
    ],
)
def test_a_vector_of_another_form_is_refused(x: Any, vector: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        mg.hvp(lambda x: Value(1.0))(x, vector)


def test_of_what_is_no_function() -> None:
    with pytest.raises(TypeError, match=r"hvp\(f\) takes a function alone"):
        mg.hvp(lambda x: x, 1.0)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"objective\(...\).hessp"):
        mg.hvp(mg.program(lambda x: x * x))
    with pytest.raises(TypeError, match="returned 2 results"):
        mg.hvp(lambda x: [x, x])(1.0, 1.0)


def cube(x: Any) -> Any:
    """Return the third power."""
    return x**3


def test_it_is_a_function_that_says_what_it_takes() -> None:
    product = mg.hvp(cube)
    assert repr(product) == "hvp(cube)"
    assert product.__doc__ == "Return the third power."
    assert list(inspect.signature(product).parameters)[:2] == ["x", "vector"]
    assert pickle.loads(pickle.dumps(product))(2.0, 1.0) == 12.0


def test_products_are_values_where_something_may_differentiate_them() -> None:
    product = mg.hvp(cube)
    x, v = Value(2.0), Value(5.0)
    out = product(x, v)
    assert (out.data, mg.grad(out, [x, v])[0].data, mg.grad(out, v).data) == (60.0, 30.0, 12.0)
    assert mg.grad(lambda y: product(y, 1.0))(2.0) == 6.0
    assert mg.grad(lambda v: product(2.0, v))(1.0) == 12.0
    assert mg.grad(lambda w: mg.hvp(lambda x: w * cube(x))(2.0, 1.0))(7.0) == 12.0
    assert mg.program(lambda x: mg.hvp(cube)(x, 1.0))([1.0, 2.0]).data.tolist() == [6.0, 12.0]
    assert (x.grad, v.grad) == (0.0, 0.0)


def test_minimize_takes_it() -> None:
    optimize = pytest.importorskip("scipy.optimize")

    def rosenbrock(x: Any) -> Any:
        return sum(100 * (b - a * a) ** 2 + (1 - a) ** 2 for a, b in pairwise(x))

    result = optimize.minimize(
        mg.value_and_grad(rosenbrock), np.zeros(6), jac=True, hessp=mg.hvp(rosenbrock),
        method="trust-ncg",
    )  # fmt: skip
    assert result.success
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-6)


def test_a_dual_is_compared_by_its_number() -> None:
    x = Dual(2.0, 1.0)
    assert (x > 1, x < 1, x >= 2, x <= Dual(3.0, 0.0), x == 2.0) == (True, False, True, True, True)
    assert math.isclose(mg.tanh(x).rate, 1 - math.tanh(2.0) ** 2)
    with pytest.raises(TypeError):
        x + Value(1.0)


# How it is called --------------------------------------------------------------------------------


def bowl(a: Any, x: Any, c: float = 1.0) -> Any:
    return a * a * (x * x).sum() * c


def test_the_vector_stands_behind_the_arguments_that_it_is_for() -> None:
    assert mg.hvp(bowl)(3.0, 2.0, np.array([1.0, 2.0])) == 20.0
    assert mg.hvp(bowl, argnums=1)(3.0, [1.0, 2.0], [1.0, 0.0], 2.0).tolist() == [36.0, 0.0]
    by_a, by_x = mg.hvp(bowl, argnums=(0, 1))(3.0, [1.0, 2.0], (1.0, [0.0, 1.0]))
    assert (by_a, by_x.tolist()) == (10.0 + 24.0, [12.0, 24.0 + 18.0])
    product, aux = mg.hvp(lambda x: ((x * x).sum(), x[0]), has_aux=True)([1.0, 2.0], [1.0, 3.0])
    assert (product.tolist(), aux) == ([2.0, 6.0], 1.0)
    with pytest.raises(TypeError, match="hvp: argnums is the position"):
        mg.hvp(bowl, argnums=-1)


def test_a_vector_has_its_keys_in_any_order() -> None:
    def f(p: Any) -> Any:
        return p["a"] ** 2 * p["q"]["b"] * p["q"]["c"][0]

    x = {"a": 2.0, "q": {"b": 3.0, "c": [5.0]}}
    v = {"q": {"c": [1.0], "b": 0.0}, "a": 1.0}
    assert mg.hvp(f)(x, v) == {"a": 30.0 + 12.0, "q": {"b": 20.0 + 4.0, "c": [12.0]}}


class Tuple(NamedTuple):
    x: Any
    y: Any


class Turned(NamedTuple):
    y: Any
    x: Any


class Other(NamedTuple):
    u: Any
    x: Any


@dataclasses.dataclass
class Record:
    x: Any
    y: Any


@dataclasses.dataclass
class TurnedRecord:
    y: Any
    x: Any


def test_a_vector_has_its_fields_in_any_order() -> None:
    def f(p: Any) -> Any:
        return p.x["a"] ** 2 * p.x["b"] * p.y

    for kind in (Tuple, Record):
        x, wanted = kind({"a": 2.0, "b": 3.0}, 1.0), kind({"a": 6.0, "b": 4.0}, 12.0)
        for other in (Tuple, Turned, Record, TurnedRecord):
            assert mg.hvp(f)(x, other(y=0.0, x={"b": 0.0, "a": 1.0})) == wanted
    pair = mg.hvp(lambda p, q: p.x * p.y * q, argnums=(0, 1))
    assert pair(Tuple(2.0, 3.0), 5.0, [Turned(x=1.0, y=0.0), 0.0]) == (Tuple(0.0, 5.0), 3.0)
    assert mg.hvp(lambda p: p.x**2 * p.y)(Tuple(2.0, 3.0), (1.0, 0.0)) == Tuple(6.0, 4.0)
    with pytest.raises(ValueError, match="must have the fields of x, x, y, but it has u, x"):
        mg.hvp(lambda p: p.x**2 * p.y)(Tuple(2.0, 3.0), Other(u=1.0, x=0.0))


def test_of_a_value_what_is_for_functions_is_refused() -> None:
    x, hvp = Value(2.0), cast("Any", mg.hvp)
    for options in ({"argnums": 3}, {"has_aux": True}, {"argnums": (0,)}):
        with pytest.raises(TypeError, match="hvp: argnums and has_aux are for functions"):
            hvp(x**3, x, 1.0, **options)
    assert hvp(x**3, x, 1.0).data == 12.0


@pytest.mark.parametrize(
    ("vector", "error", "message"),
    [
        (None, TypeError, "the vector of hvp must be a number, a sequence"),
        ([1.0, None], TypeError, "the vector of hvp must be a real number, got None"),
        ([1j, 1.0], TypeError, "the vector of hvp must be a real number, got 1j"),
        (["1", "2"], TypeError, "the vector of hvp must be a real number, got '1': convert it"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), ValueError, "the vector of hvp has 1 masked"),
        ({"a": 1.0}, ValueError, r"form of x, an array of shape \(2,\), but it is a nesting"),
        ({"a": None}, TypeError, r"the vector of hvp\['a'\]"),
        (1.0, ValueError, r"an array of shape \(2,\), but it is one number"),
        ([1.0], ValueError, r"an array of shape \(2,\), but it is an array of shape \(1,\)"),
    ],
)
def test_a_vector_that_does_not_fit_is_called_the_vector(
    vector: Any, error: Any, message: str
) -> None:
    with pytest.raises(error, match=message):
        mg.hvp(lambda x: x[0] * x[1])([1.0, 2.0], vector)


def test_a_call_without_a_vector_says_where_it_goes() -> None:
    for argnums, args, kwargs in ((0, [2.0], {}), (0, [2.0], {"vector": 1.0}), (1, [2.0, 3.0], {})):
        with pytest.raises(TypeError, match=r"hvp\(bowl\) takes a vector behind argument [01]"):
            mg.hvp(bowl, argnums=argnums)(*args, **kwargs)
    parameters = inspect.signature(mg.hvp(bowl, argnums=1)).parameters
    assert list(parameters) == ["a", "x", "vector", "c"]
    with pytest.raises(TypeError, match=r"hvp takes a function, .*; got 3 alone"):
        mg.hvp(3)  # type: ignore[call-overload]


def test_strings_are_no_rows_that_differ_in_length() -> None:
    for derivative in (mg.grad, mg.hessian, mg.jacobian):
        with pytest.raises(TypeError, match="x must be a real number, got '1'"):
            derivative(lambda x: x[0])(["1", "2"])
