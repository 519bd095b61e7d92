"""Running a plan on NumPy arrays: buffers and views are made once per number of examples.

The examples are the last axis of every array, so that a row of numbers, one per example, lies in
one piece. A `Workspace` holds the buffers for one block of examples and the calls that fill them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd import ops
from micrograd.programs.lift.groups import CONSTANTS, INPUT
from micrograd.programs.lower.buffers import allocate
from micrograd.programs.lower.chunks import chunk_of
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.precision import DOUBLE, constants_in
from micrograd.programs.lower.strides import Step, View
from micrograd.programs.run import kernels as rows
from micrograd.programs.run.guards import Guards
from micrograd.programs.run.instructions import Instructions, can_write, executors
from micrograd.programs.run.kernels import Call
from micrograd.programs.run.matmul import fits_blas, one_product, outer, packed, product

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# The products of one kind that einsum takes long to begin with: number by number, then added up.
_DOT_PRODUCTS = ("az,az->z", "abz,abz->az", "abcz,abcz->abz")
FEW = 16  # examples: a sum over terms and examples is one product, though these have to be copied


class Workspace:
    """The buffers of a plan for `n` examples, and its steps as calls on views of them."""

    def __init__(self, plan: Plan, n: int, dtype: np.dtype[Any] = DOUBLE) -> None:
        self.n = n
        self._dtype = dtype
        if not self._bind_in_chunks(plan):
            self._allocate(plan)
            self._bind_as_one(plan)
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
        self._outputs = self._results(plan.outputs)
        self._guards = Guards(plan, self.buffers, self._asked, n) if plan.guards else None
        self.ahead: float | None = None  # the seeds for which the gradients are known already
        self.asked = False  # whether any were asked for
        self._times_zero = np.zeros((), dtype)
        self._end = self._gather(plan)
        # NumPy's errstate is a context variable: to enter one of our own is ten times as quick.
        self._quietly = Context()
        self._quietly.run(partial(np.seterr, all="ignore"))

    def forward(
        self, inputs: Mapping[str, Array], out: Array, ahead: float | None = None
    ) -> Array | None:
        """Compute the results for these inputs, into `out` of shape (k, n).

        Give the first guard of each example that comes out otherwise than on this path, or how
        many guards there are; None if all hold. Where the steps run in chunks, the gradients for
        the seeds `ahead` are computed with the results: each chunk is in the cache only once.
        """
        self._quietly.run(self._fill, inputs)  # a number of float64 may be infinite in float32
        if self._both is None or ahead is None:
            self._quietly.run(_run, self._forward)
        else:
            self._sow(ahead)
            self._quietly.run(_run, self._both, self._end)
            self.ahead = ahead
        for place, results in self._outputs:
            out[place] = results
        return None if self._guards is None else self._guards.differing()

    def backward(self, seeds: Array | float) -> Array:
        """Compute the gradients of the parameters, for these seeds of shape (k, n), or for one."""
        self.asked = True
        if self.ahead is None or not isinstance(seeds, float) or seeds != self.ahead:
            self._sow(seeds)
            steps = self._backward if self._both is None else self._both
            self._quietly.run(_run, steps, self._end)
            self.ahead = None
        return self.gradients

    def both(self, inputs: Mapping[str, Array], seeds: Array | float) -> Array:
        """Compute the gradients from the inputs."""
        self._quietly.run(self._fill, inputs)  # a number of float64 may be infinite in float32
        if self._both is None:
            self._quietly.run(_run, self._forward)
        return self.backward(seeds)

    def _fill(self, inputs: Mapping[str, Array]) -> None:
        for name, buffer in self.inputs.items():
            given = inputs[name]
            buffer[:] = given if len(given) == len(buffer) else given[: len(buffer)]
        self.ahead, self.asked = None, False

    def _sow(self, seeds: Array | float) -> None:
        if not isinstance(seeds, float):
            for buffer in self._seeds:
                buffer[:] = seeds[: len(buffer)]
            self._seed = None
        elif seeds != self._seed:  # else it stands there since the last time
            for buffer in self._seeds:
                buffer[:] = seeds
            self._seed = seeds

    def is_finite(self) -> bool:
        """Return whether all gradients of the last reverse pass are numbers."""
        return math.isfinite(self._times_zero)

    def _results(self, outputs: Sequence[tuple[int, int]]) -> list[tuple[slice, Array]]:
        """Return the results that lie side by side, and where they go: few arrays to copy."""
        pieces: list[tuple[int, int, int]] = []  # storage, first row, how many
        for storage, row in outputs:
            if pieces and (storage, row) == (pieces[-1][0], pieces[-1][1] + pieces[-1][2]):
                pieces[-1] = (*pieces[-1][:2], pieces[-1][2] + 1)
            else:
                pieces.append((storage, row, 1))
        found, end = [], 0
        for storage, row, count in pieces:
            results = self.buffers[storage][row : row + count]
            found.append((slice(end, end + count), results.reshape(count, -1)))
            end += count
        return found

    def _gather(self, plan: Plan) -> list[Call]:
        """Return what ends a reverse pass: gradients from elsewhere copied, and all looked at."""
        calls: list[Call] = []
        for storage, *pair in plan.copied:
            places, which = map(np.ascontiguousarray, pair)
            numbers = np.empty(len(which), self._dtype)
            calls.append((self.buffers[storage].take, (which, None, numbers, "clip")))
            calls.append((self.gradients.__setitem__, (places, numbers)))
        zeros = np.zeros_like(self.gradients)  # times which a number that is not finite is nan
        return [*calls, (np.dot, (self.gradients, zeros, self._times_zero))]

    # Steps as calls ----------------------------------------------------------------------------

    def _allocate(self, plan: Plan, chunk: int | None = None) -> None:
        # Each as it lies in memory, and by rows.
        self._memory, self._lying, self._asked = allocate(plan, self.n, self._dtype, chunk)
        self.buffers: list[NDArray[Any]] = [
            x.T[: s.rows + s.ones] if s.by_example else x
            for x, s in zip(self._lying, plan.storages)
        ]
        for storage, buffer in zip(plan.storages, self.buffers):
            if storage.kind == CONSTANTS:
                buffer[:] = constants_in(plan.constants, self._dtype)
            elif storage.ones:
                buffer[-1] = 1.0

    # All steps on a chunk of the examples at a time; None if not all are in C, or they are few.
    # What only steps read is overwritten by the next chunk: there is no reverse pass alone.
    _both: list[Call] | None = None

    @property
    def is_in_chunks(self) -> bool:
        """Whether all steps run in C, on a chunk of the examples at a time."""
        return self._both is not None

    def _bind_in_chunks(self, plan: Plan) -> bool:
        """Write all steps for some examples at a time, if C has them, and these are many."""
        size = self._dtype.itemsize
        chunk = chunk_of(plan.storages, plan.memories, self.n, size)
        if executors[size] is None or chunk >= self.n or plan.passes is None:
            return False
        self._allocate(plan, chunk)
        if not can_write(self._memory):
            return False
        in_c = Instructions(self._memory, self.buffers, self.n)
        forward = in_c.in_chunks(plan.passes[0], chunk)
        both = in_c.in_chunks(plan.passes[1], chunk) if plan.backward else forward
        if forward is None or both is None:
            return False
        self._forward, self._both = forward, both
        return True

    def _bind_as_one(self, plan: Plan) -> None:
        self._numbers = _Numbers(self.buffers)
        self._in_c: Instructions | None = None
        if can_write(self._memory):
            self._in_c = Instructions(self._memory, self.buffers, self.n)
        self._forward = self._bind(plan.forward)
        self._backward = self._bind(plan.backward)
        del self._numbers, self._in_c  # of which the calls hold what they need

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
        return np.ndarray(dims, self._dtype, self._lying[view.storage], view.base * row, strides)

    def _row(self, step: Step) -> Any:
        out = self._array(step.out)
        operands = [self._array(v, step.out.varies) for v in step.operands]
        return rows.calls(step.detail, operands, out)

    def _product(self, step: Step) -> Any:
        batch, depth, terms = step.detail
        out, shared, varying = map(self._array, (step.out, *step.operands))
        if self.n == 1 and depth == terms == 1 <= batch and not any(shared.strides[:batch]):
            # Of one example, what is multiplied by the same are the rows of one matrix.
            return one_product(varying[..., 0], shared[(0,) * batch].T, out[..., 0])
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
        products = np.empty((*left.shape[:terms], *out.shape), self._dtype)
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
        return [rows.reduced(op, array, axes, out)]

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
        out = self._array(step.out)
        if self.n == 1 and step.detail in _DOT_PRODUCTS:
            left, right = arrays
            return [(np.matmul, (left.swapaxes(-1, -2), right, out[..., None]))]
        return [(partial(np.einsum, step.detail, out=out), tuple(arrays))]

    def _take(self, step: Step) -> Any:
        [source] = step.operands
        places = np.ascontiguousarray(step.detail)
        return [(self._array(source).take, (places, 0, self._array(step.out), "clip"))]

    def _put(self, step: Step) -> Any:
        [source] = step.operands
        places = np.ascontiguousarray(step.detail)
        out = self.buffers[step.out.storage]
        return [(out.__setitem__, (places, self._array(source)))]


class _Numbers(dict[View, "Array"]):
    """Single rows of the buffers, by their views; each is made once."""

    def __init__(self, buffers: Sequence[Array]) -> None:
        self._buffers = buffers

    def __missing__(self, view: View) -> Array:
        self[view] = number = self._buffers[view.storage][view.base, ...]
        return number


def _run(*parts: Sequence[Call]) -> None:
    for calls in parts:
        for call, arguments in calls:
            call(*arguments)
