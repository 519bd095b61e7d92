"""Run a long loop as a loop: one step is planned, and run as often as it is done.

What a step is given is kept. In reverse each step is computed again from that, last step first, and
what arrives at its state is handed to the step before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.engine import Value
from micrograd.native.blocks import block_of
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.loops.find import find_loop
from micrograd.programs.loops.parts import Part, Parts
from micrograd.programs.lower.plan import Plan
from micrograd.programs.run.executor import Executable, Workspace
from micrograd.programs.trace.tape import Tape
from micrograd.value.identity import IdentityDict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# Nodes of a loop from which on it runs step by step. None does: a wide layer was parted wrong.
LONG = math.inf
OFTEN = 2  # calls for each node of a step: they take as much longer as to plan all steps takes
LARGEST = 100_000  # nodes; the plan of more takes too much memory


class _Planned:
    """A part, planned: where its parameters are among all, and what it gives and takes by name."""

    def __init__(
        self,
        part: Part,
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
    ) -> None:
        tape = part.tape
        outputs = part.outputs
        own = [p for p in parameters if p in tape.parameters]
        leaves = [leaf for name in part.takes for leaf in part.takes[name]]
        slopes = Slopes(tape, outputs)
        self.plan = Plan(Lifted(tape, outputs, [], slopes, own, patterns, (), leaves))
        rank = {id(p): k for k, p in enumerate(parameters)}
        self.ranks: Array = np.array([rank[id(p)] for p in own], int)
        self.own: list[int] = [tape.parameters[p] for p in own]  # leaves
        self.gives: list[tuple[str, int]] = [(name, len(part.gives[name])) for name in part.gives]
        self.takes: list[tuple[str, int]] = [tape.inputs[leaf] for leaf in leaves]
        self.width: int = len(outputs)
        self.sizes: dict[str, int] = dict(tape.columns)


class Rolled(Executable):
    """A tape with a long loop, and no guards, that runs step by step."""

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        parts: Parts,
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
    ) -> None:
        self.parameters = list(parameters)
        self.block = block_of(self.parameters)
        self._numbers = np.asarray(self.block.data)
        self._patterns: list[str] = [patterns.get(p, "") for p in self.parameters]
        self._count_guards, self._reverses, self._calls = 0, True, 0
        self._often = OFTEN * len(parts.loop.ops)
        self.width = len(outputs)
        self._tape = tape
        self._outputs = outputs
        self._idle = []
        self.first = _Planned(parts.first, parameters, patterns)
        self.body = _Planned(parts.body, parameters, patterns)
        self.last = _Planned(parts.last, parameters, patterns)
        self.steps = _Steps(tape, parts, self.body, parameters)
        self._make = partial(_Workspace, self)

    @property
    def plan(self) -> Plan:  # type: ignore[override]
        """The plan of all steps, for who wants it so."""
        return self._whole.plan

    @cached_property
    def _whole(self) -> Executable:
        """All steps, planned one by one: that takes long, and each call less."""
        self._tape.open()
        slopes = Slopes(self._tape, self._outputs)
        self._tape.close()
        patterns = IdentityDict(zip(self.parameters, self._patterns))
        return Executable(self._tape, self._outputs, slopes, self.parameters, patterns, {})

    def forward(self, inputs: Mapping[str, Array], n: int) -> tuple[Array, Any, Array | None]:
        """Return what `Executable.forward` does."""
        self._calls += 1
        if self._calls > self._often and len(self._tape.ops) <= LARGEST:
            return self._whole.forward(inputs, n)
        return super().forward(inputs, n)

    def backward(self, state: Any, seeds: Array | float) -> Array:
        """Return what `Executable.backward` does."""
        if isinstance(state, Workspace):
            return self._whole.backward(state, seeds)
        return super().backward(state, seeds)

    def give_back(self, state: Any) -> None:
        """Return the workspace of a call that nothing refers to any more to the pool."""
        if isinstance(state, Workspace):
            self._whole.give_back(state)
        else:
            super().give_back(state)


class _Steps:
    """What each step has of its own: parameters by their ranks, columns of arguments, numbers."""

    def __init__(
        self, tape: Tape, parts: Parts, body: _Planned, parameters: Sequence[Value]
    ) -> None:
        self.count = parts.loop.count
        self.ranks: Array = np.tile(body.ranks, (self.count, 1))
        self.columns: list[tuple[str, int, list[tuple[str, int]]]] = []
        self.numbers: list[tuple[str, int, list[float]]] = []
        self.collected = parts.collected
        places = parts.collected_places
        self.collected_at: list[int] = [places.index(place) for _, place in parts.collected]
        rank = {tape.parameters[p]: k for k, p in enumerate(parameters)}
        for k, leaf in enumerate(parts.own_leaves):
            own = [step[k] for step in parts.loop.own]
            if leaf in parts.body.tape.inputs:
                name, place = parts.body.tape.inputs[leaf]
                if own[0] in tape.constants:
                    self.numbers.append((name, place, [tape.constants[i] for i in own]))
                else:
                    self.columns.append((name, place, [tape.inputs[i] for i in own]))
            else:
                self.ranks[:, body.own.index(leaf)] = [rank[i] for i in own]


class _Workspace:
    """The memory of a call: workspaces of the three parts, and what each step was given."""

    def __init__(self, program: Rolled, n: int) -> None:
        self.n = n
        self.changes = -1
        self.parameters: Array = np.zeros(len(program.parameters))
        self.inputs: Mapping[str, Array] = {}
        self._gradients: Array = np.zeros(len(program.parameters))
        self._steps = program.steps
        self._parts = [program.first, program.body, program.last]
        self._workspaces = [Workspace(part.plan, n) for part in self._parts]
        self._given: list[dict[str, Array]] = []
        self._fixed: dict[str, Array] = {}

    def forward(self, inputs: Mapping[str, Array], out: Array) -> None:
        """Compute the results for these inputs, into `out` of shape (k, n)."""
        self.inputs = {name: np.array(x, float) for name, x in inputs.items()}
        self._fixed = dict(self.inputs)
        state = self._run(0, self._fixed, self._parts[0].ranks)
        self._given = []
        results = []
        for k in range(self._steps.count):
            self._given.append(self._of_step(k, state))
            found = self._run(1, self._given[-1], self._steps.ranks[k])
            results.append(found.pop("r", None))
            state = {**state, **found}
        if self._steps.collected:
            at = zip(self._steps.collected, self._steps.collected_at)
            state["r"] = np.array([_of_result(results, step, place) for (step, _), place in at])
        last = {**self._fixed, **state}
        self._workspaces[2].parameters[:] = self.parameters[self._parts[2].ranks]
        self._workspaces[2].forward(last, out)

    def _of_step(self, k: int, state: Mapping[str, Array]) -> dict[str, Array]:
        """Return what a step is given."""
        given = {**self._fixed, **state}
        sizes = self._parts[1].sizes
        for name, place, columns in self._steps.columns:
            if name not in given:
                given[name] = np.empty((sizes[name], self.n))
            of, column = columns[k]
            given[name][place] = self.inputs[of][column]
        for name, place, numbers in self._steps.numbers:
            if name not in given:
                given[name] = np.empty((sizes[name], self.n))
            given[name][place] = numbers[k]
        return given

    def _run(self, part: int, given: Mapping[str, Array], ranks: Array) -> dict[str, Array]:
        """Compute a part, and return what it gives, by name."""
        planned, workspace = self._parts[part], self._workspaces[part]
        workspace.parameters[:] = self.parameters[ranks]
        out = np.empty((planned.width, self.n))
        workspace.forward(given, out)
        found = {}
        at = 0
        for name, size in planned.gives:
            found[name] = out[at : at + size]
            at += size
        return found

    def backward(self, seeds: Array | float) -> Array:
        """Compute the gradients of the parameters, for these seeds of shape (k, n), or for one."""
        self._gradients[:] = 0.0
        arrived = self._reverse(2, seeds, self._parts[2].ranks)
        of_results = arrived.pop("r", None)
        for k in reversed(range(self._steps.count)):
            self._run(1, self._given[k], self._steps.ranks[k])
            own = {name: x for name, x in arrived.items() if name in dict(self._parts[1].gives)}
            if of_results is not None:
                own["r"] = self._at_results(k, of_results)
            before = self._reverse(1, self._seeds(1, own), self._steps.ranks[k])
            others = {name: x for name, x in arrived.items() if name not in own}
            arrived = {**others, **{name: before[name] + others.get(name, 0.0) for name in before}}
        if self._parts[0].width:
            self._reverse(0, self._seeds(0, arrived), self._parts[0].ranks)
        return self._gradients

    def _at_results(self, k: int, of_results: Array) -> Array:
        """Return what arrives at what a step gives to the last part."""
        size = dict(self._parts[1].gives)["r"]
        found = np.zeros((size, self.n))
        steps = self._steps
        for (step, _), place, row in zip(steps.collected, steps.collected_at, of_results):
            if step == k:
                found[place] += row
        return found

    def _seeds(self, part: int, arrived: Mapping[str, Array]) -> Array:
        """Return what arrives at all that a part gives."""
        rows = [
            arrived.get(name, np.zeros((size, self.n))) for name, size in self._parts[part].gives
        ]
        return np.concatenate(rows)

    def _reverse(self, part: int, seeds: Array | float, ranks: Array) -> dict[str, Array]:
        """Compute what a part adds to the gradients; return what arrives at what it was given."""
        planned, workspace = self._parts[part], self._workspaces[part]
        gradients = workspace.backward(seeds)
        np.add.at(self._gradients, ranks, gradients)
        found: dict[str, Array] = {}
        for (name, place), row in zip(planned.takes, workspace.arrived):
            if name not in found:
                found[name] = np.zeros((planned.sizes[name], self.n))
            if row is not None:
                found[name][place] = row
        return found

    def is_finite(self) -> bool:
        """Return whether all gradients are numbers."""
        return math.isfinite(float(np.dot(self._gradients, np.zeros(len(self._gradients)))))


def _of_result(results: Sequence[Array | None], step: int, place: int) -> Array:
    """Return a row of what a step gave to the last part."""
    found = results[step]
    assert found is not None
    row: Array = found[place]
    return row


def rolled(
    tape: Tape,
    outputs: Sequence[int],
    parameters: Sequence[Value],
    patterns: Mapping[Value, str],
) -> Rolled | None:
    """Return what runs a tape step by step, if it has no guards and a long loop."""
    if tape.guards or len(tape.ops) < LONG:
        return None
    loop = find_loop(tape, outputs)
    if loop is None or len(loop.of_node) < LONG:
        return None
    parts = Parts(tape, outputs, loop, {*tape.columns})
    return Rolled(tape, outputs, parts, parameters, patterns) if parts.are_clear else None
