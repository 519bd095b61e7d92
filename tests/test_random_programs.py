"""Random programs agree with the loop; and a fault that is planted in one is found.

`python tests/random_programs.py` compares more of them; here it is shown that it can fail.
"""

from __future__ import annotations

import functools
import itertools
import signal
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import random_programs
from random_cases import cases, failures
from random_cases.cases import GLOBALS, Case
from random_cases.comparing import Comparisons, WrongError
from random_cases.failures import failure, report

import micrograd as mg
from micrograd import Value, nn, ops
from micrograd.programs import Program, arguments
from micrograd.programs.lower import steps
from micrograd.programs.lower.precision import SINGLE
from micrograd.programs.lower.ragged import as_list, as_running, as_table, by_length
from micrograd.programs.run import executable, executor

SEED = 20260101
MOST = 80  # cases, among which a fault must show
KINDS = sorted({kind for i in range(400) for kind in cases.draw(SEED, i).kinds})


def test_some_cases_agree() -> None:
    assert [found for i in range(50) if (found := failure(SEED, i))] == []


def test_what_must_occur_occurs() -> None:
    assert set(KINDS) > {
        *("dense", "convolution", "recurrent", "attention", "norm", "gate", "nn", "records"),
        *("weights tied", "weights tied, transposed", "weights permuted", "weights strided"),
        *("bias shared", "bias shifted", "shifted inputs", "several results", "one result"),
        *("nested inputs", "integers", "ragged", "ifs", "ifs on parameters", "loops", "inner grad"),
        *("inner grad of all", "argument left out", "ordinary network", "neuron", "object arrays"),
        *("factors far from 1", "ties", "missing numbers", "sums of unlike lengths"),
        "running sums",
    }


def test_a_case_follows_from_its_numbers() -> None:
    first, again, other = (cases.draw(SEED, i) for i in (7, 7, 8))
    assert (first.source, first.described) == (again.source, again.described)
    assert first.source != other.source
    numbers = [[p.data for ps in case.parameters.values() for p in ps] for case in (first, again)]
    assert numbers[0] == numbers[1]


# Faults in one parameter, for each kind -------------------------------------------------------


def changed(case: Case, name: str, change: Callable[[Value], Value]) -> Callable[..., Any]:
    """Return the function of a case with other Values in place of one of its parameters."""

    def parameters(of: str) -> Any:
        held = case.held[of]
        if of != name:
            return held
        every = np.array(held, dtype=object)
        new = np.empty(every.shape, dtype=object)
        for place, v in np.ndenumerate(every):
            new[place] = change(v)
        return new if isinstance(held, np.ndarray) else new.tolist()

    names = {**GLOBALS, **{of: parameters(of) for of in case.held}}
    exec(case.source, names)
    found = names["function"]
    return found.__wrapped__ if isinstance(found, Program) else found


def planted(kind: str, change: Callable[[Value], Value]) -> Iterator[bool]:
    """Change each parameter of the first cases of a kind; yield whether it is found."""
    of_kind = (c for i in itertools.count() if kind in (c := cases.draw(SEED, i)).kinds)
    for case in itertools.islice(of_kind, 6):
        for name, held in case.held.items():
            if not isinstance(held, nn.Module):
                wrong = functools.partial(mg.program, changed(case, name, change))
                try:
                    Comparisons(case._replace(program=wrong), 1, 3).check()
                except WrongError:
                    yield True
                else:
                    yield False


@pytest.mark.parametrize("kind", KINDS)
def test_a_gradient_that_is_missing_is_found(kind: str) -> None:
    assert any(planted(kind, mg.stop_gradient))


@pytest.mark.parametrize("kind", KINDS)
def test_a_number_that_is_off_is_found(kind: str) -> None:
    assert any(planted(kind, lambda v: v + 1e-6))


# Faults in programs as a whole ----------------------------------------------------------------


def numbers_of_failures() -> Iterator[int]:
    return (i for i in range(MOST) if failure(SEED, i))


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (ops.tanh, lambda x, out: 1 - 0.999999 * out * out),
        (ops.sigmoid, lambda x, out: out),
        (ops.sin, lambda x, out: mg.sin(x)),
        (ops.exp, lambda x, out: x),
        (ops.abs, lambda x, out: 1.0),
        (ops.relu, lambda x, out: mg.sign(out + 1e-9)),
        (ops.log, lambda x, out: -1 / x),
        (ops.erf, lambda x, out: mg.exp(-x)),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_a_wrong_rule_is_found(
    row: Any, rule: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let programs trace by a rule that is not the loop's."""
    right, call = row.derivatives, Program.__call__

    def wrong(self: Program, *args: Any, **kwargs: Any) -> Any:
        row.derivatives = (rule,)
        try:
            return call(self, *args, **kwargs)
        finally:
            row.derivatives = right

    monkeypatch.setattr(Program, "__call__", wrong)
    assert any(numbers_of_failures())


def no_cell_is_empty(terms: Any) -> Any:
    table, empty = as_table(terms)
    return table, empty[:0]


def a_cell_more_is_empty(terms: Any) -> Any:
    table, empty = as_table(terms)
    return table, np.append(empty, 0)


def members_begin_late(terms: Any) -> Any:
    listed, starts = as_list(terms)
    return listed, np.minimum(starts + 1, len(listed.positions) - 1)


def running_sums_go_one_step_too_far(terms: Any) -> Any:
    found = as_running(terms)
    if found is None:
        return None
    table, count, places = found
    return table, count, (places + count) % len(table.positions)


def pieces_change_places(terms: Any) -> Any:
    pieces = list(by_length(terms))
    return [(piece, places[::-1]) for piece, places in pieces]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("as_table", no_cell_is_empty),
        ("as_table", a_cell_more_is_empty),
        ("as_list", members_begin_late),
        ("as_running", running_sums_go_one_step_too_far),
        ("by_length", pieces_change_places),
    ],
)
def test_a_wrong_sum_of_unlike_length_is_found(
    name: str, wrong: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, name, wrong)
    kinds = {"sums of unlike lengths", "running sums"}
    of_kind = (i for i in range(600) if kinds & set(cases.draw(SEED, i).kinds))
    assert any(failure(SEED, i) for i in of_kind)


HALF = np.float16


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (executable, "bands", lambda seeds: [(seeds, 1.0)]),
        (arguments, "converted", lambda array, dtype, what: array.astype(HALF).astype(dtype)),
        (executor, "constants_in", lambda numbers, dtype: np.array(numbers, HALF).astype(dtype)),
        (
            executable,
            "fill",
            lambda buffer, numbers, what: np.copyto(buffer, np.array(numbers, HALF)),
        ),
    ],
    ids=["bands", "converted", "constants_in", "fill"],
)
def test_what_is_wrong_in_float32_alone_is_found(
    module: Any, name: str, wrong: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let what concerns the numbers of programs be wrong where these are of float32."""
    right = getattr(module, name)

    def planted(*given: Any) -> Any:
        single = any(x is SINGLE or getattr(x, "dtype", None) == SINGLE for x in given)
        return (wrong if single or name == "bands" else right)(*given)

    monkeypatch.setattr(module, name, planted)
    assert any(failure(SEED, i) for i in range(0, 2 * MOST, failures.SINGLE))


def one_row_is_off(result: Any) -> None:
    result.data = result.data.copy()
    result.data[-1] += 1e-6


def rows_change_places(result: Any) -> None:
    result.data = result.data[::-1].copy()


def columns_change_places(result: Any) -> None:
    if result.ndim == 2:
        result.data = result.data[:, ::-1].copy()


def makes_an_infinity(result: Any) -> None:
    result.data = np.where(result.data > 0.5, np.inf, result.data)


def has_a_row_less(result: Any) -> None:
    result.data = result.data[:-1]


SHARED = np.empty(1_000_000)


def shares_its_array(result: Any) -> None:
    """Let the next call overwrite the results of this one."""
    data, result.data = result.data, SHARED[: result.data.size].reshape(result.data.shape)
    result.data[...] = data


@pytest.mark.parametrize(
    "spoil",
    [
        one_row_is_off,
        rows_change_places,
        columns_change_places,
        makes_an_infinity,
        has_a_row_less,
        shares_its_array,
    ],
)
def test_a_wrong_result_is_found(
    spoil: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Program.__call__

    def wrong(self: Program, *args: Any, **kwargs: Any) -> Any:
        result = call(self, *args, **kwargs)
        spoil(result)
        return result

    monkeypatch.setattr(Program, "__call__", wrong)
    assert any(numbers_of_failures())


def test_parameters_that_are_read_once_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs return the results of their first call with as many rows."""
    call = Program.__call__
    first: dict[Any, Any] = {}

    def wrong(self: Program, *args: Any, **kwargs: Any) -> Any:
        result = call(self, *args, **kwargs)
        key = self.function, result.shape
        result.data = first.setdefault(key, result.data)
        return result

    monkeypatch.setattr(Program, "__call__", wrong)
    assert any(numbers_of_failures())


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="this system has no alarm")
def test_what_never_ends_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Program, *args: Any, **kwargs: Any) -> Any:
        while True:
            pass

    monkeypatch.setattr(Program, "__call__", wrong)
    monkeypatch.setattr("random_cases.failures.SLOWEST", 1)
    assert "it took more than 1 s" in str(failure(SEED, 0))


# What is told ---------------------------------------------------------------------------------


def test_a_failure_is_told_with_its_source_and_the_command_that_repeats_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    call = Program.__call__

    def wrong(self: Program, *args: Any, **kwargs: Any) -> Any:
        result = call(self, *args, **kwargs)
        one_row_is_off(result)
        return result

    monkeypatch.setattr(Program, "__call__", wrong)
    assert random_programs.main(["--seed", str(SEED), "--cases", "1"]) == 1
    told = capsys.readouterr().out
    assert f"--seed {SEED}" in told
    assert f"python tests/random_programs.py --case {SEED}:0" in told
    assert "the result is wrong at 1 of" in told
    assert "with at most 1 calls of 1 rows" in told
    assert "return" in told
    assert "1 wrong" in told
    assert random_programs.main(["--case", f"{SEED}:0"]) == 1
    assert report(SEED, 0) in capsys.readouterr().out


def test_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert random_programs.main(["--seconds", "0.01"]) == 0
    assert "--seed " in capsys.readouterr().out
    assert random_programs.main(["--seed", "1", "--first", "5", "--cases", "2"]) == 0
    assert "2 cases of seed 1" in capsys.readouterr().out
    assert random_programs.main(["--case", "1:5"]) == 0
    assert cases.draw(1, 5).source in capsys.readouterr().out
