"""Running a plan on NumPy arrays: buffers and views are made once per number of examples.

The examples are the last axis of every array, so that a row of numbers, one per example, lies in
one piece. A `Workspace` holds the buffers for one block of examples and the calls that fill them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.bulk import read_data
from micrograd.collector import uncollected
from micrograd.engine import Value
from micrograd.programs import rows
from micrograd.programs.lift import CONSTANTS, INPUT, Lifted
from micrograd.programs.plan import Plan, Step
from micrograd.programs.trace import Tape
from micrograd.programs.views import View

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

BLOCK = 8192  # examples in one go; their rows of numbers stay in the cache
KEPT = 4  # idle workspaces
ITEM = 8  # bytes of a float64


class Workspace:
    """The buffers of a plan for `n` examples, and its steps as calls on views of them."""

    def __init__(self, plan: Plan, n: int) -> None:
        self.n = n
        self.buffers: list[Array] = []
        for storage in plan.storages:
            kind = storage.kind
            if storage.varies:
                rows = storage.rows + storage.ones
                buffer: Array = np.empty((n, rows)).T if storage.by_example else np.empty((rows, n))
                if storage.ones:
                    buffer[-1] = 1.0
            else:
                buffer = np.zeros(storage.rows)
            if kind == CONSTANTS:
                buffer[:] = plan.constants
            self.buffers.append(buffer)
        self.parameters = self.buffers[0]
        self.gradients = self.buffers[plan.gradients]
        self.inputs = [
            (storage.name, buffer[: storage.rows])
            for storage, buffer in zip(plan.storages, self.buffers)
            if storage.kind == INPUT
        ]
        self._outputs = [self.buffers[s][row, ...] for s, row in plan.outputs]
        self._copied = [(self.buffers[s], *places) for s, *places in plan.copied]
        self._forward = self._bind(plan.forward)
        self._backward = self._bind(plan.backward)

    def forward(self, inputs: Mapping[str, Array], out: Array) -> None:
        """Compute the results for these inputs, into `out` of shape (k, n)."""
        for name, buffer in self.inputs:
            if name:
                buffer[:] = inputs[name][: len(buffer)]
        with np.errstate(all="ignore"):
            for call, arguments in self._forward:
                call(*arguments)
        for row, results in zip(self._outputs, out):
            results[...] = row

    def backward(self, seeds: Array) -> Array:
        """Compute the gradients of the parameters, for these seeds of shape (k, n)."""
        for name, buffer in self.inputs:
            if not name:
                buffer[:] = seeds[: len(buffer)]
        with np.errstate(all="ignore"):
            for call, arguments in self._backward:
                call(*arguments)
        for buffer, places, numbers in self._copied:
            self.gradients[places] = buffer[numbers]
        return self.gradients

    # Steps as calls ----------------------------------------------------------------------------

    def _bind(self, steps: Sequence[Step]) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
        calls: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        by_kind = {kind: getattr(self, f"_{kind}") for kind in {step.kind for step in steps}}
        for step in steps:
            calls += by_kind[step.kind](step)
        return calls

    def _array(self, view: View, broadcast: bool = False) -> Array:
        """The view as an array; what is shared gets an axis for the examples to `broadcast`."""
        buffer = self.buffers[view.storage]
        if not view.dims:
            base = view.base
            return buffer[base : base + 1] if broadcast and not view.varies else buffer[base, ...]
        row = buffer.strides[0]
        dims, strides = view.dims, tuple([s * row for s in view.strides])
        if view.varies:
            dims, strides = (*dims, self.n), (*strides, buffer.strides[1])
        elif broadcast:
            dims, strides = (*dims, 1), (*strides, 0)
        return np.ndarray(dims, np.float64, _memory(buffer), view.base * row, strides)

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
        if terms > 1:
            calls, varying = _packed(varying, batch, terms)
            more, shared = _packed(shared, batch + 1, terms)
            calls += more
        elif not _fits_blas(shared):
            calls, shared = _packed(shared, batch + 1, terms)
        return [*calls, (_product_for(shared, varying, out), (shared, varying, out))]

    def _outer(self, step: Step) -> Any:
        terms, _, height, width = step.detail
        out = self._array(step.out)
        left, right = map(self._array, step.operands)
        if not height:
            left, out = np.expand_dims(left, -2), np.expand_dims(out, out.ndim - width)
        if not width:
            right, out = np.expand_dims(right, -2), np.expand_dims(out, -1)
        right = right.swapaxes(-1, -2)
        if not terms:
            return [(_product_for(left, right, out), (left, right, out))]
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
        return [(getattr(np, op.name).reduce, (array, axes, None, out))]

    def _einsum(self, step: Step) -> Any:
        arrays = [self._array(v) for v in step.operands]
        return [(partial(np.einsum, step.detail, out=self._array(step.out)), tuple(arrays))]

    def _take(self, step: Step) -> Any:
        [source] = step.operands
        return [(self._array(source).take, (step.detail, 0, self._array(step.out), "clip"))]

    def _put(self, step: Step) -> Any:
        [source] = step.operands
        places = self.buffers[step.out.storage]
        return [(places.__setitem__, (step.detail, self._array(source)))]


def _product_for(left: Array, right: Array, out: Array) -> Callable[..., Any]:
    """The quicker of NumPy's two matrix products: `dot` has less to prepare."""
    small = left.ndim == right.ndim == 2 and out.size * left.shape[1] < 300_000
    return np.dot if small and out.flags.c_contiguous else np.matmul


def _memory(buffer: Array) -> Array:
    """The buffer as it lies in memory, examples first or last."""
    return buffer if buffer.flags.c_contiguous else buffer.T


def _fits_blas(matrix: Array) -> bool:
    return ITEM in matrix.strides[-2:] and 0 not in matrix.strides[-2:]


def _packed(array: Array, first: int, count: int) -> tuple[Any, Array]:
    """A call that copies an array into one without gaps, with `count` axes from `first` as one."""
    copy = np.empty(array.shape)
    shape = (*array.shape[:first], -1, *array.shape[first + count :])
    return [(np.copyto, (copy, array))], copy.reshape(shape)


class Live:
    """A call's intermediate numbers, which its backward() needs; they are its own until then."""

    def __init__(self, workspace: Workspace, give_back: Callable[[Workspace], None]) -> None:
        self.workspace = workspace
        self._give_back = give_back

    def __del__(self) -> None:
        self._give_back(self.workspace)


class Kept(NamedTuple):
    """What a call of many blocks keeps: the inputs, from which each block is computed again."""

    inputs: Mapping[str, Array]
    numbers: Array


class Executable:
    """A tape, lifted and planned, that runs on arrays.

    `gradients` says where the gradient of a parameter stands on the tape; `outputs` where the
    results do.
    """

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        gradients: Mapping[Value, int],
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
    ) -> None:
        self.parameters = list(parameters)
        self.plan = Plan(Lifted(tape, outputs, gradients, parameters, patterns))
        self.width = len(outputs)
        self._idle: list[Workspace] = []

    def forward(self, inputs: Mapping[str, Array], n: int) -> tuple[Array, Any]:
        """Give the results, of shape (k, n), and what `backward` needs of this call."""
        out = np.empty((self.width, n))
        if n <= BLOCK:
            live = Live(self._workspace(n), self._give_back)
            read_data(self.parameters, live.workspace.parameters)
            live.workspace.forward(inputs, out)
            return out, live
        numbers = np.empty(len(self.parameters))
        read_data(self.parameters, numbers)
        if self.plan.backward:
            inputs = {name: columns.copy() for name, columns in inputs.items()}
        kept = Kept(inputs, numbers)
        for start in range(0, n, BLOCK):
            span = slice(start, min(start + BLOCK, n))
            self._block(kept, span, out[:, span])
        return out, kept

    def backward(self, state: Any, seeds: Array) -> Array:
        """Give the gradients of the parameters, in their order, for seeds of shape (k, n)."""
        if isinstance(state, Live):
            return state.workspace.backward(seeds)
        gradients = np.zeros(len(self.parameters))
        n = seeds.shape[1]
        for start in range(0, n, BLOCK):
            span = slice(start, min(start + BLOCK, n))
            out = np.empty((self.width, span.stop - start))
            live = self._block(state, span, out)
            gradients += live.workspace.backward(seeds[:, span])
        return gradients

    def _block(self, kept: Kept, span: slice, out: Array) -> Live:
        live = Live(self._workspace(span.stop - span.start), self._give_back)
        live.workspace.parameters[:] = kept.numbers
        live.workspace.forward({name: x[:, span] for name, x in kept.inputs.items()}, out)
        return live

    def _workspace(self, n: int) -> Workspace:
        for workspace in tuple(self._idle):
            if workspace.n == n:
                try:
                    self._idle.remove(workspace)
                except ValueError:
                    continue  # another thread was quicker
                return workspace
        with uncollected():
            return Workspace(self.plan, n)

    def _give_back(self, workspace: Workspace) -> None:
        self._idle.append(workspace)
        del self._idle[:-KEPT]
