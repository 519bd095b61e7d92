"""A tape, lifted and planned, that runs on arrays, in blocks of examples where these are many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from micrograd.engine import Value
from micrograd.native.blocks import block_of
from micrograd.native.gc_pause import uncollected
from micrograd.native.threads import available, in_order
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.lower.buffers import LINE
from micrograd.programs.lower.plan import Plan
from micrograd.programs.run.careful import Careful
from micrograd.programs.run.executor import Workspace
from micrograd.programs.straight.plan import planned
from micrograd.programs.trace.tape import Tape
from micrograd.value import hooks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BLOCK = 8192  # examples in one go; their rows of numbers stay in the cache
LONG = 2**15  # where these go through the cache in chunks
KEPT = 4  # idle workspaces


class Kept:
    """The state of a call of many blocks: all that each block is computed again from."""

    ahead: float | None = None  # the seeds for which the gradients are known already
    gradients: Array
    asked = False  # whether any were asked for

    def __init__(self, inputs: Mapping[str, Array], numbers: Array, spans: Sequence[slice]) -> None:
        self.inputs = inputs
        self.numbers = numbers  # the parameters' data
        self.spans = spans  # the examples of each block


State = Union[Workspace, Kept]


class Executable:
    """A tape, lifted and planned, that runs on arrays; `outputs` says where its results stand."""

    threads: int | None = None  # what the program was asked to use
    _asked: float | None = None  # the seeds of the last reverse pass

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
        temporary = {"block", "_numbers", "_idle", "careful", "_asked", "_is_in_chunks"}
        return {name: x for name, x in vars(self).items() if name not in temporary}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, block=block_of(state["parameters"]), _idle=[])
        self._numbers = np.asarray(self.block.data)

    def forward(self, inputs: Mapping[str, Array], n: int) -> tuple[Array, State, Array | None]:
        """Return the results, of shape (k, n), and what `backward` needs of this call.

        The third is the first guard of each example that comes out otherwise, or None; see
        `Workspace.forward`. Seeds that the last reverse pass was for will be asked for again: where
        it costs less, their gradients are computed in one go.
        """
        out = np.empty((self.width, n))
        ahead = None if hooks.forgets() else self._asked
        changes = self.block.pull_data()
        if n > BLOCK:
            return self._forward_in_blocks(inputs, out, ahead)
        workspace = self._workspace(n)
        if changes != workspace.changes:
            workspace.parameters[:] = self._numbers
            workspace.changes = changes
        differs = workspace.forward(inputs, out, ahead)
        return out, workspace, differs

    def _forward_in_blocks(
        self, inputs: Mapping[str, Array], out: Array, ahead: float | None
    ) -> tuple[Array, State, Array | None]:
        n = out.shape[1]
        kept = Kept(inputs, self._numbers.copy(), self._spans(n))
        needed = inputs if self.plan.backward else {}
        copies = {name: np.empty_like(columns) for name, columns in needed.items()}
        first = np.full(n, self.plan.count_guards)

        def compute(span: slice) -> Array | None:
            for name, copy in copies.items():
                copy[:, span] = inputs[name][:, span]
            workspace, own = self._on(kept, span)
            differs = workspace.forward(own, out[:, span], ahead)
            if differs is not None:
                first[span] = differs
            known = workspace.ahead is not None and workspace.is_finite()
            found = workspace.gradients.copy() if known else None
            self._keep(workspace)
            return found

        found = self._in_blocks(compute, kept)
        if found is not None:
            kept.ahead, kept.gradients = ahead, found
        kept.inputs = copies or inputs
        return out, kept, first if (first < self.plan.count_guards).any() else None

    def backward(self, state: State, seeds: Array | float) -> Array:
        """Return the gradients of the parameters, in their order, for seeds of shape (k, n).

        One number stands for seeds that are all the same.
        """
        self._asked = seeds if isinstance(seeds, float) else None
        state.asked = True
        if isinstance(state, Workspace):
            return self._finite(state, state.backward(seeds), seeds)
        kept = state
        if kept.ahead is not None and kept.ahead == self._asked:
            return kept.gradients

        def compute(span: slice) -> Array:
            workspace, inputs = self._on(kept, span)
            some = seeds if isinstance(seeds, float) else seeds[:, span]
            found: Array = self._finite(workspace, workspace.both(inputs, some), some).copy()
            self._keep(workspace)
            return found

        gradients = self._in_blocks(compute, kept)
        assert gradients is not None
        return gradients

    def _in_blocks(self, compute: Callable[[slice], Array | None], kept: Kept) -> Array | None:
        """Compute each block of a call, and add up what they give; None if one gives nothing."""
        total: Array | None = np.zeros(len(self.parameters))

        def add(found: Array | None) -> None:
            nonlocal total
            total = None if total is None or found is None else np.add(total, found, total)

        in_order(compute, kept.spans, add, available(self.threads) if self._is_in_chunks else 1)
        return total

    def _spans(self, n: int) -> list[slice]:
        """Return the examples of each block; there are as many blocks for each of four threads."""
        count = -(-n // (4 * (LONG if self._is_in_chunks else BLOCK))) * 4
        size = -(-n // (count * LINE)) * LINE
        return [slice(i, min(i + size, n)) for i in range(0, n, size)]

    @cached_property
    def _is_in_chunks(self) -> bool:
        """Whether blocks run in chunks; else a step is a call of Python, which has no threads."""
        workspace = self._workspace(2 * BLOCK)
        self._keep(workspace)
        return workspace.is_in_chunks

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
        if state.ahead is not None and not state.asked:
            self._asked = None  # to compute them ahead was in vain
        if isinstance(state, Workspace):
            self._keep(state)

    def _keep(self, workspace: Workspace) -> None:
        self._idle.append(workspace)
        if len(self._idle) > KEPT:  # else nobody has to ask the system, which takes longer
            most = max(KEPT, available(self.threads) + 1)
            del self._idle[:-most]

    def _on(self, kept: Kept, span: slice) -> tuple[Workspace, Mapping[str, Array]]:
        """Return a workspace for some examples of a call of many, and their inputs."""
        workspace = self._workspace(span.stop - span.start)
        workspace.parameters[:] = kept.numbers
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
            return Workspace(self.plan, n)
