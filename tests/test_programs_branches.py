"""Programs with `if`s give for each row what plain Python gives."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree, assert_same, values
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, program
from micrograd.programs import ProgramError


def tax(income: Any) -> Any:
    """Compute a tax with brackets, with an early return."""
    if income <= 10:
        return 0.0 * income
    if income <= 40:
        return 0.2 * (income - 10)
    return 6 + 0.4 * (income - 40)


def sorted_by_swaps(x: Any) -> Any:
    """Sort by exchanges: as many paths as there are orders."""
    x = list(x)
    for end in range(len(x) - 1, 0, -1):
        for i in range(end):
            if x[i] > x[i + 1]:
                x[i], x[i + 1] = x[i + 1], x[i]
    return x


def square_root(x: Any) -> Any:
    """Iterate Heron's formula as often as the row needs it."""
    guess = 1 + 0 * x
    while abs(guess * guess - x) > 1e-10:
        guess = (guess + x / guess) / 2
    return guess


def nested(x: Any, y: Any) -> Any:
    """Nest one `if` in another, and ask the same one twice."""
    total = x - y
    if x < y:
        total = total * 2 if y > 0 else total - x
    if x < y:
        total = total + 1
    return total


def quadrant(x: Any, y: Any) -> Any:
    """Use chained comparisons, `and`, `or`, `not`."""
    if 0 <= x < 1 and not y > 0:
        return x + y
    if x < -1 or y < -1:
        return x * y
    return x - y


def bisected(x: Any) -> Any:
    """Search a table by halves: which knots are used depends on the row."""
    knots = [-2.0, -1.0, -0.25, 0.5, 1.0, 2.5]
    low, high = 0, len(knots) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if x >= knots[middle] else (low, middle)
    share = (x - knots[low]) / (knots[high] - knots[low])
    return low * (1 - share) + high * share


NUMBER = st.floats(-3, 3).map(lambda x: round(x, 3))
FUNCTIONS: list[tuple[Callable[..., Any], list[Any]]] = [
    (tax, [st.floats(0, 100)]),
    (sorted_by_swaps, [st.tuples(NUMBER, NUMBER, NUMBER)]),
    (square_root, [st.floats(0.5, 4)]),
    (nested, [NUMBER, NUMBER]),
    (quadrant, [NUMBER, NUMBER]),
    (bisected, [NUMBER]),
]


@pytest.mark.parametrize(
    ("function", "strategies"), FUNCTIONS, ids=lambda x: getattr(x, "__name__", "")
)
@settings(max_examples=15)
@given(data=st.data())
def test_each_row_is_what_python_makes_of_it(
    function: Callable[..., Any], strategies: list[Any], data: Any
) -> None:
    rows = data.draw(st.lists(st.tuples(*strategies), min_size=1, max_size=12))
    expected = [function(*row) for row in rows]
    found = program(function)(*zip(*rows)).data
    assert found == pytest.approx(np.array(expected), rel=1e-14, abs=1e-14)


def test_a_program_learns_new_paths_in_later_calls() -> None:
    brackets = program(tax)
    for incomes in ([5.0], [50.0, 5.0], [20.0, 50.0], [0.0, 10.0, 40.0, 41.0]):
        assert brackets(incomes).data == pytest.approx(np.array([tax(x) for x in incomes]))


def test_gradients_of_rows_that_part() -> None:
    rng = np.random.default_rng(3)
    slopes, knee = values([0.5, -1.5]), Value(0.2)

    def broken_line(x: Any) -> Any:
        if x < knee:
            return slopes[0] * (x - knee)
        if x * slopes[1] > -1:
            return slopes[1] * (x - knee) ** 2
        return mg.sin(x)

    assert_agree(broken_line, [rng.normal(size=40)], [slopes, [knee]])


def test_a_parameter_that_only_some_rows_reach() -> None:
    used, unused = Value(2.0), Value(3.0)

    def partial(x: Any) -> Any:
        return used * x if x > 0 else unused * x * x

    assert_agree(partial, [[1.0, 2.0]], [[used], [unused]])
    assert_agree(partial, [[1.0, -2.0, 3.0, -4.0]], [[used], [unused]])


def test_a_guard_at_nan_is_false_as_in_python() -> None:
    def sign(x: Any) -> Any:
        return 1 + 0 * x if x > 0 else (x * 0 - 1 if x <= 0 else 7 + 0.0 * abs(x))

    found = program(sign)([1.0, math.nan, -1.0]).data
    assert found.tolist() == pytest.approx([1.0, math.nan, -1.0], nan_ok=True)


def test_what_has_too_many_paths_says_where_and_what_to_write() -> None:
    @program
    def largest(x: Any) -> Any:
        best = x[0]
        for xi in x[1:]:
            if xi > best:
                best = xi
        return best

    with pytest.raises(TypeError, match=r"more than 64 paths.*if xi > best.*maximum"):
        largest(np.random.default_rng(0).normal(size=(3000, 12)))


# No rows ---------------------------------------------------------------------------------------


def while_above(x: Any) -> Any:
    while x > 0.5:
        x = 0.5 * x - 0.1
    return x


def while_not_below(x: Any) -> Any:
    while not x < 0.5:
        x = 0.5 * x - 0.1
    return [x, 2 * x]


def while_either(x: Any) -> Any:
    y = 1 - x
    while x > 0.5 or y > 0.5:
        x, y = y / 2, x / 2
    return x, y, x - y


def newton(x: Any) -> Any:
    root = 1 + x
    while abs(root * root - x) > 1e-12:
        root = (root + x / root) / 2
        for _ in range(2):
            if root < 0:
                root = -root
    return root


def checked(x: Any) -> Any:
    if x < 0 or x > 1:
        raise ValueError("it is no probability")
    while x > 0.25:
        if not x < 1:
            raise ValueError("it is no probability any more")
        x = x * x
    return [x]


def while_squared_is_less(x: Any) -> Any:
    while x < 4:
        x = 1.5 + x * x
    return x


def called_with_none(x: Any) -> Any:
    return x + program(while_above)(np.empty(0)).data.sum() if x > 0 else -x


@pytest.mark.parametrize(
    ("function", "width"),
    [
        (while_above, None),
        (while_not_below, 2),
        (while_either, 3),
        (newton, None),
        (checked, 1),
        (while_squared_is_less, None),
        (called_with_none, None),
    ],
)
def test_no_rows_give_no_results_whatever_the_guards(
    function: Callable[..., Any], width: int | None
) -> None:
    w = Value(2.0)
    traced = program(lambda x: function(w * x))
    shape = (0,) if width is None else (0, width)

    def call() -> Any:
        for rows in ([], [0.3], []):  # before and after there is a path
            result, before = traced(np.array(rows)), w.grad
            result.mean().backward() if rows else result.sum().backward()
            assert (w.grad != before) == bool(rows)
            yield result.shape

    [found] = in_threads(lambda: list(call()))
    assert (found[0], found[2]) == (shape, shape)
    assert w.grad != 0.0


def test_no_rows_of_a_function_that_always_raises() -> None:
    def refuse(x: Any) -> Any:
        raise ValueError("never")

    with pytest.raises(ValueError, match="never"):
        program(refuse)(np.empty(0))
    with pytest.raises(TypeError, match=r"float\(v\)"):
        program(lambda x: float(x))(np.empty(0))
    endless: Any = program(lambda x: endless(np.empty(0)).data.sum() * x)
    with pytest.raises(RecursionError):
        endless(np.empty(0))


# Calls while tracing ---------------------------------------------------------------------------


PATIENCE = 120.0  # seconds, on a busy machine


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Run these calls at the same time; a thread that waits for ever fails the test."""
    found: list[Any] = [None] * len(calls)

    def work(i: int) -> None:
        found[i] = calls[i]()

    threads = [threading.Thread(target=work, args=(i,), daemon=True) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
        assert not thread.is_alive(), "it waits for a lock that nobody will release"
    return found


@pytest.mark.parametrize("rows", [[-1.0, 2.0], [2.0, -1.0], [-1.0], [2.0]])
def test_a_function_may_call_its_own_program_on_arrays(rows: list[float]) -> None:
    @program
    def folded(x: Any) -> Any:
        if x > 0:
            return x * 2 if x > 1 else x * 3
        return x + folded([3.0, 0.5]).data.sum()

    def call() -> Any:
        return [folded(rows).data.tolist() for _ in range(2)]

    expected = [2 * x if x > 0 else x + 7.5 for x in rows]
    assert in_threads(call) == [[expected, expected]]
    assert str(folded).count("forward") == (1 if min(rows) > 0 else 3)  # each path once


def test_programs_that_call_each_other_on_arrays_in_two_threads() -> None:
    both_trace = threading.Barrier(2, timeout=PATIENCE)

    @program
    def one(x: Any) -> Any:
        if x > 0:
            return x
        both_trace.wait()
        return x + other([1.0]).data[0]

    @program
    def other(x: Any) -> Any:
        if x > 0:
            return 2 * x
        both_trace.wait()
        return x + one([1.0]).data[0]

    found = in_threads(lambda: one([-5.0]).data[0], lambda: other([-5.0]).data[0])
    assert found == [-3.0, -4.0]


def test_numbers_of_its_own_program_are_refused_where_parameters_make_them() -> None:
    w = Value(2.0)

    @program
    def folded(x: Any) -> Any:
        return w * x if x > 0 else x + folded([3.0]).data[0]

    def call() -> Any:
        with pytest.raises(ProgramError, match="a program called on arrays gives numbers"):
            folded([-1.0])
        return folded([1.0]).data.tolist()

    assert in_threads(call) == [[2.0]]


def test_a_program_that_calls_itself_for_ever_says_so() -> None:
    @program
    def endless(x: Any) -> Any:
        return endless([1.0]).data[0] * x

    def call() -> Any:
        with pytest.raises(RecursionError):
            endless([2.0])
        return "raised"

    assert in_threads(call) == ["raised"]


def test_too_many_ends_of_a_loop_are_counted_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("micrograd.programs.branches.MOST_PATHS", 70)

    def counted(x: Any) -> Any:
        n = 0
        while x > n:
            n += 1
        return n * x

    assert program(counted)(np.arange(69.0)).data[-1] == 68.0 * 68
    with pytest.raises(ProgramError, match="more than 70 paths"):
        program(counted)(np.arange(100.0))


@pytest.mark.long
def test_loops_that_end_anywhere_are_refused_before_all_are_traced() -> None:
    calls: list[None] = []

    def halved(x: Any) -> Any:
        calls.append(None)
        while x > 1:
            x = 0.999 * x - 0.0001
        return x

    with pytest.raises(ProgramError, match=r"more than 1000 paths.*times at .*while x > 1"):
        program(halved)(np.linspace(1.0, 50.0, 5000))
    assert len(calls) < 300


@pytest.mark.long
def test_many_ends_of_a_loop_are_each_its_own_path() -> None:
    w, v = Value(0.9), Value(0.5)

    def halved(x: Any) -> Any:
        while x[0] > 0.1:
            x = [w * x[0], x[1] + v * x[0]]
        return x[1] * v + x[0]

    x = np.stack([np.geomspace(0.05, 5.0, 90), np.linspace(-1.0, 1.0, 90)], axis=1)
    x[::7] = x[0]  # some paths have many rows
    traced = program(halved)
    for rows in (x[:60], x[::-1].copy(), x):
        assert_same(traced, [rows], [[w], [v]])
