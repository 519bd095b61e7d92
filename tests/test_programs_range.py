"""Products keep the order in which they are written: the range of floats ends at 1e308."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree

import micrograd as mg
from micrograd import Value, program

SIZES = [1e-200, -3e-155, 1e-155, 0.5, 7e154, 1e200]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: (x * 1e200) * (x * 1e200),
        lambda x: (x * 1e200) * (x * 1e-200),
        lambda x: 1e-200 * (1e200 * x) * 1e-155 * (1e155 * x),
        lambda x: -(-x * 1e-200) * 1e200,
        lambda x: (x * x) * (1e-155 * 1e-155),
        lambda x: sum([(x * 1e155) * 1e-155, (x * 1e-200) * 1e200]),
        lambda x: mg.grad(lambda t: (t * 1e200) * (t * 1e-200))(x),
    ],
)
@pytest.mark.parametrize("number", SIZES)
def test_a_program_multiplies_as_the_loop(function: Callable[..., Any], number: float) -> None:
    x = Value(number)
    assert program(function)([number]).data == pytest.approx([function(x).data], rel=1e-14)


def test_parameters_of_any_size_multiply_as_in_the_loop() -> None:
    w, u, b = Value(1e200), Value(1e-200), Value(2.0)
    data = np.array([[1e-155, 3e155], [-2e-155, 1e155]])

    def function(x: Any) -> Any:
        return (w * x[0]) * (u * x[1]) * b + (w * u) * b

    assert_agree(function, [data], [[w], [u], [b]])


def test_a_gradient_is_multiplied_as_in_the_loop() -> None:
    w = Value(3.0)
    assert_agree(lambda x: ((w * x) * 1e200) * (x * 1e200), [[1e-200, -2e-200]], [[w]])
