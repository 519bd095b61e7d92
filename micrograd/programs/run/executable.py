"""A tape, lifted and planned, that runs on arrays, in blocks of examples where these are many."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from micrograd.engine import Value
from micrograd.native.blocks import block_of
from micrograd.native.gc_pause import uncollected
from micrograd.native.threads import available, in_order
from micrograd.programs.lower.buffers import LINE
from micrograd.programs.lower.chunks import chunk_of
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.precision import DOUBLE, SINGLE, bands, fill
from micrograd.programs.run.careful import Careful
from micrograd.programs.run.executor import Workspace
from micrograd.programs.trace.tape import Tape
from micrograd.value import hooks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BLOCK = 8192  # examples in one go; their rows of numbers stay in the cache
LONG = 2**15  # where these go through the cache in chunks
SEVERAL = 16  # chunks that are worth a second block, which another thread may take
KEPT = 4  # idle workspaces
HELD = 2**28  # bytes of the inputs of a call that its workspaces hold, where steps run in chunks


class Way(NamedTuple):
    """How a program was asked to compute: on how many threads (None for all), in which numbers."""

    threads: int | None = None
    dtype: np.dtype[Any] = DOUBLE

    @property
    def elsewhere(self) -> Way:
        """The same in another process, which says itself on how many threads."""
        return Way(None, self.dtype)


class Blocks:
    """The state of a call of several blocks: their workspaces, or what they are computed from."""

    ahead: float | None = None  # as of a workspace
    asked = False

    def __init__(self, numbers: Array, spans: list[slice]) -> None:
        self.numbers = numbers  # the parameters' data
        self.spans = spans  # the examples of each block
        self.inputs: Mapping[str, Array] = {}
        self.workspaces: list[Workspace] | None = None

    def given(self, block: int, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the inputs of a block."""
        return {name: columns[:, self.spans[block]] for name, columns in inputs.items()}


State = Union[Workspace, Blocks]


class Executable:
    """A tape, lifted and planned, that runs on arrays; `outputs` says where its results stand."""

    _asked: float | None = None  # the seeds of the last reverse pass
    _held: int = 0  # how many workspaces a call of several blocks has

    def __init__(
        self, plan: Plan, tape: Tape, outputs: Sequence[int], parameters: Sequence[Value], way: Way
    ) -> None:
        self.threads, self.dtype = way
        self.parameters: list[Value] = list(parameters)
        self.block: Any = block_of(self.parameters)
        self._numbers = np.asarray(self.block.data)
        self.plan = plan
        self.width: int = len(outputs)
        self._tape = tape
        self._outputs = outputs
        self._idle: list[Workspace] = []

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: no memory, and no numbers but those of the parameters."""
        temporary = {"block", "_numbers", "_idle", "_asked", "_held"}
        temporary |= {"_most", "_is_in_chunks", "careful"}
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
        out = np.empty((self.width, n), self.dtype)
        ahead = None if hooks.forgets() else self._asked
        changes = self.block.pull_data()
        spans = self._spans(n) if n > self._most else []
        if len(spans) > 1:
            return self._forward_in_blocks(inputs, out, ahead, spans)
        workspace = self._workspace(n)
        if changes != workspace.changes:
            fill(workspace.parameters, self._numbers, "a parameter")
            workspace.changes = changes
        differs = workspace.forward(inputs, out, ahead)
        return out, workspace, differs

    def _forward_in_blocks(
        self, inputs: Mapping[str, Array], out: Array, ahead: float | None, spans: list[slice]
    ) -> tuple[Array, State, Array | None]:
        blocks = Blocks(self._numbers.copy(), spans)
        found: list[Workspace] = []
        most = self.plan.count_guards
        first = np.full(out.shape[1], most) if most else None
        if not self.plan.backward and not most:  # nobody asks what it was computed from
            blocks.inputs = inputs
        elif self._is_in_chunks and sum(x.nbytes for x in inputs.values()) <= HELD:
            blocks.workspaces, blocks.ahead = found, ahead
            self._held = len(spans)
        else:
            ahead, blocks.inputs = None, {name: x.copy("K") for name, x in inputs.items()}

        def compute(block: int) -> Workspace:
            workspace, span = self._of(blocks, block), spans[block]
            differs = workspace.forward(blocks.given(block, inputs), out[:, span], ahead)
            if first is not None and differs is not None:
                first[span] = differs
            if blocks.workspaces is None:
                self._keep(workspace)
            return workspace

        self._in_order(compute, blocks, found.append)
        return out, blocks, None if first is None or (first == most).all() else first

    def backward(self, state: State, seeds: Array | float) -> Array:
        """Return the gradients of the parameters, in their order, for seeds of shape (k, n).

        One number stands for seeds that are all the same.
        """
        if self.dtype == DOUBLE:
            return self._backward(state, seeds)
        # The seeds, and the gradients, may be smaller or larger than numbers of float32 can be.
        if isinstance(seeds, float) and 1e-200 < abs(seeds) < 1e200:  # no warning could arise
            found: Array = np.multiply(self._backward(state, 1.0), seeds, dtype=DOUBLE)
            return found
        total = np.zeros(len(self.parameters))
        with np.errstate(all="ignore"):
            for some, scale in bands(seeds):
                total += np.multiply(self._backward(state, some), scale, dtype=DOUBLE)
        return total

    def _backward(self, state: State, seeds: Array | float) -> Array:
        self._asked = seeds if isinstance(seeds, float) else None
        state.asked = True
        if isinstance(state, Workspace):
            return self._finite(state, state.backward(seeds), seeds)
        blocks = state
        gradients = np.zeros(len(self.parameters))

        def compute(block: int) -> Array:
            some = seeds if isinstance(seeds, float) else seeds[:, blocks.spans[block]]
            if blocks.workspaces is not None:
                workspace = blocks.workspaces[block]
                return self._finite(workspace, workspace.backward(some), some)
            workspace, inputs = self._of(blocks, block), blocks.given(block, blocks.inputs)
            found: Array = self._finite(workspace, workspace.both(inputs, some), some).copy()
            self._keep(workspace)
            return found

        def add(found: Array) -> None:
            np.add(gradients, found, gradients)

        self._in_order(compute, blocks, add)
        return gradients

    def _in_order(
        self, compute: Callable[[int], Any], blocks: Blocks, take: Callable[[Any], None]
    ) -> None:
        """Compute each block, on threads if there is something to compute, and take them."""
        is_known = blocks.asked and blocks.ahead is not None and blocks.ahead == self._asked
        threads = available(self.threads) if self._is_in_chunks and not is_known else 1
        in_order(compute, range(len(blocks.spans)), take, threads)

    @cached_property
    def _most(self) -> int:
        """The most examples that are one block for sure."""
        chunk = chunk_of(self.plan.storages, self.plan.memories, BLOCK, self.dtype.itemsize)
        return min(BLOCK, SEVERAL * chunk)

    @cached_property
    def _is_in_chunks(self) -> bool:
        """Whether blocks run in chunks; else a step is a call of Python, which has no threads."""
        workspace = self._workspace(2 * BLOCK)
        self._keep(workspace)
        return workspace.is_in_chunks

    def _spans(self, n: int) -> list[slice]:
        """Return the examples of each block: as many blocks for each of two threads, or four."""
        if n <= BLOCK and not self._is_in_chunks:
            return []
        count = 4 * -(-n // (4 * (LONG if self._is_in_chunks else BLOCK)))
        if n < 2 * self._most:
            count = 2
        even = LINE // SINGLE.itemsize  # so that each begins at the start of a line of the cache
        size = -(-n // (count * even)) * even
        return [slice(i, min(i + size, n)) for i in range(0, n, size)]

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
        for workspace in [state] if isinstance(state, Workspace) else state.workspaces or ():
            self._keep(workspace)

    def _keep(self, workspace: Workspace) -> None:
        self._idle.append(workspace)
        if len(self._idle) > KEPT:  # else nobody has to ask the system, which takes longer
            most = max(KEPT, available(self.threads) + 1, self._held)
            del self._idle[:-most]

    def _of(self, blocks: Blocks, block: int) -> Workspace:
        """Return a workspace for a block, with the parameters of its call."""
        span = blocks.spans[block]
        workspace = self._workspace(span.stop - span.start)
        fill(workspace.parameters, blocks.numbers, "a parameter")
        workspace.changes = -1
        return workspace

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
