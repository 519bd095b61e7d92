"""A run of a function without any row, to learn how many scalars it returns."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Container
from typing import Any

from micrograd.engine import Value
from micrograd.programs.trace.comparisons import Comparison
from micrograd.programs.trace.recording import Recording, recorded

ATTEMPTS = 10  # of finding a way through the function that raises nothing


class _AtRandom(Recording):
    """Answer comparisons that would differ between rows at random, so that every loop ends."""

    def __init__(self, known: Collection[Value], seed: int) -> None:
        super().__init__(known)
        self._truths = random.Random(seed)

    def compare(self, v: Value, other: Any, comparison: Callable[[Any, Any], Any]) -> Any:
        answer = super().compare(v, other, comparison)
        if isinstance(answer, Comparison):
            operands = [x for x in (v, other) if isinstance(x, Value)]
            if any(self.is_traced(x) for x in operands):
                answer.truth = self._truths.random() < 0.5
        return answer


Function = Callable[[Callable[[str, int], Value]], Any]  # of what makes an input


def run_without_rows(
    function: Function, known: Collection[Value], integers: Container[str], seed: int = 1
) -> Any:
    """Return what a function returns for inputs of one, or of zero where they may be indices.

    Where it raises, no row need have gone there: other ways through it are tried. Raises what the
    function raises on the last of them.
    """
    try:
        return _run(function, _AtRandom(known, seed), integers)
    except RecursionError:
        raise  # each call of itself would try again, too
    except Exception:
        if seed == ATTEMPTS:
            raise
    return run_without_rows(function, known, integers, seed + 1)


def _run(function: Function, recording: Recording, integers: Container[str]) -> Any:
    def leaf(name: str, column: int) -> Value:
        is_integer = name in integers
        return recording.input(name, column, float(not is_integer), is_integer)

    with recorded(recording):
        return function(leaf)
