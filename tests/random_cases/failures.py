"""A failing case made smaller, and told so that it can be repeated."""

from __future__ import annotations

import itertools
import os
import traceback
from collections.abc import Iterator
from typing import NamedTuple

import micrograd
from random_cases import cases
from random_cases.comparing import check

MOST_STEPS = 8


class Limits(NamedTuple):
    """What is left of a case."""

    without: frozenset[int] = frozenset()  # the steps that are left out
    calls: int = 9
    rows: int = 10**9


def failure(seed: int, index: int, limits: Limits = Limits()) -> str | None:
    """What is wrong with a case; None if nothing is."""
    case = cases.draw(seed, index, limits.without)
    try:
        check(case, limits.calls, limits.rows)
    except Exception as error:
        told = f"{type(error).__name__}: {error}"
        if not isinstance(error, AssertionError):
            told = "".join(traceback.format_exception(error)[-4:]) + told
        return told
    return None


def shrink(seed: int, index: int) -> Limits:
    """Leave out calls, rows and steps, as long as something is wrong."""
    limits = Limits()
    for smaller in _smaller():
        tried = Limits(
            limits.without | smaller.without,
            min(limits.calls, smaller.calls),
            min(limits.rows, smaller.rows),
        )
        try:
            if tried != limits and failure(seed, index, tried) is not None:
                limits = tried
        except Exception:
            continue  # what is left is no program
    return limits


def _smaller() -> Iterator[Limits]:
    yield from (Limits(calls=calls) for calls in (3, 2, 1))
    yield from (Limits(rows=rows) for rows in (300, 40, 7, 3, 2, 1))
    yield from (Limits(without=frozenset({k})) for k in range(MOST_STEPS - 1, -1, -1))


def report(seed: int, index: int) -> str:
    """Tell what is wrong, of the smallest case that was found, and how to repeat it."""
    limits = shrink(seed, index)
    case = cases.draw(seed, index, limits.without)
    pure = "MICROGRAD_PURE=1 " if os.environ.get("MICROGRAD_PURE") else ""
    lines = [
        f"case {seed}:{index} is wrong, on the {micrograd.core} core: {failure(seed, index)}",
        f"Repeat it by: {pure}python tests/random_programs.py --case {seed}:{index}",
        f"With calls, rows and steps left out ({limits}): {failure(seed, index, limits)}",
        f"its parameters: {case.shapes}; its arguments: {', '.join(f'{a.name} {a.shape} ({a.given})' for a in case.arguments)}",
        *itertools.chain.from_iterable([f"    {line}"] for line in case.source.splitlines()),
    ]
    return "\n".join(lines)
