"""Programs called within no_grad(): what they give, and that later calls are as ever."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value

ROWS = np.array([1.0, -1.0, 0.5])


def test_a_path_that_is_found_within_no_grad_keeps_its_comparisons() -> None:
    w = Value(2.0)
    branching = mg.program(lambda x: mg.tanh(w * x) if x > 0 else w * w * x)
    with mg.no_grad():
        assert branching(ROWS).data.tolist() == pytest.approx([np.tanh(2), -4, np.tanh(1)])
    w.data = 3.0
    branching(ROWS[1:2]).sum().backward()
    assert w.grad == -6.0


def test_labels_are_checked_within_no_grad() -> None:
    loss = mg.program(lambda x, y: mg.losses.binary_cross_entropy(x, y))
    with mg.no_grad(), pytest.raises(ValueError, match="label"):
        loss([2.0], [3.0])


@pytest.mark.parametrize("before", [0, 1, 2])
def test_calls_after_one_within_no_grad_have_their_gradients(before: int) -> None:
    w = Value(2.0)
    scaled = mg.program(lambda x: w * x)
    for _ in range(before):
        scaled([1.0])
    with mg.no_grad():
        scaled([1.0, 2.0]).sum()
    for _ in range(3):
        w.grad = 0.0
        scaled([1.0, 2.0]).sum().backward()
        assert w.grad == 3.0


@pytest.mark.parametrize(
    "reduced", [lambda r: r.sum(), lambda r: r.mean(), lambda r: r[0], lambda r: r[:1].sum()]
)
def test_what_was_computed_within_no_grad_reaches_nothing(reduced: Any) -> None:
    w = Value(2.0)
    scaled = mg.program(lambda x: w * x)
    with mg.no_grad():
        result = scaled([1.0, 2.0])
        within = reduced(result)
    for value in (within, reduced(result)):
        with pytest.raises(RuntimeError, match=r"no_grad\(\)"):
            value.backward()
    assert w.grad == 0.0


def test_a_thread_within_no_grad_changes_nothing_for_others() -> None:
    w = Value(2.0)
    branching = mg.program(lambda x: mg.tanh(w * x) if x > 0 else w * w * x)
    wrong: list[int] = []

    def evaluate() -> None:
        for k in range(40):
            x = np.random.default_rng(k).normal(size=5 + k % 3)
            with mg.no_grad():
                if not np.allclose(branching(x).data, np.where(x > 0, np.tanh(2 * x), 4 * x)):
                    wrong.append(k)

    threads = [threading.Thread(target=evaluate) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(40):
        branching(ROWS).sum().backward()
    for thread in threads:
        thread.join()
    slope = (1 - np.tanh(2.0) ** 2) + (1 - np.tanh(1.0) ** 2) * 0.5 + 2 * 2 * -1.0
    assert w.grad == pytest.approx(40 * slope)
    assert not wrong
