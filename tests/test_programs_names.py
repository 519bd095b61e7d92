"""Programs follow the names of their function: assigned late, deleted, assigned again."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

from micrograd import Value, program
from micrograd.programs import ProgramError


def test_a_deleted_name_raises_what_the_function_raises() -> None:
    k = 2.0
    scaled = program(lambda x: k * x)
    assert scaled([1.0]).data.tolist() == [2.0]
    del k
    with pytest.raises(NameError, match="'k'"):
        scaled([1.0])
    k = 3.0
    assert scaled([1.0]).data.tolist() == [3.0]


def test_a_name_that_is_assigned_after_the_first_call_is_followed_too() -> None:
    def scaled(x: Any) -> Any:
        return x if x < 0 else k * x

    traced = program(scaled)
    assert traced([-1.0]).data.tolist() == [-1.0]
    for k in (2.0, 3.0):
        assert traced([-1.0, 1.0]).data.tolist() == [-1.0, k]


def test_a_global_that_is_assigned_after_the_first_call_is_followed_too() -> None:
    variables: dict[str, Any] = {}
    exec("def scaled(x):\n    return x if x < 0 else late * x", variables)
    traced = program(variables["scaled"])
    assert traced([-1.0]).data.tolist() == [-1.0]
    for k in (2.0, 3.0):
        variables["late"] = k
        assert traced([-1.0, 1.0]).data.tolist() == [-1.0, k]
    del variables["late"]
    with pytest.raises(NameError, match="late"):
        traced([1.0])


def test_an_inner_program_takes_numbers_and_values_in_any_place() -> None:
    w = Value(0.5)
    inner = program(lambda k, x: k * x)
    weighted = program(lambda p, x: p[0] * x[0] + p[1] * x[1])
    assert program(lambda x: inner(2.0, 3.0) * x)([1.0, 2.0]).data.tolist() == [6.0, 12.0]
    assert program(lambda x: inner(w, x) + inner(x, w))([1.0]).data.tolist() == [1.0]
    found = program(lambda x: weighted([2.0, w], [1.0, x]))([1.0, 2.0]).data
    assert found.tolist() == [2.5, 3.0]
    found = program(lambda x: weighted([2.0, 3.0], np.array([1.0, x])))([1.0, 2.0]).data
    assert found.tolist() == [5.0, 8.0]
    with pytest.raises(ProgramError, match="call it on scalars"):
        program(lambda x: program(lambda y: w * y)([1.0]).sum() * x)([1.0])


@pytest.mark.parametrize("again", [copy.deepcopy, pickle.dumps])
def test_a_result_is_not_copied_and_nothing_is_left_over(again: Any) -> None:
    w = Value(0.5)
    result = program(lambda x: w * x)([1.0])
    with pytest.raises(TypeError, match=r"cannot be copied or pickled.*\.data"):
        again(result)
    result.sum().backward()
    assert w.grad == 1.0
