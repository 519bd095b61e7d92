"""Matrix products in every layout and size equal plain NumPy's; memory is shared, not lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, ops, program
from micrograd.programs.run.kernels import LARGE, calls
from micrograd.programs.run.matmul import outer, product

Array = Any


def matrix(rows: int, columns: int, order: Any) -> Array:
    numbers = np.random.default_rng(rows + columns).normal(size=(rows, columns))
    return np.array(numbers, order=order)


def run(steps: list[Any]) -> None:
    for call, arguments in steps:
        call(*arguments)


@pytest.mark.parametrize("sizes", [(1, 3, 5), (16, 16, 200), (32, 65, 450), (32, 65, 1797)])
@pytest.mark.parametrize("left_order", ["C", "F"])
@pytest.mark.parametrize("right_order", ["C", "F"])
def test_products_are_numpys(sizes: Any, left_order: str, right_order: str) -> None:
    rows, inner, n = sizes
    left, right = matrix(rows, inner, left_order), matrix(inner, n, right_order)
    out = np.full((rows, n), np.nan)
    run(product(left, right, out))
    np.testing.assert_allclose(out, left @ right, rtol=1e-12, atol=1e-12)

    delta = matrix(rows, n, left_order)
    sums = np.full((rows, 2 * inner), np.nan)[:, :inner]  # a part of an array, as gradients are
    run(outer(delta, right.T, sums))
    np.testing.assert_allclose(sums, delta @ right.T, rtol=1e-12, atol=1e-11)


def test_a_weight_that_changes_is_packed_anew() -> None:
    left, right = matrix(32, 65, "C"), matrix(65, 100, "F")
    out = np.empty((32, 100))
    product_calls = product(left, right, out)
    run(product_calls)
    left *= 2
    run(product_calls)
    np.testing.assert_allclose(out, left @ right, rtol=1e-12, atol=1e-12)


def test_long_thin_networks_agree_with_plain_numpy() -> None:
    rng = np.random.default_rng(0)
    model = mg.nn.MLP(40, [30, 2], activation="tanh")
    x = rng.normal(size=(3000, 40))
    total = program(lambda x: sum(z * z for z in model(x)))(x).mean()
    total.backward()
    weights = [np.array([[w.data for w in n.w] for n in layer.neurons]) for layer in model.layers]
    a = np.tanh(x @ weights[0].T)
    delta = 2 * (a @ weights[1].T) / len(x)
    found = [np.array([[w.grad for w in n.w] for n in layer.neurons]) for layer in model.layers]
    hidden = delta @ weights[1] * (1 - a * a)
    for grads, expected in zip(found, (hidden.T @ x, delta.T @ a)):
        assert np.abs(grads - expected).max() <= 1e-12 * np.abs(expected).max()


def test_one_neuron_on_long_examples() -> None:
    x = np.random.default_rng(0).normal(size=(2000, 64))
    neuron = mg.nn.Neuron(64, activation="linear")
    result = program(lambda x: neuron(x))(x)
    w = np.array([v.data for v in neuron.w])
    np.testing.assert_allclose(result.data, x @ w + neuron.b.data, rtol=1e-12, atol=1e-12)
    result.sum().backward()
    np.testing.assert_allclose([v.grad for v in neuron.w], x.sum(axis=0), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("lowest", [-3.0, 0.0, float("nan")])
def test_the_sign_of_many_numbers(lowest: float) -> None:
    numbers = np.maximum(np.random.default_rng(0).normal(size=LARGE + 1), lowest)
    numbers[0] = lowest
    out = np.empty_like(numbers)
    run(calls(ops.sign, [numbers], out))
    np.testing.assert_array_equal(out, np.sign(numbers))


def test_what_is_not_needed_at_the_same_time_shares_memory() -> None:
    w = Value(0.5)

    def chain(x: Any) -> Any:
        for _ in range(50):
            x = (w * x).tanh()
        return x

    chained = program(lambda x: chain(x))
    chained([1.0])
    [paths] = chained._known.version.paths.values()  # type: ignore[union-attr]
    plan = paths.found[0].program.plan
    needed_in_reverse = 2 * 50
    rows = sum(storage.rows for storage in plan.storages if storage.kind == "computed")
    assert sum(plan.memories) <= needed_in_reverse + 10 < rows


def test_the_node_of_a_call_is_used_again_and_knows_its_scope() -> None:
    w = Value(2.0)
    scaled = program(lambda x: w * x)
    for _ in range(3):
        first, second = scaled([1.0]).sum(), scaled([10.0]).sum()
        with mg.scope("inside"):
            inside = scaled([100.0]).sum()
        assert first.parents[0] is not second.parents[0]
        found = mg.scopes.scope_of(inside.parents[0])
        assert found is not None
        assert found.name == "inside"
        assert mg.scopes.scope_of(first.parents[0]) is None
        w.grad = 0.0
        (first + second + inside).backward()
        assert w.grad == 111.0
        assert first.parents[0].parents == (w,)
        del first, second, inside
