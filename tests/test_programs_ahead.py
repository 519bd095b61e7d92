"""Gradients computed with the results, for the seeds that were asked for the last time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from random_cases.failures import failure

import micrograd as mg
from micrograd import Value
from micrograd.programs.run import executor, instructions
from micrograd.programs.run.executor import Workspace

pytestmark = pytest.mark.skipif(
    instructions.executors[8] is None, reason="chunks are for steps in C"
)


class Fit:
    """A program of many rows, and its gradient by NumPy."""

    def __init__(self, rows: int) -> None:
        self.x = np.random.default_rng(rows).normal(size=(rows, 2))
        self.w = [Value(0.3), Value(-0.2)]
        self.program = mg.program(
            lambda x: mg.tanh(sum(w * xi for w, xi in zip(self.w, x))), threads=2
        )
        self.steps = 0  # how often gradients were computed

    def gradient(self, weight: float) -> Any:
        z = self.x @ [w.data for w in self.w]
        return weight * ((1 - np.tanh(z) ** 2) @ self.x)

    def found(self, total: Value) -> list[float]:
        for w in self.w:
            w.grad = 0.0
        total.backward()
        return [w.grad for w in self.w]


@pytest.fixture(params=[1000, 70_000])
def fit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Fit:
    made = Fit(request.param)
    sow = Workspace._sow

    def counted(workspace: Workspace, seeds: Any) -> None:
        made.steps += workspace.n
        sow(workspace, seeds)

    monkeypatch.setattr(Workspace, "_sow", counted)
    monkeypatch.setattr(executor, "chunk_of", lambda storages, memories, n, size: min(n, 168))
    return made


def test_the_reverse_pass_finds_what_was_computed_ahead(fit: Fit) -> None:
    rows = len(fit.x)
    for step in range(1, 4):
        total = fit.program(fit.x).mean()
        assert fit.steps == (step if step > 1 else 0) * rows  # from the second call on
        assert fit.found(total) == pytest.approx(fit.gradient(1 / rows), rel=1e-10)
        assert fit.steps == step * rows
        fit.w[0].data += 0.1


def test_other_seeds_later_twice_and_after_moves_are_right(fit: Fit) -> None:
    fit.found(fit.program(fit.x).sum())
    result = fit.program(fit.x)  # its gradients, for the seed 1, are known now
    expected, some = fit.gradient(1.0), fit.gradient(0.3)
    fit.w[1].data, x = 5.0, fit.x.copy()
    fit.x[:] = 7.0
    assert fit.found(0.3 * result.sum()) == pytest.approx(some, rel=1e-10)
    assert fit.found(result.sum()) == pytest.approx(expected, rel=1e-10)
    total = result.sum()
    for times in (1, 2):
        assert fit.found(total) == pytest.approx(expected, rel=1e-10), times
    part = result[:50].sum()
    fit.x, fit.w[1].data = x[:50], -0.2
    assert fit.found(part) == pytest.approx(fit.gradient(1.0), rel=1e-10)


def test_nothing_is_computed_ahead_where_none_asks_for_it(fit: Fit) -> None:
    fit.found(fit.program(fit.x).mean())
    steps = fit.steps
    with mg.no_grad():
        fit.program(fit.x).mean()
    assert fit.steps == steps
    for _ in range(4):
        fit.program(fit.x)  # in vain once: then it is known that none asks
    assert fit.steps == steps + len(fit.x)


def test_what_is_not_finite_is_computed_with_care(fit: Fit) -> None:
    root = mg.program(lambda x: mg.sqrt(fit.w[0] * x[0]) * (x[1] * 0.0))
    x = np.abs(fit.x)
    x[3] = 0.0
    for _ in range(3):
        total = root(x).sum()
        assert fit.found(total)[0] == 0.0


def test_gradients_for_other_seeds_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    backward = Workspace.backward

    def any_seeds(workspace: Workspace, seeds: Any) -> Any:
        return backward(workspace, seeds if workspace.ahead is None else workspace.ahead)

    monkeypatch.setattr(Workspace, "backward", any_seeds)
    assert any(failure(20, i) for i in range(60))
