"""The habits of notebooks written for the original micrograd, on ours unchanged."""

from __future__ import annotations

import decimal
import inspect
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from micrograd.engine import Value

# The surface -----------------------------------------------------------------------------------


def test_the_constructor_takes_what_the_originals_and_the_lectures_take() -> None:
    names = list(inspect.signature(Value).parameters)
    assert names[:4] == ["data", "_children", "_op", "label"]
    v: Any = Value(label="x", data=1.0)
    assert (v.data, v.grad, v.label, v._op, v._prev) == (1.0, 0.0, "x", "", set())


def test_prev_is_the_set_of_operands() -> None:
    a, b = Value(1.0), Value(2.0)
    c = a * b
    assert c._prev == {a, b}
    lhs, rhs = c._prev
    assert {lhs, rhs} == {a, b}
    assert (a + a)._prev == {a}


@pytest.mark.parametrize(
    ("build", "symbol"),
    [
        (lambda x: x + 1, "+"),
        (lambda x: x * 2, "*"),
        (lambda x: x**3, "**3"),
        (lambda x: x**-1, "**-1"),
        (lambda x: x**0.5, "**0.5"),
        (lambda x: x.relu(), "ReLU"),
        (lambda x: x - 1, "-"),
        (lambda x: -x, "-"),
        (lambda x: x / 2, "/"),
        (lambda x: x.tanh(), "tanh"),
        (lambda x: x.exp(), "exp"),
    ],
)
def test_symbols(build: Any, symbol: str) -> None:
    assert build(Value(2.0))._op == symbol


def test_symbols_may_be_set() -> None:
    v = Value(1.0) + 1
    v._op = "plus"
    assert v._op == "plus"


def test_foreign_attributes_labels_and_grads_may_be_set() -> None:
    p: Any = Value(1.0)
    p.m, p._vis_color, p.label, p.grad = 0.5, "red", "weight", 2
    assert (p.m, p._vis_color, p.label, p.grad) == (0.5, "red", "weight", 2.0)
    p.data -= 0.1 * p.grad
    assert p.data == 0.8


def test_values_are_members_of_sets_and_keys_of_dicts() -> None:
    a, b = Value(1.0), Value(1.0)
    assert len({a, b, a}) == 2
    assert {a: "a", b: "b"}[b] == "b"


# Classes and methods of one's own ------------------------------------------------------------


def test_the_lectures_own_class_extended_by_hand() -> None:
    class Lecture(Value):
        """A subclass with closures, as the lecture writes them."""

        def __init__(self, data: Any, _children: Any = (), _op: str = "", label: str = "") -> None:
            super().__init__(data, _children, _op, label)
            self.visits = 0

        def squash(self) -> Lecture:
            t = (math.exp(2 * self.data) - 1) / (math.exp(2 * self.data) + 1)
            out = Lecture(t, (self,), "squash")

            def _backward() -> None:
                self.grad += (1 - t**2) * out.grad
                self.visits += 1

            out._backward = _backward
            return out

    x = Lecture(0.8813735870195432, label="n")
    out = x.squash()
    out.backward()
    assert out.data == pytest.approx(0.7071067811865476)
    assert x.grad == pytest.approx(0.5)
    assert x.visits == 1
    assert (x + 1).data == x.data + 1


def test_a_method_monkeypatched_onto_value(monkeypatch: pytest.MonkeyPatch) -> None:
    def tanh(self: Value) -> Value:
        out = Value(math.tanh(self.data), (self,), "my tanh")

        def _backward() -> None:
            self.grad += (1 - out.data**2) * out.grad

        out._backward = _backward
        return out

    monkeypatch.setattr(Value, "tanh", tanh)
    x = Value(0.5)
    y = x.tanh()
    y.backward()
    assert y._op == "my tanh"
    assert x.grad == pytest.approx(1 - math.tanh(0.5) ** 2)


def test_a_topological_order_written_by_hand() -> None:
    a, b = Value(2.0), Value(3.0)
    root = (a * b + a).relu()
    topo: list[Value] = []
    visited = set()

    def build_topo(v: Value) -> None:
        if v not in visited:
            visited.add(v)
            for child in v._prev:
                build_topo(child)
            topo.append(v)

    build_topo(root)
    root.grad = 1
    for node in reversed(topo):
        node._backward()
    assert (a.grad, b.grad) == (4.0, 2.0)


# Numbers of other kinds ------------------------------------------------------------------------

NUMBERS = [
    2,
    2.5,
    True,
    Fraction(5, 2),
    decimal.Decimal("2.5"),
    np.float64(2.5),
    np.float32(2.5),
    np.int64(3),
    np.bool_(True),
    np.array(2.5),
]


@pytest.mark.parametrize("number", NUMBERS, ids=lambda n: type(n).__name__)
def test_numbers_of_every_kind_stand_on_either_side(number: Any) -> None:
    v = Value(4.0)
    x = float(number)
    for result, expected in [
        (v + number, 4.0 + x),
        (number + v, x + 4.0),
        (v - number, 4.0 - x),
        (number - v, x - 4.0),
        (v * number, 4.0 * x),
        (number * v, x * 4.0),
        (v / number, 4.0 / x),
        (number / v, x / 4.0),
        (v**number, 4.0**x),
        (number**v, x**4.0),
    ]:
        assert type(result) is Value
        assert result.data == expected
    assert Value(number).data == x
    assert (v > number) == (x < 4.0)


def test_sum_starts_from_the_int_zero() -> None:
    values = list(map(Value, [1.0, 2.0, 3.0]))
    total = sum(values)
    assert isinstance(total, Value)
    total.backward()
    assert (total.data, [v.grad for v in values]) == (6.0, [1.0] * 3)


# NumPy -----------------------------------------------------------------------------------------


def values(*data: float) -> Any:
    return np.array([Value(x) for x in data])


def test_an_array_times_a_value_is_an_array_of_values() -> None:
    v: Any = Value(3.0)
    for result in (np.array([1.0, 2.0]) * v, v * np.array([1.0, 2.0])):
        assert result.dtype == object
        assert [r.data for r in result] == [3.0, 6.0]


def test_arrays_of_values_do_linear_algebra() -> None:
    x, w = values(1.0, 2.0), np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
    assert [v.data for v in w @ x] == [5.0, 11.0]
    assert np.dot(x, x).data == 5.0
    norm: Any = np.linalg.norm(x)
    norm.backward()
    assert norm.data == pytest.approx(5**0.5)
    assert [v.grad for v in x] == pytest.approx([1 / 5**0.5, 2 / 5**0.5])


@pytest.mark.parametrize("reduction", ["sum", "mean", "var", "std"])
def test_arrays_of_values_reduce_like_arrays_of_floats(reduction: str) -> None:
    data = np.array([1.0, 2.0, 4.0, 8.0])
    x = values(*data)
    out = getattr(x, reduction)()
    out.backward()
    assert out.data == pytest.approx(getattr(data, reduction)())
    step = 1e-6
    for i, v in enumerate(x):
        nudged = data + step * (np.arange(4) == i)
        slope = (getattr(nudged, reduction)() - getattr(data, reduction)()) / step
        assert v.grad == pytest.approx(slope, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(
    "name", ["tanh", "exp", "log", "sqrt", "sin", "arctan", "log1p", "cbrt", "negative", "abs"]
)
def test_numpys_functions_call_the_method_of_their_name(name: str) -> None:
    function = getattr(np, name)
    out = function(values(0.5, 2.0))
    np.testing.assert_allclose([v.data for v in out], function([0.5, 2.0]), rtol=1e-15)
    alone: Any = Value(0.5)
    assert isinstance(np.tanh(alone), Value)


def test_numpy_chooses_between_values() -> None:
    x, y = values(1.0, -2.0), values(5.0, 6.0)
    assert [v.data for v in np.where([True, False], x, y)] == [1.0, 6.0]
    assert [v.data for v in np.maximum(x, 0.5)[:1]] == [1.0]
    assert (x > 0).tolist() == [True, False]
    assert x.max() is x[0]
