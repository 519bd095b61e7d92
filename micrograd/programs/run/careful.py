"""Compute node by node, on all rows at once, in the order of the function.

What is compared is rounded to the numbers of the program, the rest is computed in float64.

The lifted equations add up in another order. Where rounding decides a comparison, a row has to be
computed as the loop does it, or a guard and its path disagree.

They also multiply first and add up then. Where a gradient came out infinite or nan, the reverse
pass is walked again: a gradient of exactly zero passes nothing on, though a slope be infinite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.ops import STOPS, Op
from micrograd.programs.lower.precision import constants_in, fill
from micrograd.programs.run.kernels import on_arrays
from micrograd.programs.trace.tape import COMPARISONS, Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Careful:
    """The forward part of a tape, to be walked in numbers."""

    def __init__(self, tape: Tape, outputs: Sequence[int], parameters: Sequence[Value]) -> None:
        self._tape = tape
        self._outputs = list(outputs)
        self._parameters = [tape.parameters[p] for p in parameters]
        wanted = set(outputs)
        for i in range(len(tape.ops) - 1, -1, -1):
            if i in wanted:
                wanted.update(tape.operands[i])
        self._nodes = sorted(wanted)
        self._inputs = [(i, *tape.inputs[i]) for i in self._nodes if i in tape.inputs]
        places = [i for i in self._nodes if i in tape.constants]
        numbers = constants_in([tape.constants[i] for i in places], np.dtype(tape.kind))
        self._constants: dict[int, Any] = dict(zip(places, numbers.tolist()))
        self._steps = [
            (i, _as_compared(op, tape.kind) or on_arrays(op), tape.operands[i])
            for i in self._nodes
            if (op := tape.ops[i]) is not None
        ]

    def gradients(self, inputs: Mapping[str, Array], numbers: Array, seeds: Array) -> Array:
        """Compute the gradients of the parameters for seeds of shape (k, n)."""
        with np.errstate(all="ignore"):
            values = self.values(inputs, numbers)
            arrived: dict[int, Any] = {}
            for output, seed in zip(self._outputs, seeds):
                self._add(arrived, output, seed)
            for i in reversed(self._nodes):
                adjoint = arrived.get(i)
                if (
                    self._tape.ops[i] is not None
                    and adjoint is not None
                    and np.count_nonzero(adjoint)
                ):
                    self._pass_on(arrived, values, i, adjoint)
        return np.array([float(arrived.get(i, 0.0)) for i in self._parameters])

    def values(self, inputs: Mapping[str, Array], numbers: Array) -> dict[int, Any]:
        """Compute every node: a number where all rows share it, else an array of them."""
        values: dict[int, Any] = dict(self._constants)
        values.update(zip(self._parameters, map(np.asarray, numbers.tolist())))
        for i, name, column in self._inputs:
            values[i] = np.asarray(inputs[name][column], float)
        for i, function, operands in self._steps:
            found = function(*[values[x] for x in operands])
            is_float = isinstance(found, np.ndarray) and found.dtype == np.float64
            values[i] = found if is_float else np.asarray(found, float)
        return values

    def _pass_on(
        self, arrived: dict[int, Any], values: dict[int, Any], i: int, adjoint: Any
    ) -> None:
        """Apply the chain rule, as the engine does."""
        tape = self._tape
        op = tape.ops[i]
        assert op is not None
        operands = tape.operands[i]
        arguments = [values[x] for x in (*operands, i)]
        for x, rule in zip(operands, op.derivatives):
            if tape.active[x] and rule is not None:
                slope = _slope(rule, arguments)
                stops = adjoint == 0
                if op in STOPS:
                    stops = stops | (slope == 0)
                self._add(arrived, x, np.where(stops, 0.0, slope * adjoint))

    def _add(self, arrived: dict[int, Any], i: int, adjoint: Any) -> None:
        if not self._tape.varies[i]:  # all rows have a share in it
            adjoint = np.sum(adjoint)
        arrived[i] = arrived[i] + adjoint if i in arrived else adjoint


class Given(NamedTuple):
    """What a call is computed from, and computed again in its reverse pass."""

    inputs: Mapping[str, Array]
    numbers: Array  # the parameters' data
    n: int

    def of(self, rows: Array) -> Given:
        """Return what some of the rows are computed from."""
        inputs = {name: array[:, rows] for name, array in self.inputs.items()}
        return Given(inputs, self.numbers, int(np.count_nonzero(rows)))


class NodeByNode:
    """A path that runs as an Executable does, but in the order of the function."""

    def __init__(
        self, tape: Tape, outputs: Sequence[int], block: Any, parameters: Sequence[Value]
    ) -> None:
        self.block = block
        self.parameters = parameters
        self._tape = tape
        self._outputs = outputs
        self._forward = Careful(tape, [*outputs, *tape.guards], parameters)

    @cached_property
    def _backward(self) -> Careful:
        return Careful(self._tape, self._outputs, self.parameters)

    def forward(self, inputs: Mapping[str, Array], n: int) -> tuple[Array, Given, Array | None]:
        """Return the results, what `backward` needs, and the first guard of each row that differs.

        See `Executable.forward`.
        """
        self.block.pull_data()
        columns = {name: np.array(array, float) for name, array in inputs.items()}  # the caller's
        numbers = np.empty(len(self.parameters), self._tape.kind)
        fill(numbers, self.block.data, "a parameter")
        given = Given(columns, numbers.astype(float, copy=False), n)
        out = np.empty((len(self._outputs), n), self._tape.kind)
        with np.errstate(all="ignore"):
            values = self._forward.values(given.inputs, given.numbers)
            for row, i in zip(out, self._outputs):
                row[:] = values[i]
        return out, given, self._differing(values, n)

    def _differing(self, values: Mapping[int, Any], n: int) -> Array | None:
        guards = self._tape.guards
        differs = np.empty((len(guards) + 1, n), bool)
        for row, (i, truth) in zip(differs, guards.items()):
            np.not_equal(values[i], truth, out=row)
        if not differs[:-1].any():
            return None
        differs[-1] = True
        first: Array = differs.argmax(axis=0)
        return first

    def backward(self, given: Given, seeds: Array | float) -> Array:
        """Return the gradients of the parameters for seeds of shape (k, n), or for one."""
        seeds = np.broadcast_to(seeds, (len(self._outputs), given.n))
        return self._backward.gradients(given.inputs, given.numbers, seeds)

    def give_back(self, given: Given) -> None:
        """Do nothing: no memory waits for the next call."""


def _as_compared(op: Op, kind: str) -> Callable[..., Any] | None:
    """Return a comparison of arrays as a program of float32 makes it, where this is one."""
    if kind == "d" or op not in COMPARISONS:
        return None
    return lambda *operands: on_arrays(op)(*[np.asarray(x).astype(kind) for x in operands])


def _slope(rule: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Evaluate a rule on arrays; one that branches on a number, element by element."""
    try:
        return np.asarray(rule(*arguments), float)
    except ValueError:
        return np.vectorize(rule, otypes=[float])(*arguments)
