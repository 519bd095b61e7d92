"""Memory: arrays of numbers that are not needed at the same time lie at the same place.

What a step reads for the last time it may write over, if it goes element by element: `a = relu(z)`
where z is not used again. So a program keeps to fewer bytes, which stay in the cache.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.ops import Op
from micrograd.symbolic.formula import of_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.lower.operands import Storage
    from micrograd.programs.lower.plan import Plan
    from micrograd.programs.lower.strides import Step

LINE = 64  # bytes in a line of the processor's cache
MUCH = 50_000  # numbers of an input; then each example begins at the start of a line of the cache


def aligned(
    shapes: Sequence[tuple[int, int]], dtype: np.dtype[Any]
) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Make one array, not filled, and parts of it that begin at the starts of lines.

    So sums and products are quicker. Those shorter than a line lie side by side.
    """
    sizes = [rows * columns for rows, columns in shapes]
    line = LINE // dtype.itemsize
    numbers = np.empty(sum(sizes) + line * (len(sizes) + 1), dtype)
    first = -(numbers.ctypes.data // numbers.itemsize) % line
    end = 0
    arrays = []
    for size, shape in zip(sizes, shapes):
        start = end if size < line else -(-end // line) * line
        end = start + size
        arrays.append(numbers[first + start : first + end].reshape(shape))
    return numbers, arrays


class Memory(NamedTuple):
    """The buffers of the storages, all of them parts of one array."""

    numbers: NDArray[Any]
    buffers: list[NDArray[Any]]
    asked: list[NDArray[Any]]  # the guards that lie side by side, in the order of `plan.asked`


def allocate(plan: Plan, n: int, dtype: np.dtype[Any], chunk: int | None = None) -> Memory:
    """Make the buffers of the storages for `n` examples.

    What does not vary begins with zeros. What is temporary is made for a `chunk` of the examples.
    """
    storages = plan.storages
    own = [i for i, s in enumerate(storages) if s.memory is None and not s.asked]
    line = LINE // dtype.itemsize
    long, widths = n, [n] * len(plan.memories)
    if chunk is not None:
        long = _apart(n, line)
        lasting = {s.memory for s in storages if not s.temporary}
        widths = [long if memory in lasting else chunk for memory in range(len(plan.memories))]
    shapes = [*zip(plan.memories, widths), *[_shape(storages[i], n, long, line) for i in own]]
    for together in plan.asked:
        rows = sum(storages[i].rows for i in together)
        shapes.append((rows, long if storages[together[0]].varies else 1))
    numbers, parts = aligned(shapes, dtype)
    arrays = iter(parts)
    memories = [next(arrays) for _ in plan.memories]
    others = {i: next(arrays) for i in own}
    asked = []
    for together, rest in zip(plan.asked, arrays):
        asked.append(rest[:, :n])
        for i in together:
            others[i], rest = rest[: storages[i].rows], rest[storages[i].rows :]
    buffers = []
    for i, storage in enumerate(storages):
        rows = storage.rows + storage.ones
        buffer = others[i] if storage.memory is None else memories[storage.memory]
        if not storage.varies:
            buffer = buffer.reshape(rows)
            buffer[:] = 0.0
        elif not storage.by_example:
            buffer = buffer[:rows, :n]
        buffers.append(buffer)
    return Memory(numbers, buffers, asked)


def _apart(n: int, line: int) -> int:
    """Return how long rows are made so that those side by side do not fall on the same lines."""
    return (-(-n // line) | 1) * line


def _shape(storage: Storage, n: int, long: int, line: int) -> tuple[int, int]:
    rows = storage.rows + storage.ones
    if not storage.varies:
        return 1, rows
    if not storage.by_example:
        return rows, long
    return n, -(-rows // line) * line if rows * n > MUCH else rows


def share(
    storages: Sequence[Storage],
    steps: Sequence[Step],
    needed: Mapping[int, int],
    outside: Container[int],
) -> list[int]:
    """Assign the computed arrays to memories, and return the number of rows of each memory.

    `needed` are the times, as indices of steps, until which some storages must stay. Those that are
    read from `outside` do not share a memory with others, of which a chunk of the examples will do.
    """
    first, last = _times(steps, needed)
    for index in first:
        own = storages[index]
        own.temporary = index not in outside and own.kind == "computed" and own.varies
    memories = _Memories(storages)
    ending: dict[int, list[int]] = {}
    for storage, time in last.items():
        if memories.shares[storage]:
            ending.setdefault(time, []).append(storage)
    for storage in ending.pop(len(steps), ()):
        memories.place(storage)
    # From the end to the start: what is read last at a time is placed there, and a place is free
    # before the time at which it is written.
    for time in range(len(steps) - 1, -1, -1):
        step = steps[time]
        out = step.out.storage
        begins = first[out] == time
        if last[out] == time:
            memories.place(out)
        over = None
        for storage in ending.get(time, ()):
            if storage == out:
                continue
            if begins and over is None and memories.fits(storage, step):
                over = storage
                memories.place_over(storage, out)
            else:
                memories.place(storage)
        if begins and over is None:
            memories.leave(out)
    return memories.rows


def _times(
    steps: Sequence[Step], needed: Mapping[int, int]
) -> tuple[dict[int, int], dict[int, int]]:
    """When each storage is written first, and when it is used last."""
    first: dict[int, int] = {}
    last: dict[int, int] = {}
    for time, step in enumerate(steps):
        out = step.out.storage
        first.setdefault(out, time)
        last[out] = time
        for view in step.operands:
            last[view.storage] = time
    for storage, time in needed.items():
        last[storage] = max(time, last.get(storage, 0))
    return first, last


class _Memories:
    """The memories so far, and which are free."""

    def __init__(self, storages: Sequence[Storage]) -> None:
        self._storages = storages
        self.rows: list[int] = []
        self.shares: list[bool] = []  # whether a storage is given a memory here
        # Of temporary storages, and of others, by their rows, the one that was used last behind.
        self._free: tuple[dict[int, list[int]], ...] = ({}, {})
        self._temporary: list[bool] = []
        self._with_ones: set[int] = set()  # never free: the ones must stay
        for storage in storages:
            computed = storage.kind == "computed" and storage.varies
            self.shares.append(computed and not storage.ones and not storage.asked)
            if computed and storage.ones:
                storage.memory = self._new(storage.rows + 1, storage.temporary)
                self._with_ones.add(storage.memory)

    def _new(self, rows: int, temporary: bool) -> int:
        self.rows.append(rows)
        self._temporary.append(temporary)
        return len(self.rows) - 1

    def place(self, index: int) -> None:
        """Choose the free memory that is nearest in size, of these the one that was used last."""
        if not self.shares[index]:
            return
        storage = self._storages[index]
        rows, by_rows = storage.rows, self._free[storage.temporary]
        free = by_rows.get(rows)
        if not free:
            sizes = [size for size, memories in by_rows.items() if memories]
            if not sizes:
                storage.memory = self._new(rows, storage.temporary)
                return
            free = by_rows[min(sizes, key=lambda size: abs(size - rows))]
        memory = storage.memory = free.pop()
        self.rows[memory] = max(self.rows[memory], rows)

    def fits(self, index: int, step: Step) -> bool:
        """Return whether a step may overwrite this operand, which is not read later."""
        out = self._storages[step.out.storage]
        if step.kind != "row" or out.memory is None:
            return False
        if self._temporary[out.memory] and not self._storages[index].temporary:
            return False
        same_rows = step.out[1:]
        for view in step.operands:
            if view.storage == index and view[1:] != same_rows:
                return False
        return self._storages[index].rows <= out.rows and is_one_call(step.detail)

    def place_over(self, index: int, out: int) -> None:
        """Put an operand where the result will be."""
        self._storages[index].memory = self._storages[out].memory

    def leave(self, index: int) -> None:
        """Free a memory for earlier steps."""
        memory = self._storages[index].memory
        if memory is not None and memory not in self._with_ones:
            free = self._free[self._temporary[memory]]
            free.setdefault(self.rows[memory], []).append(memory)


@cache
def is_one_call(op: Op) -> bool:
    """Tell whether one call on arrays computes a row, so that no operand is read after a write."""
    if ops.TABLE.get(op.name) is not op or op in (ops.where, ops.stop_gradient):
        return True
    if isinstance(getattr(np, op.name, None), np.ufunc):
        return True
    formula = of_row(op)
    return formula.op is op or all(part.op is None for part in formula.args)
