"""Scalar functions of many structures, on Values and numbers, which the tests run as programs.

Each maker draws parameters and gives the function of one example, its parameters, and the shapes
of its arguments.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP, Module


class Work(NamedTuple):
    """A function of one example, the parameters it reaches, and the shapes of its arguments."""

    function: Callable[..., Any]
    parameters: list[Value]
    shapes: list[tuple[int, ...]]


def draw(*sizes: int) -> Any:
    """Draw a Value, or nested lists of Values, at random."""
    if not sizes:
        return Value(random.uniform(-1, 1))
    return [draw(*sizes[1:]) for _ in range(sizes[0])]


def flat(nested: Any) -> list[Value]:
    return [nested] if isinstance(nested, Value) else [v for part in nested for v in flat(part)]


def dot(w: Any, x: Any) -> Any:
    return sum(p * e for p, e in zip(w, x))


def times(matrix: Any, x: Any) -> list[Any]:
    return [dot(row, x) for row in matrix]


def softmax(z: list[Any]) -> list[Any]:
    e = [mg.exp(v) for v in z]
    total = sum(e)
    return [v / total for v in e]


def logistic_regression() -> Work:
    w, b = draw(3), draw()
    return Work(
        lambda x, y: mg.losses.binary_cross_entropy(dot(w, x) + b, mg.sigmoid(y)),
        [*w, b],
        [(3,), ()],
    )


def squared_error_network() -> Work:
    model = MLP(3, [4, 1], activation="tanh")
    return Work(lambda x, y: (model(x) - y) ** 2, model.parameters(), [(3,), ()])


def classifier() -> Work:
    model = MLP(4, [5, 3], activation="sigmoid")
    return Work(
        lambda x, y: mg.losses.cross_entropy(model(x), softmax(y)), model.parameters(), [(4,), (3,)]
    )


def several_outputs() -> Work:
    model = MLP(2, [4, 3])
    return Work(lambda x: model(x), model.parameters(), [(2,)])


def convolution() -> Work:
    kernels, biases, head = draw(2, 3), draw(2), draw(2, 5)

    def function(x: Any) -> Any:
        maps = [
            [(dot(k, x[p : p + 3]) + b).relu() for p in range(5)] for k, b in zip(kernels, biases)
        ]
        return sum(dot(h, m) for h, m in zip(head, maps))

    return Work(function, flat([kernels, biases, head]), [(7,)])


def convolution_of_images() -> Work:
    kernels = draw(2, 2, 2)

    def function(x: Any) -> Any:
        return sum(
            mg.tanh(sum(k[i][j] * x[p + i][q + j] for i in range(2) for j in range(2)))
            for k in kernels
            for p in range(3)
            for q in range(3)
        )

    return Work(function, flat(kernels), [(4, 4)])


def padded_convolution() -> Work:
    kernel = draw(3)

    def function(x: Any) -> Any:
        padded = [0.0, *x, 0.0]
        return sum(mg.tanh(dot(kernel, padded[p : p + 3])) for p in range(len(x)))

    return Work(function, flat(kernel), [(5,)])


def pooling() -> Work:
    w, v = draw(4, 6), draw(2)

    def function(x: Any) -> Any:
        h = times(w, x)
        return v[0] * mg.maximum(h[0], h[1]) + v[1] * mg.minimum(h[2], mg.maximum(h[3], 0.1))

    return Work(function, flat([w, v]), [(6,)])


def recurrent_cell() -> Work:
    w, u, b, head = draw(3, 2), draw(3, 3), draw(3), draw(3)

    def function(x: Any) -> Any:
        h: list[Any] = [0.0] * 3
        for step in x:
            h = [mg.tanh(s + r + c) for s, r, c in zip(times(w, step), times(u, h), b)]
        return dot(head, h)

    return Work(function, flat([w, u, b, head]), [(4, 2)])


def gated_recurrent_unit() -> Work:
    gates = draw(3, 2, 2 + 3)  # reset, update, candidate; 2 units that see 3 inputs

    def function(x: Any, h: Any) -> Any:
        reset = [mg.sigmoid(v) for v in times(gates[0], [*x, *h])]
        update = [mg.sigmoid(v) for v in times(gates[1], [*x, *h])]
        mixed = [r * v for r, v in zip(reset, h)]
        new = [mg.tanh(v) for v in times(gates[2], [*x, *mixed])]
        return [(1 - z) * a + z * b for z, a, b in zip(update, h, new)]

    return Work(function, flat(gates), [(3,), (2,)])


def attention() -> Work:
    query, key, value = draw(2, 3), draw(2, 3), draw(2, 3)

    def function(x: Any) -> Any:
        q, k, v = ([times(m, token) for token in x] for m in (query, key, value))
        rows = [softmax([dot(a, b) * 0.7 for b in k]) for a in q]
        mixed = [[dot(row, [t[d] for t in v]) for d in range(2)] for row in rows]
        return sum(e * e for token in mixed for e in token)

    return Work(function, flat([query, key, value]), [(4, 3)])


def layer_norm() -> Work:
    w, gain, shift = draw(4, 3), draw(4), draw(4)

    def function(x: Any) -> Any:
        h = times(w, x)
        mean = sum(h) / 4
        spread = (sum((e - mean) ** 2 for e in h) / 4 + 1e-5) ** 0.5
        return [g * (e - mean) / spread + s for g, e, s in zip(gain, h, shift)]

    return Work(function, flat([w, gain, shift]), [(3,)])


def gaussian_mixture() -> Work:
    weights, means, scales = draw(3), draw(3, 2), draw(3, 2)

    def function(x: Any) -> Any:
        logs = [
            w + sum(s - 0.5 * ((e - m) * mg.exp(s)) ** 2 for e, m, s in zip(x, mean, scale))
            for w, mean, scale in zip(weights, means, scales)
        ]
        top = mg.stop_gradient(mg.maximum(mg.maximum(logs[0], logs[1]), logs[2]))
        return top + mg.log(sum(mg.exp(v - top) for v in logs))

    return Work(function, flat([weights, means, scales]), [(2,)])


def black_scholes() -> Work:
    volatility, rate = Value(0.2), Value(0.03)

    def normal(z: Any) -> Any:
        return 0.5 * (1 + mg.erf(z * 0.5**0.5))

    def function(spot: Any, strike: Any) -> Any:
        spot, strike = mg.exp(spot), mg.exp(strike)
        d1 = mg.log(spot / strike) + rate + volatility**2 / 2
        d1 = d1 / volatility
        return spot * normal(d1) - strike * mg.exp(-rate) * normal(d1 - volatility)

    return Work(function, [volatility, rate], [(), ()])


def runge_kutta() -> Work:
    a, b = draw(), draw()

    def slope(p: Any, q: Any) -> tuple[Any, Any]:
        return a * q - p**3, -b * p + q * p

    def function(x: Any) -> Any:
        p, q = x
        p1, q1 = slope(p, q)
        p2, q2 = slope(p + 0.05 * p1, q + 0.05 * q1)
        p3, q3 = slope(p + 0.05 * p2, q + 0.05 * q2)
        p4, q4 = slope(p + 0.1 * p3, q + 0.1 * q3)
        return p + (p1 + 2 * p2 + 2 * p3 + p4) / 60, q + (q1 + 2 * q2 + 2 * q3 + q4) / 60

    return Work(function, [a, b], [(2,)])


def residual_network() -> Work:
    layers = draw(2, 3, 3)

    def function(x: Any) -> Any:
        for w in layers:
            x = [e + mg.tanh(v) for e, v in zip(x, times(w, x))]
        return x

    return Work(function, flat(layers), [(3,)])


def tied_autoencoder() -> Work:
    w, b = draw(2, 4), draw(4)

    def function(x: Any) -> Any:
        hidden = [mg.sigmoid(v) for v in times(w, x)]
        seen = [v + c for v, c in zip(times(list(zip(*w)), hidden), b)]
        return sum((s - e) ** 2 for s, e in zip(seen, x))

    return Work(function, flat([w, b]), [(4,)])


def shared_twice() -> Work:
    model = MLP(2, [3, 2])

    def function(x: Any, y: Any) -> Any:
        return sum((a - b) ** 2 for a, b in zip(model(x), model(y)))

    return Work(function, model.parameters(), [(2,), (2,)])


def bilinear() -> Work:
    matrix = draw(3, 2)
    return Work(
        lambda x, y: sum(e * v for e, v in zip(x, times(matrix, y))), flat(matrix), [(3,), (2,)]
    )


def normalised_weights() -> Work:
    w, gain = draw(3), draw()

    def function(x: Any) -> Any:
        length = sum(p * p for p in w) ** 0.5  # arithmetic on parameters alone
        return gain * dot(w, x) / length

    return Work(function, [*w, gain], [(3,)])


def sparse_wiring() -> Work:
    wires = [(random.randrange(6), random.randrange(6)) for _ in range(12)]
    w, v = draw(12), draw(12)

    def function(x: Any) -> Any:
        return sum(q * mg.tanh(p * x[i] - x[j]) for (i, j), p, q in zip(wires, w, v))

    return Work(function, [*w, *v], [(6,)])


def mixture_of_experts() -> Work:
    gate, experts = draw(3, 2), draw(3, 2)

    def function(x: Any) -> Any:
        return dot(softmax(times(gate, x)), [mg.sin(v) for v in times(experts, x)])

    return Work(function, flat([gate, experts]), [(2,)])


def determinant() -> Work:
    w = draw()

    def function(m: Any) -> Any:
        (a, b, c), (d, e, f), (g, h, i) = m
        return w * (a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g))

    return Work(function, [w], [(3, 3)])


def polynomial() -> Work:
    c = draw(5)

    def function(x: Any) -> Any:
        value: Any = 0.0
        for p in reversed(c):
            value = value * x + p
        return value

    return Work(function, c, [()])


def many_rows_of_the_table() -> Work:
    w = draw(3)

    def function(x: Any, y: Any) -> Any:
        a = mg.arctan2(w[0] * x, 2 + y * y) + mg.hypot(x, w[1]) - mg.cbrt(w[2] - 3)
        b = mg.softplus(a) * mg.logaddexp(x, w[0]) + mg.expm1(w[1] * y) - mg.erfc(w[2] * x)
        return mg.where(x < y, a * b, abs(a - b)) / (2 + mg.cos(a)) + mg.log1p(b * b) ** 1.5

    return Work(function, w, [(), ()])


class Gap(Module):
    """Use weights and biases in separate lists, and one weight alone."""

    def __init__(self) -> None:
        self.Theta1, self.b1 = draw(3, 2), draw(3)
        self.Theta2, self.b2 = draw(1, 3), draw(1)
        self.scale = draw()

    def __call__(self, x: Any) -> Any:
        for weights, biases in ((self.Theta1, self.b1), (self.Theta2, self.b2)):
            x = [mg.sigmoid(v + b) for v, b in zip(times(weights, x), biases)]
        return self.scale * x[0]


def separate_biases() -> Work:
    model = Gap()
    return Work(lambda x: model(x), model.parameters(), [(2,)])


WORKS: list[Callable[[], Work]] = [
    logistic_regression,
    squared_error_network,
    classifier,
    several_outputs,
    convolution,
    convolution_of_images,
    padded_convolution,
    pooling,
    recurrent_cell,
    gated_recurrent_unit,
    attention,
    layer_norm,
    gaussian_mixture,
    black_scholes,
    runge_kutta,
    residual_network,
    tied_autoencoder,
    shared_twice,
    bilinear,
    normalised_weights,
    sparse_wiring,
    mixture_of_experts,
    determinant,
    polynomial,
    many_rows_of_the_table,
    separate_biases,
]
