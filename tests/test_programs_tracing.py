"""Tracing is running: what a function does with the numbers of one row, and what is noted of it."""

from __future__ import annotations

import functools
import itertools
import math
import operator
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree, assert_same, values

import micrograd as mg
from micrograd import Value, program
from micrograd.programs import ProgramError

PAIRS = np.array([[1.0, 2.0], [1.0, -2.0], [-1.0, -2.0], [0.0, 0.0], [math.nan, 1.0], [-1.0, 3.0]])


# The truth of a comparison -----------------------------------------------------------------------


def of_two_comparisons(x: Any) -> Any:
    return x[0] * 10 if (x[0] > 0) == (x[1] > 0) else x[0]


def unequal_comparisons(x: Any) -> Any:
    return x[0] * 10 if (x[0] > 0) != (x[1] > 0) else x[0]


def both(x: Any) -> Any:
    return x[0] + 5 if (x[0] > 0) & (x[1] > 0) | (x[1] < -1) else x[1]


def exactly_one(x: Any) -> Any:
    return x[0] if (x[0] > 0) ^ (x[1] > 0) else x[0] * x[1]


def tuple_of_comparisons(x: Any) -> Any:
    return {(True, True): x[0], (True, False): 2 * x[0]}.get((x[0] > 0, x[1] > 0), x[1] * 3)


def looked_up(x: Any) -> Any:
    return {True: x[0], False: x[1] * 2}[x[0] > x[1]]


def set_of_comparisons(x: Any) -> Any:
    return x[0] * len({x[0] > 0, x[1] > 0})


def as_an_index(x: Any) -> Any:
    return [x[0] * 2, x[1] * 3][x[0] > 0]


def counted(x: Any) -> Any:
    return x[0] * 2 if sum([v > 0 for v in x]) == 2 else x[1]


def runs_of_signs(x: Any) -> Any:
    return sum(len(list(group)) ** 2 * x[0] for _, group in itertools.groupby(v > 0 for v in x))


def equal_to_a_number(x: Any) -> Any:
    return x[1] * 7 if x[0] == 0 else x[0]


def unequal_to_a_number(x: Any) -> Any:
    return x[1] if x[0] != -1.0 else x[0] * 5


def among_numbers(x: Any) -> Any:
    return x[0] * 3 if x[0] in (1.0, 3) else x[1]


def missing(x: Any) -> Any:
    return x[1] if x[0] != x[0] else x[0] * x[1]


def missing_with_a_method(x: Any) -> Any:
    return x[1] if not x[0] == x[0] else x[0] * x[1]  # noqa: SIM201


def in_arithmetic(x: Any) -> Any:
    """Compare within arithmetic with Values, where nothing parts."""
    return (x[0] > 0) * x[1] + x[1] * (x[0] != 0) - mg.maximum(x[1], x[0] > x[1])


def times_a_number(x: Any) -> Any:
    return x[0] * (3 * (x[0] > 0) + 1)


TRUTHS: list[Callable[[Any], Any]] = [
    of_two_comparisons, unequal_comparisons, both, exactly_one, tuple_of_comparisons, looked_up,
    set_of_comparisons, as_an_index, counted, runs_of_signs, equal_to_a_number,
    unequal_to_a_number, among_numbers, missing, missing_with_a_method, in_arithmetic,
    times_a_number,
]  # fmt: skip


@pytest.mark.parametrize("function", TRUTHS, ids=lambda f: f.__name__)
def test_a_comparison_decides_as_in_the_loop(function: Callable[[Any], Any]) -> None:
    w = values([1.0, 1.0])
    assert_agree(lambda x: function([w[0] * x[0], w[1] * x[1]]), [PAIRS], [w])
    found = program(function)(PAIRS).data
    assert found == pytest.approx([function(row) for row in PAIRS.tolist()], nan_ok=True)


def test_the_first_snippet_of_the_list() -> None:
    rows = [[1.0, 2.0], [1.0, -2.0], [-1.0, -2.0]]
    assert program(of_two_comparisons)(rows).data.tolist() == [10.0, 1.0, -10.0]


def test_a_derivative_at_a_number_that_is_asked_for() -> None:
    def bend(n: Any) -> Any:
        return 2 * n if n == 3 else 5 * n

    assert mg.value_and_grad(bend)(3.0) == (6.0, 2.0)
    slopes = program(lambda x: mg.grad(bend)(x))
    assert slopes([1.0, 3.0]).data.tolist() == [5.0, 2.0]


def test_what_parts_nothing_has_one_path() -> None:
    traced = program(in_arithmetic)
    traced(PAIRS)
    assert traced._known.version is not None
    [paths] = traced._known.version.paths.values()
    assert len(paths.found) == 1


# Guards ------------------------------------------------------------------------------------------


def bisected(x: Any, y: Any) -> Any:
    """Find a root in a number of steps that depends on the row."""
    low, high = x * 0, x * 0 + 4
    while high - low > 0.25 * y:
        middle = (low + high) / 2
        low, high = (middle, high) if middle * middle < x else (low, middle)
    return (low + high) / 2 * y


def test_loops_that_end_at_unlike_times() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0.5, 9, 40), rng.uniform(0.5, 2, 40)
    w = Value(1.0)
    assert_agree(lambda x, y: bisected(w * x, w * y), [x, y], [[w]])


def test_what_runs_past_a_guard_disturbs_no_other_row() -> None:
    w = Value(2.0)

    def inverse(x: Any) -> Any:
        if x > 0:
            return w * mg.log(x) + 1 / x
        return w * x

    assert_agree(inverse, [[4.0, 0.0, -1.0, 2.0, -3.0]], [[w]])


def test_a_rule_that_branches_parts_the_rows() -> None:
    bend = mg.Op(
        "bend",
        lambda x: np.where(x > 0, 2 * x, -x) if hasattr(x, "dtype") else 2 * x if x > 0 else -x,
        lambda x, out: 2.0 if x > 0 else -1.0,
    )
    w = Value(1.5)
    assert_agree(lambda x: bend(w * x) * x, [[1.0, -2.0, 3.0]], [[w]])


def test_many_guards_are_one_path() -> None:
    w = Value(1.0)
    row = np.random.default_rng(0).normal(size=(1, 200))
    traced = program(lambda x: sum(w * v if v > 0 else -v * v for v in x))
    assert_same(traced, [row], [[w]])
    assert traced._known.version is not None
    [paths] = traced._known.version.paths.values()
    assert [len(path.truths) for path in paths.found] == [200]


def test_hundreds_of_ends_of_a_loop() -> None:
    w = Value(1.0)

    def countdown(x: Any) -> Any:
        total = x * w
        while x > 0:
            x = x - 1
            total = total + w * x
        return total

    assert_agree(countdown, [np.arange(80.0)], [[w]])


def test_what_has_too_many_paths_says_how_often_they_part() -> None:
    rows = np.random.default_rng(0).normal(size=(300, 8))
    with pytest.raises(ProgramError, match=r"part \d+ times at .*if v > 0"):
        program(lambda x: sum(v if v > 0 else -v for v in x))(rows)


# What is computed --------------------------------------------------------------------------------


def test_arithmetic_is_that_of_arrays() -> None:
    assert program(lambda x: 1 / (x - x))([1.0]).data.tolist() == [math.inf]
    assert math.isnan(program(lambda x: mg.log(-x))([1.0]).data[0])
    assert program(lambda x: mg.exp(1000 * x) + (x * 0) ** -1)([1.0]).data.tolist() == [math.inf]
    assert program(lambda x: mg.where(x > 0, mg.log(x), x))([-1.0, 1.0]).data.tolist() == [-1, 0]
    with pytest.raises(ZeroDivisionError):
        _ = 1 / (Value(1.0) - 1)


def test_twins_are_two_values() -> None:
    def twins(x: Any) -> Any:
        a, c = x * 2, x * 2
        return mg.grad(a * c, a)

    def copies(x: Any) -> Any:
        a, b, c, d = x + 0, 1 * x, sum([x]), x / 1
        return [mg.grad(x * v, v) for v in (a, b, c, d, x**1)]

    assert program(twins)([3.0]).data.tolist() == [6.0]
    assert_agree(copies, [[3.0, -2.0]], [])


def test_a_constant_is_a_result_with_gradient_zero() -> None:
    w = Value(2.0)
    result = program(lambda x: [1e10, Value(3.0), w * x, mg.stop_gradient(x)])([1.0, 2.0])
    assert result.data.tolist() == [[1e10, 3.0, 2.0, 1.0], [1e10, 3.0, 4.0, 2.0]]
    result.sum().backward()
    assert w.grad == 3.0


# What is made while tracing ----------------------------------------------------------------------


def test_a_leaf_that_lives_on_is_a_parameter() -> None:
    made: defaultdict[str, Value] = defaultdict(lambda: Value(0.5))

    @functools.lru_cache
    def factory() -> Value:
        return Value(4.0)

    class Lazy:
        w: Value | None = None

        def __call__(self, x: Any) -> Any:
            if self.w is None:
                self.w = Value(2.0)
            return self.w * x * made["scale"] + factory() * Value(1.0)

    lazy = Lazy()
    traced = program(lazy)
    assert traced([1.0, 2.0]).data.tolist() == [5.0, 6.0]
    assert lazy.w is not None
    lazy.w.data, made["scale"].data, factory().data = 3.0, 1.0, 0.0
    total = traced([1.0, 2.0]).sum()
    total.backward()
    assert total.data == 9.0
    assert (lazy.w.grad, made["scale"].grad, factory().grad) == (3.0, 9.0, 2.0)


def test_a_number_read_of_a_leaf_that_lives_on_is_refused() -> None:
    kept: list[Value] = []

    def scaled(x: Any) -> Any:
        kept.append(Value(2.0))
        return x * kept[-1].data

    with pytest.raises(ProgramError, match=r"\.data needs the number.*kept\[-1\]\.data"):
        program(scaled)([1.0])
    assert program(lambda x: x * Value(2.0).data)([1.0]).data.tolist() == [2.0]


def test_a_comparison_kept_from_a_trace_is_refused() -> None:
    kept: list[Any] = []

    @program
    def keep(x: Any) -> Any:
        kept.append(x > 0)
        return x

    keep([1.0])
    with pytest.raises(ProgramError, match="kept from an earlier trace"):
        bool(kept[0])


def test_a_node_that_no_operation_made_is_refused() -> None:
    w = Value(2.0)

    def by_hand(x: Any) -> Any:
        out = x * w
        out._backward = lambda: None
        return out

    with pytest.raises(ProgramError, match="no operation made"):
        program(by_hand)([1.0])
    with pytest.raises(ProgramError, match="no operation made"):
        program(lambda x: Value.node(x * 2 and 1.0, (x,), [1.0]))([1.0])


def test_a_program_within_a_program_takes_any_scalars() -> None:
    w = Value(2.0)
    inner = program(lambda a, x: a * x + w)
    assert program(lambda x: inner(3.0, x) + inner(w, x))([1.0]).data.tolist() == [9.0]


def test_the_operators_of_a_comparison() -> None:
    seen: list[Any] = []

    @program
    def look(x: Any) -> Any:
        c = x > 0
        seen.extend([int(c), float(c), operator.index(c), f"{c}", hash(c), c < 2, True & c, c + 1])
        return x

    look([1.0])
    assert seen == [1, 1.0, 1, "True", 1, True, True, 2]


# A gradient of zero passes nothing on ------------------------------------------------------------


def test_rows_that_were_left_out_do_not_spoil_a_gradient() -> None:
    w = Value(2.0)
    result = program(lambda x: mg.log(w * x) * w)([1.0, math.nan, 2.0, -1.0, 0.0])
    kept = result[np.isfinite(result.data)]
    kept.sum().backward()
    expected = Value(2.0)
    sum((mg.log(expected * x) * expected for x in (1.0, 2.0)), Value(0.0)).backward()
    assert w.grad == pytest.approx(expected.grad, rel=1e-14)


def test_what_was_not_chosen_passes_nothing_on() -> None:
    w = Value(1.5)
    safe = program(lambda x: mg.where(x > 0, mg.log(w * x), 0.0) + mg.maximum(mg.sqrt(w * x), 1e-3))
    safe([0.0, 1.0, 4.0]).sum().backward()
    assert w.grad == pytest.approx(2 / 1.5 + (0.5 + 1.0) / math.sqrt(1.5))


def test_a_column_beside_a_bad_one_has_its_gradient() -> None:
    w = values([2.0, 3.0])
    result = program(lambda x: [w[0] * x, w[1] / x, mg.sqrt(w[1] * x)])([0.0, 1.0])
    result[:, 0].mean().backward()
    assert [v.grad for v in w] == [0.5, 0.0]


def test_parameters_shared_by_all_rows_of_many_blocks() -> None:
    w, scale = Value(2.0), Value(0.5)
    x = np.arange(20_000.0)
    guarded = program(lambda x: mg.where(x > 0, mg.log(w * x) * mg.exp(scale), w * x))
    guarded(x).sum().backward()
    with np.errstate(divide="ignore"):
        logs = np.log(2 * x)
    assert w.grad == pytest.approx(19_999 / 2 * math.exp(0.5), rel=1e-12)
    assert scale.grad == pytest.approx(logs[1:].sum() * math.exp(0.5), rel=1e-12)


def test_what_is_infinite_stays_so() -> None:
    w = Value(0.0)
    program(lambda x: mg.sqrt(w * x))([1.0]).sum().backward()
    assert w.grad == math.inf


def test_the_rules_of_users_are_walked_carefully_too() -> None:
    bend = mg.Op(
        "bend",
        lambda x: np.where(x > 0, 2 * x, -x) if hasattr(x, "dtype") else 2 * x if x > 0 else -x,
        lambda x, out: 2.0 if x > 0 else -1.0,
    )
    w, table = Value(1.5), values([1.0, 2.0])
    traced = program(lambda x, i: mg.where(x > 0, mg.log(bend(w * x)), 0.0) * mg.take(table, i))
    traced([0.0, 2.0, 1.0], [0, 1, 0]).sum().backward()
    assert w.grad == pytest.approx(3 / 1.5)
    assert [v.grad for v in table] == pytest.approx([math.log(3.0), math.log(6.0)])


# Truths that cannot be seen ----------------------------------------------------------------------


def compared_with_true(x: Any) -> Any:
    return x if (x > 0) is True else -x


def kept_and_compared(x: Any) -> Any:
    positive = x > 0
    if positive is not False:
        return x
    return -x


def matched(x: Any) -> Any:
    match x > 0:
        case True:
            return x
        case _:
            return -x


def inner_function(x: Any) -> Any:
    return (lambda y: y if (y >= 1) is False else -y)(x)


@pytest.mark.parametrize(
    "function", [compared_with_true, kept_and_compared, matched, inner_function]
)
def test_what_cannot_be_seen_is_refused(function: Any) -> None:
    with pytest.raises(ProgramError, match=r"is True or False \(.*test_programs_tracing.py, line"):
        program(function)([1.0])


def test_other_uses_of_is_stay() -> None:
    verbose, nothing = True, None

    def function(x: Any) -> Any:
        large = x > 1
        return x if verbose is True and nothing is None and large else -x

    assert program(function)([1.0, 2.0]).data.tolist() == [-1.0, 2.0]
