"""A tape, lifted and planned, that runs on arrays, in blocks of examples where these are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from micrograd.engine import Value
from micrograd.native.blocks import block_of
from micrograd.native.gc_pause import uncollected
from micrograd.native.threads import available, in_order
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.lower.buffers import LINE
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.precision import DOUBLE, SINGLE, fill, scaled
from micrograd.programs.run.careful import Careful
from micrograd.programs.run.executor import Workspace
from micrograd.programs.straight.plan import planned
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BLOCK = 8192  # examples in one go; their rows of numbers stay in the cache
KEPT = 4  # idle workspaces


class Kept(NamedTuple):
    """The state of a call of many blocks: all that each block is computed again from."""

    inputs: Mapping[str, Array]
    numbers: Array  # the parameters' data
    n: int

    def spans(self) -> list[slice]:
        """Return the examples of each block; there are as many for each of four threads."""
        count = -(-self.n // (4 * BLOCK)) * 4
        even = LINE // SINGLE.itemsize  # so that each begins at the start of a line of the cache
        size = -(-self.n // (count * even)) * even
        return [slice(i, min(i + size, self.n)) for i in range(0, self.n, size)]


State = Union[Workspace, Kept]


class Executable:
    """A tape, lifted and planned, that runs on arrays; `outputs` says where its results stand."""

    threads: int | None = None  # what the program was asked to use
    dtype: np.dtype[Any] = DOUBLE  # what it computes in

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        slopes: Slopes,
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
        guards: Mapping[int, bool],
    ) -> None:
        self.parameters: list[Value] = list(parameters)
        self.block: Any = block_of(self.parameters)
        self._numbers = np.asarray(self.block.data)
        self.plan: Plan = planned(tape, outputs, guards, slopes, parameters, patterns)
        self.width: int = len(outputs)
        self._tape = tape
        self._outputs = outputs
        self._idle: list[Workspace] = []

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: no memory, and no numbers but those of the parameters."""
        temporary = {"block", "_numbers", "_idle", "careful"}
        return {name: x for name, x in vars(self).items() if name not in temporary}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, block=block_of(state["parameters"]), _idle=[])
        self._numbers = np.asarray(self.block.data)

    def forward(self, inputs: Mapping[str, Array], n: int) -> tuple[Array, State, Array | None]:
        """Return the results, of shape (k, n), and what `backward` needs of this call.

        The third is the first guard of each example that comes out otherwise, or None; see
        `Workspace.forward`.
        """
        out = np.empty((self.width, n), self.dtype)
        if n <= BLOCK:
            workspace = self._workspace(n)
            changes = self.block.pull_data()
            if changes != workspace.changes:
                fill(workspace.parameters, self._numbers, "a parameter")
                workspace.changes = changes
            differs = workspace.forward(inputs, out)
            return out, workspace, differs
        self.block.pull_data()
        numbers = self._numbers.copy()
        if self.plan.backward:
            inputs = {name: columns.copy("K") for name, columns in inputs.items()}
        kept = Kept(inputs, numbers, n)
        first = np.full(n, self.plan.count_guards)

        def compute(span: slice) -> None:
            workspace, own = self._on(kept, span)
            differs = workspace.forward(own, out[:, span])
            self.give_back(workspace)
            if differs is not None:
                first[span] = differs

        in_order(compute, kept.spans(), lambda _: None, self._threads_for(kept))
        return out, kept, first if (first < self.plan.count_guards).any() else None

    def backward(self, state: State, seeds: Array | float) -> Array:
        """Return the gradients of the parameters, in their order, for seeds of shape (k, n).

        One number stands for seeds that are all the same.
        """
        if self.dtype == DOUBLE:
            return self._backward(state, seeds)
        # The seeds, and the gradients, may be smaller or larger than numbers of float32 can be.
        seeds, scale = scaled(seeds)
        found: Array = np.multiply(self._backward(state, seeds), scale, dtype=DOUBLE)
        return found

    def _backward(self, state: State, seeds: Array | float) -> Array:
        if isinstance(state, Workspace):
            return self._finite(state, state.backward(seeds), seeds)
        kept = state
        gradients = np.zeros(len(self.parameters))

        def compute(span: slice) -> Array:
            workspace, inputs = self._on(kept, span)
            some = seeds if isinstance(seeds, float) else seeds[:, span]
            found: Array = self._finite(workspace, workspace.both(inputs, some), some).copy()
            self.give_back(workspace)
            return found

        def add(found: Array) -> None:
            np.add(gradients, found, gradients)

        in_order(compute, kept.spans(), add, self._threads_for(kept))
        return gradients

    def _threads_for(self, kept: Kept) -> int:
        """Return on how many threads to compute: on one where a step is a call of Python."""
        workspace, _ = self._on(kept, kept.spans()[0])
        self.give_back(workspace)
        return available(self.threads) if workspace.is_in_chunks else 1

    def _finite(self, workspace: Workspace, gradients: Array, seeds: Array | float) -> Array:
        """Return gradients of a workspace, computed anew if some are not finite."""
        if workspace.is_finite():
            return gradients
        if isinstance(seeds, float):
            seeds = np.full((self.width, workspace.n), seeds)
        return self.careful.gradients(workspace.inputs, workspace.parameters, seeds)

    @cached_property
    def careful(self) -> Careful:
        return Careful(self._tape, self._outputs, self.parameters)

    def give_back(self, state: State) -> None:
        """Return the workspace of a call that nothing refers to any more to the pool."""
        if isinstance(state, Workspace):
            self._idle.append(state)
            if len(self._idle) > KEPT:  # else nobody has to ask the system, which takes longer
                most = max(KEPT, available(self.threads) + 1)
                del self._idle[:-most]

    def _on(self, kept: Kept, span: slice) -> tuple[Workspace, Mapping[str, Array]]:
        """Return a workspace for some examples of a call of many, and their inputs."""
        workspace = self._workspace(span.stop - span.start)
        fill(workspace.parameters, kept.numbers, "a parameter")
        workspace.changes = -1
        return workspace, {name: x[:, span] for name, x in kept.inputs.items()}

    def _workspace(self, n: int) -> Workspace:
        idle = self._idle
        for _ in range(len(idle)):
            try:
                workspace = idle.pop()
            except IndexError:
                break  # other threads were quicker
            if workspace.n == n:
                return workspace
            idle.insert(0, workspace)
        with uncollected():
            return Workspace(self.plan, n, self.dtype)
