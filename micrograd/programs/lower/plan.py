"""Plans: a lifted tape as steps on strided views, each one call of the array library."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Sequence
from functools import cached_property

import numpy as np

from micrograd.programs.lift.groups import INPUT
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lower.buffers import share
from micrograd.programs.lower.chunks import Pass, in_chunks
from micrograd.programs.lower.fuse_bias import absorb
from micrograd.programs.lower.operands import Storage
from micrograd.programs.lower.steps import Steps
from micrograd.programs.lower.strides import Step

FIRST, NEVER = -1, sys.maxsize
SHORT = 8  # numbers of an example: to turn so few round costs less than to read them as given


class Plan:
    """The storages and steps of a lifted tape; `forward` ends where the outputs are known."""

    def __init__(self, lifted: Lifted, truths: Sequence[bool] = ()) -> None:
        self.constants: list[float] = list(lifted.tape.constants.values())
        ones = absorb(lifted)
        steps = Steps(lifted)
        for group in lifted.groups:
            storage = steps.add_storage(group)
            steps.storages[storage].ones |= group.index in ones
        times = _times(lifted)
        for group in sorted(lifted.groups, key=lambda group: times[group.index]):
            time = times[group.index]
            if group.terms and group.members and time < NEVER:
                steps.steps = steps.forward if time == FIRST else steps.backward
                steps.write(group)
        self.storages: list[Storage] = steps.storages
        self.gradients: int = steps.gradients
        self.forward: Sequence[Step] = steps.forward
        self.backward: Sequence[Step] = steps.backward
        self._lay_out_inputs()
        self._read_outputs([steps.row(i) for i in lifted.outputs], truths)
        copied = steps.elsewhere()
        self.copied = [(s, *np.array(pairs).T) for s, pairs in copied.items()]
        self.memories: list[int] = share(self.storages, *self._lifetimes(copied))

    @cached_property
    def passes(self) -> tuple[Pass, Pass] | None:
        """Return the forward pass and the whole step, in chunks, if both are possible."""
        forward, both = in_chunks(self.forward), in_chunks([*self.forward, *self.backward])
        return None if forward is None or both is None else (forward, both)

    def _read_outputs(self, rows: list[tuple[int, int]], truths: Sequence[bool]) -> None:
        """Tell where the results stand, and, by storage, the guards, which come behind them."""
        self.count_guards: int = len(truths)
        self.outputs: list[tuple[int, int]] = rows[: len(rows) - len(truths)]
        self.truths = np.array(truths, bool)[:, None]
        by_storage: dict[int, list[tuple[int, int]]] = {}
        for place, (storage, row) in enumerate(rows[len(self.outputs) :]):
            by_storage.setdefault(storage, []).append((row, place))
        self.guards = [(s, *np.array(pairs).T) for s, pairs in by_storage.items()]
        # Those that fill a storage lie side by side, what varies and what does not.
        asked: dict[bool, list[int]] = {}
        for s, pairs in by_storage.items():
            own = self.storages[s]
            full = sorted(row for row, _ in pairs) == [*range(own.rows)]
            if full and own.kind == "computed" and not own.ones:
                own.asked = True
                asked.setdefault(own.varies, []).append(s)
        self.asked: list[list[int]] = list(asked.values())

    def _lay_out_inputs(self) -> None:
        """Leave inputs as they are given where only matrix products read them, if they are long."""
        inputs = {i: s for i, s in enumerate(self.storages) if s.kind == INPUT}
        for storage in inputs.values():
            storage.by_example = storage.rows > SHORT
        for step in [*self.forward, *self.backward]:
            for view in step.operands:
                if view.storage in inputs and not _as_matrix(step):
                    inputs[view.storage].by_example = False

    def _lifetimes(
        self, copied: Iterable[int]
    ) -> tuple[list[Step], dict[int, int], Container[int]]:
        """All steps, until when what is read later must stay, and what is read from outside.

        The results are read after the forward pass, or after both.
        """
        steps = [*self.forward, *self.backward]
        outside = {s for s, *_ in (*self.outputs, *self.guards)} | {*copied}
        needed = dict.fromkeys(outside, len(steps))
        for step in self.backward:  # which may be taken again
            for view in step.operands:
                needed[view.storage] = len(steps)
        for step in self.backward:
            if step.out.storage not in outside:
                needed.pop(step.out.storage, None)
        return steps, needed, outside


def _times(lifted: Lifted) -> list[int]:
    """Return when each group is computed: for the outputs FIRST, else in the order of adjoints.

    Slopes are computed just before they are needed, so that few are kept at a time.
    """
    times = [NEVER] * len(lifted.groups)
    for i in lifted.gradients.values():
        times[lifted.group_of[i]] = lifted.group_of[i]
    for i in lifted.outputs:
        times[lifted.group_of[i]] = FIRST
    for group in reversed(lifted.groups):
        time = times[group.index]
        if FIRST < time < NEVER and group.index >= lifted.forward:
            time = times[group.index] = group.index
        for terms in group.terms:
            for g in terms.groups:
                times[g] = min(times[g], time)
    return times


def _as_matrix(step: Step) -> bool:
    """Return whether it reads its operands as BLAS does, examples first or last."""
    return step.kind == "outer" or (step.kind == "product" and step.detail[2] == 1)
