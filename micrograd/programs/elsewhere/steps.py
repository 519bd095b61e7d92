"""The steps of a plan as instructions, each of which makes a new array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.elsewhere.operations import compute
from micrograd.programs.elsewhere.pieces import Piece, Run, full, rows_of
from micrograd.programs.elsewhere.sums import Sums
from micrograd.programs.lower.strides import Step, View
from micrograd.value.selection import Take


class Instructions(Sums):
    """The instructions for the steps of a plan."""

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

    def _row(self, out: View, operands: Sequence[View], op: Any) -> Piece:
        if isinstance(op, Take):
            return self._take_among(out, operands)
        read = [self._operand(view) for view in operands]
        square = op is ops.power and self._number.get(read[1].slot) == 2.0
        behind = [out.varies and not piece.varies and bool(piece.dims) for piece in read]

        def make(run: Run, *arrays: Any) -> Any:
            arrays = tuple([x[..., None] if more else x for x, more in zip(arrays, behind)])
            found = run.xp.multiply(arrays[0], arrays[0]) if square else compute(run.xp, op, arrays)
            return full(run, found, out)

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
                return full(run, _rows_at(run, arrays[0], places, count), out)
            several = [arrays[0][k, ...] for k in range(count)] if stacked else list(arrays)
            varies = stacked.varies if stacked else None
            found: Any = None
            for k, (x, view) in enumerate(zip(several, table)):
                is_shared = not (view.varies if varies is None else varies)
                x = x[..., None] if is_shared and len(x.shape) else x
                found = x if found is None else xp.where(places == k, x, found)
            return full(run, found, out)

        return self._pieces.add(out.dims, out.varies, make, self._pieces.read(index), *read)

    def _has_constants(self, views: Sequence[View]) -> bool:
        return any(view.storage == self._constants for view in views)

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
