"""Programs compared with the loop over the examples that they stand for."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from program_works import WORKS, Work

from micrograd import Value, arctan, program, relu, sigmoid
from micrograd.losses import binary_cross_entropy, cross_entropy, squared_error
from micrograd.nn import MLP

Array = np.ndarray[Any, Any]


def draw_arguments(work: Work, n: int) -> list[Array]:
    generator = np.random.default_rng(7)
    return [generator.normal(size=(n, *shape)) for shape in work.shapes]


def on_values(array: Array) -> Any:
    """Turn one example into Values, in nested lists."""
    if array.ndim == 0:
        return Value(float(array))
    return [on_values(part) for part in array]


def loop(work: Work, arguments: list[Array], weights: Array) -> tuple[Array, Array]:
    """Return the results and the gradient of their weighted sum, one example after the other."""
    for p in work.parameters:
        p.grad = 0.0
    rows = []
    for i in range(len(arguments[0])):
        result = work.function(*[on_values(a[i]) for a in arguments])
        rows.append(result if isinstance(result, (list, tuple)) else [result])
    total = sum(float(w) * v for row, ws in zip(rows, weights) for v, w in zip(row, ws))
    total.backward()
    return np.array([[v.data for v in row] for row in rows]), grads(work)


def grads(work: Work) -> Array:
    return np.array([p.grad for p in work.parameters])


def assert_close(found: Array, expected: Array) -> None:
    scale = np.abs(expected).max()
    assert np.abs(found - expected).max() <= 1e-12 * max(scale, 1e-300)


@pytest.mark.parametrize("make", WORKS, ids=lambda make: make.__name__)
def test_a_program_agrees_with_the_loop(make: Callable[[], Work]) -> None:
    random.seed(3)
    work = make()
    arguments = draw_arguments(work, 6)
    result = program(work.function)(*arguments)
    data = result.data.reshape(6, -1)
    weights = np.random.default_rng(8).normal(size=data.shape)
    expected, gradient = loop(work, arguments, weights)
    assert_close(data, expected)
    for p in work.parameters:
        p.grad = 0.0
    parts = result if result.ndim == 1 else None
    total: Any = 0.0
    for i in range(6):
        for k in range(data.shape[1]):
            total = total + float(weights[i, k]) * (parts[i] if parts is not None else result[i, k])
    total.backward()
    assert_close(grads(work), gradient)


LOSSES: dict[str, Callable[[Any, Any], Any]] = {
    "squared error": lambda z, y: sum(squared_error(a, b) for a, b in zip(z, y)),
    "logistic": lambda z, y: sum(binary_cross_entropy(a, sigmoid(b)) for a, b in zip(z, y)),
    "hinge": lambda z, y: sum(relu(1 - b * a) for a, b in zip(z, y)),
    "softmax": lambda z, y: cross_entropy(z, [e * e / sum(v * v for v in y) for e in y]),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "linear", arctan])
@pytest.mark.parametrize("sizes", [[3, 4, 2], [2, 3, 1, 4, 3], [1, 1, 2], [5, 2]])
def test_networks_agree_with_the_loop(sizes: list[int], activation: Any, loss: str) -> None:
    random.seed(5)
    model = MLP(sizes[0], sizes[1:], activation=activation)
    work = Work(
        lambda x, y: LOSSES[loss](model(x), y), model.parameters(), [(sizes[0],), (sizes[-1],)]
    )
    arguments = draw_arguments(work, 4)
    result = program(work.function)(*arguments)
    expected, gradient = loop(work, arguments, np.full((4, 1), 0.25))
    assert_close(result.data, expected[:, 0])
    for p in work.parameters:
        p.grad = 0.0
    result.mean().backward()
    assert_close(grads(work), gradient)
