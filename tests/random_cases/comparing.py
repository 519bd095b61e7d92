"""Do the calls of a case, and compare each with the eager loop over its rows."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

import micrograd as mg
from micrograd import Value, optim
from random_cases import arguments, runs
from random_cases.cases import Case
from random_cases.runs import Call

RELATIVE = 1e-9  # to the largest of an array
PRINTED = 0.2  # of the cases: that is to say, it raises nothing
TINY = 1e-12  # to what may have been added up: what cancels to nothing is not compared further


class WrongError(AssertionError):
    """A program gave something else than the loop."""


class Expected(NamedTuple):
    """What the loop gives for distinct rows, and the gradients of a weighted sum of that."""

    data: Any
    grads: dict[str, Any]


class Comparisons:
    """All calls of a case, one after another, while the parameters move."""

    def __init__(self, case: Case, most_calls: int, most_rows: int) -> None:
        self.case = case
        self._rng = case.rng("calls")
        drawn = runs.draw(self._rng, *_measure(case))[:most_calls]
        self.calls = [call._replace(rows=min(call.rows, most_rows)) for call in drawn]
        self._programs = [case.program() for _ in range(self._rng.choice((1, 1, 1, 2)))]

    def check(self) -> None:
        """Raise WrongError where a program and the loop differ."""
        done = []
        for number, call in enumerate(self.calls):
            if number and self.case.moves:
                _move(self.case, self._rng)
            program = self._rng.choice(self._programs)
            if self._rng.random() < 0.05:
                program.retrace()
            compared = _Comparison(self.case, number, call)
            compared.run(program)
            if not call.kept:
                _check_gradients(self.case, [compared])
            if call.forgotten:
                compared.forget()
            done.append(compared)
        self._check_later(done)
        if self._rng.random() < PRINTED:
            for program in self._programs:
                assert str(program) == str(program)
                assert program._repr_markdown_()

    def _check_later(self, done: Sequence[_Comparison]) -> None:
        kept = [compared for compared in done if compared.call.kept]
        joined = [compared for compared in kept if compared.call.joined]
        for several in [joined, *[[c] for c in kept if not c.call.joined]]:
            if several:
                _check_gradients(self.case, several)
        for compared in done:
            compared.check_kept_results()


class _Comparison:
    """One call by the program and by the loop."""

    def __init__(self, case: Case, number: int, call: Call) -> None:
        if any(a.missing for a in case.arguments):
            call = call._replace(reduction="present")
        self.case, self.number, self.call = case, number, call
        self._rng = case.rng(f"call {number}")
        numbers = np.random.default_rng(self._rng.getrandbits(64))
        distinct = min(call.distinct, call.rows)
        self.distinct = [arguments.numbers(numbers, distinct, a) for a in case.arguments]
        more = numbers.integers(distinct, size=call.rows - distinct)
        self.which = np.concatenate([np.arange(distinct), more])
        if len(more):
            numbers.shuffle(self.which)

    def run(self, program: Any) -> None:
        """Call the program, then the loop; compare the results."""
        self.results = []
        self.root: Any = 0.0
        weights = []
        # No rows that would be of unlike lengths are an empty list, which says nothing of them.
        first = 1 if any(a.is_ragged for a in self.case.arguments) else 0
        bounds = [0, *[c for c in self.call.cuts if first <= c < self.call.rows], self.call.rows]
        for start, stop in itertools.pairwise(bounds):
            rows = [x[self.which[start:stop]] for x in self.distinct]
            arrays = [runs.given(x, self.call.layout) for x in rows]
            result = arguments.call(program, self.case.arguments, arrays)
            root, weight = runs.reduce(result, self.call.reduction, self._rng)
            if self.call.overwritten:
                for array in arrays:
                    array[:] = [99] if isinstance(array, list) else 99
            self.results.append(result)
            self.root = self.root + root
            weights.append(weight)
        self.weights = np.concatenate(weights)
        total = np.zeros((len(self.distinct[0]), *self.weights.shape[1:]))
        np.add.at(total, self.which, self.weights)
        more = self.call.more and not self.call.kept
        self.expected = _loop(self.case, self.distinct, total, more)
        self._check_results()
        if more:
            self.root = self.root + _ordinary(self.case)

    def _check_results(self) -> None:
        found = np.concatenate([r.data for r in self.results])
        right = self.expected.data[self.which]
        self._compare("the result", found, right, 1.0)
        terms = np.where(self.weights == 0, 0.0, self.weights * right)
        scale = np.sum(np.abs(terms)) + np.sum(np.abs(self.weights))
        self._compare("the reduction", self.root.data, np.sum(terms), scale)
        self._kept = [r.data.copy() for r in self.results]

    def forget(self) -> None:
        """Drop the results, and the root unless it is used later."""
        self.results.clear()
        if not self.call.kept:
            self.root = None

    def check_kept_results(self) -> None:
        """Check that the results are what they were, after later calls."""
        for result, before in zip(self.results, self._kept):
            self._compare("the result, after later calls,", result.data, before, 0.0)

    def _compare(self, name: str, found: Any, right: Any, scale: float) -> None:
        _compare(f"{self}:\n{name}", found, right, scale)

    def __str__(self) -> str:
        return f"call {self.number + 1}, {self.call}"


def _check_gradients(case: Case, several: Sequence[_Comparison]) -> None:
    """Go backward from some calls together, and compare every gradient."""
    what = " and ".join(map(str, several))
    weights = sum(np.sum(np.abs(compared.weights)) for compared in several)
    every = [compared.expected.grads for compared in several]
    grads = {name: sum(grads[name] for grads in every) for name in case.parameters}
    scale = max((_largest(x) for grads in every for x in grads.values()), default=0.0) + weights
    root = sum((compared.root for compared in several[1:]), several[0].root)
    _zero(case)
    for times in range(1, 3 if several[0].call.twice else 2):
        root.backward()
        for name, right in grads.items():
            found = np.array([p.grad for p in case.parameters[name]])
            _compare(f"{what}:\nthe gradient of {name}", found, times * right, scale)


def _compare(what: str, found: Any, right: Any, scale: float) -> None:
    """Raise WrongError if more than rounding differs; `scale` bounds what was added up."""
    if np.shape(found) != np.shape(right):
        raise WrongError(f"{what} has shape {np.shape(found)}, right {np.shape(right)}")
    tolerance = RELATIVE * _largest(right) + TINY * scale + 1e-300
    wrong = ~((np.abs(found - right) <= tolerance) | (np.isnan(found) & np.isnan(right)))
    if np.any(wrong):
        first = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(wrong)))
        numbers = [float(np.atleast_1d(x)[first]) for x in (found, right)]
        raise WrongError(
            f"{what} is wrong at {np.sum(wrong)} of {np.size(right)} places, first at "
            f"{list(first)}: {numbers[0]!r}, right {numbers[1]!r}"
        )


def _loop(case: Case, arrays: Sequence[Any], weights: Any, more: bool) -> Expected:
    """Call the function on Values, row by row; go backward from the weighted sum."""
    data = np.empty(weights.shape)
    root: Any = _ordinary(case) if more else Value(0.0)
    for row, numbers, given in zip(zip(*arrays), data.reshape(len(data), -1), weights):
        out = arguments.call(case.function, case.arguments, [_values(x) for x in row])
        for k, (v, weight) in enumerate(zip(_listed(out), np.ravel(given).tolist())):
            numbers[k] = v.data if isinstance(v, Value) else v
            if weight or numbers[k] == numbers[k]:
                root = root + weight * v
    _zero(case)
    root.backward()
    grads = {name: np.array([p.grad for p in ps]) for name, ps in case.parameters.items()}
    return Expected(data, grads)


def _ordinary(case: Case) -> Value:
    """Return a penalty on some parameters, in the ordinary graph."""
    first = next(iter(case.parameters.values()), [])
    return 0.3 * sum((p * p for p in first[:20]), Value(0.0))


def _measure(case: Case) -> tuple[int, int]:
    """Count the nodes that one example makes, and the scalars that it returns."""
    numbers = np.random.default_rng(case.rng("measure").getrandbits(64))
    given = [_values(arguments.numbers(numbers, 1, a)[0]) for a in case.arguments]
    out = _listed(arguments.call(case.function, case.arguments, given))
    return len(mg.toposort(sum(out, Value(0.0)))), len(out)


def _listed(out: Any) -> list[Any]:
    return list(out) if isinstance(out, (list, tuple)) else [out]


def _values(numbers: Any) -> Any:
    """Return numbers as Values, in nested lists; integers, which may be indices, stay integers."""
    if np.ndim(numbers):
        return [_values(x) for x in numbers]
    return int(numbers) if isinstance(numbers, (int, np.integer)) else Value(float(numbers))


def _zero(case: Case) -> None:
    for parameters in case.parameters.values():
        for p in parameters:
            p.grad = 0.0


def _move(case: Case, rng: random.Random) -> None:
    """Change the parameters, or some of them, as people and optimisers do."""
    everything = [p for parameters in case.parameters.values() for p in parameters]
    if rng.random() < 0.2 and everything:
        for p in everything:
            p.grad = rng.uniform(-1, 1)
        optim.SGD(everything, 0.1).step()
        return
    for name, parameters in case.parameters.items():
        if rng.random() < 0.8:
            for p in parameters:
                p.data = rng.uniform(-1, 1) * case.scales[name]


def _largest(array: Any) -> float:
    return float(np.max(np.abs(array), initial=0.0, where=~np.isnan(array)))
