"""An argument that holds integers is found in sets and dicts by its number, as an integer is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from micrograd import Value, program

w, v = Value(0.5), Value(3.0)
KNOWN = {1, 2}


def in_a_literal(x: Any) -> Any:
    return w * x if x in {1, 2} else -x


def in_a_set(x: Any) -> Any:
    return w * x if x in KNOWN else v * x


def not_in_a_set(x: Any) -> Any:
    return w * x if x not in KNOWN else v


def in_a_dict(x: Any) -> Any:
    return {0: w, 1: v, 2: w * v}[x] * x


def with_a_default(x: Any) -> Any:
    return {1: v}.get(x, w) + x


def among_the_keys(x: Any) -> Any:
    numbers = {x: v, 7: w}
    return numbers.get(2, w) * x


@pytest.mark.parametrize(
    "function",
    [in_a_literal, in_a_set, not_in_a_set, in_a_dict, with_a_default, among_the_keys],
    ids=lambda f: f.__name__,
)
@pytest.mark.parametrize("numbers", [[0, 1, 2], [2, 2, 0, 1], [1], [0]])
def test_look_ups_are_as_in_a_loop_over_integers(
    function: Callable[..., Any], numbers: list[int]
) -> None:
    traced = program(function)
    traced(numbers).sum().backward()
    found = w.grad, v.grad
    w.grad = v.grad = 0.0
    total = sum((function(x) for x in numbers), Value(0.0))
    total.backward()
    expected = w.grad, v.grad
    w.grad = v.grad = 0.0
    again = traced(np.array(numbers)).data.tolist()
    assert again == [getattr(y, "data", y) for y in map(function, numbers)]
    assert found == pytest.approx(expected)


def test_large_and_negative_integers_are_found() -> None:
    chosen = program(lambda x: x if x in {-5, 3, 2**53 - 1, 2**60} else w)
    numbers = [-5, 5, 3, -3, 2**53 - 1, 2**60, 2**62, -(2**63)]
    expected = [x if x in {-5, 3, 2**53 - 1, 2**60} else 0.5 for x in numbers]
    assert chosen(numbers).data.tolist() == expected


def test_without_rows_a_key_is_found() -> None:
    assert program(in_a_dict)(np.empty(0, int)).data.shape == (0,)


def test_a_missing_key_raises_in_whichever_row_it_stands() -> None:
    traced = program(in_a_dict)
    assert traced([0, 1]).data.tolist() == [0.0, 3.0]
    with pytest.raises(KeyError):
        traced([0, 1, 3])


def test_a_program_that_looks_nothing_up_has_one_path() -> None:
    traced = program(lambda x: w * x + x * x)
    traced([0, 1, 2])
    assert "path" not in str(traced)
