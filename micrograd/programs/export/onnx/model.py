"""A program as an ONNX model: the results of any number of rows.

Inside, the rows of the model are the last axis, as they are in the executor: a storage of the plan
is a tensor of shape (rows, n). What is the same for all of these is a constant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd import ops
from micrograd.programs.export.onnx.nodes import Nodes
from micrograd.programs.export.writable import Way, Writable
from micrograd.programs.lift.groups import INPUT
from micrograd.programs.lower.strides import Step, View, places_of
from micrograd.programs.run.executor import Workspace
from micrograd.value.selection import Chosen, Take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

OPSET, IR = 18, 8  # of 2022: what runs models has had the time to learn them


def onnx_model(writable: Writable, dtype: str) -> bytes:
    """Return the model as it is written to a file."""
    try:
        from onnx import checker, helper
    except ImportError:
        raise ImportError("to_onnx needs the package onnx: pip install 'micrograd[onnx]'") from None
    if dtype not in ("float32", "float64"):
        raise ValueError(f"to_onnx writes float32 or float64, not {dtype!r}")
    nodes = Nodes(dtype)
    given = _inputs(nodes, writable)
    found = ""
    for way in reversed(writable.ways):
        results, holds = _Path(nodes, writable, way).write()
        if holds is not None:
            others = found or nodes.constant(np.full((1, 1), np.nan))
            results = nodes.add("Where", holds, results, others)
        found = results
    if nodes.lacking:
        lacking, single = ", ".join(sorted(nodes.lacking)), dtype == "float64"
        raise ValueError(
            f"{writable.name} needs operations that ONNX lacks{' in float64' * single}: {lacking}"
        )
    shape = writable.form if isinstance(writable.form, tuple) else (writable.width,)
    found = nodes.add("Transpose", found)
    ending = nodes.constant(np.array([-1, *shape]))
    nodes.nodes.append(helper.make_node("Reshape", [found, ending], ["result"]))
    result = helper.make_tensor_value_info("result", nodes.kind, ["n", *shape])
    graph = helper.make_graph(nodes.nodes, writable.name, given, [result], nodes.initializers())
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR,
        producer_name="micrograd",
    )  # fmt: skip
    checker.check_model(model)
    written: bytes = model.SerializeToString()
    return written


def _inputs(nodes: Nodes, writable: Writable) -> list[Any]:
    """Declare the arguments: integers as int64, all others as floats."""
    from onnx import TensorProto, helper

    declared = []
    for a in writable.arguments:
        is_plain = all(isinstance(x, int) for x in a.shape)
        shape: list[Any] = ["n", *(a.shape if is_plain else (a.size,))]
        kind = TensorProto.INT64 if a.is_integer else nodes.kind
        declared.append(helper.make_tensor_value_info(a.name, kind, shape))
    return declared


class _Path:
    """The tensors of one path."""

    def __init__(self, nodes: Nodes, writable: Writable, way: Way) -> None:
        self._nodes = nodes
        self._writable = writable
        self._way = way
        plan = self._plan = way.plan
        # What does not vary is computed here, once and for all.
        workspace = Workspace(plan, 1)
        workspace.parameters[:] = writable.numbers[way.ranks]
        zeros = {name: np.zeros((len(x), 1)) for name, x in workspace.inputs.items()}
        workspace.forward(zeros, np.empty((len(plan.outputs), 1)))
        self._shared: list[Array] = [x if x.ndim == 1 else x[:, 0] for x in workspace.buffers]
        self._tensors: dict[int, str] = {}
        self._with_ones: dict[str, str] = {}
        self._given: dict[str, str] = {}  # the arguments, one row for each of their numbers
        for a in writable.arguments:
            self._given[a.name] = self._rows(a.name, a.size)
        arguments = {a.name: a for a in writable.arguments}
        for index, storage in enumerate(plan.storages):
            if storage.kind == INPUT and storage.name:
                rows, argument = self._given[storage.name], arguments[storage.name]
                if argument.size > storage.rows:
                    rows = nodes.add("Gather", rows, nodes.constant(np.arange(storage.rows)))
                self._tensors[index] = nodes.number(rows) if argument.is_integer else rows

    def _rows(self, name: str, size: int) -> str:
        """Give an argument as (size, n)."""
        flat = self._nodes.add("Reshape", name, self._nodes.constant(np.array([-1, size])))
        return self._nodes.add("Transpose", flat)

    def write(self) -> tuple[str, str | None]:
        """Write the steps; return the results, and in which rows they hold, if not in all."""
        for step in self._plan.forward:
            if step.kind == "put" and step.out.varies:
                self._put(step)
            elif step.out.varies:
                self._write(step.out, getattr(self, f"_{step.kind}")(step))
        rows = [View(s, self._varies(s), row, (), ()) for s, row in self._plan.outputs]
        return self._stacked(rows), self._holds()

    def _varies(self, storage: int) -> bool:
        return self._plan.storages[storage].varies

    def _stacked(self, rows: Sequence[View]) -> str:
        """Return rows as one tensor: at once, if they stand in one storage."""
        [first, *others] = dict.fromkeys(row.storage for row in rows)
        if not others and self._varies(first):
            return self._gather(first, np.array([row.base for row in rows]))
        zero = self._of_n(0.0)
        return self._nodes.add(
            "Concat", *[self._nodes.add("Add", self._read(row), zero) for row in rows], axis=0
        )

    def _holds(self) -> str | None:
        """Tell in which rows all guards hold, and all indices are in range."""
        nodes = self._nodes
        checks: list[str] = []
        for storage, rows, places in self._plan.guards:
            truths = self._plan.truths[places]
            if not self._varies(storage):
                found = (self._shared[storage][rows] != 0) == truths[:, 0]
                checks.append(nodes.constant(np.array([[float(found.all())]])))
                continue
            asked = nodes.truth(self._gather(storage, rows))
            right = nodes.number(nodes.add("Equal", asked, nodes.constant(truths)))
            checks.append(self._reduced("ReduceMin", right))
        for index in self._way.indices:
            place = nodes.add(
                "Gather", self._given[index.name], nodes.constant(np.array([index.column]))
            )
            low, high = nodes.constant(np.array(-index.size)), nodes.constant(np.array(index.size))
            inside = nodes.add(
                "And", nodes.add("LessOrEqual", low, place), nodes.add("Less", place, high)
            )
            checks.append(nodes.number(inside))
        if not checks:
            return None
        total = checks[0]
        for check in checks[1:]:
            total = nodes.add("Mul", total, check)
        return nodes.truth(total)

    # Reading and writing storages --------------------------------------------------------------

    def _of_n(self, number: float, rows: int = 1) -> str:
        """Return a number, repeated for `rows` rows of all examples."""
        nodes = self._nodes
        count = nodes.add("Shape", self._writable.arguments[0].name, start=0, end=1)
        shape = nodes.add("Concat", nodes.constant(np.array([rows])), count, axis=0)
        return nodes.add("Expand", nodes.constant(np.full((1, 1), number)), shape)

    def _gather(self, storage: int, index: Array) -> str:
        """Return rows of what varies."""
        rows = self._plan.storages[storage].rows
        tensor = self._tensors[storage]
        if index.max() >= rows:
            if tensor not in self._with_ones:
                ones = self._of_n(1.0)
                self._with_ones[tensor] = self._nodes.add("Concat", tensor, ones, axis=0)
            tensor, rows = self._with_ones[tensor], rows + 1
        if np.array_equal(index, np.arange(rows)):
            return tensor
        return self._nodes.add("Gather", tensor, self._nodes.constant(index.astype(np.int64)))

    def _read(self, view: View, dims: tuple[int, ...] | None = None) -> str:
        """Return a view as (rows, n) or, where it does not vary, as (rows, 1).

        With `dims`, repeated along those that it lacks; one row alone is left as it is.
        """
        index = places_of(view)
        if dims is not None:
            index = np.broadcast_to(index, dims)
        index = index.reshape(-1)
        if (index == index[0]).all():
            index = index[:1]
        if view.varies:
            return self._gather(view.storage, index)
        return self._nodes.constant(self._shared[view.storage][index][:, None])

    def _shaped(self, view: View, *dims: int) -> str:
        """Return all rows of a view, by these dimensions and the examples behind them."""
        index = places_of(view).reshape(-1)
        if not view.varies:
            return self._nodes.constant(self._shared[view.storage][index].reshape(*dims, 1))
        rows = self._gather(view.storage, index)
        if dims == (len(index),):
            return rows
        return self._nodes.add("Reshape", rows, self._nodes.constant(np.array([*dims, -1])))

    def _flat(self, tensor: str, rows: int) -> str:
        return self._nodes.add("Reshape", tensor, self._nodes.constant(np.array([rows, -1])))

    def _write(self, out: View, tensor: str) -> None:
        """Take a result, of as many rows as the view has, for this part of a storage."""
        self._put_rows(out.storage, places_of(out).reshape(-1), tensor)

    def _put_rows(self, storage: int, index: Array, tensor: str) -> None:
        rows = self._plan.storages[storage].rows
        if np.array_equal(index, np.arange(rows)):
            self._tensors[storage] = tensor
            return
        before = self._tensors.get(storage) or self._of_n(0.0, rows)
        places = self._nodes.constant(index.astype(np.int64)[:, None])
        self._tensors[storage] = self._nodes.add("ScatterND", before, places, tensor)

    def _reduced(self, kind: str, tensor: str, axis: int = 0, keepdims: int = 1) -> str:
        return self._nodes.add(
            kind, tensor, self._nodes.constant(np.array([axis])), keepdims=keepdims
        )

    # Steps ---------------------------------------------------------------------------------------

    def _row(self, step: Step) -> str:
        dims, nodes = step.out.dims, self._nodes
        if isinstance(step.detail, Take):
            found = self._taken(step)
        elif isinstance(step.detail, Chosen):
            places = nodes.add("Mod", *self._index(step.operands[0], dims, step.detail.count))
            place = self._read(step.operands[1], dims)
            found = nodes.number(nodes.add("Equal", nodes.number(places), place))
        else:
            found = nodes.apply(step.detail, [self._read(v, dims) for v in step.operands])
        rows = int(np.prod(dims, dtype=int))
        if any(v.varies for v in step.operands) and any(
            self._is_full(v, dims) for v in step.operands
        ):
            return found
        return nodes.add("Add", found, self._of_n(0.0, rows))  # repeated for all rows

    def _is_full(self, view: View, dims: tuple[int, ...]) -> bool:
        """Return whether `_read` gives a row for each member."""
        index = np.broadcast_to(places_of(view), dims).reshape(-1)
        return len(index) == 1 or bool((index != index[0]).any())

    def _index(self, view: View, dims: tuple[int, ...], count: int) -> tuple[str, str]:
        integers = self._nodes.add("Cast", self._read(view, dims), to=7)  # int64
        return integers, self._nodes.constant(np.array(count))

    def _taken(self, step: Step) -> str:
        """Take what an index chooses: out of a table of constants, or by a choice after another."""
        nodes, dims = self._nodes, step.out.dims
        view, *table = step.operands
        place = nodes.add("Mod", *self._index(view, dims, len(table)))
        if any(v.varies for v in table):
            *others, found = [self._read(v, dims) for v in table]
            for k, tensor in enumerate(others):
                here = nodes.add("Equal", place, nodes.constant(np.array(k)))
                found = nodes.add("Where", here, tensor, found)
            return found
        columns = [
            np.broadcast_to(self._shared[v.storage][places_of(v)], dims).reshape(-1) for v in table
        ]
        rows = len(columns[0])
        start = nodes.add("Mul", place, nodes.constant(np.array(rows)))
        at = nodes.add("Add", start, nodes.constant(np.arange(rows)[:, None]))
        return nodes.add("Gather", nodes.constant(np.array(columns).reshape(-1)), at)

    def _product(self, step: Step) -> str:
        batch, rows, _ = step.detail
        shared, varying = step.operands
        count = int(np.prod(shared.dims[:batch], dtype=int))
        height = int(np.prod(shared.dims[batch : batch + rows], dtype=int))
        terms = int(np.prod(shared.dims[batch + rows :], dtype=int))
        matrix = self._shared[shared.storage][places_of(shared).reshape(-1)]
        if count == 1:
            left = self._nodes.constant(matrix.reshape(height, terms))
            return self._nodes.add("MatMul", left, self._shaped(varying, terms))
        left = self._nodes.constant(matrix.reshape(count, height, terms))
        products = self._nodes.add("MatMul", left, self._shaped(varying, count, terms))
        return self._flat(products, count * height)

    def _einsum(self, step: Step) -> str:
        inputs, _ = step.detail.split("->")
        operands = []
        for letters, view in zip(inputs.split(","), step.operands):
            tensor = self._shaped(view, *view.dims)
            if not letters.endswith("z"):
                shape = self._nodes.constant(np.array([*view.dims] or [1])[: len(view.dims)])
                tensor = self._nodes.add("Reshape", tensor, shape)
            operands.append(tensor)
        found = self._nodes.add("Einsum", *operands, equation=step.detail)
        return self._flat(found, int(np.prod(step.out.dims, dtype=int)))

    def _sum(self, step: Step) -> str:
        op, terms = step.detail
        [view] = step.operands
        rows = int(np.prod(view.dims[: len(view.dims) - terms], dtype=int))
        each = int(np.prod(view.dims[len(view.dims) - terms :], dtype=int))
        kind = {ops.add: "ReduceSum", ops.maximum: "ReduceMax", ops.minimum: "ReduceMin"}[op]
        return self._reduced(kind, self._shaped(view, rows, each), 1, 0)

    def _running(self, step: Step) -> str:
        [source] = step.operands
        steps, count = source.dims
        axis = self._nodes.constant(np.array(0))
        return self._flat(
            self._nodes.add("CumSum", self._shaped(source, steps, count), axis), steps * count
        )

    def _clear(self, step: Step) -> str:
        keep = np.ones((step.out.dims[0], 1), bool)
        keep[step.detail] = False
        return self._nodes.add(
            "Where", self._nodes.constant(keep), self._read(step.out), self._nodes.constant(0.0)
        )

    def _take(self, step: Step) -> str:
        [source] = step.operands
        return self._gather(source.storage, step.detail)

    def _put(self, step: Step) -> None:
        [source] = step.operands
        self._put_rows(step.out.storage, step.detail, self._shaped(source, len(step.detail)))
