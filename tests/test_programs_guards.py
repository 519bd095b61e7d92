"""Questions that a function asks about its parameters are asked again at every call."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_same, by_loop, by_program, values
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, program
from micrograd.nn import Module
from micrograd.programs import ProgramError

X = np.array([1.0, -2.0, 0.5])


def plain(x: Any, p: Sequence[Value]) -> Any:
    return p[0] * x if p[1] > 0 else -x * p[2]


def interior(x: Any, p: Sequence[Value]) -> Any:
    product = p[0] * p[1]
    return product * x if product + p[2] <= 1 else x - product


def lifted_where(x: Any, p: Sequence[Value]) -> Any:
    return mg.where(p[0] > p[1], p[0] * x, mg.sin(p[2] * x))


def lifted_row(x: Any, p: Sequence[Value]) -> Any:
    return mg.less(p[0], p[1]) * p[2] * x + x


def as_number(x: Any, p: Sequence[Value]) -> Any:
    """Count what is true as 1."""
    return (p[0] < 0.5) * p[1] * x + sum(v > 0 for v in p) * x


def largest(x: Any, p: Sequence[Value]) -> Any:
    return max(p) * x + min(p[0], p[1] * p[2])


def in_order(x: Any, p: Sequence[Value]) -> Any:
    return sum((i + 1) * v for i, v in enumerate(sorted(p))) * x


def numpy_array(x: Any, p: Sequence[Value]) -> Any:
    """Compare elements with NumPy, with numbers on either side."""
    above: Any = p[0] > np.array([-0.5, 0.5])
    if above.all() or np.float64(0.2) < p[1]:
        return x * p[0]
    return x * np.sort(np.array([*p]))[1]


def both_kinds(x: Any, p: Sequence[Value]) -> Any:
    """Nest a branch on an example in one on parameters, and the other way round."""
    if p[0] > 0:
        return p[1] * x if x > p[2] else p[2] * x * x
    if x < 0:
        return p[0] - x if p[1] <= p[2] else p[1] * x
    return p[2] + x


def chosen_of_two(x: Any, p: Sequence[Value]) -> Any:
    """Ask about what was chosen."""
    chosen = mg.where(p[0] < p[1], p[0], p[1] * 2)
    return chosen * x if chosen > p[2] else x


def slope_of_branches(x: Any, p: Sequence[Value]) -> Any:
    """Differentiate by a parameter a function with a branch on it."""
    return x * mg.grad(lambda w: w * w * p[1] if w > 0 else mg.sin(w))(p[0])


FUNCTIONS: list[Callable[..., Any]] = [
    plain, interior, lifted_where, lifted_row, as_number, largest, in_order, numpy_array,
    both_kinds, chosen_of_two, slope_of_branches,
]  # fmt: skip
NUMBERS = st.lists(st.floats(-1.5, 1.5).map(lambda x: round(x, 2)), min_size=3, max_size=3)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
@settings(max_examples=15)
@given(st.lists(NUMBERS, min_size=2, max_size=5))
def test_a_branch_on_parameters_goes_as_they_are(
    function: Callable[..., Any], settings_of_parameters: list[list[float]]
) -> None:
    parameters = values([0.0] * 3)

    def of_parameters(x: Any) -> Any:
        return function(x, parameters)

    traced = program(of_parameters)
    for numbers in settings_of_parameters:
        for p, number in zip(parameters, numbers):
            p.data = number
        assert_same(traced, [X], [parameters])


def each_number(x: Sequence[Any], p: Sequence[Value]) -> Any:
    """Ask about every number: of the row and of parameters, alike and one after the other."""
    found: Any = 0.0
    for i, (a, b) in enumerate(zip(x, p)):
        found += a * b if a > 0.3 * i else b  # one kind, all at once
        found *= 1.1 if b > 0.0 else a
    for i, (a, b) in enumerate(zip(x, p)):
        found = found * a if found < a + 1.0 else found - b  # each needs the one before
        above = b < a  # a number, and of some it is asked
        found = found + above * a if i == 1 or above else found * 0.5
    return found


@pytest.mark.parametrize("rows", [1, 3])
def test_each_guard_alone_is_seen_to_come_out_otherwise(rows: int) -> None:
    x, p = [1.5, -0.7, 0.9], [0.6, -0.4, 1.3]
    parameters = values(p)

    def of_parameters(x: Any) -> Any:
        return each_number(x, parameters)

    traced = program(of_parameters)
    for i in range(3):
        for there in (-2.0, 0.2):
            changed = np.array([x] * rows)
            changed[-1, i] = there  # in the last row alone
            assert_same(traced, [changed], [parameters])
            parameters[i].data = there
            assert_same(traced, [np.array([x] * rows)], [parameters])
            parameters[i].data = p[i]
            assert_same(traced, [np.array([x] * rows)], [parameters])


def test_guards_are_looked_at_as_one_array() -> None:
    p = values(np.linspace(-1.0, 1.0, 40))

    def chain(x: Any) -> Any:
        for v in p:
            x = (x * v).tanh() if x > v else x + v
            x = x * 0.9 if v < 0.5 else x
        return x

    traced = program(chain)
    result = traced([0.3, 0.3])
    [workspace] = [run.state for run in result._made_by.node.runs]
    assert [check[1][0].size for check in workspace._guards._checks] == [80, 40]
    assert not workspace._guards._few


def test_all_examples_take_the_same_side_at_once() -> None:
    switch, w = Value(1.0), Value(3.0)
    switched = program(lambda x: w * x if switch > 0 else -x)
    many = np.linspace(-1, 1, 20_000)
    for _ in range(2):
        switch.data = 1.0
        assert switched(many).data == pytest.approx(3 * many)
        switch.data = float("nan")  # as Python says: a comparison with nan is false
        assert switched(many).data == pytest.approx(-many)


def test_no_examples_still_have_the_width_of_their_side() -> None:
    switch = Value(1.0)
    switched = program(lambda x: x if switch > 0 else [x, 2 * x])
    assert switched([]).data.shape == (0,)
    switch.data = -1.0
    assert switched([]).data.shape == (0, 2)
    assert switched([1.0]).data.tolist() == [[1.0, 2.0]]
    assert switched([]).data.shape == (0, 2)
    switch.data = 1.0
    assert switched([1.0]).data.tolist() == [1.0]


def test_a_module_asks_its_own_parameters() -> None:
    class Gate(Module):
        def __init__(self) -> None:
            self.w = Value(2.0)

        def __call__(self, x: Any) -> Any:
            return self.w * x if self.w > 1 else x * 0

    gate = Gate()
    gated = program(lambda x: gate(x))
    assert gated([1.0]).data.tolist() == [2.0]
    gate.w.data = 0.5
    assert gated([1.0]).data.tolist() == [0.0]


def test_a_value_computed_outside_is_asked_as_well() -> None:
    w = Value(2.0)
    double = 2 * w
    gated = program(lambda x: x * w if double > 3 else x)
    assert gated([1.0]).data.tolist() == [2.0]
    double.data = 1.0
    assert gated([1.0]).data.tolist() == [1.0]


def test_constants_are_compared_as_ever() -> None:
    answers = []

    @program
    def compared(x: Any) -> Any:
        answers.append(Value(1.0) < Value(2.0) + 1)
        return x

    compared([1.0])
    assert answers == [True]


def test_what_cannot_be_compared_raises_as_ever() -> None:
    w = Value(1.0)
    with pytest.raises(TypeError, match="'<' not supported"):
        program(lambda x: x if w < "a" else -x)([1.0])


def test_more_orders_than_paths_are_kept() -> None:
    rng = np.random.default_rng(4)
    parameters = values([0.0] * 6)
    ordered = program(lambda x: [p * x for p in sorted(parameters)])
    for _ in range(150):
        numbers = rng.normal(size=6)
        for p, number in zip(parameters, numbers):
            p.data = number
        assert ordered([1.0]).data == pytest.approx(np.sort(numbers)[None])


def test_a_live_result_goes_back_the_way_it_came() -> None:
    switch, w = Value(1.0), Value(3.0)
    switched = program(lambda x: w * x if switch > 0 else w * w * x)
    before = switched([1.0]).sum()
    switch.data = -1.0
    (before + switched([1.0]).sum()).backward()
    assert w.grad == 1 + 2 * 3


def test_the_printed_paths_name_the_line() -> None:
    switch = Value(1.0)

    @program
    def switched(x: Any) -> Any:
        if switch > 0:
            return x
        return -x

    switched([1.0])
    switch.data = -1.0
    switched([1.0])
    text = str(switched)
    assert "path 1 of 2, true at" in text
    assert "path 2 of 2, false at" in text
    assert "if switch > 0" in text


def test_another_thread_compares_as_ever() -> None:
    w, inside, compared = Value(1.0), threading.Event(), threading.Event()
    answers: list[Any] = []

    def compare() -> None:
        inside.wait(10)
        answers.extend([w > 0, w < 0, w >= 1, w <= Value(0.5), w.data, w.grad])
        compared.set()

    thread = threading.Thread(target=compare)
    thread.start()

    @program
    def waiting(x: Any) -> Any:
        inside.set()
        compared.wait(10)
        return x if w > 0 else -x

    assert waiting([1.0]).data.tolist() == [1.0]
    thread.join()
    assert answers == [True, False, True, False, 1.0, 0.0]
    assert all(type(answer) is bool for answer in answers[:4])


def test_threads_that_trace_at_once_ask_their_own_tapes() -> None:
    barrier = threading.Barrier(2)
    found: dict[int, list[Any]] = {}

    def run(sign: int) -> None:
        w = Value(float(sign))

        @program
        def waiting(x: Any) -> Any:
            barrier.wait(10)
            larger = w > 0
            barrier.wait(10)
            return x if larger else -x

        found[sign] = waiting([1.0]).data.tolist()

    threads = [threading.Thread(target=run, args=(sign,)) for sign in (1, -1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {1: [1.0], -1: [-1.0]}


def test_after_a_trace_that_failed_values_compare_as_ever() -> None:
    w = Value(1.0)

    @program
    def failing(x: Any) -> Any:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        failing([1.0])
    assert (w > 0) is True
    assert w.data == 1.0


def test_a_program_without_parameters_may_run_while_another_is_traced() -> None:
    switch = Value(1.0)
    inner = program(lambda x: x if x > 0 else -x)

    @program
    def outer(x: Any) -> Any:
        number = float(inner([1.0, -2.0]).data.sum())
        return x * number if switch > 0 else x

    assert outer([1.0]).data.tolist() == [3.0]
    switch.data = -1.0
    assert outer([1.0]).data.tolist() == [1.0]


# Numbers, which cannot be followed ---------------------------------------------------------------

NUMBERS_TAKEN: dict[str, Callable[[Any, Value], Any]] = {
    "data": lambda x, w: x * w.data,
    "branch": lambda x, w: x if w.data > 0 else -x,
    "interior": lambda x, w: x * (w * w).data,
    "gradient": lambda x, w: x * w.grad,
    "copy": lambda x, w: x * copy.copy(w),
    "deep copy": lambda x, w: x * copy.deepcopy(w),
    "derivative": lambda x, w: x * mg.grad(lambda z: w * z * z)(2.0),
    "jacobian": lambda x, w: x * mg.jacobian(lambda z: [w * z[0], z[0], z[0]])([2.0])[0, 0],
    "hessian": lambda x, w: x * mg.hessian(lambda z: w * z * z)(2.0),
}


@pytest.mark.parametrize("name", NUMBERS_TAKEN)
def test_a_number_taken_out_of_a_parameter_raises_and_names_the_line(name: str) -> None:
    w, function = Value(3.0), NUMBERS_TAKEN[name]
    with pytest.raises(ProgramError, match=r"test_programs_guards.py, line \d+.*stop_gradient"):
        program(lambda x: function(x, w))([1.0])
    assert w.data == 3.0


def test_a_program_with_parameters_gives_no_numbers_to_another() -> None:
    w = Value(3.0)
    inner = program(lambda x: x * w)
    assert inner([1.0]).data.tolist() == [3.0]
    with pytest.raises(ProgramError, match=r"called on arrays.*line \d+.*call it on scalars"):
        program(lambda x: x * float(inner([1.0]).data[0]))([1.0])
    assert inner([1.0]).data.tolist() == [3.0]


def test_a_derivative_at_a_value_is_followed() -> None:
    w = Value(3.0)
    slope = program(lambda x: x * mg.grad(lambda z: w * z * z)(Value(2.0)))
    assert slope([1.0]).data.tolist() == [12.0]
    w.data = 2.0
    assert slope([1.0]).data.tolist() == [8.0]


def test_numbers_of_constants_and_texts_of_parameters_may_be_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    w = Value(3.0)

    @program
    def printing(x: Any) -> Any:
        print(w, f"{w:.2f}")
        return x * w * Value(2.0).data

    assert printing([1.0]).data.tolist() == [6.0]
    assert capsys.readouterr().out == "Value(data=3.0, grad=0.0) 3.00\n"


def rounded(k: int, seed: int) -> tuple[Any, list[Value], Any]:
    """Make two sums of products that are equal but for rounding, in a third of the rows."""
    rng = np.random.default_rng(seed)
    w = [Value(v) for v in rng.choice([0.1, 0.2, 0.3, 0.7], k)]
    x = rng.integers(-2, 3, (400, k)) / 2
    x[::3, : k // 2] = -x[::3, k // 2 :]

    def f(v: Any) -> Any:
        z = sum(a * b for a, b in zip(w, v))
        u = sum(a * b for a, b in zip(reversed(w), v))
        root = (z - u) ** 1.5 if z - u >= 0 else -((u - z) ** 1.5)
        return root + (z**1.5 if z >= 0 else (-z) ** 1.5) + (u**1.5 if u > 0 else (-u) ** 1.5)

    return f, w, x


@pytest.mark.parametrize("k", [8, 64, 100])
@pytest.mark.parametrize("seed", range(4))
def test_a_path_computes_what_its_guards_compared(k: int, seed: int) -> None:
    f, w, x = rounded(k, seed)
    traced = program(f)
    for rows in (x, x[:200], x):  # the rows part anew in each call
        looped = by_loop(f, [rows], [w])
        ran = by_program(traced, [rows], [w])
        np.testing.assert_allclose(ran.data, looped.data, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(ran.grads[0], looped.grads[0], rtol=1e-6, atol=1e-6)
