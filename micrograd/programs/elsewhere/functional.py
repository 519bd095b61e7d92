"""A plan as a pure function of arrays: each step makes a new one, and nothing is written into.

What can be known before there are numbers is worked out once (pieces.py): which array each step
makes, and how it reads the others. What is left is a list of instructions, each a call or two of
the array library, so that a compiler such as JAX's sees the program as if it was written by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.elsewhere.contracting import contract
from micrograd.programs.elsewhere.operations import compute
from micrograd.programs.elsewhere.pieces import Piece, Pieces, rows_of
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.strides import Step, View
from micrograd.value.selection import Take

_LETTERS = "abcdefghijklmnopqrstuvwxy"
_REDUCED = {"add": "sum", "maximum": "max", "minimum": "min"}
EXAMPLES = "z"  # the letter of their axis


class Run:
    """One run of a function: its library, the dtype, the number of examples, and the arrays."""

    def __init__(self, xp: Any, dtype: Any, device: Any, n: int) -> None:
        self.xp = xp
        self.dtype = dtype
        self.device = device
        self.n = n
        self.given: dict[str, Any] = {}
        self.parameters: Any = None
        self.seeds: Any = None
        self.arrays: list[Any] = []
        self._constants: dict[Any, Any] = {}

    def constant(self, numbers: Any, dtype: Any = None) -> Any:
        """Return numbers that are known beforehand as an array of the library."""
        array = np.asarray(numbers)
        key = (array.tobytes(), array.dtype.str, array.shape)
        if key not in self._constants:
            self._constants[key] = self.xp.asarray(array, dtype=dtype, device=self.device)
        return self._constants[key]

    def go(self, instructions: Sequence[Any]) -> None:
        """Compute what these instructions make."""
        arrays = self.arrays
        for make, operands in instructions:
            arrays.append(make(self, *[arrays[slot] for slot in operands]))


class Functional:
    """The instructions for a plan, forward and backward."""

    def __init__(self, plan: Plan, parameters: int) -> None:
        self._plan = plan
        pieces = self._pieces = Pieces(plan.storages)
        self._number: dict[int, float] = {}  # the constants of slots that are one number
        zero = pieces.add((1,), False, _zero)
        seeds: list[tuple[int, Any]] = []
        for index, storage in enumerate(plan.storages):
            rows = range(storage.rows)
            if storage.kind == PARAMETERS:
                given = pieces.add((storage.rows,), False, lambda run: run.parameters)
                pieces.put(index, rows, given)
            elif storage.kind == CONSTANTS:
                self._constants = index
            elif storage.kind == INPUT and storage.name:
                given = pieces.add((storage.rows,), True, _input(storage.name, storage.rows))
                pieces.put(index, rows, given)
            elif storage.kind == INPUT:
                seeds.append((index, rows))
            elif not storage.varies:
                pieces.put(index, rows, zero)
            if storage.ones:
                pieces.put(index, [storage.rows], pieces.add((1,), True, _ones))
        self._known: dict[float, Piece] = {}
        for step in plan.forward:
            self._write(step)
        self.outputs: list[Piece] = [
            pieces.rows([place], self._varies(place)) for place in plan.outputs
        ]
        self._guards: list[tuple[Piece, Any]] = []
        for storage, of_storage, places in plan.guards:
            rows_read = [(storage, int(row)) for row in of_storage]
            varies = plan.storages[storage].varies
            self._guards.append((pieces.rows(rows_read, varies), places))
        self.forward_end: int = len(pieces.instructions)
        for index, rows in seeds:
            given = pieces.add((len(rows),), True, lambda run: run.seeds)
            pieces.put(index, rows, given)
        for step in plan.backward:
            self._write(step)
        for storage, places, numbers in plan.copied:
            pieces.move(plan.gradients, places, storage, numbers)
        whole = [(plan.gradients, row) for row in range(parameters)]
        self.gradient: Piece | None = pieces.rows(whole, False) if whole else None

    def _varies(self, place: tuple[int, int]) -> bool:
        return self._plan.storages[place[0]].varies

    # Running --------------------------------------------------------------------------------------

    def forward(self, run: Run) -> tuple[list[Any], list[Any]]:
        """Compute the results, each of shape (n,), and the guards, each (n,) or ()."""
        run.go(self._pieces.instructions[: self.forward_end])
        values = [self._examples(run, piece) for piece in self.outputs]
        guards: list[Any] = [None] * self._plan.count_guards
        for piece, places in self._guards:
            for row, place in enumerate(places):
                guards[place] = run.arrays[piece.slot][row, ...] != 0
        return values, guards

    def _examples(self, run: Run, piece: Piece) -> Any:
        [row] = [run.arrays[piece.slot][0, ...]]
        return row if piece.varies else run.xp.broadcast_to(row, (run.n,))

    def backward(self, run: Run, seeds: Any) -> Any:
        """Compute the gradients of the parameters, after `forward`, for seeds of shape (k, n)."""
        run.seeds = seeds
        del run.arrays[self.forward_end :]
        run.go(self._pieces.instructions[self.forward_end :])
        if self.gradient is None:
            return run.xp.zeros((0,), dtype=run.dtype, device=run.device)
        return run.arrays[self.gradient.slot]

    # Steps as instructions ------------------------------------------------------------------------

    def _write(self, step: Step) -> None:
        kind, out, operands, detail = step
        if kind == "put":
            [source] = operands
            rows = rows_of(source, source.dims)
            self._pieces.move(out.storage, detail, source.storage, rows)
            return
        if kind == "clear":
            operands = (out,)
        piece = getattr(self, f"_{kind}")(out, operands, detail)
        self._pieces.put(out.storage, rows_of(out, out.dims), piece)

    def _operand(self, view: View) -> Piece:
        """Return an operand; a number that is known beforehand is one for all rows."""
        if view.storage != self._constants:
            return self._pieces.read(view)
        dims = tuple([1 if s == 0 else d for d, s in zip(view.dims, view.strides)])
        numbers = np.array(self._plan.constants)[rows_of(view, dims)]
        if len(set(numbers.tolist())) > 1 or not len(numbers) or numbers[0] != numbers[0]:
            return self._pieces.add(dims, False, _numbers(numbers.reshape(dims)))
        number = float(numbers[0])
        key = (number, np.signbit(number))
        if key not in self._known:
            piece = self._known[key] = self._pieces.add((), False, _numbers(np.array(number)))
            self._number[piece.slot] = number
        return self._known[key]

    def _row(self, out: View, operands: Sequence[View], op: Any) -> Piece:
        if isinstance(op, Take):
            return self._take_among(out, operands)
        read = [self._operand(view) for view in operands]
        square = op is ops.power and self._number.get(read[1].slot) == 2.0
        behind = [out.varies and not piece.varies and bool(piece.dims) for piece in read]

        def make(run: Run, *arrays: Any) -> Any:
            arrays = tuple([x[..., None] if more else x for x, more in zip(arrays, behind)])
            if square:
                found = run.xp.multiply(arrays[0], arrays[0])
            else:
                found = compute(run.xp, op, arrays)
            return _full(run, found, out)

        return self._pieces.add(out.dims, out.varies, make, *read)

    def _take_among(self, out: View, operands: Sequence[View]) -> Piece:
        """Choose among the operands behind the first, which is the index."""
        index, *table = operands
        first = table[0]
        count = len(table)
        alike = all(v.varies == first.varies for v in table)
        stacked = self._pieces.stacked(table) if alike and not self._has_constants(table) else None
        read = [stacked] if stacked else [self._operand(view) for view in table]
        depth = len(out.dims)
        moving = [bool(index.strides[d]) for d in range(depth)]
        by_rows = (
            stacked is not None
            and not stacked.varies
            and not any(moves and stacked.dims[1 + d] > 1 for d, moves in enumerate(moving))
        )

        def make(run: Run, places: Any, *arrays: Any) -> Any:
            xp = run.xp
            places = xp.where(places < 0, places + count, places)
            if by_rows:
                return _full(run, _rows_at(run, arrays[0], places, count), out)
            several = [arrays[0][k, ...] for k in range(count)] if stacked else list(arrays)
            varies = stacked.varies if stacked else None
            found: Any = None
            for k, (x, view) in enumerate(zip(several, table)):
                is_shared = not (view.varies if varies is None else varies)
                x = x[..., None] if is_shared and len(x.shape) else x
                found = x if found is None else xp.where(places == k, x, found)
            return _full(run, found, out)

        return self._pieces.add(out.dims, out.varies, make, self._pieces.read(index), *read)

    def _has_constants(self, views: Sequence[View]) -> bool:
        return any(view.storage == self._constants for view in views)

    def _contract(
        self, out: View, operands: Sequence[View], letters: Sequence[str], of: str
    ) -> Piece:
        """Sum products: `letters` are the axes of each operand's dimensions, `of` those of `out`.

        An axis along which an operand repeats itself is none of its own.
        """
        sizes: dict[str, int] = {}
        read, own = [], []
        for view, axes in zip(operands, letters):
            sizes.update(zip(axes, view.dims))
            kept = [d for d, step in enumerate(view.strides) if step or view.dims[d] == 1]
            moving = view._replace(
                dims=tuple([view.dims[d] for d in kept]),
                strides=tuple([view.strides[d] for d in kept]),
            )
            piece = self._operand(moving)
            dims = "".join(axes[d] for d in kept) if piece.dims else ""
            read.append(piece)
            own.append(dims + (EXAMPLES if piece.varies else ""))
        result = of + (EXAMPLES if out.varies else "")
        seen = set("".join(own))
        times = float(np.prod([size for x, size in sizes.items() if x not in seen | set(result)]))
        kept_letters = "".join(x for x in result if x in seen)
        expanded = [slice(None) if x in seen else None for x in result]

        def make(run: Run, *arrays: Any) -> Any:
            found = contract(run.xp, arrays, own, kept_letters)
            if times != 1.0:
                found = found * times
            if None in expanded:
                found = found[tuple(expanded)]
            return _full(run, found, out)

        return self._pieces.add(out.dims, out.varies, make, *read)

    def _product(self, out: View, operands: Sequence[View], detail: Any) -> Piece:
        batch, rows, terms = detail
        axes = _LETTERS[: batch + rows + terms]
        varying = axes[:batch] + axes[batch + rows :]
        return self._contract(out, operands, [axes, varying], axes[: batch + rows])

    def _outer(self, out: View, operands: Sequence[View], detail: Any) -> Piece:
        terms, batch, height, width = detail
        axes = _LETTERS[: terms + batch + height + width]
        common = axes[: terms + batch]
        left = axes[: terms + batch + height]
        right = common + axes[terms + batch + height :]
        return self._contract(out, operands, [left, right], axes[terms:])

    def _einsum(self, out: View, operands: Sequence[View], detail: str) -> Piece:
        inputs, _, result = detail.partition("->")
        letters = [x.replace(EXAMPLES, "") for x in inputs.split(",")]
        return self._contract(out, operands, letters, result.replace(EXAMPLES, ""))

    def _sum(self, out: View, operands: Sequence[View], detail: Any) -> Piece:
        op, terms = detail
        [view] = operands
        if op is ops.add:
            axes = _LETTERS[: len(view.dims)]
            return self._contract(out, operands, [axes], axes[: len(axes) - terms])
        depth = len(view.dims)
        axes_summed = tuple(range(depth - terms, depth))
        if view.varies and not out.varies:
            axes_summed = (*axes_summed, depth)

        def make(run: Run, x: Any) -> Any:
            found = getattr(run.xp, _REDUCED[op.name])(x, axis=axes_summed)
            return _full(run, found, out)

        return self._pieces.add(out.dims, out.varies, make, self._pieces.read(view))

    def _segments(self, out: View, operands: Sequence[View], starts: Any) -> Piece:
        """Add up the rows from each start to the next."""
        [view] = operands
        [rows] = view.dims
        counts = np.diff([*starts, rows])
        cells = np.asarray(starts)[:, None] + np.arange(counts.max())
        real = np.arange(counts.max()) < counts[:, None]
        cells = np.where(real, cells, 0)

        def make(run: Run, x: Any) -> Any:
            table = run.xp.take(x, run.constant(cells.reshape(-1)), axis=0)
            table = run.xp.reshape(table, (*cells.shape, *x.shape[1:]))
            shape = (*real.shape, *(1 for _ in x.shape[1:]))
            kept = run.xp.reshape(run.constant(real), shape)
            return run.xp.sum(run.xp.where(kept, table, run.xp.zeros_like(table)), axis=1)

        return self._pieces.add(out.dims, out.varies, make, self._pieces.read(view))

    def _running(self, out: View, operands: Sequence[View], _: Any) -> Piece:
        def make(run: Run, x: Any) -> Any:
            add_up = getattr(run.xp, "cumulative_sum", None) or run.xp.cumsum
            return add_up(x, axis=0)

        return self._pieces.add(out.dims, out.varies, make, self._pieces.read(operands[0]))

    def _clear(self, out: View, operands: Sequence[View], empty: Any) -> Piece:
        kept = np.ones(out.dims, bool)
        kept[empty] = False

        def make(run: Run, x: Any) -> Any:
            mask = run.constant(kept[:, None] if out.varies else kept)
            return run.xp.where(mask, x, run.xp.zeros_like(x))

        return self._pieces.add(out.dims, out.varies, make, self._pieces.read(operands[0]))

    def _take(self, out: View, operands: Sequence[View], index: Any) -> Piece:
        [view] = operands
        places = [(view.storage, int(row)) for row in rows_of(view, view.dims)[index]]
        return self._pieces.rows(places, view.varies)


def _zero(run: Run) -> Any:
    return run.xp.zeros((1,), dtype=run.dtype, device=run.device)


def _ones(run: Run) -> Any:
    return run.xp.ones((1, run.n), dtype=run.dtype, device=run.device)


def _input(name: str, rows: int) -> Any:
    return lambda run: run.given[name][:rows, ...]


def _numbers(numbers: Any) -> Any:
    return lambda run: run.constant(numbers, run.dtype)


def _full(run: Run, x: Any, out: View) -> Any:
    shape = (*out.dims, run.n) if out.varies else out.dims
    return x if x.shape == shape else run.xp.broadcast_to(x, shape)


def _rows_at(run: Run, table: Any, places: Any, count: int) -> Any:
    """Return the rows of a table of shape (count, ...) at places of shape (..., n).

    Where the one has a dimension, the other has 1.
    """
    xp = run.xp
    inner, outer = table.shape[1:], places.shape[:-1]
    flat = xp.reshape(places, (-1,))
    inside = xp.where((flat >= 0) & (flat < count), flat, xp.zeros_like(flat))
    index = xp.astype(inside, xp.int64 if run.dtype == xp.float64 else xp.int32)
    found = xp.take(xp.reshape(table, (count, -1)), index, axis=0)
    found = xp.reshape(xp.permute_dims(found, (1, 0)), (*inner, *places.shape))
    # Axes of both kinds alternate: those of the table first, then merge pairs that have a 1.
    depth = len(outer)
    order = [axis for d in range(depth) for axis in (d, depth + d)]
    found = xp.permute_dims(found, (*order, 2 * depth))
    shape = tuple([max(a, b) for a, b in zip(inner, outer)])
    return xp.reshape(found, (*shape, places.shape[-1]))
