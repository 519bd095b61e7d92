"""Plans move arrays into shared memory and biases into products, in an order that is safe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree, assert_same, values

import micrograd as mg
from micrograd import Value, nn, program


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


# Rows of ones ----------------------------------------------------------------------------------


def test_a_row_of_ones_is_not_overwritten() -> None:
    rng = np.random.default_rng(0)
    layers = [
        nn.Layer(2, 3, activation="sigmoid"),
        nn.Layer(3, 2, activation="relu"),
        nn.Layer(2, 1, activation="linear"),
    ]
    for p in [p for layer in layers for p in layer.parameters()]:
        p.data = rng.uniform(-1, 1)
    layers[2].neurons[0].b.data = 1.0

    def network(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
        return x

    traced = program(network)
    for rows in (1, 3, 3, 1):
        assert_same(traced, [rng.normal(size=(rows, 2))], [layer.parameters() for layer in layers])


SEVERAL_CALLS = ["sigmoid", lambda z: mg.softplus(z), lambda z: mg.logaddexp(z, 0.3 * z)]


@pytest.mark.parametrize("first", SEVERAL_CALLS)
@pytest.mark.parametrize("second", ["relu", "tanh", lambda z: -z, lambda z: mg.exp(0.1 * z)])
@pytest.mark.parametrize("widths", [(2, 3, 2, 1), (3, 2, 4, 3, 2, 1), (1, 5, 4, 4, 2)])
def test_layers_of_falling_widths_agree(
    rng: np.random.Generator, first: Any, second: Any, widths: tuple[int, ...]
) -> None:
    activations = [*[first, second] * 3][: len(widths) - 2]
    layers = [
        nn.Layer(a, b, activation=f)
        for a, b, f in zip(widths, widths[1:], [*activations, "linear"])
    ]
    for p in [p for layer in layers for p in layer.parameters()]:
        p.data = rng.uniform(-1, 1)

    def network(x: Any) -> Any:
        for layer in layers:
            x = layer(x)
            x = x if isinstance(x, list) else [x]
        return x

    assert_agree(
        network, [rng.normal(size=(4, widths[0]))], [layer.parameters() for layer in layers]
    )


# Biases ----------------------------------------------------------------------------------------


def test_a_gradient_is_not_read_before_it_is_written() -> None:
    w, b = [Value(0.3), Value(-0.2)], [Value(0.1), Value(0.2)]
    u, c = [Value(0.7), Value(0.4)], Value(0.9)
    traced = program(lambda x: sum(mg.tanh(w[i] * x + b[i] + u[i] * c) for i in range(2)))
    traced([1.0, 2.0]).sum().backward()
    assert [u[0].grad, u[1].grad, c.grad] == pytest.approx([0.581, 1.670, 1.194], abs=5e-4)
    for x in ([1.0, 2.0], [-3.0, 0.5]):
        assert_same(traced, [x], [w, b, u, [c]])


@pytest.mark.parametrize("width", [1, 2, 3, 8])
@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_what_reads_the_gradient_of_a_bias(
    rng: np.random.Generator, width: int, inputs: int
) -> None:
    w, v = values(rng.normal(size=(2, width, inputs)))
    b, u, c, d = values(rng.normal(size=(4, width)))

    def shifted(x: Any, bias: Any) -> list[Any]:
        sums = [sum(p * e for p, e in zip(row, x)) for row in w]
        return [mg.tanh(z + q) for z, q in zip(sums, bias)]

    def scaled_biases(x: Any) -> Any:  # beside the bias itself, before and behind it
        return shifted(x, [p + q * c[0] for p, q in zip(b, u)])

    def shared_terms(x: Any) -> Any:
        return shifted(x, [p + mg.sin(q) - r * r for p, q, r in zip(b, u, d)])

    def of_both_layers(x: Any) -> Any:
        hidden = shifted(x, [p + q for p, q in zip(b, u)])
        return sum(z * p + q * mg.exp(r) for z, p, q, r in zip(hidden, c, b, d))

    def twice(x: Any) -> Any:
        hidden = shifted(x, b)
        sums = [sum(p * h for p, h in zip(row, hidden[:inputs])) for row in v]
        return [z + p * q for z, p, q in zip(sums, b, u)]

    for function in (scaled_biases, shared_terms, of_both_layers, twice):
        x = rng.normal(size=(4, inputs))
        assert_agree(function, [x], [*w, *v, b, u, c, d])


@pytest.mark.parametrize("width", [1, 2, 5])
def test_shifted_inputs(rng: np.random.Generator, width: int) -> None:
    w, s, t = values(rng.normal(size=(3, width)))
    b = Value(0.3)

    def neuron(x: Any) -> Any:
        return sum((a * (v + c) for a, v, c in zip(w, x, s)), b)

    def shifted_twice(x: Any) -> Any:
        return sum((a * (v + c * d) for a, v, c, d in zip(w, x, s, t)), b) + sum(t)

    def constants(x: Any) -> Any:
        return sum((2.0 * (v + c) for v, c in zip(x, s)), b)

    def one_weight(x: Any) -> Any:
        return [w[0] * (v + c) + b for v, c in zip(x, s)]

    for function in (neuron, shifted_twice, constants, one_weight):
        assert_agree(function, [rng.normal(size=(3, width))], [w, s, t, [b]])
