"""Backward passes within backward passes, threads, and several interpreters in one process."""

from __future__ import annotations

import importlib
import sys
import textwrap
import threading
from typing import Any

import pytest

from micrograd import Value, engine
from micrograd.nn import MLP


def test_a_closure_may_build_a_graph_and_go_backward_in_it() -> None:
    x, w = Value(3.0), Value(2.0)
    out = Value(x.data**2, (x,))

    def pass_on() -> None:
        inner = w * x  # an inner pass adds to the leaves that it reaches, like any other
        inner.backward()
        x.grad += 2 * x.data * out.grad

    out._backward = pass_on
    (out * 10).backward()
    assert w.grad == 3.0
    assert x.grad == 2.0 + 60.0


def test_an_inner_pass_starts_shared_interior_nodes_afresh() -> None:
    """Check that a shared node loses what arrived before, and adds what arrives afterwards."""
    x = Value(3.0)
    shared = x * 2
    out = Value(shared.data, (shared,))

    def pass_on() -> None:
        (shared * 5).backward()  # leaves shared.grad at 5, x.grad at 10
        shared.grad += out.grad

    out._backward = pass_on
    (out + shared * 100).backward()  # the product has its turn first: what it brought is lost
    assert shared.grad == 5 + 1
    assert x.grad == 10 + 2 * 6


def test_a_closure_may_drop_what_it_likes() -> None:
    x = Value(1.0)
    holder: list[Any] = [x * 2]
    out = Value(1.0, (holder[0],))

    def pass_on() -> None:
        out.args[0].grad += 1.0
        holder.clear()
        out._backward = lambda: None

    out._backward = pass_on
    (out * 1.0).backward()
    assert x.grad == 2.0


def test_an_error_in_a_closure_leaves_the_leaves_as_before() -> None:
    x, y = Value(1.0), Value(2.0)
    x.grad, y.grad = 0.25, 0.5
    out = Value(0.0, (x,))

    def fail() -> None:
        x.grad += 7
        raise KeyError("mine")

    out._backward = fail
    with pytest.raises(KeyError, match="mine"):
        (out + x * y).backward()
    assert (x.grad, y.grad) == (0.25, 0.5)


@pytest.mark.parametrize("slots", [(), ("extra",)])
def test_subclasses_with_and_without_slots_and_arguments_of_their_own(slots: Any) -> None:
    class Own(Value):
        if slots:
            __slots__ = slots

        def __init__(self, data: float, *, extra: str) -> None:
            super().__init__(data, label="own")
            self.extra = extra

    v = Own(2.0, extra="e")
    out = v * 3 + v**2
    out.backward()
    assert (v.extra, v.label, v.grad) == ("e", "own", 7.0)
    assert type(out) is Value
    assert sys.getsizeof(v) > 0


def train(seed: float, steps: int) -> list[float]:
    model = MLP(2, [4, 1], activation="tanh")
    for i, p in enumerate(model.parameters()):
        p.data = ((i * 7 + seed) % 11 - 5) / 5
    for _ in range(steps):
        total: Any = sum((model([0.2 * i, seed / 9]) - 0.1 * i) ** 2 for i in range(4))
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= 0.05 * p.grad
    return [p.data for p in model.parameters()]


def test_threads_that_train_separate_models_do_not_interfere() -> None:
    alone = [train(seed, 30) for seed in range(4)]
    together: list[Any] = [None] * 4
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [
            threading.Thread(target=lambda s=s: together.__setitem__(s, train(s, 30)))
            for s in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert together == alone


def run_in_interpreter(script: str) -> None:
    """Run a script in a second interpreter of this process; raise what it raises."""
    if sys.version_info >= (3, 13):
        interpreters: Any = importlib.import_module("_interpreters")
        created = interpreters.create()
        failed = interpreters.run_string(created, script)
        assert failed is None, failed
    else:
        interpreters = importlib.import_module("_xxsubinterpreters")
        created = interpreters.create()
        interpreters.run_string(created, script)
    interpreters.destroy(created)


@pytest.mark.skipif(engine.core != "c", reason="this is about the C core")
def test_interpreters_do_not_share_anything() -> None:
    script = textwrap.dedent(
        f"""
        import sys
        sys.path[:] = {sys.path!r}
        from micrograd import Value, engine
        assert engine.core == "c"
        x = Value(3.0, label="x")
        y = x * x + x.tanh() ** 2
        y.backward()
        assert abs(x.grad - 6) < 0.1
        y.note = [y]
        """
    )
    x = Value(2.0)
    y = x * 3
    for _ in range(3):
        run_in_interpreter(script)
        y = y + x
        y.backward()
    assert y.data == 12.0
    assert type(y) is Value
