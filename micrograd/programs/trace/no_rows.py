"""A run of a function without any row, to learn how many scalars it returns."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Container, Sequence
from typing import Any

from micrograd.engine import Value
from micrograd.programs.trace.comparisons import Comparison
from micrograd.programs.trace.recording import Recording, recorded

ATTEMPTS = 20  # of getting further on the way through the function


class _AtRandom(Recording):
    """Answer comparisons that would differ between rows at random, so that every loop ends.

    The first of them are answered as `given`.
    """

    def __init__(self, known: Collection[Value], given: Sequence[bool]) -> None:
        super().__init__(known)
        self._given = given
        self._random = random.Random(len(given))
        self.answers: list[bool] = []

    def _decide(self, comparison: Comparison) -> None:
        is_new = id(comparison) not in self._asked
        super()._decide(comparison)
        if is_new and self.is_traced(comparison.node()):
            place = len(self.answers)
            given = place < len(self._given)
            comparison.truth = self._given[place] if given else self._random.random() < 0.5
            self.answers.append(comparison.truth)


Function = Callable[[Callable[[str, int], Value]], Any]  # of what makes an input


def run_without_rows(function: Function, known: Collection[Value], integers: Container[str]) -> Any:
    """Return what a function returns for inputs of one, or of zero where they may be indices.

    Where it raises, no row need have gone there: the latest answer that was not changed yet is
    changed. Raises what the function raises on the last of these ways.
    """
    given: list[bool] = []
    changed: list[bool] = []  # which of them
    furthest = attempts = 0
    while True:
        recording = _AtRandom(known, given)
        try:
            return _run(function, recording, integers)
        except RecursionError:
            raise  # each call of itself would try again, too
        except Exception:
            answers = recording.answers
            attempts = 0 if len(answers) > furthest else attempts + 1
            furthest = max(furthest, len(answers))
            changed = [*changed, *[False] * len(answers)][: len(answers)]
            while changed and changed[-1]:
                changed.pop()
            if not changed or attempts == ATTEMPTS:
                raise
            changed[-1] = True
            given = answers[: len(changed)]
            given[-1] = not given[-1]


def _run(function: Function, recording: Recording, integers: Container[str]) -> Any:
    def leaf(name: str, column: int) -> Value:
        is_integer = name in integers
        return recording.input(name, column, float(not is_integer), is_integer)

    with recorded(recording):
        return function(leaf)
