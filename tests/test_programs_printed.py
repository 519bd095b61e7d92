"""What is printed of sequences: softmax and cross-entropy by name, heads and masks by indices.

What is rewritten to be printed is computed here as well, and must give what the program gives.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.rewrite.cross_entropy import write_differences
from micrograd.programs.rewrite.softmax import SOFTMAX, Rewritten
from micrograd.value.selection import Chosen, Take

random.seed(3)
W = [[Value(random.gauss(0, 1)) for _ in range(2)] for _ in range(3)]
SIX = [[Value(random.gauss(0, 1)) for _ in range(4)] for _ in range(6)]


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    traced = program(function)
    traced(*arguments)
    return traced


def lines(traced: Any) -> list[str]:
    return [" ".join(line.split()) for line in str(traced).splitlines()]


def softmax(
    scores: Any, shift: Callable[[Any], Any] = lambda x: mg.stop_gradient(mg.max(x))
) -> Any:
    largest = shift(scores)
    powers = [mg.exp(s - largest) for s in scores]
    total = sum(powers)
    return [p / total for p in powers]


def times(matrix: Any, x: Any) -> list[Any]:
    return [sum(w * e for w, e in zip(row, x)) for row in matrix]


def surprise(x: Any, t: Any) -> Any:
    return -mg.log(mg.take(softmax(times(W, x)), t))


def test_softmax_regression_reads_as_the_textbook() -> None:
    traced = called(surprise, [[1.0, 2.0], [3.0, 4.0]], [1, 2])
    assert str(traced) == (
        "forward\n"
        "  z2        = W x             3 x n\n"
        "  a2        = softmax(z2)     3 x n\n"
        "  surprise  = -log(a2[t])     1 x n\n"
        "backward\n"
        "  delta2    = a2 - (t == c)   3 x n\n"
        "  Delta_W  := delta2 x'       3 x 2"
    )
    assert r"a^{(2)} &= \mathrm{softmax}\left(z^{(2)}\right) && 3 \times n" in traced.latex()


def weighted(x: Any, t: Any) -> Any:
    shares = softmax(times(W, x))
    return sum(s * s for s in shares) - 3 * mg.log(mg.take(shares, t))


def two_at_once(x: Any, t: Any) -> Any:
    z = times(W, x)
    first, second = softmax(z), softmax([2 * e for e in z])
    return sum(a * b for a, b in zip(first, second)) - mg.log(mg.take(first, t))


def another_total(x: Any, t: Any) -> Any:
    powers = [mg.exp(s) for s in times(W, x)]
    return sum(p / (sum(powers) + 1) for p in powers) * t


def some_of_them(x: Any, t: Any) -> Any:
    powers = [mg.exp(s) for s in times(W, x)]
    return sum(p / sum(powers[:2]) for p in powers) * t


def of_another(x: Any, t: Any) -> Any:
    powers = [[mg.exp(s) for s in times(W, v)] for v in (x, x[::-1])]
    return sum(p / sum(powers[0]) for p in powers[1]) * t


def of_some_shares(x: Any, t: Any) -> Any:
    return -mg.log(mg.take(softmax(times(W, x))[::-1], t)) - mg.log(
        mg.take([*softmax(times(W, x))[:2], 0.5], t)
    )


PROGRAMS: list[tuple[Callable[..., Any], bool]] = [
    (surprise, True),
    (weighted, True),
    (two_at_once, True),
    (another_total, False),
    (some_of_them, False),
    (of_another, False),
    (of_some_shares, True),
    (lambda x, t: -2 * mg.log(mg.take(softmax(times(W, x), lambda _: 0.0), t)) + t, True),
    (lambda x, t: t * softmax(times(W, x), lambda z: z[1])[0], True),
    (lambda x, t: t * softmax(x, mg.max)[0], True),
    (lambda x, t: -mg.log(mg.take(softmax(softmax(times(W, x))), t)), True),
]


@pytest.mark.parametrize(("function", "is_softmax"), PROGRAMS)
def test_what_is_rewritten_is_the_same(function: Callable[..., Any], is_softmax: bool) -> None:
    x, t = np.array([0.5, -1.5]), np.array([2.0])
    traced = called(function, x[None], t[None, 0].astype(int))
    lifted = lifted_of(traced)
    rewritten = Rewritten(lifted)
    write_differences(rewritten)
    assert any(group.op is SOFTMAX for group in rewritten.order) is is_softmax
    assert ("softmax" in str(traced)) is is_softmax
    before, after = (
        computed(lifted, groups, rewritten, {"x": x, "t": t})
        for groups in (lifted.groups, rewritten.order)
    )
    for group in lifted.groups:
        if group.gradient or lifted.group_of[lifted.outputs[0]] == group.index:
            assert after[group.index] == pytest.approx(before[group.index], rel=1e-12, abs=1e-15)


def lifted_of(traced: Any) -> Lifted:
    [paths] = traced._known.version.paths.values()
    [path] = paths.found
    parameters = path.program.parameters
    return Lifted(path.tape, path.outputs, [], path.slopes, parameters, paths._patterns())


def computed(
    lifted: Lifted, groups: list[Group], rewritten: Rewritten, inputs: dict[str, Any]
) -> dict[int, Any]:
    """Compute each group for one example."""
    values: dict[int, Any] = {}
    for group in groups:
        if group.kind == PARAMETERS:
            parameters = [*lifted.tape.parameters]
            values[group.index] = np.array([p.data for p in sorted_by(lifted, parameters)])
        elif group.kind == CONSTANTS:
            values[group.index] = np.array([*lifted.tape.constants.values()])
        elif group.kind == INPUT:
            values[group.index] = inputs.get(group.name, np.ones(1))
        elif group.members:
            values[group.index] = of_group(group, values, rewritten)
    return values


def sorted_by(lifted: Lifted, parameters: list[Value]) -> list[Value]:
    return sorted(parameters, key=lambda p: int(lifted.position[lifted.tape.parameters[p]]))


def of_group(group: Group, values: dict[int, Any], rewritten: Rewritten) -> Any:
    factors = [
        [values[g][terms.positions[:, :, f]] for f, g in enumerate(terms.groups)]
        for terms in group.terms
    ]
    if group.op is SOFTMAX:
        powers = np.exp(factors[0][0][:, 0])
        sums = rewritten.shared[group.index]
        return powers / np.array([powers[sums == s].sum() for s in sums])
    if group.kind == "row":
        operands = [x[:, 0] for x in factors[0]]
        if isinstance(group.op, Take):
            return np.stack(operands[1:])[operands[0].astype(int), np.arange(len(operands[0]))]
        if isinstance(group.op, Chosen):
            return (operands[0] == operands[1]).astype(float)
        assert group.op is not None
        return group.op(*operands)
    if group.op is mg.ops.maximum:
        return np.concatenate([x[0] for x in factors], axis=1).max(axis=1)
    return sum(
        terms.sign * np.prod(x, axis=0).sum(axis=1) for terms, x in zip(group.terms, factors)
    )


# Sequences -----------------------------------------------------------------------------------


def attention(queries: Any, keys: Any) -> list[Any]:
    """Two heads of two numbers; each position sees those before it, and itself."""
    found = []
    for t, query in enumerate(queries):
        for head in (0, 2):
            own = range(head, head + 2)
            fits = [sum(query[i] * key[i] for i in own) / 2 for key in keys[: t + 1]]
            shares = softmax(fits)
            found += [sum(s * key[i] for s, key in zip(shares, keys)) for i in own]
    return found


def test_heads_and_masks_are_written_with_their_indices() -> None:
    def loss(x: Any) -> Any:
        vectors = [times(SIX[:4], v) for v in x]
        return sum(attention(x, vectors))

    traced = called(loss, np.random.default_rng(1).normal(size=(2, 5, 4)))
    text = lines(traced)
    assert "z2 = SIX[0:4, :] x 5 x 4 x n" in text, str(traced)
    assert any(line.startswith("t1[i, j, k <= i] = softmax_k(sum_l(") for line in text), str(traced)
    assert "loss = sum_{i, j, k >= i, l}(z2[i, 2 l + j] .* t1[k, l, i]) 1 x n" in text, str(traced)
    assert r"\mathrm{softmax}_{k}" in traced.latex()
    assert r"k \le i" in traced.latex()


def test_a_sum_of_one_axis_says_which() -> None:
    def norms(x: Any) -> list[Any]:
        return [e / mg.sqrt(sum(v * v for v in row)) for row in x for e in row]

    vectors = called(lambda x: norms([times(W, v) for v in x]), np.ones((1, 4, 2)))
    assert any("sum_2(z2.^2)" in line for line in lines(vectors)), str(vectors)
    assert r"\sum_{2}" in vectors.latex()


def test_the_gradient_of_a_matrix_used_at_each_position_is_one_product() -> None:
    def loss(x: Any) -> Any:
        return sum(mg.tanh(e) for v in x for e in times(W, v))

    assert "Delta_W := delta2 x' 3 x 2" in lines(called(loss, np.ones((2, 1, 2))))
    table = [[Value(0.1 * i + j) for j in range(2)] for i in range(4)]
    tokens = called(lambda i: loss([mg.take(table, k) for k in i]), [[0, 1, 3]])
    assert "Delta_W := delta2 table[i]' 3 x 2" in lines(tokens), str(tokens)
    assert "Delta_table := (i == c) (W' delta2)' 4 x 2" in lines(tokens), str(tokens)


def test_numbers_of_a_product_are_multiplied() -> None:
    traced = called(lambda x: ((W[0][0] * x) ** 2 + 1) ** -0.5 / 4, [1.0])
    assert "-0.25 (W[0, 0] x)" in str(traced), str(traced)


def test_what_is_no_delta_is_not_called_so() -> None:
    traced = called(lambda x: W[0][0] * x + W[0][1] * x * x, [1.0, 2.0])
    assert "delta" not in str(traced), str(traced)


def test_the_gpt_reads_as_the_paper() -> None:
    width, heads = 4, 2
    random.seed(1)

    def table(rows: int, columns: int = width) -> Any:
        return [[Value(random.gauss(0, 0.3)) for _ in range(columns)] for _ in range(rows)]

    wte, wpe, wq, wk, wv, wo, head = table(5), table(8), *[table(width) for _ in "qkvo"], table(5)

    def loss(tokens: Any) -> Any:
        keys: list[Any] = []
        values: list[Any] = []
        surprises = []
        size = width // heads
        for position, (token, following) in enumerate(pairwise(tokens)):
            x = [a + b for a, b in zip(mg.take(wte, token), wpe[position])]
            keys.append(times(wk, x))
            values.append(times(wv, x))
            query, seen = times(wq, x), []
            for start in range(0, width, size):
                own = range(start, start + size)
                fits = [sum(query[i] * k[i] for i in own) / math.sqrt(size) for k in keys]
                shares = softmax(fits)
                seen += [sum(s * v[i] for s, v in zip(shares, values)) for i in own]
            scores = times(head, [a + b for a, b in zip(x, times(wo, seen))])
            surprises.append(-mg.log(mg.take(softmax(scores), following)))
        return sum(surprises) / len(surprises)

    traced = called(loss, [[0, 4, 2, 1, 3]])
    text = lines(traced)
    for line in (
        "t1 = wte[tokens[0:4]] + wpe[0:4, :] 4 x 4 x n",
        "t2[i, j, k <= i] = softmax_k(sum_l(z2[i, 2 j + l] .* z3[k, 2 j + l]) ./ 1.41421) "
        "4 x 2 x 4 x n",
        "t3[i, j, k] = sum_{l <= i}(t2[i, j, l] .* z4[l, 2 j + k]) 4 x 2 x 2 x n",
        "z6 = head (t1 + z5) 4 x 5 x n",
        "a6 = softmax_2(z6) 4 x 5 x n",
        "loss = -sum(log(a6[tokens[1:5]])) ./ 4 1 x n",
        "delta6 = 0.25 (a6 - (tokens[1:5] == c)) 4 x 5 x n",
        "delta5 = head' delta6 4 x 4 x n",
        "Delta_wo := delta5 t3' 4 x 4",
        "Delta_wte := (tokens[0:4] == c) t7' 5 x 4",
    ):
        assert line in text, f"{line}\n{traced}"
    assert "..." not in str(traced)
    assert "..." not in traced.latex()
    two = called(loss, [[0, 4, 2]])
    assert len(lines(two)) == len(text)
