"""Decorated methods: each object has its own program, which lives as long as the object."""

from __future__ import annotations

import copy
import dataclasses
import functools
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

from micrograd import Value, program
from micrograd.nn import Module


class Line:
    def __init__(self, slope: float) -> None:
        self.w = Value(slope)
        self.traced = 0

    @program
    def at(self, x: Any) -> Any:
        """Return the height of the line at x."""
        self.traced += 1
        return self.w * x

    @program
    def error(self, x: Any, *, y: Any) -> Any:
        return (self.at(x) - y) ** 2


@dataclasses.dataclass
class Offset:  # it compares by its fields, so it has no hash
    b: float

    @program
    def add(self, x: Any) -> Any:
        return x + self.b


class Slots:
    __slots__ = ("w",)

    def __init__(self, w: float) -> None:
        self.w = w

    @program
    def scaled(self, x: Any) -> Any:
        return x * self.w


def test_a_method_is_a_program_of_each_object() -> None:
    two, three = Line(2.0), Line(3.0)
    assert two.at([1.0, 2.0]).data.tolist() == [2.0, 4.0]
    result = three.at([1.0, 2.0])
    result.sum().backward()
    assert (result.data.tolist(), three.w.grad, two.w.grad) == ([3.0, 6.0], 3.0, 0.0)
    assert two.at.__doc__ == "Return the height of the line at x."


def test_a_method_is_traced_once_for_each_object() -> None:
    line = Line(2.0)
    for x in (1.0, 2.0, 3.0):
        line.at([x])
    assert line.traced == 1
    line.w = Value(5.0)
    line.at.retrace()
    assert line.at([1.0]).data.tolist() == [5.0]
    other = Line(1.0)
    assert other.at([1.0]).data.tolist() == [1.0]
    assert "w x" in str(line.at)


def test_a_method_calls_another_within() -> None:
    assert Line(2.0).error([1.0, 2.0], y=[1.0, 1.0]).data.tolist() == [1.0, 9.0]


def test_objects_that_are_equal_are_not_confused() -> None:
    first, second = Offset(1.0), Offset(1.0)
    assert first.add([1.0]).data.tolist() == [2.0]
    second.b = 5.0
    assert second.add([1.0]).data.tolist() == [6.0]
    assert Slots(3.0).scaled([2.0]).data.tolist() == [6.0]


def test_a_method_keeps_no_object_alive() -> None:
    line = Line(2.0)
    line.at([1.0])
    w, gone = weakref.ref(line.w), weakref.ref(line)
    del line
    assert gone() is None  # without a search for cycles
    gc.collect()
    assert w() is None


def test_a_bound_program_keeps_its_object() -> None:
    at = Line(2.0).at
    assert at([3.0]).data.tolist() == [6.0]
    assert at([4.0]).data.tolist() == [8.0]


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copied_object_has_its_own(again: Any) -> None:
    line = Line(2.0)
    line.at([1.0])
    other = again(line)
    other.w.data = 7.0
    assert other.at([1.0]).data.tolist() == [7.0]
    assert line.at([1.0]).data.tolist() == [2.0]


def test_a_bound_program_pickles_with_its_object() -> None:
    at = pickle.loads(pickle.dumps(Line(4.0).at))
    assert at([2.0]).data.tolist() == [8.0]


def test_what_is_no_function_binds_nothing() -> None:
    class Holder:
        line = program(Line(2.0).at.__wrapped__)

        @staticmethod
        @program
        def double(x: Any) -> Any:
            return x * 2

    holder = Holder()
    assert holder.line([1.0]).data.tolist() == [2.0]
    assert np.array_equal(holder.double([1.0]).data, [2.0])


# What is noticed --------------------------------------------------------------------------------

FACTOR = 2.0


class Scaled(Module):
    """A module whose factor is a global, found by ways of every kind."""

    def __init__(self) -> None:
        self.w = Value(3.0)
        self.loss = program(self._loss)

    @property
    def factor(self) -> float:
        return FACTOR

    def helper(self, x: Any) -> Any:
        return x * FACTOR

    def _loss(self, x: Any) -> Any:
        return self.w * self.helper(x)

    def __call__(self, x: Any) -> Any:
        return self.helper(x)


def scale(x: Any) -> Any:
    return x * FACTOR


@pytest.mark.parametrize(
    "way",
    ["method", "module", "called module", "partial", "list", "dict", "property", "class"],
)
def test_a_changed_global_is_noticed_wherever_it_is_used(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = Scaled()
    helpers, table = [scale], {"scale": functools.partial(scale)}
    functions: dict[str, Any] = {
        "method": module.helper,
        "module": module,
        "called module": lambda x: module(x),
        "partial": functools.partial(Scaled.helper, module),
        "list": lambda x: helpers[0](x),
        "dict": lambda x: table["scale"](x),
        "property": lambda x: x * module.factor,
        "class": lambda x: Scaled.helper(module, x),
    }
    traced = program(functions[way])
    assert traced([1.0]).data.tolist() == [2.0]
    monkeypatch.setitem(globals(), "FACTOR", 5.0)
    assert traced([1.0]).data.tolist() == [5.0]


def test_the_copy_of_a_model_has_a_program_of_its_own() -> None:
    module = Scaled()
    assert module.loss([1.0]).data.tolist() == [6.0]
    again = copy.deepcopy(module)
    again.w.data = 10.0
    again.loss([1.0]).sum().backward()
    assert again.loss([1.0]).data.tolist() == [20.0]
    assert (again.w.grad, module.w.grad) == (2.0, 0.0)
    assert module.loss([1.0]).data.tolist() == [6.0]
