"""Where the rows of storages stand, when each step makes a new array instead of writing into one.

A plan's steps write into views of storages, as NumPy wants it. Arrays that cannot be written to,
JAX's, ask for the opposite: each step gives a *piece*, and for every row of a storage it is known,
before any number is, in which piece it stands. Reading a view is then a slice, a transposition or
a reshape of a piece, wherever that can be; else a gather.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.programs.lower.operands import Storage
from micrograd.programs.lower.strides import View, places_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Compute = Callable[..., Any]  # of a Run, and of the arrays of some slots


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
        with np.errstate(all="ignore"):  # where the library is NumPy, or made of it
            for make, operands in instructions:
                arrays.append(make(self, *[arrays[slot] for slot in operands]))


def full(run: Run, x: Any, out: View) -> Any:
    """Return an array with all of the dimensions of a view, and the examples if it varies."""
    shape = (*out.dims, run.n) if out.varies else out.dims
    return x if x.shape == shape else run.xp.broadcast_to(x, shape)


class Piece(NamedTuple):
    """An array of these dimensions, behind which there are the examples if it varies."""

    slot: int
    dims: tuple[int, ...]
    varies: bool

    @property
    def size(self) -> int:
        """How many rows it has."""
        return math.prod(self.dims)


class Instruction(NamedTuple):
    """What is computed from which slots, into the next one."""

    compute: Compute
    operands: tuple[int, ...]


class Pieces:
    """The pieces that some instructions make, and where the rows of each storage stand."""

    def __init__(self, storages: Sequence[Storage]) -> None:
        self.instructions: list[Instruction] = []
        self._pieces: list[Piece] = []
        self._of_row: list[Array] = []  # by storage: the slot of each row, and its place there
        self._read: dict[tuple[Any, ...], Piece] = {}
        self._joined: dict[tuple[int, ...], tuple[Piece, dict[int, int]]] = {}
        for storage in storages:
            rows = storage.rows + storage.ones
            self._of_row.append(np.full((rows, 2), -1))

    def add(self, dims: tuple[int, ...], varies: bool, compute: Compute, *operands: Piece) -> Piece:
        """Add an instruction, and return what it makes."""
        piece = Piece(len(self._pieces), dims, varies)
        self._pieces.append(piece)
        self.instructions.append(Instruction(compute, tuple([x.slot for x in operands])))
        return piece

    def put(self, storage: int, rows: Any, piece: Piece) -> None:
        """Note that these rows of a storage are those of a piece, in its order."""
        table = self._of_row[storage]
        table[rows, 0] = piece.slot
        table[rows, 1] = np.arange(piece.size) if len(rows) == piece.size else 0

    def move(self, storage: int, rows: Any, source: int, source_rows: Any) -> None:
        """Note that some rows of a storage are those of another."""
        self._of_row[storage][rows] = self._of_row[source][source_rows]

    def rows(self, places: Sequence[tuple[int, int]], varies: bool) -> Piece:
        """Return rows of several storages as one piece."""
        table = np.array([self._of_row[storage][row] for storage, row in places])
        return self._gathered(table.reshape(-1, 2), (len(places),), varies)

    def read(self, view: View) -> Piece:
        """Return a view; where it repeats rows, along a step of 0, its dimension is 1."""
        dims = tuple([1 if step == 0 else dim for dim, step in zip(view.dims, view.strides)])
        return self._gathered(self._of_row[view.storage][rows_of(view, dims)], dims, view.varies)

    def stacked(self, views: Sequence[View]) -> Piece:
        """Return views of the same dimensions as one piece, along a dimension in front."""
        alike = zip(*[view.strides for view in views])
        repeats = [not any(steps) for steps in alike]
        dims = tuple([1 if once else dim for once, dim in zip(repeats, views[0].dims)])
        tables = [self._of_row[view.storage][rows_of(view, dims)] for view in views]
        dims = (len(views), *dims)
        return self._gathered(np.concatenate(tables), dims, views[0].varies)

    def _gathered(self, table: Array, dims: tuple[int, ...], varies: bool) -> Piece:
        key = (table.tobytes(), dims)
        known = self._read.get(key)
        if known is None:
            slots, places = table[:, 0], table[:, 1]
            piece = self._pieces[int(slots[0])]
            if (slots != slots[0]).any():
                piece, starts = self._join(tuple(dict.fromkeys(slots.tolist())), varies)
                places = places + np.array([starts[slot] for slot in slots.tolist()])
            known = self._read[key] = self._arranged(piece, places, dims)
        return known

    def _join(self, slots: tuple[int, ...], varies: bool) -> tuple[Piece, dict[int, int]]:
        """Join pieces into one list of rows, and return where each begins."""
        if slots not in self._joined:
            pieces = [self._pieces[slot] for slot in slots]
            starts = np.cumsum([0, *[piece.size for piece in pieces]]).tolist()
            joined = self.add((starts[-1],), varies, _joining(varies), *pieces)
            self._joined[slots] = joined, dict(zip(slots, starts))
        return self._joined[slots]

    def _arranged(self, piece: Piece, places: Array, dims: tuple[int, ...]) -> Piece:
        if len(places) == piece.size and (places == np.arange(piece.size)).all():
            if dims == piece.dims:
                return piece
            return self.add(dims, piece.varies, _reshaping(dims, piece.varies), piece)
        moves = _moves(piece.size, places, dims)
        if moves is None:
            return self.add(dims, piece.varies, _taking(places, dims, piece.varies), piece)
        return self.add(dims, piece.varies, _moving(moves, dims, piece.varies), piece)


def rows_of(view: View, dims: tuple[int, ...]) -> Array:
    """Return the rows of a view with these dimensions, in order."""
    return places_of(view._replace(dims=dims)).reshape(-1)


# Reading without a gather -------------------------------------------------------------------------


class Moves(NamedTuple):
    """A slice of the rows, then for each level a shape and how much of it, then an order."""

    start: int
    stop: int
    step: int
    levels: list[tuple[int, int]]  # how many blocks, and how much of a block goes on
    order: list[int]
    flipped: list[int]  # the axes, after that, that run backward


def _moves(size: int, places: Array, dims: tuple[int, ...]) -> Moves | None:
    """Find how to read these places of a list by slices and reshapes; None where that can't be."""
    table = places.reshape(dims)
    corner = (0,) * len(dims)
    steps = []
    for axis, dim in enumerate(dims):
        beside = (*corner[:axis], 1, *corner[axis + 1 :])
        steps.append(int(table[beside] - table[corner]) if dim > 1 else 0)
    regular = View(0, False, int(table[corner]), dims, tuple(steps))
    if (rows_of(regular, dims) != places).any():
        return None
    if any(dim > 1 and not step for dim, step in zip(dims, steps)):
        return None  # a row that is read several times
    base = int(places.min()) if len(places) else 0
    axes = sorted([a for a, s in enumerate(steps) if s], key=lambda a: -abs(steps[a]))
    flipped = [a for a in axes if steps[a] < 0]
    if not axes:
        return Moves(base, base + 1, 1, [], [], [])
    found: list[tuple[int, int]] = [(dims[a], abs(steps[a])) for a in axes]
    *outer, (count, step) = found
    if not outer:
        return Moves(base, base + (count - 1) * step + 1, step, [], axes, flipped)
    if step != 1:
        return None
    levels, inner = [], count
    for blocks, block in reversed(outer):
        if inner > block:
            return None  # they overlap
        levels.append((block, inner))
        inner = block * blocks
    if base + inner > size:
        return None
    levels.reverse()
    return Moves(base, base + inner, 1, levels, axes, flipped)


def _moving(moves: Moves, dims: tuple[int, ...], varies: bool) -> Compute:
    axes = moves.order
    back = sorted(range(len(axes)), key=axes.__getitem__)

    def compute(run: Any, x: Any) -> Any:
        xp = run.xp
        tail = x.shape[len(x.shape) - 1 :] if varies else ()
        x = _flat(run, x, varies)[moves.start : moves.stop : moves.step, ...]
        for level, (block, inner) in enumerate(moves.levels):
            x = xp.reshape(x, (*x.shape[:level], x.shape[level] // block, block, *tail))
            if inner < block:
                x = x[(*[slice(None)] * (level + 1), slice(inner), ...)]
        if back != list(range(len(back))):
            x = xp.permute_dims(x, (*back, *([len(back)] if varies else [])))
        x = xp.reshape(x, (*dims, *tail))
        return xp.flip(x, axis=tuple(moves.flipped)) if moves.flipped else x

    return compute


def _reshaping(dims: tuple[int, ...], varies: bool) -> Compute:
    def compute(run: Any, x: Any) -> Any:
        return run.xp.reshape(x, (*dims, x.shape[-1]) if varies else dims)

    return compute


def _taking(places: Array, dims: tuple[int, ...], varies: bool) -> Compute:
    times = _repeated(places)
    once = places[::times]

    def compute(run: Any, x: Any) -> Any:
        tail = (x.shape[-1],) if varies else ()
        found = run.xp.take(_flat(run, x, varies), run.constant(once), axis=0)
        if times > 1:
            found = run.xp.broadcast_to(found[:, None, ...], (len(once), times, *tail))
        return run.xp.reshape(found, (*dims, *tail))

    return compute


def _repeated(places: Array) -> int:
    """Return how many times in a row each place stands there, at least."""
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    return math.gcd(len(places), *starts.tolist()) or 1  # of no places it is 0


def _joining(varies: bool) -> Compute:
    def compute(run: Any, *arrays: Any) -> Any:
        return run.xp.concat([_flat(run, x, varies) for x in arrays], axis=0)

    return compute


def _flat(run: Run, x: Any, varies: bool) -> Any:
    """Return an array with one axis, and that of the examples, of which there may be none."""
    end = len(x.shape) - 1 if varies else len(x.shape)
    return run.xp.reshape(x, (math.prod(x.shape[:end]), *x.shape[end:]))
