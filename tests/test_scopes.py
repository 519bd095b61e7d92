"""Where Values came from: named scopes, scopes of modules, source lines; on both cores."""

from __future__ import annotations

import copy
import gc
import inspect
import pickle
import random
import threading
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

import micrograd as mg
from micrograd import Value, engine
from micrograd.graph.scopes import Scope, line_of, scope_of
from micrograd.nn import MLP, Layer, Module, Neuron


def scope_path(v: Value) -> str | None:
    found = scope_of(v)
    return found.path if found else None


def test_values_belong_to_the_scope_in_which_they_are_recorded() -> None:
    x = Value(2.0)
    with mg.scope("outer") as outer:
        y = x * 3
        leaf = Value(1.0)
        with mg.scope("inner") as inner:
            z = y + leaf
        w = z.tanh()
    after = w + 1
    assert [scope_of(v) for v in (x, y, leaf, z, w, after)] == [
        None, outer, outer, inner, outer, None,
    ]  # fmt: skip
    assert (inner.name, inner.parent, inner.module) == ("inner", outer, None)
    assert outer.parent is None
    assert repr(inner) == "<Scope outer/inner>"


def test_all_ways_to_make_a_value_carry_the_scope() -> None:
    class Own(Value):
        def __init__(self, data: float, *, extra: int) -> None:
            super().__init__(data)

    row = mg.Op("row", lambda x, y, z: x + y + z, *[lambda x, y, z, out: 1.0] * 3)
    x = Value(2.0)
    with mg.scope("s") as s:
        made = [
            Value(1.0), Value(1.0, (x,), "own", label="l"), Own(1.0, extra=2), x + 1, 1 - x, x**2,
            x**x, -x, abs(x), x.maximum(3), mg.where(x, x, 0.5), row(x, x, 1.0), mg.erf(x),
            Value.node(1.0, (x,), (1.0,)), Own(1.0, extra=2) * 2, copy.copy(x + 1),
            copy.deepcopy(x),
        ]  # fmt: skip
    assert {scope_of(v) for v in made} == {s}
    numbers = [p for v in made for p in v.parents if p is not x and type(p) is Value]
    assert numbers
    assert {scope_of(v) for v in numbers} == {s}


def test_a_scope_ends_with_an_error_too() -> None:
    def fail() -> None:
        with mg.scope("a"), mg.scope("b"):
            raise KeyError("mine")

    with mg.scope("around") as around:
        with pytest.raises(KeyError):
            fail()
        assert scope_of(Value(1.0)) is around
    assert scope_of(Value(1.0)) is None


def test_the_same_name_at_the_same_place_is_the_same_scope() -> None:
    made = []
    for _ in range(2):
        with mg.scope("a"), mg.scope("b"):
            made.append(Value(1.0))
    with mg.scope("b"):
        other = Value(1.0)
    assert scope_of(made[0]) is scope_of(made[1])
    assert scope_of(other) is not scope_of(made[0])


def test_names_that_nothing_belongs_to_are_forgotten() -> None:
    with mg.scope("forgotten") as s:
        Value(1.0)
    ref = weakref.ref(s)
    del s
    gc.collect()
    assert ref() is None


def test_every_value_of_a_call_knows_its_module() -> None:
    model = MLP(2, [3, 1])
    out = model([0.5, -1.0])
    neuron, layer = model.layers[1].neurons[0], model.layers[1]
    scope = scope_of(out)
    assert scope is not None
    assert (scope.name, scope.module) == ("Neuron", neuron)
    assert scope.parent is not None
    assert (scope.parent.name, scope.parent.module) == ("Layer", layer)
    assert scope.parent.parent is not None
    assert scope.parent.parent.module is model
    assert scope.parent.parent.parent is None
    recorded = [v for v in mg.toposort(out) if v.parents]
    assert {scope_path(v) for v in recorded} == {"MLP/Layer/Neuron"}
    assert all(scope_of(p) is None for p in model.parameters())


def test_calls_share_the_scopes_of_their_modules() -> None:
    model = MLP(2, [3, 1])
    scopes = [{scope_of(v) for v in mg.toposort(model([x, 1.0])) if v.parents} for x in (1.0, 2.0)]
    assert scopes[0] == scopes[1]
    assert len(scopes[0]) == 4
    with mg.scope("elsewhere") as elsewhere:
        out = model([1.0, 1.0])
    scope = scope_of(out)
    assert scope not in scopes[0]
    assert scope is not None
    assert scope.parent is not None
    assert scope.parent.parent is not None
    assert scope.parent.parent.parent is elsewhere


def test_modules_of_ones_own() -> None:
    class Doubling(Module):
        def __call__(self, x: Value, *, times: int = 1) -> Value:
            """Double it."""
            return self(x * 2, times=times - 1) if times else x * 2

    class More(Doubling):
        def __call__(self, x: Value, *, times: int = 1) -> Value:
            return super().__call__(x, times=times) + 1

    class Mixin:
        def __call__(self, x: Value) -> Value:
            return x * 3

    class Mixed(Mixin, Module):
        pass

    class Late(Doubling):
        pass

    for kind in (Doubling, More, Mixed, Late):
        module = kind()
        out = module(Value(1.0))
        assert {scope_path(v) for v in mg.toposort(out) if v.parents} == {kind.__name__}
        found = scope_of(out)
        assert found is not None
        assert found.module is module
        assert scope_of(out + 1) is None
    assert Doubling()(Value(1.0), times=2).data == 8.0
    assert list(inspect.signature(Doubling()).parameters) == ["x", "times"]
    assert (Doubling.__call__.__doc__, Doubling.__call__.__name__) == ("Double it.", "__call__")
    with pytest.raises(TypeError, match="nonsense"):
        Doubling()(Value(1.0), nonsense=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="argument"):
        Doubling()()  # type: ignore[call-arg]
    assert scope_of(Value(1.0)) is None


def test_a_module_that_replaces_its_call_keeps_the_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Neuron.__call__
    monkeypatch.setattr(Neuron, "__call__", lambda self, x: before(self, x) * 2)
    out = Neuron(1)([1.0]).parents[0]
    assert scope_path(out) == "Neuron"
    monkeypatch.undo()
    assert scope_path(Neuron(1)([1.0])) == "Neuron"


def test_modules_that_compare_or_cannot_be_hashed() -> None:
    @dataclass
    class Scale(Module):
        factor: Value = field(default_factory=lambda: Value(2.0))

        def __call__(self, x: Value) -> Value:
            return x * self.factor

    a, b = Scale(), Scale()
    scopes = [scope_of(module(Value(1.0))) for module in (a, b)]
    assert [s and s.module for s in scopes] == [a, b]
    assert scopes[0] is not scopes[1]


def test_a_scope_does_not_keep_its_module_alive() -> None:
    for _ in range(3):
        model = MLP(1, [2, 1])
        out = model([1.0])
        ref = weakref.ref(model)
        del model
        gc.collect()
        assert ref() is None
        scope = scope_of(out)
        assert scope is not None
        assert (scope.name, scope.module) == ("Neuron", None)


def test_dead_modules_leave_no_scopes_behind() -> None:
    def scopes() -> int:
        gc.collect()
        return sum(isinstance(x, Scope) for x in gc.get_objects())

    before = scopes()
    for _ in range(50):
        MLP(1, [2, 1])([1.0])
    assert scopes() == before


def test_errors_in_a_call_end_its_scope() -> None:
    with pytest.raises(ValueError, match="2 inputs"):
        MLP(2, [3, 1])([1.0])
    assert scope_of(Value(1.0)) is None


def test_threads_do_not_see_each_others_scopes() -> None:
    inside, done = threading.Event(), threading.Event()
    found: dict[str, Any] = {}

    def other() -> None:
        inside.wait(10)
        found["before"] = scope_path(Value(1.0))
        with mg.scope("theirs"):
            found["within"] = scope_path(Value(1.0))
            done.set()
            again.wait(10)
            found["later"] = scope_path(Value(1.0) + 1)
        found["after"] = scope_path(Value(1.0))

    again = threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    with mg.scope("mine"):
        inside.set()
        done.wait(10)
        found["mine"] = scope_path(Value(1.0))
    again.set()
    thread.join()
    assert found == {
        "before": None, "within": "theirs", "later": "theirs", "after": None, "mine": "mine",
    }  # fmt: skip
    assert scope_of(Value(1.0)) is None


def test_threads_that_share_a_module_get_its_scopes() -> None:
    model = MLP(2, [2, 1])
    found: list[Any] = []
    threads = [
        threading.Thread(target=lambda: found.append(scope_of(model([1.0, 2.0])))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {s.module for s in found} == {model.layers[1].neurons[0]}


def test_a_pickled_value_forgets_its_scope() -> None:
    with mg.scope("here"):
        y = Value(2.0, label="x") * 3
    assert scope_of(pickle.loads(pickle.dumps(y))) is None
    assert scope_of(copy.copy(y)) is None
    assert scope_of(copy.deepcopy(y)) is None


def test_a_called_module_can_be_copied_and_pickled() -> None:
    model = MLP(1, [2, 1])
    model([1.0])
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert again([1.0]).data == model([1.0]).data
        assert vars(again).keys() == vars(model).keys()


@pytest.mark.skipif(engine.core != "c", reason="this is about the C core")
def test_scopes_make_no_work_for_the_cyclic_collector() -> None:
    model = MLP(2, [3, 1])
    with mg.scope("s"):
        out = model([1.0, 2.0])
    nodes = mg.toposort(out)
    assert not any(gc.is_tracked(v) for v in nodes)


def here() -> int:
    """Return the line number of the caller."""
    frame = inspect.currentframe()
    assert frame
    assert frame.f_back
    return frame.f_back.f_lineno


def test_source_lines_name_the_line_of_the_user() -> None:
    model = MLP(1, [1])
    x = Value(2.0)
    with mg.source_lines():
        first = here()
        y = x * 3
        z = mg.erf(x) + model([x])
        leaf = Value(1.0)
    assert line_of(y) == (__file__, first + 1)
    assert line_of(y.parents[1]) == (__file__, first + 1)  # the 3
    assert [line_of(v) for v in mg.toposort(z) if v.parents] == [(__file__, first + 2)] * 4
    assert line_of(leaf) == (__file__, first + 3)
    assert line_of(x) is None
    assert line_of(y + 1) is None
    assert line_of(copy.copy(y)) == line_of(y)
    assert line_of(pickle.loads(pickle.dumps(y))) == line_of(y)


def test_source_lines_of_other_threads_and_nested_blocks() -> None:
    found: list[Any] = []
    with mg.source_lines():
        with mg.source_lines():
            pass
        thread = threading.Thread(target=lambda: found.append(line_of(Value(1.0))))
        thread.start()
        thread.join()
        assert line_of(Value(1.0))
    assert found == [None]
    assert line_of(Value(1.0)) is None


def test_source_lines_change_no_gradient() -> None:
    def slopes() -> list[float]:
        random.seed(3)
        model = MLP(2, [3, 1], activation="tanh")
        model([0.5, -1.0]).backward()
        return [p.grad for p in model.parameters()]

    with mg.source_lines(), mg.scope("s"):
        traced = slopes()
    assert traced == slopes()


def test_named_modules_gives_paths_and_modules() -> None:
    class Pair(Module):
        def __init__(self) -> None:
            self.parts = {"a": Layer(1, 1), "b": Layer(1, 1)}
            self.again = self.parts["a"]

    pair = Pair()
    named = dict(pair.named_modules())
    assert list(named) == [
        "", "parts['a']", "parts['a'].neurons[0]", "parts['b']", "parts['b'].neurons[0]",
    ]  # fmt: skip
    assert named[""] is pair
    assert named["parts['b'].neurons[0]"] is pair.parts["b"].neurons[0]


def test_the_file_of_a_line_is_this_one() -> None:
    with mg.source_lines():
        y = Value(1.0) + 1
    line = line_of(y)
    assert line
    text = Path(line[0]).read_text(encoding="utf-8").splitlines()[line[1] - 1]
    assert text.strip() == "y = Value(1.0) + 1"


def test_a_scope_has_a_text_for_a_name() -> None:
    with pytest.raises(TypeError, match="its name is a string"), mg.scope(3):  # type: ignore[arg-type]
        pass
