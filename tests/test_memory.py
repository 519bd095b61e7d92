"""The life and death of Values: deep graphs, cycles, leaks, failing allocations."""

from __future__ import annotations

import copy
import gc
import pickle
import subprocess
import sys
import textwrap
import weakref
from contextlib import suppress
from typing import Any

import pytest
from processes import printed

from micrograd import Op, Value, engine, hvp, sin

compiled = pytest.mark.skipif(engine.core != "c", reason="this is about the C core")


def run(script: str, *, stack_kb: int | None = None) -> str:
    """Run a script in its own process, on the same core, perhaps with a small stack."""
    if stack_kb is None:
        return printed(script)
    command = ["sh", "-c", f'ulimit -s {stack_kb} && exec "$0" "$@"']
    command += [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_deep_graphs_are_freed_without_recursion() -> None:
    n = 10_000_000 if engine.core == "c" else 100_000
    run(
        f"""
        from micrograd import Value
        x = y = Value(1.0)
        for _ in range({n // 2}):
            y = y * 1.0 + x
        y.backward()
        assert x.grad == {n // 2} + 1
        del y
        """,
        stack_kb=256 if engine.core == "c" else None,
    )


@pytest.mark.parametrize("every", ["closure", "weakref", "attribute", "subclass", "many", "node"])
def test_deep_graphs_of_any_kind_are_freed(every: str) -> None:
    run(
        f"""
        import gc, weakref
        from micrograd import Value, Op
        class Own(Value):
            pass
        three = Op("three", lambda x, y, z: x + y + z, *[lambda x, y, z, out: 1.0] * 3)
        x = y = Value(1.0)
        kept = []
        for i in range(50_000):
            kind = {every!r}
            if kind == "closure":
                out = Value(y.data + 1, (y,))
                def pass_on(y=y): y.grad += 1.0
                out._backward = pass_on
            elif kind == "subclass":
                out = Own(y.data, (y,))
                out._backward = lambda: None
            elif kind == "many":
                out = three(y, 1.0, x)
            elif kind == "node":
                out = Value.node(1.0, (y, x, y), (1.0, 0.0, 0.0))
            else:
                out = y + 1
            if kind == "weakref":
                kept.append(weakref.ref(out))
            if kind == "attribute":
                out.before = y
            y = out + 0.5
        y.backward()
        del y, out
        gc.collect()
        assert not any(ref() for ref in kept)
        """,
        stack_kb=512 if engine.core == "c" else None,
    )


def alive_after_one_collection(*values: Any) -> bool:
    refs = [weakref.ref(v) for v in values]
    del values
    return any(ref() is not None for ref in refs)


def closed_node(*parents: Value) -> Value:
    """Make a node as notebooks do: its closure refers to the node itself."""
    out = Value(sum(p.data for p in parents), parents, "own")

    def pass_on() -> None:
        for p in parents:
            p.grad += out.grad

    out._backward = pass_on
    return out


def test_cycles_of_closures_and_ordinary_nodes_go_in_one_collection() -> None:
    gc.collect()
    x = Value(1.0)
    y = closed_node(x, x)
    for _ in range(1000):
        y = closed_node((y * 0.5).tanh() + x, x)
    end = y + 1
    ref, last = weakref.ref(end), weakref.ref(y)
    del y, end
    gc.collect()
    assert ref() is None
    assert last() is None


@pytest.mark.parametrize("kind", ["attribute", "list", "closure", "vars"])
def test_cycles_of_late_attributes_go_in_one_collection(kind: str) -> None:
    """Attach to a leaf something that leads to what was made of it long before."""
    x = Value(1.0)
    y = x
    for _ in range(1000):
        y = y * 1.0
    if kind == "attribute":
        x.end = y  # type: ignore[attr-defined]
    elif kind == "list":
        x.ends = []  # type: ignore[attr-defined]
        x.ends.append(y)  # type: ignore[attr-defined]
    elif kind == "closure":
        end = y
        x._backward = lambda: end.data
        del end
    else:
        vars(x)["end"] = y
    z = x + 1
    refs = [weakref.ref(v) for v in (x, y, z)]
    del x, y, z
    gc.collect()
    assert [ref() for ref in refs] == [None, None, None]


def test_forward_links_through_a_whole_graph_go_in_one_collection() -> None:
    x = Value(1.0)
    y = x
    for _ in range(300):
        y = (y + x).tanh()
    nodes = engine.toposort(y)
    for v in nodes:
        v.consumers = []  # type: ignore[attr-defined]
    for v in nodes:
        for p in v.parents:
            p.consumers.append(v)  # type: ignore[attr-defined]
    refs = [weakref.ref(v) for v in nodes]
    del x, y, nodes, v, p
    gc.collect()
    assert not any(ref() for ref in refs)


def test_a_users_row_that_refers_to_its_results_is_collected() -> None:
    kept: list[Value] = []
    row = Op("kept", lambda x: x, lambda x, out: float(len(kept)))
    x = Value(1.0)
    y = row(x) * 2
    kept.append(y)
    ref = weakref.ref(y)
    del kept, row, y
    gc.collect()
    assert ref() is None


@compiled
def test_object_setattr_is_refused_or_its_cycle_on_a_subclass_is_collected() -> None:
    """From 3.13 on Python asks no type before it sets an attribute so: docs/cores.md."""

    class Own(Value):
        pass

    v = Own(1.0)
    if sys.version_info < (3, 13):
        with pytest.raises(TypeError, match="can't apply this __setattr__"):
            object.__setattr__(v, "end", [v])
        return
    object.__setattr__(v, "end", [v])
    ref = weakref.ref(v)
    del v
    gc.collect()
    assert ref() is None


@compiled
def test_training_makes_no_work_for_the_cyclic_collector() -> None:
    x, w = Value(0.5), Value(1.0)
    w.m, w.v, w.name, w.shape = 0.0, 1.0, "w", (1, 2)  # type: ignore[attr-defined]
    w = pickle.loads(pickle.dumps(copy.deepcopy(w)))
    made = []
    gc.collect()
    for _ in range(10):
        y = (w * x + 1).tanh().where(w, x) ** 2
        y.backward()
        made.append(y)
    everything = gc.get_objects()
    nodes = {id(v) for root in made for v in engine.toposort(root)}
    assert not any(id(u) in nodes for u in everything)
    assert not any(type(u) is tuple and u and id(u[0]) in nodes for u in everything)


RSS = """
import resource, gc
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(
    "step",
    [
        "(x * 2 + 1).tanh().backward()",
        "closed(x)",
        "hung(x)",
        "raising(x)",
        "pickle.loads(pickle.dumps((x * 2).exp() + x))",
        "copy.deepcopy((x * 2).exp() + x)",
        "Value(1.0, (x, x, x)).grad",
        "Value.node(1.0, (x, x), lambda x, y, out: (x, y)).backward()",
        "row(x, x, 1.0).backward()",
        "bad(Value, 'a')",
        "weakref.ref(x + 1)",
        "toposort(x * x)",
        "vars(Own(1.0, extra=2) + x)",
        "forgotten(x)",
        "Value(1.0, (x, x), (1.0, 2.0)).backward()",
        "bad((Value(1.0, (x,), 'no rule') * 2).backward)",
        "bad(checked, x)",
        "(x == 1, x != 1, x == 1j, x == x, x * 2 == x)",
        "toposort(x + 1, x * x, x)",
        "(layer(x), layer.__call__)",
    ],
)
def test_repeating_it_does_not_grow(step: str) -> None:
    script = RSS + textwrap.dedent(
        f"""
        import copy, pickle, weakref
        from micrograd import Op, Value, nn, no_grad, strict, toposort
        row = Op("row", lambda x, y, z: x + y * z, *[lambda x, y, z, out: x] * 3)
        class Own(Value):
            def __init__(self, data, extra): super().__init__(data); self.extra = [self]
        def closed(x):
            out = Value(x.data, (x,))
            def pass_on(): x.grad += out.grad
            out._backward = pass_on
            (out * 3).backward()
        def hung(x):
            y = Value(1.0); z = y * x
            y.end = z
        def raising(x):
            out = Value(x.data, (x,))
            def fail(): raise KeyError("on purpose")
            out._backward = fail
            bad(out.backward)
            bad((Value(0.0).sqrt() + x).backward)
        def bad(call, *args):
            try: call(*args)
            except Exception: pass
        def forgotten(x):
            with no_grad():
                return x * 2, x**2, -x, row(x, x, 1.0), Value(1.0, (x,), (2.0,))
        def checked(x):
            y = x * 2
            y.data = 5.0
            with strict():
                y.backward()
        layer = nn.Neuron(1)
        x = Value(0.5)
        def steps(n):
            for _ in range(n):
                {step}
        steps(20000); gc.collect(); before = rss()  # a full collection has been among them
        steps(20000); gc.collect()
        print(rss() - before)
        """
    )
    assert int(run(script)) < 2_000_000  # a leak of one node a step would be as much


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_loop_of_a_million_custom_nodes_does_not_grow() -> None:
    n = 1_000_000 if engine.core == "c" else 100_000
    script = RSS + textwrap.dedent(
        f"""
        from micrograd import Value
        x = Value(1.0)
        for i in range({n}):
            out = Value(x.data * 2, (x,))
            def pass_on(out=out): x.grad += 2 * out.grad
            out._backward = pass_on
            if i == {n // 10}: before = rss()
        print(rss() - before)
        """
    )
    assert int(run(script)) < 5_000_000


def test_memory_that_was_freed_is_kept_only_while_it_is_needed() -> None:
    script = RSS + textwrap.dedent(
        """
        from micrograd import Value
        x = y = Value(1.0)
        for _ in range(300_000): y = y + 1.0
        y.backward(); high = rss(); del y
        for _ in range(200): (x * 2).backward()
        print(high - rss())
        """
    )
    assert int(run(script)) > 20_000_000


@compiled
def test_the_size_of_a_value() -> None:
    assert sys.getsizeof(Value(1.0)) <= 96


def test_failing_allocations_raise_memory_error_and_leave_the_graph_usable() -> None:
    pytest.importorskip("_testcapi")
    run(
        """
        from _testcapi import set_nomemory, remove_mem_hooks
        from micrograd import Value, toposort
        x = Value(1.5)
        y = (x * x).tanh() ** 2
        y.backward(); slope = x.grad
        failed, kept = 0, []
        for what in ("y.backward()", "toposort(y)", "y * x", "y + 1.0", "Value(3.0)", "y.args"):
            action = compile(what, "", "eval")
            for n in range(40):
                kept.append(Value(1.0))  # so that no freed Value is at hand
                try:
                    set_nomemory(n, n + 1)
                    eval(action)
                except MemoryError:
                    failed += 1
                finally:
                    remove_mem_hooks()
                x.grad = 0; y.backward()
                assert x.grad == slope, (what, n, x.grad)
        assert failed >= 3, "hardly any allocation failed: the test is blind"
        """
    )


def test_an_error_of_a_slope_that_is_not_needed_holds_no_graph() -> None:
    fails = Op("fails", lambda x: x * x, lambda x, out: 1 / 0 * x)
    x = Value(1.0)
    alive = weakref.ref(x)
    with suppress(ZeroDivisionError):
        hvp(fails(sin(x)) * (x * 0.0), [x], [1.0])
    del x
    gc.collect()
    assert alive() is None
