"""A failing case made smaller, and told so that it can be repeated."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import indent
from typing import Any, NamedTuple
from unittest import mock

import micrograd
from micrograd.programs.run import executable, executor
from micrograd.programs.straight import plan as straight_plan
from random_cases import cases, single
from random_cases.comparing import Comparisons, WrongError

UNDEFINED = "a second derivative does not exist", "not defined there (its slope is nan)"
SINGLE = 3  # so many cases are one that is a program of float32 as well
SLOWEST = 20  # seconds for a case; what takes longer does not end


class Limits(NamedTuple):
    """How much of a case is run."""

    without: frozenset[int] = frozenset()  # the steps that are left out
    calls: int = 9
    rows: int = 10_000

    def within(self, other: Limits) -> Limits:
        """Combine two limits."""
        return Limits(
            self.without | other.without, min(self.calls, other.calls), min(self.rows, other.rows)
        )


WHOLE = Limits()


def failure(seed: int, number: int, limits: Limits = WHOLE) -> str | None:
    """Return what is wrong with a case, or None."""
    case = cases.draw(seed, number, limits.without)
    try:
        with _limited(SLOWEST), _planned(number), _in_chunks(case):
            Comparisons(case, limits.calls, limits.rows).check()
            if number % SINGLE == 0:
                single.check(case)
    except WrongError as error:
        return str(error)
    except (TypeError, ValueError) as error:
        if any(text in str(error) for text in UNDEFINED):
            return None  # the loop has met a kink, or differentiates a missing number again
        return _told(error)
    except Exception as error:  # a loop that runs where the program raises is a fault as well
        return _told(error)
    return None


@contextmanager
def _planned(number: int) -> Iterator[None]:
    """Plan every fourth case as straight-line code, as else only long chains are."""
    if number % 4 < 3:
        yield
        return
    with mock.patch.object(straight_plan, "is_straight", return_value=True):
        yield


@contextmanager
def _in_chunks(case: cases.Case) -> Iterator[None]:
    """Take few examples at a time in every second case: else only many thousands would be so.

    In a third of these, as few are in a block, of which calls of many examples have several.
    """
    rng = case.rng("chunks")
    chunk, block = rng.choice([0, 0, 2, 3, 8]), rng.choice([8, executable.BLOCK, executable.BLOCK])
    if not chunk:
        yield
        return
    with (
        mock.patch.object(executor, "chunk_of", lambda storages, memories, n, size: min(n, chunk)),
        mock.patch.multiple(executable, BLOCK=block, LONG=block),
    ):
        yield


def _told(error: Exception) -> str:
    return "".join(traceback.format_exception(error)[-5:]).rstrip()


def shrink(seed: int, number: int) -> Limits:
    """Leave out calls, rows and steps, as long as something is wrong."""
    limits = WHOLE
    for smaller in _smaller():
        tried = limits.within(smaller)
        if tried != limits and failure(seed, number, tried) is not None:
            limits = tried
    return limits


def _smaller() -> Iterator[Limits]:
    yield from (Limits(calls=calls) for calls in (3, 2, 1))
    yield from (Limits(rows=rows) for rows in (300, 40, 7, 3, 2, 1))
    yield from (Limits(without=frozenset({k})) for k in reversed(range(cases.MOST_STEPS)))


def report(seed: int, number: int) -> str:
    """Return what is wrong with a case, how to repeat it, and the smallest one that still fails."""
    limits = shrink(seed, number)
    case = cases.draw(seed, number, limits.without)
    pure = "MICROGRAD_PURE=1 " if os.environ.get("MICROGRAD_PURE") else ""
    return "\n".join(
        [
            f"case {seed}:{number} is wrong on the {micrograd.core} core:",
            indent(str(failure(seed, number)), "    "),
            f"  repeat it: {pure}python tests/random_programs.py --case {seed}:{number}",
            f"  with at most {limits.calls} calls of {limits.rows} rows, and without the steps "
            f"{sorted(limits.without)}:",
            indent(str(failure(seed, number, limits)), "    "),
            f"  {case.described}",
            indent(case.source, "    "),
        ]
    )


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in this block after some time, where the system has an alarm."""
    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _late(*_: Any) -> None:
    raise TimeoutError(f"it took more than {SLOWEST} s")
