"""Do the calls of a case, and compare each with the eager loop over its rows."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import micrograd as mg
from micrograd import Value, nn, optim
from random_cases import runs
from random_cases.cases import Argument, Case
from random_cases.runs import Call

RELATIVE = 1e-9  # to the largest of an array
TINY = 1e-12  # to all gradients and weights: what cancels to nothing is not compared further


class WrongError(AssertionError):
    """A program gave something else than the loop."""


class Expected(NamedTuple):
    """What the loop gives for distinct rows, with the gradients of one weight for each result."""

    data: Any
    grads: dict[str, Any]


def check(case: Case, most_calls: int = 9, most_rows: int = 10**9) -> int:
    """Compare all calls of a case; give the number of rows. Raises WrongError where they differ."""
    rng = random.Random(f"{case.seed}:{case.index}:calls")
    cost, results = _measure(case)
    calls = runs.draw(rng, cost, results)[:most_calls]
    calls = [c._replace(rows=min(c.rows, most_rows)) for c in calls]
    programs = [case.program() for _ in range(rng.choice((1, 1, 1, 2)))]
    kept: list[tuple[str, Any, Any, Callable[[], None]]] = []
    for number, call in enumerate(calls, 1):
        what = f"call {number} of {len(calls)}, {call}"
        if number > 1 and case.moves:
            _move(case, rng)
        one = _Comparison(case, call, random.Random(f"{case.seed}:{case.index}:{number}"), what)
        program = rng.choice(programs)
        if rng.random() < 0.05:
            program.retrace()
        one.run(program)
        kept.append((what, one.results, [r.data.copy() for r in one.results], one.check_gradients))
        if not call.kept:
            kept[-1][3]()
    for number, (what, results_of_call, data, check_gradients) in enumerate(kept):
        if calls[number].kept:
            check_gradients()
        for result, before in zip(results_of_call, data):
            if not np.array_equal(result.data, before):
                raise WrongError(f"{what}: the results changed after later calls")
    return sum(call.rows for call in calls)


class _Comparison:
    """One call by the program and by the loop."""

    def __init__(self, case: Case, call: Call, rng: random.Random, what: str) -> None:
        self.case, self.call, self.rng, self.what = case, call, rng, what
        numbers = np.random.default_rng(rng.getrandbits(64))
        distinct = min(call.distinct, call.rows)
        self.distinct = [_drawn(numbers, distinct, a) for a in case.arguments]
        self.which = np.arange(call.rows)
        if distinct < call.rows:
            self.which = np.concatenate(
                [np.arange(distinct), numbers.integers(distinct, size=call.rows - distinct)]
            )
            numbers.shuffle(self.which)

    def run(self, program: Any) -> None:
        """Call the program, then the loop; compare the results."""
        bounds = [0, *[c for c in self.call.cuts if c < self.call.rows], self.call.rows]
        self.results, roots, weights = [], [], []
        for start, stop in zip(bounds, bounds[1:]):
            arrays = [
                runs.given(x[self.which[start:stop]], self.call.layout) for x in self.distinct
            ]
            result = _called(program, self.case.arguments, arrays)
            root, weight = runs.reduce(result, self.call.reduction, self.rng)
            if self.call.overwritten:
                for array in arrays:
                    if isinstance(array, np.ndarray):
                        array[...] = 99.0
            self.results.append(result)
            roots.append(root)
            weights.append(weight)
        self.root = sum(roots[1:], roots[0])
        weight = np.concatenate(weights)
        self.weight = np.sum(np.abs(weight))
        total = np.zeros((len(self.distinct[0]), *weight.shape[1:]))
        np.add.at(total, self.which, weight)
        self.expected = _loop(self.case, self.distinct, total)
        found = np.concatenate([r.data for r in self.results])
        right = self.expected.data[self.which]
        self._compare("the result", found, right, _largest(right))
        if isinstance(self.root, Value):
            sums = np.sum(weight * right), np.sum(np.abs(weight * right))
            self._compare("the reduction", np.array(self.root.data), np.array(sums[0]), sums[1])

    def check_gradients(self) -> None:
        """Go backward from what the call gave; compare every parameter's gradient."""
        if not isinstance(self.root, Value):
            return
        grads = self.expected.grads
        scale = max(map(_largest, grads.values()), default=0.0) + self.weight
        _zero(self.case)
        for times in range(1, 3 if self.call.twice else 2):
            self.root.backward()
            for name, right in grads.items():
                found = np.array([p.grad for p in self.case.parameters[name]])
                self._compare(f"the gradient of {name}", found, times * right, scale)

    def _compare(self, name: str, found: Any, right: Any, scale: float) -> None:
        if found.shape != right.shape:
            raise WrongError(f"{self.what}: {name} has shape {found.shape}, right {right.shape}")
        tolerance = RELATIVE * _largest(right) + TINY * scale + 1e-300
        wrong = ~(np.abs(found - right) <= tolerance)
        if wrong.any():
            first = tuple(int(i[0]) for i in np.nonzero(np.atleast_1d(wrong)))
            f, r = np.atleast_1d(found)[first], np.atleast_1d(right)[first]
            raise WrongError(
                f"{self.what}: {name} is wrong at {int(wrong.sum())} of {right.size} places, first "
                f"at {list(first)}: {f!r}, right {r!r}"
            )


def _loop(case: Case, arrays: Sequence[Any], weights: Any) -> Expected:
    """Call the function on Values, row by row; go backward from the weighted sum."""
    data = np.empty(weights.shape)
    root: Any = Value(0.0)
    for i, row in enumerate(zip(*arrays)):
        out = _called(case.function, case.arguments, [_values(x) for x in row])
        several = isinstance(out, (list, tuple))
        for position, v in zip(np.ndindex(*weights.shape[1:]), out if several else [out]):
            data[i, *position] = v.data if isinstance(v, Value) else v
            root = root + float(weights[i, *position]) * v
    _zero(case)
    root.backward()
    grads = {name: np.array([p.grad for p in ps]) for name, ps in case.parameters.items()}
    return Expected(data, grads)


def _measure(case: Case) -> tuple[int, int]:
    """How many nodes one example makes, and how many scalars it returns."""
    rng = np.random.default_rng([case.seed, case.index])
    arguments = [_values(_drawn(rng, 1, a)[0]) for a in case.arguments]
    out = _called(case.function, case.arguments, arguments)
    several = list(out) if isinstance(out, (list, tuple)) else [out]
    nodes = mg.toposort(sum(several, Value(0.0)))
    return len(nodes), len(several)


def _called(function: Any, arguments: Sequence[Argument], given: Sequence[Any]) -> Any:
    """Call with each argument as it is to be given."""
    by_name = {a.name: x for a, x in zip(arguments, given) if a.given in ("keyword", "only")}
    by_place = [x for a, x in zip(arguments, given) if a.given == "positional"]
    rest = [x for a, x in zip(arguments, given) if a.given == "rest"]
    return function(*by_place, *rest, **by_name)


def _drawn(numbers: Any, n: int, argument: Argument) -> Any:
    """Rows of numbers that single precision holds as well."""
    return numbers.uniform(-1, 1, (n, *argument.shape)).astype(np.float32).astype(np.float64)


def _values(numbers: Any) -> Any:
    return [_values(x) for x in numbers] if np.ndim(numbers) else Value(float(numbers))


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
    return float(np.max(np.abs(array), initial=0.0))
