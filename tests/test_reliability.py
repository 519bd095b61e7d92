"""What must not break anything: interrupts at any moment, forks, threads that train at once.

Bounded to seconds; `MICROGRAD_SECONDS=60` makes each of the long ones take a minute.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, optim
from micrograd.nn import MLP
from micrograd.value import hooks

SECONDS = float(os.environ.get("MICROGRAD_SECONDS", "1.5"))
PATIENCE = 120.0  # seconds, on a busy machine
X = np.random.default_rng(0).normal(size=(64, 3))
Y = X[:, 0] * X[:, 1]


class Training:
    """A network, its program and its optimiser, and what they give when nobody disturbs them."""

    def __init__(self, seed: int) -> None:
        random.seed(seed)
        self.model = MLP(3, [5, 1], activation="tanh")
        self.optimizer = optim.AdamW(self.model.parameters(), lr=0.01)
        self.loss = mg.program(self.error)
        self.expected = self.gradients()

    def error(self, x: Any, y: Any) -> Any:
        z = self.model(x)
        return (z - y) ** 2 if x[0] > 0 else mg.log(1 + z * z)

    def total(self) -> Value:
        total: Value = self.loss(X, Y).mean() + 0.01 * sum(p * p for p in self.model.parameters())
        return total

    def by_hand(self) -> Value:
        total: Value = sum((self.error(list(x), y) for x, y in zip(X[:4], Y[:4])), Value(0.0))
        return total

    def gradients(self) -> list[float]:
        self.optimizer.zero_grad()
        self.total().backward()
        return [p.grad for p in self.model.parameters()]

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.total().backward()
        self.optimizer.step()

    def numbers(self) -> list[float]:
        return [p.data for p in self.model.parameters()]


# Interrupts ---------------------------------------------------------------------------------------


@contextmanager
def interrupted(after: float) -> Iterator[None]:
    """Raise KeyboardInterrupt after some seconds, if the block takes so long."""
    signal.setitimer(signal.ITIMER_REAL, after)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


@pytest.fixture
def alarm() -> Iterator[None]:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.signal(signal.SIGALRM, before)


def retraced(training: Training) -> None:
    training.loss.retrace()
    training.loss(X, Y)


ACTIONS: dict[str, Callable[[Training, Path], Any]] = {
    "backward": lambda training, _: training.by_hand().backward(),
    "a program": lambda training, _: training.total().backward(),
    "tracing": lambda training, _: retraced(training),
    "a derivative": lambda training, _: mg.grad(training.error)([0.5, 1.0, 2.0], 1.0),
    "a save": lambda training, path: mg.save(training.model, path),
}


def duration(action: Callable[[Training, Path], Any], *given: Any) -> float:
    began = time.perf_counter()
    action(*given)
    return time.perf_counter() - began


# (Within a __del__, and between open() and its `with`, Python makes a warning of it.)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs a timer")
@pytest.mark.parametrize("name", ACTIONS)
def test_an_interrupt_at_any_moment_leaves_everything_usable(
    name: str, alarm: None, tmp_path: Path
) -> None:
    training, path = Training(1), tmp_path / "model.safetensors"
    mg.save(training.model, path)
    action, before = ACTIONS[name], training.numbers()
    lasts = min(duration(action, training, path) for _ in range(3))
    drawn = random.Random(0)
    until, came = time.monotonic() + SECONDS / 3, 0
    while time.monotonic() < until + (0 if came else PATIENCE):
        try:
            with interrupted(drawn.uniform(1e-5, 1.2 * lasts)):
                action(training, path)
        except KeyboardInterrupt:
            came += 1
        assert not hooks.tracers
        assert training.numbers() == before
        assert training.gradients() == training.expected
        other = MLP(3, [5, 1], activation="tanh")
        mg.load(other, path)
        assert [p.data for p in other.parameters()] == before
    assert came > 0
    found: list[list[float]] = []
    other_thread = threading.Thread(target=lambda: found.append(training.gradients()), daemon=True)
    training.loss.retrace()
    other_thread.start()
    other_thread.join(timeout=PATIENCE)
    assert found == [training.expected]  # no lock was left held
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


# Forks --------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # said where threads run
def test_a_forked_child_computes_what_its_parent_does() -> None:
    training = Training(2)
    total = training.total()  # made before, gone through after
    training.optimizer.zero_grad()
    child = os.fork()
    if not child:
        code = 1
        try:
            total.backward()
            right = [p.grad for p in training.model.parameters()] == training.expected
            right = right and training.gradients() == training.expected
            training.loss.retrace()
            right = right and training.gradients() == training.expected
            code = 0 if right else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    total.backward()
    assert [p.grad for p in training.model.parameters()] == training.expected


# Threads ------------------------------------------------------------------------------------------


def test_four_threads_that_train_at_once_give_what_each_gives_alone() -> None:
    makers = [Training(seed) for seed in range(4)]
    barrier = threading.Barrier(4)
    steps = [0] * 4
    until = time.monotonic() + SECONDS
    failed: list[BaseException] = []

    def train(i: int) -> None:
        try:
            barrier.wait()
            while time.monotonic() < until:
                makers[i].step()
                if steps[i] % 10 == 0:
                    makers[i].loss.retrace()
                steps[i] += 1
        except BaseException as error:
            failed.append(error)

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=train, args=(i,)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert failed == []
    assert min(steps) > 0
    for i in range(4):
        alone = Training(i)
        for _ in range(steps[i]):
            alone.step()
        assert alone.numbers() == makers[i].numbers()
