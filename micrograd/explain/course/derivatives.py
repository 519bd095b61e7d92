"""The three derivatives of the course, run by the engine and compared with its formulas.

delta is the derivative of one example's cost with respect to a z; Delta adds up the derivatives of
these costs with respect to a weight, over the examples; D is the derivative of J.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.explain.course import formulas
from micrograd.explain.course.network import Network, Pass
from micrograd.explain.course.recording import Recording
from micrograd.graph.strict import strict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_SAMPLE = 3  # examples of many that are recorded, to compare their deltas


class Check(NamedTuple):
    """A derivative, how the engine ran for it, the course's formula, and their difference.

    `difference` is the largest between two numbers, relative to the largest number.

    >>> from micrograd.explain import deltas
    >>> [check.what for check in deltas([[[0.0, 1.0]]], [[0.0]], [1]).checks]
    ['delta = dcost(i)/dz', 'delta once more', 'Delta = sum_i dcost(i)/dTheta', 'D = dJ/dTheta']
    """

    what: str
    run: str
    formula: str
    difference: float


class ByEngine:
    """Few examples: every one is recorded, and `backward()` runs for each of the three."""

    def __init__(self, recording: Recording, lam: float) -> None:
        self._recording, self._lam = recording, lam
        network, m = recording.network, len(recording)
        passes = [recording.passed(i) for i in range(m)]
        costs = [recording.cost(i) for i in range(m)]
        self.z: list[Array] = _columns(passes, lambda passed: passed.z[1:], _data)
        self.a: list[Array] = _columns(passes, lambda passed: passed.a, _data)
        self.costs: list[float] = [cost.data for cost in costs]
        average: Value = sum(costs[1:], costs[0]) / m
        self.J = _regularised(average, network, lam, m)
        with _grads_kept(toposort(self.J)), strict(False):  # grads add up here on purpose
            _zero_grad(network)
            self._after = [formulas.per_weight(network, _grad)]
            delta, by_outputs = [], []
            for passed, cost in zip(passes, costs):
                cost.backward()  # without zero_grad: the weights' grads are the accumulators
                delta.append([[z.grad for z in layer] for layer in passed.z[1:]])
                by_outputs.append([a.grad for a in passed.a[-1]])
                self._after.append(formulas.per_weight(network, _grad))
            average.backward()
            self._averaged = _columns(passes, lambda passed: passed.z[1:], _grad)
            _zero_grad(network)
            self.J.backward()
            self.D = formulas.per_weight(network, _grad)
        self.delta: list[NDArray[Any]] = [np.array(rows) for rows in zip(*delta)]
        self.by_outputs: Array = np.array(by_outputs)

    def after(self, i: int) -> list[Array]:
        """Return the accumulators after the first i examples."""
        return self._after[i]

    @cached_property
    def slopes(self) -> list[Array]:
        """The g'(z) of every layer."""
        network, recording = self._recording.network, self._recording
        rows = [
            [
                [unit.g_prime(z) for unit, z in zip(units, layer)]
                for units, layer in zip(network.units, recording.passed(i).z[1:])
            ]
            for i in range(len(recording))
        ]
        return [np.array(layer) for layer in zip(*rows)]

    @cached_property
    def checks(self) -> list[Check]:
        """The three derivatives against the course's formulas."""
        network, m, lam = self._recording.network, len(self._recording), self._lam
        thetas = formulas.per_weight(network, _data)
        last = self.by_outputs * self.slopes[-1]
        if self._recording.loss is None:
            last = self.a[-1] - np.array(self._recording.labels)
        course = formulas.deltas(thetas, self.slopes[:-1], last)
        sums = formulas.accumulators(course, self.a)
        tied = formulas.shared_sums(network, sums)
        d = formulas.shared_sums(network, formulas.gradients(sums, thetas, m, lam))
        return [
            Check(
                "delta = dcost(i)/dz",
                "z.grad after cost(i).backward()",
                f"{_output_delta(self._recording)}, then Theta' * delta .* g'(z)",
                formulas.difference(self.delta, course),
            ),
            Check(
                "delta once more",
                "m * z.grad after backward() of the averaged costs",
                "delta",
                formulas.difference([m * x for x in self._averaged], self.delta),
            ),
            Check(
                "Delta = sum_i dcost(i)/dTheta",
                "w.grad after cost(i).backward() for each i, not zeroed",
                "sum_i delta * [1; a]'",
                formulas.difference(self._after[-1], tied),
            ),
            Check(
                "D = dJ/dTheta",
                "w.grad after J.backward()",
                "Delta / m + lambda / m * Theta",
                formulas.difference(self.D, d),
            ),
        ]


class ByProgram:
    """Many examples of a network of sigmoids: the course's formulas on arrays, J by a program.

    Examples are recorded one by one only when they are asked for.
    """

    a: list[Array]
    z: list[Array]

    def __init__(self, recording: Recording, lam: float) -> None:
        self._recording, self._lam = recording, lam
        self._thetas = formulas.per_weight(recording.network, _data)
        targets = np.array(recording.labels)
        self.z, self.a = formulas.forward(self._thetas, recording.inputs)
        found = formulas.costs(self.a[-1], targets)
        for i in np.flatnonzero(~np.isfinite(found)):
            recording.cost(int(i))  # raises, and says why
        self.costs: Any = found.tolist()
        self.slopes: list[Array] = [a * (1 - a) for a in self.a[1:]]
        self.delta: list[Array] = formulas.deltas(
            self._thetas, self.slopes[:-1], self.a[-1] - targets
        )
        network, m = recording.network, len(recording)
        average = _program(network)(recording.inputs, targets).mean()
        self.J = _regularised(average, network, lam, m)
        with _grads_kept(network.parameters()), strict(False):
            _zero_grad(network)
            average.backward()
            self._sums = [m * x for x in formulas.per_weight(network, _grad)]
            _zero_grad(network)
            self.J.backward()
            self.D = formulas.per_weight(network, _grad)

    @cached_property
    def by_outputs(self) -> Array:
        """The derivatives of the costs with respect to the outputs."""
        with np.errstate(all="ignore"):
            factors: Array = self.delta[-1] / self.slopes[-1]
        return factors

    def after(self, i: int) -> list[Array]:
        """Return the accumulators after the first i examples."""
        if i == len(self._recording):
            return self._sums
        sums = formulas.accumulators([d[:i] for d in self.delta], [a[:i] for a in self.a])
        return formulas.shared_sums(self._recording.network, sums)

    @cached_property
    def checks(self) -> list[Check]:
        """The three derivatives against the course's formulas."""
        recording, network, m = self._recording, self._recording.network, len(self._recording)
        places = np.linspace(0, m - 1, _SAMPLE).astype(int).tolist()
        sample = ByEngine(_part(recording, places), 0.0)
        sums = formulas.accumulators(self.delta, self.a)
        tied = formulas.shared_sums(network, sums)
        d = formulas.gradients(sums, self._thetas, m, self._lam)
        return [
            Check(
                "delta = dcost(i)/dz",
                f"z.grad after cost(i).backward(), of {len(places)} examples",
                f"{_output_delta(recording)}, then Theta' * delta .* g'(z)",
                formulas.difference(sample.delta, [x[places] for x in self.delta]),
            ),
            Check(
                "Delta = sum_i dcost(i)/dTheta",
                "m * w.grad after backward() of the averaged costs, by a program",
                "sum_i delta * [1; a]'",
                formulas.difference(self._sums, tied),
            ),
            Check(
                "D = dJ/dTheta",
                "w.grad after J.backward(), by a program",
                "Delta / m + lambda / m * Theta",
                formulas.difference(self.D, formulas.shared_sums(network, d)),
            ),
        ]


def _program(network: Network) -> Any:
    """Make the program of one example's cost, from the z of the outputs."""
    from micrograd.programs import program  # loads only for many examples

    @program
    def cost(x: Any, y: Any) -> Any:
        network(list(x))
        outputs = [unit.z for unit in network.units[-1]]
        return sum(ops.softplus(z) - label * z for z, label in zip(outputs, y))

    return cost


def _part(recording: Recording, places: Sequence[int]) -> Recording:
    labels = [recording.labels[i] for i in places]
    return Recording(recording.network, recording.inputs[places], labels, recording.loss)


def _output_delta(recording: Recording) -> str:
    last = len(recording.network.units) + 1
    return f"a{last} - y" if recording.loss is None else f"dcost/da{last} .* g'(z{last})"


def _regularised(average: Value, network: Network, lam: float, m: int) -> Value:
    """Add lambda/2m times the squares of all weights but the biases; the result is J."""
    total = average
    if lam:
        weights = [w for units in network.units for unit in units for w in unit.theta[1:]]
        penalty: Any = sum(w * w for w in weights)
        total = average + lam / (2 * m) * penalty
    total.label = "J"
    return total


def _columns(
    passes: Sequence[Pass],
    layers: Callable[[Pass], list[list[Value]]],
    number: Callable[[Value], float],
) -> list[Array]:
    """Read one number of every Value, in an array per layer with a row per example."""
    rows = [[[number(v) for v in layer] for layer in layers(passed)] for passed in passes]
    return [np.array(layer) for layer in zip(*rows)]


def _data(v: Value) -> float:
    return v.data


def _grad(v: Value) -> float:
    return v.grad


def _zero_grad(network: Network) -> None:
    for p in network.parameters():
        p.grad = 0.0


@contextmanager
def _grads_kept(values: Iterable[Value]) -> Iterator[None]:
    """Restore the grads of Values in the end."""
    before = [(v, v.grad) for v in values]
    try:
        yield
    finally:
        for v, number in before:
            v.grad = number
