"""What would run for one row alone, or never, is refused: error handlers, `backward()`."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program
from micrograd.programs import ProgramError

DOMAIN = (ArithmeticError, ValueError)
w = Value(0.5)
silent = contextlib.suppress


def of_a_kind(x: Any) -> Any:
    try:
        return mg.log(x)
    except ValueError:
        return w * 7


def of_several(x: Any) -> Any:
    try:
        y = w / x
    except (KeyError, ZeroDivisionError) as error:
        return str(error)
    return y


def of_a_name(x: Any) -> Any:
    try:
        return mg.exp(x)
    except DOMAIN:
        return w


def of_anything(x: Any) -> Any:
    try:
        return mg.exp(x)
    except Exception:
        return w


def bare(x: Any) -> Any:
    try:
        return mg.exp(x)
    except:  # noqa: E722
        return w


def in_a_helper(x: Any) -> Any:
    return of_a_kind(x) + 1


def in_an_inner_function(x: Any) -> Any:
    def safe(y: Any) -> Any:
        try:
            return mg.sqrt(y)
        except ValueError:
            return 0.0

    return w * safe(x)


def suppressed(x: Any) -> Any:
    y = w
    with contextlib.suppress(ValueError):
        y = mg.log(x)
    return y


def suppressed_by_another_name(x: Any) -> Any:
    with silent(KeyError, ArithmeticError):
        return 1 / x
    return w


HANDLERS = [
    of_a_kind, of_several, of_a_name, of_anything, bare, in_a_helper, in_an_inner_function,
    suppressed, suppressed_by_another_name,
]  # fmt: skip


@pytest.mark.parametrize("function", HANDLERS, ids=lambda f: f.__name__)
def test_a_handler_of_arithmetic_errors_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(ProgramError, match=r"arithmetic error.*test_programs_errors\.py.*ask"):
        program(function)([2.0, -1.0])


def test_other_errors_may_be_suppressed() -> None:
    def looked_up(x: Any) -> Any:
        with contextlib.suppress(KeyError):
            return {1: w}[2] * x
        return w * x

    assert program(looked_up)([2.0]).data.tolist() == [1.0]


def test_a_closure_is_found() -> None:
    def safe(x: Any) -> Any:
        try:
            return mg.log(x)
        except ValueError:
            return w

    with pytest.raises(ProgramError, match="arithmetic error"):
        program(lambda x: safe(x) * 2)([2.0])


class Model:
    """A class with handlers in methods that its program does not call."""

    def __init__(self) -> None:
        self.w = Value(2.0)

    def load(self, text: str) -> None:
        try:
            self.w.data = float(text)
        except ValueError:
            self.w.data = math.nan

    @program
    def scaled(self, x: Any) -> Any:
        return self.w * x

    @program
    def safe(self, x: Any) -> Any:
        return self.log(x)

    def log(self, x: Any) -> Any:
        try:
            return mg.log(x)
        except ValueError:
            return self.w


def test_what_a_program_does_not_call_may_handle_what_it_likes() -> None:
    model = Model()
    assert model.scaled([1.0]).data.tolist() == [2.0]
    with pytest.raises(ProgramError, match="arithmetic error"):
        model.safe([1.0])


def test_other_handlers_are_left_alone() -> None:
    known: dict[str, Value] = {}

    def other(x: Any) -> Any:
        try:
            p = known["p"]
        except KeyError:
            p = w
        try:
            q = p * x
        finally:
            known.clear()
        return q

    assert program(other)([2.0]).data.tolist() == [1.0]


def test_backward_within_the_function_is_refused() -> None:
    w = Value(2.0)

    def trained(x: Any) -> Any:
        y = x * w
        y.backward()
        return y

    traced = program(trained)
    with pytest.raises(ProgramError, match=r"backward\(\) in the function.*mean\(\)"):
        traced([1.0, 2.0])


weights = np.array([0.5, 0.25])


def test_an_array_outside_is_compared_with_nothing() -> None:
    """Look for handlers in a function that loads an array just before it calls another."""

    def weighed(x: Any) -> Any:
        return sum(a * b for a, b in zip(weights, x))

    assert program(weighed)([[2.0, 4.0]]).data.tolist() == [2.0]


def test_an_operation_alone_is_a_program() -> None:
    assert program(mg.floor)([1.5, -1.5]).data.tolist() == [1.0, -2.0]
    assert mg.hessian(program(mg.tanh))([0.0]).data.tolist() == [0.0]
