"""A truth that is asked for in Python's own words is that of each row, or the words are refused."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from micrograd import Value, program
from micrograd.programs import ProgramError

X = [[1.0, 2.0], [-1.0, 2.0], [-1.0, -1.0]]
TRAINS = True
w = Value(2.0)


class Settings:
    deep = False


def positive(x: Any) -> Any:
    return x > 0


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: w * sum(v > 0 for v in x), [4.0, 2.0, 0.0]),
        (lambda x: 1.0 if isinstance(x[0] > 0, bool) else 2.0, [1.0] * 3),
        (lambda x: 1.0 if isinstance(x[0] > 0, (int, str)) else 2.0, [1.0] * 3),
        (lambda x: 1.0 if isinstance(x[0] > 0, Value) else 2.0, [2.0] * 3),
        (lambda x: w if (x[0] > 0) == True else -w, [2.0, -2.0, -2.0]),  # noqa: E712
        (lambda x: w if TRAINS is True and Settings.deep is not True else x[0], [2.0] * 3),
        (lambda x: sum(map(int, map(positive, x))), [2.0, 1.0, 0.0]),
        (lambda x: (x[0] > 0) * w + (x[1] > 0) * 3, [5.0, 3.0, 0.0]),
    ],
)
def test_a_truth_counts_as_in_a_loop(function: Callable[..., Any], expected: list[float]) -> None:
    assert program(function)(X).data.tolist() == expected
    looped = [function(list(map(Value, row))) for row in X]
    assert [getattr(y, "data", y) for y in looped] == expected


def of_a_call(x: Any) -> Any:
    return w if positive(x[0]) is True else x[0]


def of_an_argument(x: Any, deep: Any = True) -> Any:
    return w if deep is not False else x[0]


def of_one_of_two_names(x: Any) -> Any:
    first = second = x[0] > 0
    return w if first is True and second else x[0]


def of_an_unpacked_name(x: Any) -> Any:
    _, second = x[0] > 0, x[1] > 0
    return w if second is False else x[0]


def of_a_type(x: Any) -> Any:
    return w if type(x[0] > 0) is bool else x[0]


def of_an_equal_type(x: Any) -> Any:
    return w if type(x[0] > 0) == bool else x[0]  # noqa: E721


def of_two_comparisons(x: Any) -> Any:
    return w if (x[0] > 0) is not (x[1] > 0) else x[0]


def of_two_names(x: Any) -> Any:
    first, second = x[0] > 0, 2.0
    second = x[1] > 0
    return w if first is second else x[0]


def of_an_operator(x: Any) -> Any:
    return w if operator.is_(x[0] > 0, True) else x[0]


def in_a_helper(x: Any) -> Any:
    return of_a_call(x) + 1


ASKING = [
    of_a_call, of_an_argument, of_one_of_two_names, of_an_unpacked_name, of_a_type, in_a_helper,
    of_an_equal_type, of_two_comparisons, of_two_names, of_an_operator,
]  # fmt: skip

MATCHING = """
def of_one(x):
    match x[0] > 0:
        case True:
            return w
    return x[0]

def of_several(x):
    match x[0] > 0, x[1] > 0:
        case True, False:
            return w
    return x[0]
"""


@pytest.mark.parametrize("function", ASKING, ids=lambda f: f.__name__)
def test_what_cannot_be_seen_is_refused(function: Callable[..., Any]) -> None:
    with pytest.raises(ProgramError, match=r"True or False .*test_programs_truths\.py, line"):
        program(function)(X)


def test_match_of_truths_is_refused() -> None:
    names: dict[str, Any] = {"w": w}
    exec(MATCHING, names)
    for name in ("of_one", "of_several"):
        with pytest.raises(ProgramError, match="leave `is` and `match` out"):
            program(names[name])(X)


FLAGS = np.array([True, False, True, False])


@pytest.mark.parametrize(
    "given", [FLAGS, FLAGS.tolist(), FLAGS.astype(object), FLAGS.astype(int), FLAGS * 7]
)
@pytest.mark.parametrize(
    "function",
    [
        lambda x, flag: w * x if flag else -x,
        lambda x, flag: x if not flag else w,
        lambda x, flag: (flag and w) or x,
        lambda x, flag: x if any([flag, x > 100]) else w * x,
        lambda x, flag: w * x * flag,
        lambda x, flag: x if flag == 0 else w,
    ],
)
def test_a_truth_as_an_argument_is_asked_in_each_row(
    function: Callable[..., Any], given: Any
) -> None:
    x = [1.0, 2.0, 3.0, 4.0]
    expected = [function(Value(v), flag) for v, flag in zip(x, list(given))]
    assert program(function)(x, given).data.tolist() == [getattr(y, "data", y) for y in expected]
