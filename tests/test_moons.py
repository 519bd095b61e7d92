"""The original's demo notebook, step by step: its data, its weights and the losses it printed."""

from __future__ import annotations

import gc
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import known
from sklearn.datasets import make_moons

from micrograd import Value
from micrograd.losses import hinge
from micrograd.nn import MLP
from micrograd.optim import SGD

FIGURES = known("networks.json")["micrograd_moons_demo"]
STEPS = 100


def moons() -> tuple[list[list[float]], list[int]]:
    np.random.seed(1337)
    rows, classes = make_moons(n_samples=100, noise=0.1)
    return rows.tolist(), (classes * 2 - 1).tolist()


def initial_model() -> MLP:
    random.seed(1337)
    return MLP(2, [16, 16, 1])


def train(
    model: MLP, rows: list[list[float]], labels: list[int], steps: int
) -> list[tuple[float, float]]:
    """Yield loss and accuracy before each step, with the notebook's loss and learning rate."""
    inputs = [list(map(Value, row)) for row in rows]
    optimizer = SGD(model.parameters(), lr=lambda k: 1.0 - 0.9 * k / STEPS)
    history = []
    for _ in range(steps):
        scores = [model(x) for x in inputs]
        data_loss = sum(map(hinge, scores, labels)) * (1.0 / len(scores))
        loss = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        right = sum((score > 0) == (label > 0) for score, label in zip(scores, labels))
        history.append((loss.data, right / len(labels)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return history


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """Pause the cyclic collector, which has nothing to find here and takes half of the time."""
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="module")
def notebook(outside_known: Path) -> Any:
    return json.loads((outside_known / "moons.json").read_text(encoding="utf-8"))


def test_the_first_steps_of_the_demo_give_the_published_losses() -> None:
    history = train(initial_model(), *moons(), steps=3)
    losses, accuracies = zip(*history)
    assert losses == pytest.approx(FIGURES["first_losses"], rel=0, abs=1e-12)
    assert list(accuracies) == FIGURES["first_accuracies"]


@pytest.mark.outside
def test_the_data_are_those_of_the_notebook(notebook: Any) -> None:
    rows, labels = moons()
    assert rows == notebook["X"]
    assert labels == notebook["y"]


@pytest.mark.outside
def test_the_initial_weights_are_those_of_the_notebook(notebook: Any) -> None:
    model = initial_model()
    assert [p.data for p in model.parameters()] == notebook["init_params"]
    assert repr(model) == notebook["notebook_output_lines"][0]


@pytest.mark.outside
def test_a_hundred_steps_give_the_losses_and_accuracies_that_the_notebook_printed(
    notebook: Any,
) -> None:
    history = train(initial_model(), notebook["X"], notebook["y"], STEPS)
    text = "\n".join(notebook["notebook_output_lines"])
    printed = re.findall(r"step \d+ loss (\S+), accuracy (\S+)%", text)
    losses, percentages = zip(*[map(float, pair) for pair in printed])
    assert [loss for loss, _ in history] == pytest.approx(losses, rel=1e-12)
    assert [100 * accuracy for _, accuracy in history] == pytest.approx(percentages)
    last_loss, last_accuracy = history[99]
    assert last_loss == pytest.approx(FIGURES["step_99"]["loss"], rel=1e-12)
    assert last_accuracy == FIGURES["step_99"]["accuracy"] == 1.0
