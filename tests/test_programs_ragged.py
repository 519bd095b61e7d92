"""Sums of unlike lengths lift to tables: the equations of a sequence do not grow with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree, close, gradients, values

import micrograd as mg
from micrograd import Value, program
from micrograd.programs.api import Program

RNG = np.random.default_rng(3)
W = values(RNG.normal(size=(3, 3)))
Q = values(RNG.normal(size=16))
SCALE = Value(1.3)


def pairs(n: int) -> Any:
    """Sum the energies of a Lennard-Jones gas in two dimensions."""

    def energy(x: Any) -> Any:
        total = 0
        for i in range(n):
            for j in range(i + 1, n):
                r2 = (x[i][0] - x[j][0]) ** 2 + (x[i][1] - x[j][1]) ** 2 + 0.5
                total = total + SCALE * (1 / r2**6 - 1 / r2**3)
        return total

    return energy, (n, 2)


def forces(n: int) -> Any:
    """Differentiate the energies within the function."""
    energy, shape = pairs(n)

    def squares(x: Any) -> Any:
        flat = [a for row in x for a in row]
        return sum(v * v for v in mg.grad(energy(x), flat))

    return squares, shape


def charges(n: int) -> Any:
    """Sum over pairs of parameters."""

    def energy(x: Any) -> Any:
        return sum(
            Q[i] * Q[j] / ((x[i] - x[j]) ** 2 + 0.1) ** 0.5 for i in range(n) for j in range(i)
        )

    return energy, (n,)


def padded_convolutions(n: int) -> Any:
    """Convolve twice, leaving out what lies outside."""

    def convolve(x: Any) -> Any:
        return [
            [
                mg.tanh(
                    sum(
                        W[a + 1][b + 1] * x[i + a][j + b]
                        for a in (-1, 0, 1)
                        for b in (-1, 0, 1)
                        if 0 <= i + a < n and 0 <= j + b < n
                    )
                )
                for j in range(n)
            ]
            for i in range(n)
        ]

    return lambda x: sum(sum(row) for row in convolve(convolve(x))), (n, n)


def causal(n: int) -> Any:
    """Convolve with all that came before, and average it."""

    def loss(x: Any) -> Any:
        y = [mg.tanh(sum(Q[k - i] * x[i] for i in range(k + 1))) for k in range(n)]
        z = [sum(Q[k - i] * y[i] for i in range(k + 1)) / (k + 1) for k in range(n)]
        return sum(v * v for v in z)

    return loss, (n,)


def ragged_means(n: int) -> Any:
    """Average groups of 1 to n members, and take a softmax over the groups."""

    def loss(x: Any) -> Any:
        means, start = [], 0
        for size in range(1, n + 1):
            means.append(sum(Q[i] * x[start + i] ** 3 for i in range(size)) / size)
            start += size
        powers = [(v - mg.stop_gradient(mg.max(means))).exp() for v in means]
        return -(powers[0] / sum(powers)).log()

    return loss, (n * (n + 1) // 2,)


def running_means(n: int) -> Any:
    """Average what came so far, and take a softmax over these averages."""

    def loss(x: Any) -> Any:
        y = [sum(w * a for w, a in zip(Q, x[: k + 1])) / (k + 1) for k in range(n)]
        total = 0
        for k in range(n):
            powers = [(v - mg.stop_gradient(mg.max(y[: k + 1]))).exp() for v in y[: k + 1]]
            total = total + sum(e / sum(powers) * b for e, b in zip(powers, x))
        return total

    return loss, (n,)


def running_sums(n: int) -> Any:
    """Use each partial sum."""

    def loss(x: Any) -> Any:
        total, out = 0, 0
        for k in range(n):
            total = total + Q[k] * x[k]
            out = out + mg.tanh(total)
        return out

    return loss, (n,)


def graph_attention(n: int) -> Any:
    """Attend to the neighbours in a graph that has no pattern."""
    edges = np.random.default_rng(n).random((n, n)) < 0.5

    def loss(x: Any) -> Any:
        h = [mg.tanh(sum(Q[k] * row[k] for k in range(3))) for row in x]
        total = 0
        for i in range(n):
            seen = [h[j] for j in range(n) if edges[i][j] or i == j]
            fits = [h[i] * v for v in seen]
            powers = [(v - mg.stop_gradient(mg.max(fits))).exp() for v in fits]
            total = total + (sum(e / sum(powers) * v for e, v in zip(powers, seen))) ** 2
        return total

    return loss, (n, 3)


PROGRAMS = [
    *(pairs, forces, charges, padded_convolutions, causal, ragged_means, graph_attention),
    *(running_means, running_sums),
]


def count_lines(traced: Program) -> int:
    return str(traced).count("\n")


@pytest.mark.parametrize("make", PROGRAMS)
def test_the_equations_do_not_grow(make: Callable[[int], Any]) -> None:
    counts = set()
    for n in (5, 7, 10):
        function, shape = make(n)
        traced = program(function)
        traced(RNG.normal(size=(2, *shape)))
        counts.add(count_lines(traced))
    assert len(counts) == 1


@pytest.mark.parametrize("make", PROGRAMS)
@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_any_size_agrees_with_the_loop(make: Callable[[int], Any], n: int) -> None:
    function, shape = make(n)
    assert_agree(function, [RNG.normal(size=(3, *shape))], [*W, Q, [SCALE]])


def test_a_sum_that_is_made_of_its_own_partial_sums_is_not_written_out() -> None:
    def loss(x: Any) -> Any:
        total: Any = 0
        for k in range(6):
            total = total + mg.tanh(Q[k] * x[k])
            total = total + mg.tanh(Q[k] * x[k]) * total
        return total * total

    assert_agree(loss, [RNG.normal(size=(3, 6))], [Q])


def test_running_sums_take_a_step_for_each_term() -> None:
    def rows(n: int) -> int:
        traced = program(running_sums(n)[0])
        traced(np.ones((2, n)))
        [paths] = traced._known.version.paths.values()  # type: ignore[union-attr]
        return sum(paths.found[0].program.plan.memories)

    assert rows(16) < 2.5 * rows(8)


def test_what_all_members_of_a_table_share_is_not_gathered() -> None:
    def averages(x: Any) -> Any:
        y = [mg.tanh(a) for a in x]
        sums = [sum(mg.sin(y[k] - y[i]) * y[i] for i in range(k + 1)) for k in range(6)]
        return sum(v * v for v in sums)

    traced = program(averages)
    traced(np.ones((2, 6)))
    [paths] = traced._known.version.paths.values()  # type: ignore[union-attr]
    plan = paths.found[0].program.plan
    products = [s for s in plan.forward if s.kind == "row" and s.detail is mg.ops.multiply]
    assert any(view.dims == (6, 6) and view.strides == (1, 0) for view in products[0].operands)
    assert_agree(averages, [RNG.normal(size=(3, 6))], [Q])


# A transformer -----------------------------------------------------------------------------------


class Transformer:
    """A small transformer in scalars: attention in two heads, and a network, in each layer."""

    def __init__(self, layers: int, width: int = 4, tokens: int = 5) -> None:
        self.size = width // 2
        self.wte, self.wpe, self.out = (
            values(RNG.normal(size=shape))
            for shape in ((tokens, width), (8, width), (tokens, width))
        )
        self.layers = [
            [values(RNG.normal(size=shape)) for shape in [(width, width)] * 4]
            + [
                values(RNG.normal(size=(2 * width, width))),
                values(RNG.normal(size=(width, 2 * width))),
            ]
            for _ in range(layers)
        ]

    def parameters(self) -> list[Any]:
        return [self.wte, self.wpe, self.out, *self.layers]

    def loss(self, tokens: Any) -> Any:
        seen: list[tuple[list[Any], list[Any]]] = [([], []) for _ in self.layers]
        losses = []
        for position, token in enumerate(tokens[:-1]):
            pairs = zip(mg.take(self.wte, token), self.wpe[position])
            x = normalized([a + b for a, b in pairs])
            for weights, (keys, held) in zip(self.layers, seen):
                x = self._layer(weights, x, keys, held)
            likely = softmax(times(self.out, x))
            losses.append(-mg.log(mg.take(likely, tokens[position + 1])))
        return sum(losses) / len(losses)

    def _layer(self, weights: Any, x: list[Any], keys: list[Any], held: list[Any]) -> list[Any]:
        wq, wk, wv, wo, first, second = weights
        query = times(wq, normalized(x))
        keys.append(times(wk, normalized(x)))
        held.append(times(wv, normalized(x)))
        mixed = []
        for start in (0, self.size):
            own = range(start, start + self.size)
            weight = softmax([sum(query[i] * key[i] for i in own) for key in keys])
            mixed += [sum(a * v[i] for a, v in zip(weight, held)) for i in own]
        x = [a + b for a, b in zip(x, times(wo, mixed))]
        hidden = [h.relu() for h in times(first, normalized(x))]
        return [a + b for a, b in zip(x, times(second, hidden))]


def times(matrix: Any, x: Any) -> list[Any]:
    return [sum(w * e for w, e in zip(row, x)) for row in matrix]


def normalized(x: list[Any]) -> list[Any]:
    scale = (sum(e * e for e in x) / len(x) + 1e-5) ** -0.5
    return [e * scale for e in x]


def softmax(scores: list[Any]) -> list[Any]:
    powers = [mg.exp(score - mg.stop_gradient(mg.max(scores))) for score in scores]
    total = sum(powers)
    return [power / total for power in powers]


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_transformer_on_documents_of_any_length(layers: int) -> None:
    model = Transformer(layers)
    loss = program(lambda tokens: model.loss(tokens))
    documents = [RNG.integers(0, 5, 2 + i % 7).tolist() for i in range(14)]
    result = loss(documents)
    looped = [model.loss(document) for document in documents]
    assert result.data == pytest.approx([v.data for v in looped], rel=1e-12)
    expected = gradients(sum(looped) / len(looped), model.parameters())
    assert gradients(result.mean(), model.parameters()) == [close(grads) for grads in expected]


def test_the_equations_of_a_transformer_are_the_same_at_every_length() -> None:
    model = Transformer(1)
    counts = []
    for length in (3, 4, 6, 9):
        traced = program(lambda tokens: model.loss(tokens))
        traced([[1] * length])
        counts.append(count_lines(traced))
    assert set(counts) == {counts[0]}
    assert counts[0] <= 44
