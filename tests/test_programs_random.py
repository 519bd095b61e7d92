"""Programs agree with the eager loop on random functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from eager_loop import assert_agree, assert_same, values
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, program

INPUTS, PARAMETERS = 3, 3

# Bounded, so that a sum of many terms hides no error, and smooth or with one kink.
UNARY: list[Callable[[Any], Any]] = [
    mg.tanh, mg.sin, mg.cos, mg.sigmoid, mg.arctan, mg.erf, abs, mg.relu, mg.negative,
    lambda x: mg.softplus(x) / 4,
    lambda x: mg.exp(-x * x),
    lambda x: mg.log(2 + mg.sin(x)),
    lambda x: mg.sqrt(1.5 + mg.cos(x)),
    lambda x: 1 / (2 + mg.sin(x)),
    lambda x: (2 + mg.tanh(x)) ** 1.5,
    lambda x: mg.tanh(x) ** 3 - 0.5,
    lambda x: mg.stop_gradient(x) * 0.5,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: (x + y) / 2,
    lambda x, y: (x - y) / 2,
    lambda x, y: x * mg.tanh(y),
    lambda x, y: x / (1.5 + mg.sin(y)),
    lambda x, y: mg.hypot(x, 1 + y * y) / 8,
    lambda x, y: mg.arctan2(x, 1.5 + mg.cos(y)),
    lambda x, y: mg.logaddexp(x, y) / 2,
    mg.maximum,
    mg.minimum,
    lambda x, y: mg.where(x < y, mg.sin(x), mg.cos(y)),
]


class Step(NamedTuple):
    """A row of UNARY or BINARY applied to earlier nodes, counted from the last."""

    which: int
    first: int
    second: int


class Plan(NamedTuple):
    """A function that hypothesis can print and shrink."""

    steps: Sequence[Step]
    results: int

    def function(self, parameters: Sequence[Value]) -> Callable[..., Any]:
        def planned(x: Any, y: Any) -> Any:
            nodes = [*x, y, 0.75, *parameters]
            for which, first, second in self.steps:
                a, b = nodes[-1 - first % len(nodes)], nodes[-1 - second % len(nodes)]
                unary = which < len(UNARY)
                nodes.append(UNARY[which](a) if unary else BINARY[which - len(UNARY)](a, b))
            return nodes[-1] if self.results == 1 else nodes[-self.results :]

        return planned


STEPS = st.builds(
    Step, st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 20), st.integers(0, 20)
)
PLANS = st.builds(Plan, st.lists(STEPS, min_size=1, max_size=25), st.integers(1, 4))


@settings(max_examples=60)
@given(PLANS, st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_random_function_agrees(plan: Plan, rows: int, seed: int) -> None:
    # The numbers are drawn from a generator: hypothesis would choose those where kinks meet.
    rng = np.random.default_rng(seed)
    parameters = values(rng.uniform(-1, 1, PARAMETERS))
    arguments = [rng.uniform(-1, 1, (rows, INPUTS)), rng.uniform(-1, 1, rows)]
    assert_agree(plan.function(parameters), arguments, [parameters])


@settings(max_examples=25)
@given(
    st.lists(st.integers(1, 4), min_size=2, max_size=4),
    st.lists(st.sampled_from([*range(len(UNARY))]), min_size=4, max_size=4),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
)
def test_layers_of_random_widths_and_activations_agree(
    widths: list[int], activations: list[int], rows: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shapes = list(zip(widths[1:], widths))
    weights = [values(rng.uniform(-1, 1, shape)) for shape in shapes]
    biases = [values(rng.uniform(-1, 1, shape[0])) for shape in shapes]

    def network(x: Any) -> Any:
        for W, b, activation in zip(weights, biases, activations):  # noqa: N806
            sums = [sum((w * xi for w, xi in zip(row, x)), bias) for row, bias in zip(W, b)]
            x = list(map(UNARY[activation], sums))
        return x

    assert_agree(network, [rng.uniform(-1, 1, (rows, widths[0]))], [*weights, *biases])


# With ifs; the numbers beside the operands make ties unlikely, where rounding would decide.
BRANCHES: list[Callable[[Any, Any], Any]] = [
    lambda x, y: mg.sin(x) if x < 0.9 * y + 0.05 else mg.cos(y),
    lambda x, y: x * mg.tanh(y) if x - y <= 0.07 else x,
    lambda x, y: max(x, 0.8 * y - 0.03),
    lambda x, y: mg.where(x > 0.7 * y, mg.tanh(x), y / 2),
    lambda x, y: (x > y - 0.02) * x,
    lambda x, y: sorted([x, y + 0.01, 0.3])[1],
]


class Choice(NamedTuple):
    """A branch, or a row without any, on two nodes; those of parameters alone, or all."""

    which: int
    first: int
    second: int
    shared: bool


CHOICES = st.builds(
    Choice,
    st.integers(0, len(BRANCHES) + len(BINARY) - 1),
    st.integers(0, 20),
    st.integers(0, 20),
    st.booleans(),
)


@settings(max_examples=60)
@given(
    st.lists(CHOICES, min_size=1, max_size=12),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(0, 2**32 - 1),
)
def test_random_branches_agree_after_the_parameters_have_changed(
    choices: list[Choice], calls: int, rows: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    parameters = values([0.0] * PARAMETERS)

    def branching(x: Any, y: Any) -> Any:
        shared: list[Any] = [*parameters, 0.25]
        varying = [*x, y]
        for which, first, second, of_parameters in choices:
            known = shared if of_parameters else shared + varying
            a, b = known[-1 - first % len(known)], known[-1 - second % len(known)]
            (shared if of_parameters else varying).append((BRANCHES + BINARY)[which](a, b))
        return shared[-1] * varying[-1]

    traced = program(branching)
    for _ in range(calls):
        for p in parameters:
            p.data = rng.uniform(-1, 1)
        arguments = [rng.uniform(-1, 1, (rows, INPUTS)), rng.uniform(-1, 1, rows)]
        assert_same(traced, arguments, [parameters])
