"""Corners in which the C core once crashed, leaked, lost an error or differed from Python's."""

from __future__ import annotations

import gc
import os
import sys
import textwrap
import threading
import weakref
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from test_memory import RSS, compiled, run

from micrograd import Value, core, ops
from micrograd.graph.modes import source_lines
from micrograd.native import bulk
from micrograd.native.blocks import block_of
from micrograd.value import hooks

needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
BULK = [getattr(bulk, name) for name in bulk.FUNCTIONS]


# No error is lost ---------------------------------------------------------------------------------


class Stop(BaseException):
    """As KeyboardInterrupt: it can come at any place."""


def stop(_: Any) -> None:
    raise Stop


@pytest.mark.parametrize(
    "action",
    [
        lambda x: x + 1,
        lambda x: 2 * x,
        lambda x: x + x,
        lambda x: -x,
        lambda x: x**2,
        lambda x: x.maximum(0.5),
        lambda x: ops.hypot(x, 1.0),
        lambda x: Value(1.0),
    ],
)
def test_an_error_in_the_hook_for_new_values_comes_through(action: Callable[[Any], Any]) -> None:
    x = Value(1.5)
    before = hooks.on_new
    hooks.set_on_new(stop)
    try:
        with pytest.raises(Stop):
            action(x)
    finally:
        hooks.set_on_new(before)


@pytest.mark.skipif(not hasattr(__import__("signal"), "setitimer"), reason="needs a timer")
def test_each_interrupt_is_raised_while_lines_are_recorded() -> None:
    import signal

    came: list[int] = []

    def interrupt(*_: Any) -> None:
        came.append(1)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    raised = 0
    x = Value(1.0)
    try:
        with source_lines():
            for _ in range(20):
                signal.setitimer(signal.ITIMER_REAL, 0.001)
                try:
                    while True:
                        x + 1.0
                except KeyboardInterrupt:
                    raised += 1
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert raised == len(came) == 20


def test_a_slope_that_is_no_real_number_raises_what_its_power_raises() -> None:
    x, w = Value(2.0), Value(1.0)
    for y in (x ** Value(0.5) + w, x**0.5 + w):
        x.data, w.grad = -2.0, 0.25
        with pytest.raises(ValueError, match=r"derivative of power\(-2.0, 0.5\)"):
            y.backward()
        assert (x.grad, w.grad) == (0.0, 0.25)
        x.data = 2.0


# Numbers in bulk ----------------------------------------------------------------------------------


@pytest.mark.parametrize("access", BULK)
def test_an_empty_buffer_is_released(access: Any) -> None:
    numbers = array("d")
    access([], numbers)
    numbers.append(1.0)  # a buffer that is held cannot grow


@pytest.mark.parametrize("access", BULK)
def test_what_fails_writes_nothing(access: Any) -> None:
    v, numbers = Value(1.0), array("d", [7.0, 8.0])
    with pytest.raises(TypeError, match="in bulk"):
        access([v, "no"], numbers)
    assert (v.data, v.grad, list(numbers)) == (1.0, 0.0, [7.0, 8.0])


@pytest.mark.parametrize("access", BULK)
def test_numbers_need_not_be_aligned(access: Any) -> None:
    values = [Value(1.5), Value(2.5)]
    for v in values:
        v.grad = v.data
    numbers = memoryview(bytearray(17))[1:].cast("d")
    numbers[0], numbers[1] = 0.5, 0.25
    access(values, numbers)
    seen = {tuple(numbers), tuple(v.data for v in values), tuple(v.grad for v in values)}
    reads, writes = {(1.5, 2.5)}, {(1.5, 2.5), (0.5, 0.25)}
    adds = {(1.5, 2.5), (0.5, 0.25), (2.0, 2.75)}
    assert seen == {"r": reads, "w": writes, "a": adds}[access.__name__[0]]


class Shrinking:
    """A buffer that takes away from a list when it is asked for."""

    def __init__(self, items: list[Any], numbers: Any, error: BaseException | None = None) -> None:
        self.items, self.numbers, self.error = items, numbers, error

    def __buffer__(self, flags: int) -> memoryview:
        if self.error is not None:
            raise self.error
        del self.items[1:]
        return memoryview(self.numbers)

    def __release_buffer__(self, view: memoryview) -> None:
        view.release()


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ is new in 3.12")
@pytest.mark.parametrize("access", BULK)
def test_a_buffer_may_run_code(access: Any) -> None:
    values = [Value(1.0) for _ in range(1000)]
    with pytest.raises(ValueError, match="1000 numbers for 1 Values"):
        access(values, Shrinking(values, array("d", bytes(8000))))
    with pytest.raises(Stop):
        access(values, Shrinking([], None, Stop()))


# Cycles -------------------------------------------------------------------------------------------


def in_two_turns() -> list[Any]:
    x = Value(1.0)
    y = x * 1.0
    z = y * 1.0
    x.end = [y]  # type: ignore[attr-defined]
    gc.collect()
    x.end = None  # type: ignore[attr-defined]
    y.end = [z]  # type: ignore[attr-defined]
    return [x, y, z]


def own_operand() -> list[Any]:
    v = Value(1.0)
    v.args = (v,)
    return [v]


def late_operands() -> list[Any]:
    x = Value(1.0)
    y = x * 2.0
    x.args = (y, y, y)
    return [x, y]


def foreign_operation() -> list[Any]:
    v = Value(1.0)
    v.op = [v]  # type: ignore[assignment]
    return [v]


def own_dict() -> list[Any]:
    x = Value(1.0)
    y = x * 1.0
    x.__dict__ = {"end": y}
    return [x, y]


def local_class() -> list[Any]:
    class Owner:
        end: Any

    x = Value(1.0)
    Owner.end = x * 1.0
    x.owner = Owner()  # type: ignore[attr-defined]
    return [x, Owner.end]


def vanished_module() -> list[Any]:
    names: dict[str, Any] = {"Value": Value}
    exec("x = Value(1.0)\ny = x * 1.0\ndef f(): return y\nx.f = f", names)
    return [names["x"], names["y"]]


def without_its_own_setattr() -> list[Any]:
    v = Value(1.0)
    try:
        object.__setattr__(v, "x", [v])
    except TypeError:  # the C core has it refused
        assert core == "c"
    return [v]


@pytest.mark.parametrize(
    "make",
    [
        in_two_turns,
        own_operand,
        late_operands,
        foreign_operation,
        own_dict,
        local_class,
        vanished_module,
        pytest.param(
            without_its_own_setattr,
            marks=pytest.mark.skipif(
                core == "c" and sys.version_info >= (3, 13),
                reason="this Python lets object.__setattr__ past the setter of a type in C",
            ),
        ),
    ],
)
def test_cycles_are_collected(make: Callable[[], list[Any]]) -> None:
    refs = [weakref.ref(v) for v in make()]
    gc.collect()
    assert [ref() for ref in refs] == [None] * len(refs)


def test_a_late_attribute_hardly_slows_collections_down() -> None:
    """Count what the search for hidden cycles looks at, with modules loaded that hold a lot."""
    from micrograd import nn
    from micrograd.native import gc_cycles

    class Owner:
        def __init__(self, model: Any) -> None:
            self.model = model

    model = nn.MLP(2, [3, 1])
    p = model.parameters()[0]
    model([1.0, 2.0])
    p.owner = Owner(model)  # type: ignore[attr-defined]
    found = gc_cycles._reachable([p])
    assert any(x is model for x in found)
    assert len(found) < 300


@compiled
def test_a_collector_that_runs_in_parts_finds_late_cycles(monkeypatch: pytest.MonkeyPatch) -> None:
    from micrograd.native import gc_cycles

    monkeypatch.setattr(gc_cycles, "_PARTS", 10)
    x = Value(1.0)
    y = x * 1.0
    x.end = y  # type: ignore[attr-defined]
    assert not gc.is_tracked(y)
    for _ in range(10):
        gc.collect(1)
    assert gc.is_tracked(y)


@compiled
def test_the_empty_tuple_stays_as_it_is() -> None:
    v = Value(1.0)
    v.op = ops.add
    v.args = ()
    v.end = [v]  # type: ignore[attr-defined]
    assert not gc.is_tracked(())


# Memory and threads -------------------------------------------------------------------------------


@needs_proc
@compiled
@pytest.mark.parametrize(
    "then", ["gc.collect()", "for _ in range(200): [x * 2 + 1 for _ in range(10_000)]"]
)
def test_freed_memory_is_returned_without_a_backward_pass(then: str) -> None:
    script = RSS + textwrap.dedent(
        f"""
        from micrograd import Value
        x = Value(1.0)
        many = [x + 1.0 for _ in range(300_000)]
        high = rss()
        del many
        {then}
        print(high - rss())
        """
    )
    assert int(run(script)) > 20_000_000


def test_a_slow_callback_stops_no_other_thread() -> None:
    entered, leave = threading.Event(), threading.Event()

    def slow(_: Any) -> None:
        entered.set()
        leave.wait(60)

    v = Value(1.0)
    ref = weakref.ref(v, slow)
    held = [v]
    del v
    thread = threading.Thread(target=held.clear)
    thread.start()
    try:
        assert entered.wait(60)
        other = Value(2.0)
        freed = weakref.ref(other)
        del other
        assert freed() is None
    finally:
        leave.set()
        thread.join()
    assert ref() is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_child_that_is_forked_from_a_callback_frees_its_values() -> None:
    script = """
        import os, threading, weakref
        from micrograd import Value
        entered, leave = threading.Event(), threading.Event()
        def slow(ref):
            entered.set()
            leave.wait(60)
        v = Value(1.0)
        ref = weakref.ref(v, slow)
        held = [v]
        del v
        thread = threading.Thread(target=held.clear)
        thread.start()
        entered.wait(60)
        child = os.fork()
        if not child:
            x = Value(2.0)
            freed = weakref.ref(x)
            del x
            os._exit(freed() is not None)
        leave.set()
        thread.join()
        _, status = os.waitpid(child, 0)
        assert status == 0
    """
    run(script)


# Code that runs within a pass, or at the end ------------------------------------------------------


class Key:
    """A key that replaces the dict that it is in when it is compared, and goes."""

    def __init__(self, v: Any, name: str) -> None:
        self.v, self.name = v, name

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        self.v.__dict__ = {k: x for k, x in vars(self.v).items() if k is not self}
        return False


@pytest.mark.parametrize("name", ["_closure", "_given"])
def test_a_foreign_key_in_the_attributes_does_no_harm(name: str) -> None:
    x = Value(3.0)
    y = Value.node(6.0, (x, x), lambda a, b, out: (1.0, 1.0)) * 2
    for v in (x, y.parents[0], y):
        vars(v)[Key(v, name)] = 1  # type: ignore[index]
    y.backward()
    assert x.grad == 4.0


@pytest.mark.parametrize("way", ["vars", "setattr", "name that is made"])
def test_a_closure_of_a_leaf_in_a_block_is_called(way: str) -> None:
    p = Value(3.0)
    block = block_of([p])
    y = p * 2
    seen: list[float] = []

    def closure() -> None:
        seen.append(p.grad)

    if way == "vars":
        vars(p)["_closure"] = closure
    elif way == "setattr":
        p._backward = closure
    else:
        vars(p)["".join(["_clo", "sure"])] = closure
    y.backward()
    block.pull_grads()
    assert (seen, block.grad[0]) == ([2.0], 2.0)


def test_a_closure_sees_the_grads_that_a_program_has_added() -> None:
    np = pytest.importorskip("numpy")
    from micrograd import program

    p, seen = Value(3.0, label="p"), []

    @program
    def f(x: Any) -> Any:
        return p * x

    total = f(np.array([1.0, 2.0])).sum()
    first = Value(0.5)
    out = Value(first.data, (first,))

    def closure() -> None:
        first.grad += out.grad
        seen.append(p.grad)

    out._backward = closure
    (out + total).backward()
    assert seen == [3.0]
    assert (p.grad, first.grad) == (3.0, 1.0)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="__buffer__ is new in 3.12")
def test_arithmetic_while_python_shuts_down_does_not_crash() -> None:
    script = """
        import sys
        from micrograd import Value, nn, toposort
        from micrograd.native.blocks import block_of
        class Late:
            def __init__(self, v):
                self.v, self.w, self.add = v, v * 2, type(v).__add__
                self.block, self.sort, self.layer = block_of([v]), toposort, nn.Neuron(1)
            def __buffer__(self, flags):
                return memoryview(bytearray(8))
            def __release_buffer__(self, view):
                for action in (
                    lambda: self.v + 1, lambda: self.v * self.v, lambda: -self.v,
                    lambda: self.v**2, lambda: self.v.tanh(), lambda: self.v.maximum(0),
                    lambda: type(self.v)(1.0), lambda: self.v.__init__(2.0),
                    lambda: setattr(self.v, "data", 1.0), lambda: setattr(self.v, "x", [1]),
                    lambda: self.w.op, lambda: self.w.args, lambda: vars(self.v),
                    lambda: self.w.backward(), lambda: self.sort(self.w), lambda: self.v == 1j,
                    lambda: self.block.pull_data(), lambda: self.block.push_data(),
                    lambda: self.layer([1.0]), lambda: self.v.data,
                ):
                    try:
                        action()
                    except BaseException:
                        pass
        def garbage():
            v = Value(1.0)
            v.view = memoryview(Late(v))
            v.modules = [x for name, x in sys.modules.items() if name.startswith("micrograd")]
        garbage()
    """
    run(script)
