"""The reverse pass by groups passes on what the chain rule would, node by node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree, values

import micrograd as mg
from micrograd import Value, program

W = values([0.5, -1.0, 2.0])
ROWS = np.array([[1.0, 2.0, -1.0], [0.5, 0.5, 0.5], [-2.0, 0.0, 3.0]])

FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "a gradient stopped beside one that is not": lambda x: sum(
        w * a * mg.stop_gradient(w * a) + mg.stop_gradient(w) * w for w, a in zip(W, x)
    ),
    "a gradient stopped for some members of a group": lambda x: [
        mg.tanh(W[i] * x[i]) * (mg.stop_gradient(W[i] * x[i]) if i else W[i] * x[i])
        for i in range(3)
    ],
    "a stopped result": lambda x: [W[0] * x[0], mg.stop_gradient(W[0] * x[0])],
    "a result that is used again, and twice": lambda x: [
        *[h := mg.exp(W[0] * x[0]), h],
        h * W[1] + h,
    ],
    "ties in nested pairs": lambda x: mg.maximum(
        mg.maximum(W[0] * x[0], W[0] * x[1]), mg.maximum(W[0] * x[2], W[0] * x[0])
    ),
    "ties among several": lambda x: mg.max(
        [W[0] * x[0], W[0] * x[1], mg.max([W[0] * x[2], W[0] * x[0]])]
    ),
    "a maximum without a gradient": lambda x: (
        W[0] * mg.maximum(mg.maximum(x[0], x[1]), mg.minimum(x[2], x[0]))
    ),
    "squares of every form": lambda x: (
        W[0] * W[0] + (W[1] * x[0]) ** 2 - (-W[2]) * W[2] + (W[0] + x[1]) * (W[0] + x[1])
    ),
    "what is shared by the rows": lambda x: (
        (W[0] * W[1] - mg.exp(W[2])) * x[0] + W[0] * W[1] - mg.exp(W[2]) ** 2 - x[1] * W[0]
    ),
    "nothing varies": lambda x: (W[0] - W[1]) ** 2 * W[2],
    "sums that go on": lambda x: -(-(W[0] * x[0] - x[1]) - W[1] * x[2] - x[0]) + (W[2] - x[0]),
    "slopes that are numbers": lambda x: sum(
        mg.where(a > 0, w * a, -w) + mg.sign(w * a) + w / 4 + 3 / w for w, a in zip(W, x)
    ),
    "no gradient at all": lambda x: mg.stop_gradient(W[0]) * x[0] + mg.sign(W[1] * x[1]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradients_are_the_loops(name: str) -> None:
    assert_agree(FUNCTIONS[name], [ROWS], [W])


def test_members_of_a_group_whose_rules_decide_otherwise() -> None:
    bend = mg.Op(
        "bend",
        lambda v: v * v if v > 0 else -v,
        lambda v, out: 2 * v if v > 0 else -1.0,
    )
    assert_agree(lambda x: [bend(w * a) for w, a in zip(W, x)], [ROWS], [W])


def running(x: Any) -> Any:
    state, out = W[0], 0.0
    for a in x:
        state = state + a
        out = out + mg.tanh(state)
    return out


def test_what_passes_through_sums_grows_with_the_function_alone() -> None:
    def terms(steps: int) -> int:
        traced = program(running)
        traced(np.ones((2, steps))).sum().backward()
        [paths] = traced._known.version.paths.values()  # type: ignore[union-attr]
        plan = paths.found[0].program.plan
        return sum(len(step.operands) for step in (*plan.forward, *plan.backward))

    assert_agree(running, [np.linspace(-1, 1, 24).reshape(2, 12)], [W])
    assert terms(80) < 2.5 * terms(40)


def printed(function: Callable[..., Any]) -> str:
    """Return the equations, each gap one blank."""
    traced = program(function)
    traced(ROWS)
    return " ".join(str(traced).split())


def test_delta_is_what_arrives_at_z() -> None:
    rows = [values([0.1, 0.2, 0.3]), values([0.4, 0.5, 0.6])]

    def outputs(x: Any) -> list[Any]:
        return [sum(w * a for w, a in zip(row, x)) for row in rows]

    def in_pieces(x: Any) -> Any:
        first, second = outputs(x)
        return first * first + mg.exp(second)

    assert "delta2 = exp(z2) " in printed(lambda x: sum(map(mg.exp, outputs(x))))
    assert "delta" not in printed(in_pieces)
    u, v = Value(1.0), Value(2.0)
    assert "delta" not in printed(lambda x: u * x[0] + v * x[0] * x[0])
