"""Many examples on several threads: the same bits, and nothing left over."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value
from micrograd.native import threads
from micrograd.native.threads import VARIABLE, in_order
from micrograd.ops import Op
from micrograd.programs.run import instructions

ROWS = 20_000
X = np.random.default_rng(0).normal(size=(ROWS, 3))
in_c = pytest.mark.skipif(instructions.executor is None, reason="threads are for steps in C")


def results(count: int | None) -> tuple[bytes, list[float], Any]:
    weights = [Value(0.1 * k - 0.3) for k in range(6)]
    far = mg.program(
        lambda x: (
            mg.log(1 + (weights[0] * x[0] - x[1]) ** 2)
            + sum(w * mg.tanh(v * x[2]) for w, v in zip(weights, weights[::-1]))
        ),
        threads=count,
    )
    result = far(X)
    (result.mean() + result[3] * 2.0).backward()
    return result.data.tobytes(), [w.grad for w in weights], far


def test_the_same_bits_on_any_number_of_threads() -> None:
    expected = results(1)[:2]
    for count in (2, 3, 8):
        assert results(count)[:2] == expected


@in_c
def test_the_threads_asked_for_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def counted(compute: Any, items: Any, take: Any, count: int) -> None:
        seen.append(count)
        in_order(compute, items, take, count)

    monkeypatch.setattr("micrograd.programs.run.executable.in_order", counted)
    monkeypatch.setenv(VARIABLE, "3")
    for count, expected in ((2, 2), (None, 3)):
        *_, far = results(count)
        assert seen == [expected, expected]
        far(X[:100])  # few: on this thread alone
        assert seen == [expected, expected]
        seen.clear()
        copy.deepcopy(far)(X)
        pickle.loads(pickle.dumps(far))(X)  # perhaps elsewhere, where the environment says it
        assert seen == [expected, 3]
        seen.clear()
    monkeypatch.delenv(VARIABLE)
    assert threads.available(None) >= 1


class Scaled:
    def __init__(self) -> None:
        self.scale = Value(2.0)

    def value(self, x: Any) -> Any:
        return mg.exp(self.scale * x)


def test_derivatives_methods_and_copies_use_as_many() -> None:
    class Many(Scaled):
        value = mg.program(Scaled.value, threads=5)

    of_object: Any = Many().value
    derivative: Any = mg.grad(mg.program(lambda x: x * x, threads=5))
    assert of_object._known.way.threads == derivative._known.way.threads == 5


@pytest.mark.parametrize("wrong", [0, -1, 1.0, True, "2"])
def test_other_numbers_are_refused(wrong: Any) -> None:
    with pytest.raises(ValueError, match="threads is a whole number from 1 on"):
        mg.program(lambda x: x, threads=wrong)


def test_another_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "many")
    with pytest.raises(ValueError, match="MICROGRAD_THREADS is a whole number"):
        threads.available(None)


def test_an_operation_of_the_user_runs_on_the_callers_thread() -> None:
    seen = set()

    def halved(x: float) -> float:
        seen.add(threading.current_thread())
        return x / 2

    half: Callable[..., Any] = Op("half", halved, lambda x, out: 0.5)

    def f(x: Any) -> Any:  # long enough to run in chunks, if it could
        return half(x) * 3.0 + 0.0 * sum(mg.tanh(k * x) for k in range(1, 13))

    traced = mg.program(f, threads=4)
    assert traced(np.ones(ROWS)).data.tolist() == [1.5] * ROWS
    assert seen == {threading.current_thread()}


def test_many_threads_call_at_once() -> None:
    *_, far = results(2)
    expected = far(X).data.tobytes()
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: far(X).data.tobytes(), range(12)):
            assert found == expected


# In order --------------------------------------------------------------------------------------


def test_what_is_computed_is_taken_in_order() -> None:
    taken: list[int] = []
    in_order(lambda x: x * x, range(100), taken.append, 4)
    assert taken == [x * x for x in range(100)]


def test_an_error_ends_the_work_and_is_raised() -> None:
    done: list[int] = []

    def compute(x: int) -> int:
        if x == 5:
            raise KeyError(x)
        done.append(x)
        return x

    for count in (1, 3):
        done.clear()
        with pytest.raises(KeyError):
            in_order(compute, range(10_000), lambda _: None, count)
        assert len(done) < 10_000
    assert not [t for t in threading.enumerate() if t.name == "micrograd"]


def test_without_threads_this_one_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    taken: list[int] = []
    in_order(lambda x: x, range(10), taken.append, 4)
    assert taken == [*range(10)]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timer")
def test_an_interrupt_ends_all() -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    def work(item: int) -> int:
        if not item:
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        return sum(range(100))

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            in_order(work, range(10**9), lambda _: None, 3)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    for helper in threading.enumerate():  # one whose start was interrupted may take a moment
        if helper.name == "micrograd":
            helper.join(10)
            assert not helper.is_alive()


@in_c
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_fork_and_the_end_of_the_interpreter() -> None:
    code = """
import atexit, os, threading
import numpy as np
import micrograd as mg
start, started = threading.Thread.start, []
threading.Thread.start = lambda thread: (started.append(thread), start(thread))
p = mg.program(lambda x: sum(mg.tanh(k * x) for k in range(1, 13)), threads=3)
x = np.linspace(0, 1, 30_000)
first = p(x).data.tobytes()
assert len(started) == 2
if (child := os.fork()) == 0:
    os._exit(p(x).data.tobytes() != first)
assert os.waitpid(child, 0)[1] == 0
atexit.register(lambda: print(p(x).data.tobytes() == first))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr, done.returncode) == ("True\n", "", 0)


def test_pickles_of_what_was_traced_compute_the_same() -> None:
    *_, far = results(3)
    again = pickle.loads(pickle.dumps(far))
    assert again(X).data.tobytes() == far(X).data.tobytes()


@pytest.mark.parametrize("given", ["abc", "0", " 2 ", "-1"])
def test_a_wrong_number_in_the_environment_is_said_when_a_program_is_made(
    given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROGRAD_THREADS", given)
    with pytest.raises(ValueError, match="MICROGRAD_THREADS is a whole number"):
        mg.program(lambda x: x)
