"""Derivatives as graphs: both cores record the same nodes, of every operation and any graph."""

from __future__ import annotations

import math
import random
from functools import partial
from typing import Any

import pytest
from both_cores import CORES, python
from test_cores import bits, on_both, outcome

NUMBERS = [0.5, -0.3, 1.2, 2.0, 0.0, -1.7]
ROWS = sorted(set(python.ops.TABLE) - {"stop_gradient"})


def described(mg: Any, roots: list[Any]) -> Any:
    """Return all nodes behind the roots: numbers, operations, operands by their places."""
    order = mg.toposort(*roots)
    place = {id(v): i for i, v in enumerate(order)}
    nodes = [
        (
            bits(v.data),
            v.op and v.op.name,
            [place[id(x)] if isinstance(x, mg.Value) else repr(x) for x in v.args],
            v._is_plain_number,
        )
        for v in order
    ]
    return nodes, [place[id(v)] for v in roots]


def random_graph(mg: Any, rng: random.Random) -> tuple[Any, list[Any], list[Any]]:
    """Return an output, the inputs, and all Values of a random graph."""

    class Own(mg.Value):  # type: ignore[misc]
        pass

    inputs = [mg.Value(rng.choice([*NUMBERS, rng.uniform(-2, 2)])) for _ in range(3)]
    if rng.random() < 0.1:
        inputs[0] = Own(inputs[0].data)
    values = list(inputs)
    for _ in range(rng.randrange(1, 14)):
        op = mg.ops.TABLE[rng.choice(ROWS)]
        operands = [rng.choice(values) for _ in op.derivatives]
        if rng.random() < 0.3:
            operands[-1] = rng.choice([2, 3.0, 0.5, 0, 1, -1])
        if rng.random() < 0.05:
            slopes: Any = rng.choice([lambda x, y, out: (y, x), (2.0, -1.0)])
            values.append(mg.Value.node(1.5, [rng.choice(values), rng.choice(values)], slopes))
        result = outcome(partial(op, *operands))
        if isinstance(result, mg.Value):
            values.append(result)
    output = values[-1]
    for v in values[-5:-1]:
        output = output + v * rng.choice([1.0, 2.0])
    return output, inputs, values


@pytest.mark.parametrize("seed", range(300))
def test_both_cores_record_the_same_derivatives(seed: int) -> None:
    def derive(mg: Any) -> list[Any]:
        rng = random.Random(seed)
        output, inputs, values = random_graph(mg, rng)
        by = [*inputs, rng.choice(values)] if rng.random() < 0.3 else inputs
        start = rng.choice([1.0, 2.0, -1.0, 0.0, mg.Value(1.5), values[-1]])
        along = [rng.choice([1.0, 0.0, -1.0, 2.5, mg.Value(0.7), output]) for _ in by]
        return [
            outcome(lambda: described(mg, mg.grad(output, by, start))),
            outcome(lambda: described(mg, mg.jvp([output, *values[-2:]], by, along))),
            outcome(lambda: described(mg, mg.hvp(output, by, along))),
        ]

    on_both(derive)


def slopes_of(mg: Any, op: Any, operands: list[Any]) -> Any:
    """Return what the gradient of an operation records, or the error of either."""
    out = outcome(partial(op, *operands))
    if not isinstance(out, mg.Value):
        return out
    inputs = [x for x in operands if isinstance(x, mg.Value)]
    return outcome(lambda: described(mg, mg.grad(out * 3.0, inputs)))


@pytest.mark.parametrize("name", ROWS)
def test_each_operation_records_the_same_slopes(name: str) -> None:
    def derive(mg: Any) -> list[Any]:
        op = mg.ops.TABLE[name]
        arity = len(op.derivatives)
        return [
            slopes_of(mg, op, [mg.Value(x), y if plain else mg.Value(y), mg.Value(1.5)][:arity])
            for x in NUMBERS
            for y in [*NUMBERS, 2, 0]
            for plain in (False, True)
        ]

    assert on_both(derive)


def test_what_a_condition_reaches_is_not_on_the_way() -> None:
    """arccosh has no slope at 1, but only a comparison leads there."""
    for mg in CORES.values():
        x = mg.Value(0.5)
        equal = mg.ops.equal
        y = equal(x, x).arccosh() + 2 * x
        assert mg.grad(lambda x, equal=equal: equal(x, x).arccosh() + 2 * x)(0.5) == 2.0
        assert [v.data for v in mg.jvp([y], [x], [1.0])] == [2.0]
        assert mg.grad(y, x).data == 2.0


def test_a_derivative_that_cannot_be_computed_raises_the_same_and_keeps_the_graph() -> None:
    def derive(mg: Any) -> Any:
        x = mg.Value(0.0, label="x")
        y = x.sqrt() + x
        again = outcome(lambda: mg.grad(y, x)), outcome(lambda: mg.jvp(y, x, 1.0))
        return again, len(mg.toposort(y)), x.grad

    (first, second), size, grad = on_both(derive)
    assert "derivative of sqrt" in first[1]
    assert "derivative of sqrt" in second[1]
    assert (size, grad) == (3, 0.0)


def test_constants_and_other_outputs_take_no_part() -> None:
    for mg in CORES.values():
        x, z = mg.Value(2.0), mg.Value(3.0)
        assert [v.data for v in mg.grad(z * 2, [x, z])] == [0.0, 2.0]
        assert [v.data for v in mg.jvp([z, x], [x], [5.0])] == [0.0, 5.0]
        assert [v.data for v in mg.hvp(z + x, [x], [1.0])] == [0.0]


def test_nothing_moves_nothing() -> None:
    """A node without a rule is no obstacle where nothing moves its operands."""

    def derive(mg: Any) -> Any:
        x, z = mg.Value(3.0), mg.Value(2.0)
        y = mg.Value(1.0, (x, x, x), "bare") + z
        return described(mg, mg.jvp([y], [x, z], [0.0, 1.0]))

    on_both(derive)


def names_of_new(mg: Any, results: list[Any], output: Any) -> list[str]:
    """Return the operations of the nodes behind the results that are not behind the output."""
    before = {id(v) for v in mg.toposort(output)}
    return sorted(v.op.name for v in mg.toposort(*results) if v.op and id(v) not in before)


def test_a_hessian_product_records_each_slope_once() -> None:
    for mg in CORES.values():
        x = mg.Value(0.5)
        y = x.tanh()
        [product] = mg.hvp(y, [x], [1.0])
        # slope = 1 - y * y, and the product is (-y + -y) * slope.
        names = ["add", "multiply", "multiply", "negative", "subtract"]
        assert names_of_new(mg, [product], y) == names
        slope = 1 - math.tanh(0.5) ** 2
        assert product.data == pytest.approx(-2 * math.tanh(0.5) * slope, rel=1e-15)
        third = 4 * math.tanh(0.5) ** 2 * slope - 2 * slope**2
        assert mg.grad(product, x).data == pytest.approx(third, rel=1e-14)


def test_the_two_equal_products_at_a_square_are_one() -> None:
    for mg in CORES.values():
        x, w = mg.Value(3.0), mg.Value(2.0)
        square = x * x
        slope = mg.grad(square * w, x)
        assert names_of_new(mg, [slope], square) == ["add", "multiply"]
        assert [slope.data, *(v.data for v in mg.grad(slope, [x, w]))] == [12.0, 4.0, 6.0]
        assert mg.jvp(square, x, w).data == 12.0


def test_what_was_kept_of_a_graph_that_changed_meanwhile_is_not_used() -> None:
    """Each product is of the graph as it is then; nothing is kept between calls."""
    for mg in CORES.values():
        x = mg.Value(0.5)
        y = x.tanh() * x
        first = mg.hvp(y, [x], [1.0])[0].data
        y.args = (x, x)
        assert mg.hvp(y, [x], [1.0])[0].data == 2.0 != first


@pytest.mark.parametrize("seed", range(30))
def test_hessian_products_as_graphs_are_those_in_numbers(seed: int) -> None:
    """Along numbers and along Values, on graphs of all operations."""
    rng = random.Random(seed)
    numbers = [rng.uniform(0.2, 0.9) for _ in range(3)]
    along = [rng.choice([1.0, 0.0, -1.0, rng.uniform(-2, 2)]) for _ in numbers]
    names = [rng.choice(["tanh", "exp", "sqrt", "log", "sin", "sigmoid"]) for _ in range(8)]
    pairs = [rng.choice(["multiply", "divide", "add", "hypot", "power"]) for _ in range(8)]
    places = [(rng.randrange(99), rng.randrange(99)) for _ in range(8)]

    def f(mg: Any, inputs: Any) -> Any:
        values = list(inputs)
        for name, pair, (i, j) in zip(names, pairs, places):
            x, y = values[i % len(values)], values[j % len(values)]
            values.append(mg.tanh(mg.ops.TABLE[pair](mg.sigmoid(x), mg.sigmoid(y))))
            values.append(mg.ops.TABLE[name](mg.sigmoid(values[-1])))
        return sum(values[-3:])

    for mg in CORES.values():
        expected = mg.hvp(partial(f, mg))(numbers, along)
        for kind in (float, mg.Value):
            inputs = [mg.Value(x) for x in numbers]
            found = mg.hvp(f(mg, inputs), inputs, [kind(x) for x in along])
            assert [v.data for v in found] == pytest.approx(list(expected), rel=1e-9, abs=1e-12)
