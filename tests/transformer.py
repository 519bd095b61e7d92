"""A small transformer in plain scalar code, without a Module: what pictures must make sense of."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

from micrograd import Value

Matrix = list[list[Value]]
PARTS = ("wq", "wk", "wv", "wo", "fc1", "fc2")  # of a layer


def matrix(rows: int, columns: int) -> Matrix:
    return [[Value(random.gauss(0, 0.1)) for _ in range(columns)] for _ in range(rows)]


def linear(x: Sequence[Value], w: Matrix) -> list[Value]:
    return [dot(row, x, range(len(x))) for row in w]


def dot(a: Sequence[Value], b: Sequence[Value], part: range) -> Value:
    return sum(a[j] * b[j] for j in part)  # type: ignore[return-value]


def softmax(x: Sequence[Value]) -> list[Value]:
    highest = max(v.data for v in x)
    powers = [(v - highest).exp() for v in x]
    total: Value = sum(powers)  # type: ignore[assignment]
    return [v / total for v in powers]


def normalised(x: Sequence[Value]) -> list[Value]:
    scale = (sum(v * v for v in x) / len(x) + 1e-5) ** -0.5
    return [v * scale for v in x]


class Transformer:
    """Attention and a two-layer network in each layer; `state` holds the parameters by name."""

    def __init__(self, layers: int = 1, width: int = 16, heads: int = 4, tokens: int = 27) -> None:
        random.seed(5)
        self.layers, self.size, self.heads = layers, width // heads, heads
        self.state = {"wte": matrix(tokens, width), "wpe": matrix(16, width)}
        self.state["lm_head"] = matrix(tokens, width)
        for i in range(layers):
            for name in PARTS[:4]:
                self.state[f"layer{i}.{name}"] = matrix(width, width)
            self.state[f"layer{i}.fc1"] = matrix(4 * width, width)
            self.state[f"layer{i}.fc2"] = matrix(width, 4 * width)

    def loss(self, tokens: Sequence[int]) -> Value:
        """Return the mean loss of predicting each token from those before."""
        keys: list[Matrix] = [[] for _ in range(self.layers)]
        values: list[Matrix] = [[] for _ in range(self.layers)]
        losses = []
        for position, (token, target) in enumerate(itertools.pairwise(tokens)):
            pairs = zip(self.state["wte"][token], self.state["wpe"][position])
            x = normalised([a + b for a, b in pairs])
            for i in range(self.layers):
                x = self._layer(i, x, keys[i], values[i])
            losses.append(-softmax(linear(x, self.state["lm_head"]))[target].log())
        return sum(losses) / len(losses)  # type: ignore[return-value]

    def _layer(self, i: int, x: list[Value], keys: Matrix, values: Matrix) -> list[Value]:
        state = {name: self.state[f"layer{i}.{name}"] for name in PARTS}
        before, x = x, normalised(x)
        queries = linear(x, state["wq"])
        keys.append(linear(x, state["wk"]))
        values.append(linear(x, state["wv"]))
        x = []
        for first in range(0, self.heads * self.size, self.size):
            part = range(first, first + self.size)
            scores = [dot(queries, k, part) / self.size**0.5 for k in keys]
            weights = softmax(scores)
            x += [dot(weights, [v[j] for v in values], range(len(values))) for j in part]
        x = [a + b for a, b in zip(linear(x, state["wo"]), before)]
        hidden = [v.relu() for v in linear(normalised(x), state["fc1"])]
        return [a + b for a, b in zip(linear(hidden, state["fc2"]), x)]
