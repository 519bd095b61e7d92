"""Lifting finds the same few groups for networks of any size, and their equations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program
from micrograd.nn import MLP, Module
from micrograd.programs.api import Program
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.paths import Path
from micrograd.programs.run.executable import Executable
from micrograd.programs.trace.captures import References


def path_of(traced: Program) -> Path:
    """Return the one path that a program has."""
    assert traced._known.version is not None
    [paths] = traced._known.version.paths.values()
    [path] = paths.found
    return path


def executable(traced: Program) -> Executable:
    """Return the executor of the one path that a program has."""
    return path_of(traced).program


def count_groups(traced: Program) -> int:
    """Count the groups that its path is lifted to."""
    path, names = path_of(traced), References(traced.__wrapped__).names
    patterns = {p: name.pattern for p, name in names.items()}
    parameters = path.program.parameters
    return len(Lifted(path.tape, path.outputs, [], path.slopes, parameters, patterns).groups)


def called(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Program:
    """Call a program on ones, and return it."""
    traced = program(function)
    traced(*[np.ones((3, *shape)) for shape in shapes])
    return traced


def network(sizes: list[int], activation: str = "tanh") -> Program:
    model = MLP(sizes[0], sizes[1:], activation=activation)

    def loss(x: Any, y: Any) -> Any:
        out = model(x)
        return sum(mg.relu(1 - t * z) for t, z in zip(y, out))

    return called(loss, (sizes[0],), (sizes[-1],))


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_a_network_has_as_many_groups_at_any_width(activation: str) -> None:
    counts = {
        count_groups(network(sizes, activation))
        for sizes in ([3, 4, 2], [5, 9, 3], [17, 12, 7], [40, 30, 10])
    }
    assert len(counts) == 1
    assert counts.pop() <= 24


def test_each_layer_adds_as_many_groups() -> None:
    counts = [count_groups(network([4, *[5] * d, 3])) for d in (1, 2, 3, 4)]
    assert len({b - a for a, b in pairwise(counts)}) == 1


def test_a_layer_is_one_product_forward_and_two_in_reverse() -> None:
    plan = executable(network([6, 5, 3])).plan
    kinds = [step.kind for step in plan.forward]
    assert kinds.count("product") == 2
    assert "take" not in kinds
    kinds = [step.kind for step in plan.backward]
    assert (kinds.count("product"), kinds.count("outer")) == (1, 2)
    assert not {"take", "put", "einsum", "sum"} & set(kinds)


def test_only_as_many_numpy_calls_as_the_equations_need() -> None:
    plan = executable(network([6, 5, 3], "relu")).plan
    assert len(plan.forward) + len(plan.backward) <= 18


@pytest.mark.parametrize("from_the_right", [False, True])
def test_the_signs_of_a_long_chain_of_differences_are_kept(from_the_right: bool) -> None:
    w = [Value(float(k)) for k in range(300)]

    @program
    def chain(x: Any) -> Any:
        terms = [p * x for p in w]
        total = terms.pop()
        while terms:
            total = -(terms.pop() - total) if from_the_right else total - terms.pop()
        return -total

    result = chain([2.0])
    result.sum().backward()
    signs = [1.0] * 299 + [-1.0]
    assert result.data.tolist() == [2.0 * sum(s * k for k, s in enumerate(signs))]
    assert [p.grad for p in w] == [2.0 * s for s in signs]
    assert count_groups(chain) < 10


def test_what_a_sum_of_products_ends_at_is_the_same_at_any_depth() -> None:
    w, b = [Value(1.0), Value(2.0)], Value(3.0)

    @program
    def loss(x: Any, y: Any) -> Any:
        inner = w[0] * x[0] + (w[1] * x[1] + b)
        return (inner - y) - (y + (inner - 1.0) * 2.0)

    result = loss([[1.0, 5.0]], [7.0])
    result.sum().backward()
    assert result.data.tolist() == [14.0 - 7.0 - (7.0 + 26.0)]
    assert [p.grad for p in (*w, b)] == [-1.0, -5.0, -1.0]


def test_a_convolution_is_a_product_on_windows() -> None:
    kernels = [[Value(0.1 * i + j) for i in range(3)] for j in range(2)]

    def convolve(x: Any) -> Any:
        return [
            sum(w * e for w, e in zip(kernel, x[p : p + 3])) for kernel in kernels for p in range(6)
        ]

    steps = executable(called(convolve, (8,))).plan.forward
    assert [step.kind for step in steps] == ["product"]


# Printed ---------------------------------------------------------------------------------------


class Theta(Module):
    """Build Andrew Ng's network: weights Theta1 and Theta2, biases in separate lists."""

    def __init__(self, sizes: tuple[int, int, int]) -> None:
        first, second, third = sizes
        self.Theta1 = [[Value(0.1) for _ in range(first)] for _ in range(second)]
        self.b1 = [Value(0.0) for _ in range(second)]
        self.Theta2 = [[Value(0.1) for _ in range(second)] for _ in range(third)]
        self.b2 = [Value(0.0) for _ in range(third)]

    def __call__(self, x: Any) -> Any:
        a2 = [mg.sigmoid(z) for z in affine(self.Theta1, x, self.b1)]
        return affine(self.Theta2, a2, self.b2)


def affine(matrix: Any, x: Any, biases: Any) -> list[Any]:
    return [sum(w * e for w, e in zip(row, x)) + b for row, b in zip(matrix, biases)]


def test_a_sigmoid_network_reads_as_the_textbook() -> None:
    net = Theta((4, 5, 3))

    def loss(x: Any, y: Any) -> Any:
        return sum(mg.losses.binary_cross_entropy(z, t) for z, t in zip(net(x), y))

    traced = called(loss, (4,), (3,))
    assert str(traced) == (
        "forward\n"
        "  z2        = Theta1 x + b1                        5 x n\n"
        "  a2        = sigmoid(z2)                          5 x n\n"
        "  z3        = Theta2 a2 + b2                       3 x n\n"
        "  a3        = sigmoid(z3)                          3 x n\n"
        "  loss      = sum(softplus(z3)) - sum(y .* z3)     1 x n\n"
        "backward\n"
        "  delta3    = a3 - y                               3 x n\n"
        "  delta2    = (Theta2' delta3) .* a2 .* (1 - a2)   5 x n\n"
        "  Delta1   := delta2 x'                            5 x 4\n"
        "  Delta_b1 := sum(delta2)                          5\n"
        "  Delta2   := delta3 a2'                           3 x 5\n"
        "  Delta_b2 := sum(delta3)                          3"
    )
    assert r"\delta^{(3)} &= a^{(3)} - y && 3 \times n" in traced.latex()
    assert (
        r"\left(\left(\Theta^{(2)}\right)^{T} \, \delta^{(3)}\right) \odot a^{(2)} \odot "
        r"\left(1 - a^{(2)}\right)" in traced.latex()
    )
    assert traced._repr_markdown_() == f"$$\n{traced.latex()}\n$$"


def test_layers_of_width_1_are_printed_like_any_other() -> None:
    model = MLP(3, [1, 1, 1], activation="sigmoid")

    def loss(x: Any, y: Any) -> Any:
        return mg.losses.binary_cross_entropy(model(x), y)

    assert str(called(loss, (3,), ())) == (
        "forward\n"
        "  z2        = W1 x + b1                        1 x n\n"
        "  a2        = sigmoid(z2)                      1 x n\n"
        "  z3        = W2 a2 + b2                       1 x n\n"
        "  a3        = sigmoid(z3)                      1 x n\n"
        "  z4        = W3 a3 + b3                       1 x n\n"
        "  a4        = sigmoid(z4)                      1 x n\n"
        "  loss      = softplus(z4) - y .* z4           1 x n\n"
        "backward\n"
        "  delta4    = a4 - y                           1 x n\n"
        "  delta3    = (W3' delta4) .* a3 .* (1 - a3)   1 x n\n"
        "  delta2    = (W2' delta3) .* a2 .* (1 - a2)   1 x n\n"
        "  Delta1   := delta2 x'                        1 x 3\n"
        "  Delta_b1 := sum(delta2)                      1\n"
        "  Delta2   := delta3 a2'                       1 x 1\n"
        "  Delta_b2 := sum(delta3)                      1\n"
        "  Delta3   := delta4 a3'                       1 x 1\n"
        "  Delta_b3 := sum(delta4)                      1"
    )


def test_squared_error_keeps_z() -> None:
    model = MLP(2, [3, 1], activation="tanh")

    def loss(x: Any, y: Any) -> Any:
        return (model(x) - y) ** 2

    assert str(called(loss, (2,), ())) == (
        "forward\n"
        "  z2        = W1 x + b1                     3 x n\n"
        "  a2        = tanh(z2)                      3 x n\n"
        "  z3        = W2 a2 + b2                    1 x n\n"
        "  loss      = (z3 - y).^2                   1 x n\n"
        "backward\n"
        "  delta3    = 2 (z3 - y)                    1 x n\n"
        "  delta2    = (W2' delta3) .* (1 - a2.^2)   3 x n\n"
        "  Delta1   := delta2 x'                     3 x 2\n"
        "  Delta_b1 := sum(delta2)                   3\n"
        "  Delta2   := delta3 a2'                    1 x 3\n"
        "  Delta_b2 := sum(delta3)                   1"
    )


def test_a_gradient_that_is_no_sum_by_itself_is_printed_too() -> None:
    w = Value(1.0)
    assert str(called(lambda x: w.exp() * x, ())).splitlines() == [
        "forward",
        "  result   = x .* exp(w)        1 x n",
        "backward",
        "  Delta_w := exp(w) .* sum(x)   1",
    ]


def test_a_program_says_when_it_has_no_equations_yet() -> None:
    traced = program(lambda x: x)
    assert "call it once" in str(traced)
    assert "call it once" in traced._repr_markdown_()
    with pytest.raises(ValueError, match="call it once"):
        traced.latex()


def test_paths_are_printed_with_the_line_that_decides() -> None:
    def bend(x: Any) -> Any:
        if x > 1:
            return 3 * x
        return x

    traced = program(bend)
    traced([0.0, 2.0])
    text = str(traced)
    assert "path 1 of 2, " in text
    assert "if x > 1:" in text
    assert "bend  = 3 x   1 x n" in text


def test_every_work_prints() -> None:
    from program_works import WORKS

    for make in WORKS:
        work = make()
        traced = called(work.function, *work.shapes)
        assert str(traced).count("\n") < 40
        assert traced.latex().startswith(r"\begin{aligned}")


W = [[Value(float(3 * i + j)) for j in range(3)] for i in range(3)]
KERNEL = [Value(0.5), Value(1.0), Value(-1.0)]
NAMED = {"a": Value(1.0), "b": [Value(2.0), Value(3.0)]}


def reversed_input(x: Any) -> Any:
    return [sum(w * e for w, e in zip(row, x[::-1])) for row in W]


def windows(x: Any) -> Any:
    return [sum(w * e for w, e in zip(KERNEL, x[i:])) for i in range(2)]


def permuted(x: Any) -> Any:
    h = [mg.tanh(w * e) for w, e in zip(KERNEL, x)]
    return [w * e for w, e in zip(KERNEL, [h[1], h[2], h[0]])]


@pytest.mark.parametrize(
    ("function", "lines"),
    [
        (lambda x: x[0] - x[1], ["result = x[0] - x[1]"]),
        (lambda x: sum(x), ["result = sum(x)"]),
        (lambda x: x[0] * x[1] + x[2], ["result = x[0] .* x[1] + x[2]"]),
        (lambda x: sum(x[1:]), ["result = sum(x[1:3])"]),
        (reversed_input, ["z2 = W x[::-1]"]),
        (lambda x: [W[i][i] * x[i] for i in range(3)], ["result = diag(W) .* x"]),
        (lambda x: [w * e for w, e in zip(KERNEL, x[::-1])], ["result = KERNEL .* x[::-1]"]),
        (permuted, ["permuted = KERNEL .* tanh(KERNEL .* x)[...]"]),
        (lambda x: [KERNEL[0], x[1], 2.0], ["result = KERNEL[0]; x[1]; 2"]),
        (
            lambda x: NAMED["a"] * x[0] + NAMED["b"][1] * x[2],  # type: ignore[index]
            ["Delta_a := sum(x[0])", "Delta_b[1] := sum(x[2])"],
        ),
        (
            lambda x: mg.where(KERNEL[0] > 0, KERNEL[0], NAMED["a"]) * x[0],
            ["result = x[0] .* where(0 < KERNEL[0], KERNEL[0], a)"],
        ),
    ],
)
def test_an_index_pattern_other_than_the_whole_is_written(
    function: Callable[..., Any], lines: list[str]
) -> None:
    traced = called(function, (3,))
    printed = [" ".join(line.split()) for line in str(traced).splitlines()]
    for line in lines:
        assert any(text.startswith(line) for text in printed), str(traced)
    assert traced.latex()


def test_windows_of_a_convolution_are_written_with_their_indices() -> None:
    text = str(called(windows, (4,)))
    assert "sum(KERNEL .* x[i + j])" in text
    assert "sum(x[i + j])" in text
