"""Running a plan on NumPy arrays: buffers and views are made once per number of examples.

The examples are the last axis of every array, so that a row of numbers, one per example, lies in
one piece. A `Workspace` holds the buffers for one block of examples and the calls that fill them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextvars import Context
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from micrograd import ops
from micrograd.engine import Value
from micrograd.native.blocks import block_of
from micrograd.native.gc_pause import uncollected
from micrograd.programs.lift.groups import CONSTANTS, INPUT
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.lower.buffers import allocate
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.straight_plan import planned
from micrograd.programs.lower.strides import Step, View
from micrograd.programs.run import kernels as rows
from micrograd.programs.run.careful import Careful
from micrograd.programs.run.instructions import Instructions, can_write
from micrograd.programs.run.kernels import Call
from micrograd.programs.run.matmul import fits_blas, outer, packed, product
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BLOCK = 8192  # examples in one go; their rows of numbers stay in the cache
KEPT = 4  # idle workspaces
FEW = 16  # examples: a sum over terms and examples is one product, though these have to be copied


class Workspace:
    """The buffers of a plan for `n` examples, and its steps as calls on views of them."""

    def __init__(self, plan: Plan, n: int) -> None:
        self.n = n
        # Each as it lies in memory, and by rows.
        self._memory, self._lying = allocate(plan, n)
        self.buffers: list[NDArray[Any]] = [
            x.T[: s.rows + s.ones] if s.by_example else x
            for x, s in zip(self._lying, plan.storages)
        ]
        for storage, buffer in zip(plan.storages, self.buffers):
            if storage.kind == CONSTANTS:
                buffer[:] = plan.constants
            elif storage.ones:
                buffer[-1] = 1.0
        self.parameters: NDArray[Any] = self.buffers[0]
        self.changes = -1  # as the block counts them, when these were what the parameters are
        self.gradients: NDArray[Any] = self.buffers[plan.gradients]
        given = [
            (storage.name, buffer[: storage.rows])
            for storage, buffer in zip(plan.storages, self.buffers)
            if storage.kind == INPUT
        ]
        self.inputs: dict[str, NDArray[Any]] = {name: buffer for name, buffer in given if name}
        self._seeds = [buffer for name, buffer in given if not name]
        self._seed: float | None = None  # the number they are all filled with
        self._outputs = [self.buffers[s][row, ...] for s, row in plan.outputs]
        self._guards = [(self.buffers[s], *places) for s, *places in plan.guards]
        self._truths = plan.truths
        self._check = self._only_guard()
        self._copied = [(self.buffers[s], *places) for s, *places in plan.copied]
        # NumPy's errstate is a context variable: to enter one of our own is ten times as quick.
        self._zeros = np.zeros(len(self.gradients))
        self._quietly = Context()
        self._quietly.run(partial(np.seterr, all="ignore"))
        self._numbers = _Numbers(self.buffers)
        self._in_c: Instructions | None = None
        if can_write(self._memory):
            self._in_c = Instructions(self._memory, self.buffers, self.n)
        self._forward = self._bind(plan.forward)
        self._backward = self._bind(plan.backward)
        del self._numbers, self._in_c  # of which the calls hold what they need

    def forward(self, inputs: Mapping[str, Array], out: Array) -> Array | None:
        """Compute the results for these inputs, into `out` of shape (k, n).

        Give the first guard of each example that comes out otherwise than on this path, or how
        many guards there are; None if all hold.
        """
        for name, buffer in self.inputs.items():
            buffer[:] = inputs[name][: len(buffer)]
        self._quietly.run(_run, self._forward)
        for row, results in zip(self._outputs, out):
            results[...] = row
        return self._differing() if self._guards else None

    def _only_guard(self) -> Array | None:
        """Return the numbers of the guard, if there is but one, and it is true: a loss's check."""
        if self._truths.shape != (1, 1) or not self._truths[0, 0]:
            return None
        [(buffer, of_buffer, _)] = self._guards
        numbers: Array = buffer[of_buffer[0], ...]
        return numbers

    def _differing(self) -> Array | None:
        if self._check is not None and np.logical_and.reduce(self._check, None):
            return None
        found = np.empty((len(self._truths), self.n), bool)
        for buffer, of_buffer, places in self._guards:
            numbers = buffer[of_buffer]
            found[places] = numbers if numbers.ndim > 1 else numbers[:, None]
        found ^= self._truths
        if not found.any():
            return None
        first: Array = found.argmax(axis=0)
        first[~found.any(axis=0)] = len(found)
        return first

    def backward(self, seeds: Array | float) -> Array:
        """Compute the gradients of the parameters, for these seeds of shape (k, n), or for one."""
        if not isinstance(seeds, float):
            for buffer in self._seeds:
                buffer[:] = seeds[: len(buffer)]
            self._seed = None
        elif seeds != self._seed:  # else it stands there since the last time
            for buffer in self._seeds:
                buffer[:] = seeds
            self._seed = seeds
        self._quietly.run(_run, self._backward)
        for buffer, places, numbers in self._copied:
            self.gradients[places] = buffer[numbers]
        return self.gradients

    def is_finite(self) -> bool:
        """Return whether all gradients are numbers."""
        return math.isfinite(self._quietly.run(np.dot, self.gradients, self._zeros))

    # Steps as calls ----------------------------------------------------------------------------

    def _bind(self, steps: Sequence[Step]) -> list[Call]:
        """Return the steps as calls: many in C as one, and each of the others as NumPy's own."""
        calls: list[Call] = []
        in_c = self._in_c
        for step in steps if in_c is None else in_c.unwritten(steps):
            if in_c is None or not in_c.write(step):
                calls += [] if in_c is None else in_c.as_calls()
                calls += getattr(self, f"_{step.kind}")(step)
        return calls if in_c is None else [*calls, *in_c.as_calls()]

    def _array(self, view: View, broadcast: bool = False) -> Array:
        """Return the view as an array; to `broadcast`, what is shared gets an axis for examples."""
        if not view.dims:
            return self._numbers[view]
        buffer = self.buffers[view.storage]
        if broadcast and not view.varies and not any(view.strides):
            return buffer[view.base, ...]
        row = buffer.strides[0]
        dims, strides = view.dims, tuple([s * row for s in view.strides])
        if view.varies:
            dims, strides = (*dims, self.n), (*strides, buffer.strides[1])
        elif broadcast:
            dims, strides = (*dims, 1), (*strides, 0)
        return np.ndarray(dims, np.float64, self._lying[view.storage], view.base * row, strides)

    def _row(self, step: Step) -> Any:
        out = self._array(step.out)
        operands = [self._array(v, step.out.varies) for v in step.operands]
        return rows.calls(step.detail, operands, out)

    def _product(self, step: Step) -> Any:
        batch, depth, terms = step.detail
        out, shared, varying = map(self._array, (step.out, *step.operands))
        calls: list[Any] = []
        if not depth:
            out = np.expand_dims(out, -2)
            shared = np.expand_dims(shared, batch)
        if not terms:
            shared, varying = np.expand_dims(shared, -1), np.expand_dims(varying, -2)
        elif terms > 1:
            calls, varying = packed(varying, batch, terms)
            more, shared = packed(shared, batch + 1, terms)
            calls += more
        elif not fits_blas(shared):
            calls, shared = packed(shared, batch + 1, terms)
        return [*calls, *product(shared, varying, out)]

    def _outer(self, step: Step) -> Any:
        terms, batch, height, width = step.detail
        out = self._array(step.out)
        left, right = map(self._array, step.operands)
        if left.ndim == right.ndim == 1:
            return [(np.dot, (left, right, out))]
        if not height:
            left, out = np.expand_dims(left, -2), np.expand_dims(out, out.ndim - width)
        if not width:
            right, out = np.expand_dims(right, -2), np.expand_dims(out, -1)
        right = right.swapaxes(-1, -2)
        if not terms:
            return outer(left, right, out)
        if not batch and self.n <= FEW:
            calls, left = packed(left.swapaxes(-1, -2), 0, terms + 1)
            more, right = packed(right, 0, terms + 1)
            return [*calls, *more, *outer(left.T, right, out)]
        products = np.empty((*left.shape[:terms], *out.shape))
        return [
            (np.matmul, (left, right, products)),
            (np.add.reduce, (products, tuple(range(terms)), None, out)),
        ]

    def _sum(self, step: Step) -> Any:
        op, terms = step.detail
        [view] = step.operands
        array, out = self._array(view), self._array(step.out)
        depth = len(view.dims)
        axes = tuple(range(depth - terms, depth))
        if view.varies and not step.out.varies:
            axes = (*axes, depth)
        elif op is ops.add and not any(view.strides[depth - terms :]):
            # The same term several times, as in the derivative of p * p.
            times = float(np.prod(view.dims[depth - terms :]))
            once: Any = (*[slice(None)] * (depth - terms), *[0] * terms, ...)
            return [(np.multiply, (array[once], times, out))]
        return [(getattr(np, op.name).reduce, (array, axes, None, out))]

    def _segments(self, step: Step) -> Any:
        [source] = step.operands
        out = self._array(step.out)
        return [(np.add.reduceat, (self._array(source), step.detail, 0, None, out))]

    def _running(self, step: Step) -> Any:
        [source] = step.operands
        return [(np.add.accumulate, (self._array(source), 0, None, self._array(step.out)))]

    def _clear(self, step: Step) -> Any:
        return [(self.buffers[step.out.storage].__setitem__, (step.detail, 0.0))]

    def _einsum(self, step: Step) -> Any:
        arrays = [self._array(v) for v in step.operands]
        if step.detail == "a,a->":  # for which einsum takes its time
            return [(np.dot, (*arrays, self._array(step.out)))]
        return [(partial(np.einsum, step.detail, out=self._array(step.out)), tuple(arrays))]

    def _take(self, step: Step) -> Any:
        [source] = step.operands
        return [(self._array(source).take, (step.detail, 0, self._array(step.out), "clip"))]

    def _put(self, step: Step) -> Any:
        [source] = step.operands
        places = self.buffers[step.out.storage]
        return [(places.__setitem__, (step.detail, self._array(source)))]


class _Numbers(dict[View, "Array"]):
    """Single rows of the buffers, by their views; each is made once."""

    def __init__(self, buffers: Sequence[Array]) -> None:
        self._buffers = buffers

    def __missing__(self, view: View) -> Array:
        self[view] = number = self._buffers[view.storage][view.base, ...]
        return number


def _run(calls: Sequence[Call]) -> None:
    for call, arguments in calls:
        call(*arguments)


class Kept(NamedTuple):
    """The state of a call of many blocks: all that each block is computed again from."""

    inputs: Mapping[str, Array]
    numbers: Array  # the parameters' data
    n: int

    def spans(self) -> list[slice]:
        """Return the examples of each block."""
        return [slice(i, min(i + BLOCK, self.n)) for i in range(0, self.n, BLOCK)]


State = Union[Workspace, Kept]


class Executable:
    """A tape, lifted and planned, that runs on arrays; `outputs` says where its results stand."""

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
        out = np.empty((self.width, n))
        if n <= BLOCK:
            workspace = self._workspace(n)
            changes = self.block.pull_data()
            if changes != workspace.changes:
                workspace.parameters[:] = self._numbers
                workspace.changes = changes
            differs = workspace.forward(inputs, out)
            return out, workspace, differs
        self.block.pull_data()
        numbers = self._numbers.copy()
        if self.plan.backward:
            inputs = {name: columns.copy() for name, columns in inputs.items()}
        kept = Kept(inputs, numbers, n)
        first = np.full(n, self.plan.count_guards)
        for span in kept.spans():
            workspace, differs = self._run_span(kept, span, out[:, span])
            self.give_back(workspace)
            if differs is not None:
                first[span] = differs
        return out, kept, first if (first < self.plan.count_guards).any() else None

    def backward(self, state: State, seeds: Array | float) -> Array:
        """Return the gradients of the parameters, in their order, for seeds of shape (k, n).

        One number stands for seeds that are all the same.
        """
        if isinstance(state, Workspace):
            return self._backward(state, seeds)
        gradients = np.zeros(len(self.parameters))
        for span in state.spans():
            out = np.empty((self.width, span.stop - span.start))
            workspace, _ = self._run_span(state, span, out)
            some = seeds if isinstance(seeds, float) else seeds[:, span]
            gradients += self._backward(workspace, some)
            self.give_back(workspace)
        return gradients

    def _backward(self, workspace: Workspace, seeds: Array | float) -> Array:
        gradients = workspace.backward(seeds)
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
            del self._idle[:-KEPT]

    def _run_span(self, kept: Kept, span: slice, out: Array) -> tuple[Workspace, Array | None]:
        workspace = self._workspace(span.stop - span.start)
        workspace.parameters[:] = kept.numbers
        workspace.changes = -1
        differs = workspace.forward({name: x[:, span] for name, x in kept.inputs.items()}, out)
        return workspace, differs

    def _workspace(self, n: int) -> Workspace:
        for workspace in reversed(tuple(self._idle)):
            if workspace.n == n:
                try:
                    self._idle.remove(workspace)
                except ValueError:
                    continue  # another thread was quicker
                return workspace
        with uncollected():
            return Workspace(self.plan, n)
