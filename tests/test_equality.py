"""Equality: with a number it compares numbers, between Values it is identity; on both cores."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, toposort
from micrograd.graph.steps import backward_steps, totals
from micrograd.symbolic.formula import of_value
from micrograd.value.identity import IdentityDict

numbers = st.floats() | st.integers(-(2**60), 2**60) | st.booleans() | st.fractions()


@given(st.floats(), numbers)
def test_a_value_equals_a_number_as_its_data_does(x: float, number: Any) -> None:
    v = Value(x)
    assert (v == number) == (x == number)
    assert (number == v) == (number == x)
    assert (v != number) == (x != number)
    assert (number != v) == (number != x)


@pytest.mark.parametrize(
    "three", [3, 3.0, Fraction(3), Decimal(3), np.float64(3), np.int64(3), np.array(3.0)]
)
def test_numbers_of_every_kind_are_compared(three: Any) -> None:
    v = Value(3.0)
    assert v == three
    assert three == v
    assert not v != three  # noqa: SIM202
    assert v in (1.0, three)
    assert v + 1 != three


@pytest.mark.parametrize("other", ["3.0", None, (3.0,), [3.0], object(), 3j])
def test_what_is_no_number_is_unequal(other: Any) -> None:
    assert Value(3.0) != other
    assert other != Value(3.0)
    assert not Value(3.0) == other  # noqa: SIM201


def test_an_array_is_compared_element_by_element() -> None:
    equal: Any = Value(3.0) == np.array([1.0, 3.0])
    assert equal.tolist() == [False, True]


def test_between_values_it_is_identity() -> None:
    a, b = Value(2.0), Value(2.0)
    assert a == a
    assert a != b
    assert a in [b, a]
    assert a not in [b]
    assert [b, a].index(a) == 1
    assert len({a, b, a}) == 2


def test_nan_is_not_itself() -> None:
    v = Value(math.nan)
    assert v != v
    assert not v == v  # noqa: SIM201
    assert v in [v]
    assert v in {v}
    assert {v: 1}[v] == 1
    assert v != math.nan


@pytest.mark.parametrize(("n", "expected"), [(3.0, (6.0, 2.0)), (4.0, (20.0, 5.0))])
def test_a_branch_on_equality_is_that_of_floats(n: float, expected: tuple[float, float]) -> None:
    f: Callable[[Any], Any] = lambda n: 2 * n if n == 3 else 5 * n  # noqa: E731
    assert mg.value_and_grad(f)(n) == expected


# Subclasses that compare by value ----------------------------------------------------------------


class ByValue(Value):
    """Equal where the data is equal; without a __hash__ of its own."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Value) and self.data == other.data


class Hashed(ByValue):
    """With a __hash__ that fits its equality."""

    def __hash__(self) -> int:
        return hash(self.data)


@pytest.mark.parametrize("kind", [ByValue, Hashed])
def test_equal_values_are_told_apart(kind: Any) -> None:
    a, b = kind(2.0), kind(2.0)
    out = a * b + a
    assert len(toposort(out)) == 4
    out.backward()
    assert (a.grad, b.grad) == (3.0, 2.0)
    assert [g.data for g in mg.grad(out, [a, b])] == [3.0, 2.0]
    found = totals(out)
    assert (found[a], found[b]) == (3.0, 2.0)
    assert [step.product for step in backward_steps(out)] == [1.0, 1.0, 2.0, 2.0]
    assert out._prev == out._prev
    again: Any = copy.deepcopy(out)
    assert len(toposort(again)) == 4
    a.label, b.label = "a", "b"
    assert str(of_value(out)) == "a * b + a"
    assert len((a * b)._prev) == 2


def test_a_subclass_without_a_hash_is_hashed_by_identity() -> None:
    a, b = ByValue(2.0), ByValue(2.0)
    assert len({a, b}) == 2


def test_a_dict_by_identity() -> None:
    a, b = Hashed(2.0), Hashed(2.0)
    found = IdentityDict({a: 1})
    found[b] = 2
    assert (found[a], found[b], len(found)) == (1, 2, 2)
    assert a in found
    assert Hashed(2.0) not in found
    assert next(iter(found)) is a
    del found[a]
    assert found.get(a) is None
    with pytest.raises(KeyError):
        found[a]
    assert "2" in repr(found)


@pytest.mark.parametrize("kind", [ByValue, Hashed])
def test_programs_and_optimisers_tell_equal_parameters_apart(kind: Any) -> None:
    a, b = kind(2.0), kind(2.0)
    mg.program(lambda x: x * a * a + b * x)([1.0, 2.0]).sum().backward()
    assert (a.grad, b.grad) == (12.0, 3.0)
    optimizer = mg.optim.SGD([a, b], lr=0.5, momentum=0.9)
    optimizer.step()
    assert (a.data, b.data) == (-4.0, 0.5)


def test_pictures_and_tables_tell_equal_values_apart() -> None:
    def shown(make: Any) -> list[str]:
        a, b = make(2.0), make(2.0)
        a.label, b.label = "a", "b"
        out = a * b + a
        out.backward()
        return [
            str(mg.draw_dot(out)),
            str(mg.explain.contributions(out, a)),
            str(mg.explain.diagnose(out)),
            str(mg.explain.mistakes(out)),
        ]

    assert shown(ByValue) == shown(Hashed) == shown(Value)
