"""Memory: arrays of numbers that are not needed at the same time lie at the same place.

What a step reads for the last time it may write over, if it goes element by element: `a = relu(z)`
where z is not used again. So a program keeps to fewer bytes, which stay in the cache.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.ops import Op
from micrograd.programs import rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.plan import Storage
    from micrograd.programs.views import Step

LINE = 8  # numbers in a line of the processor's cache


def aligned(rows: int, columns: int) -> NDArray[Any]:
    """An array, not filled, that begins at the start of a line: sums and products are quicker."""
    numbers = np.empty(rows * columns + LINE)
    start = -(numbers.ctypes.data // numbers.itemsize) % LINE
    return numbers[start : start + rows * columns].reshape(rows, columns)


def share(
    storages: Sequence[Storage], steps: Sequence[Step], needed: Mapping[int, int]
) -> list[int]:
    """Give the computed arrays their `memory`, and the number of rows of each memory.

    `needed` are the times, as indices of steps, until which some storages are read from outside.
    """
    first: dict[int, int] = {}
    last = dict(needed)
    for time, step in enumerate(steps):
        first.setdefault(step.out.storage, time)
        for view in (step.out, *step.operands):
            last[view.storage] = max(time, last.get(view.storage, 0))
    ending: dict[int, list[int]] = {}
    for storage, time in last.items():
        ending.setdefault(time, []).append(storage)
    memories = _Memories(storages)
    # From the end to the start: what is read last at a time is placed there, and a place is free
    # before the time at which it is written.
    for time in range(len(steps), -1, -1):
        step_here = steps[time] if time < len(steps) else None
        out = -1 if step_here is None else step_here.out.storage
        begins = first.get(out) == time
        if last.get(out) == time:
            memories.place(out)
        over = None
        for storage in ending.get(time, ()):
            if storage == out:
                continue
            if begins and step_here and over is None and memories.fits(storage, step_here):
                over = storage
                memories.place_over(storage, out)
            else:
                memories.place(storage)
        if begins and over is None:
            memories.leave(out)
    return memories.rows


class _Memories:
    """The memories so far, and which are free."""

    def __init__(self, storages: Sequence[Storage]) -> None:
        self._storages = storages
        self.rows: list[int] = []
        self._free: list[int] = []
        for storage in storages:
            if storage.kind == "computed" and storage.varies and storage.ones:
                storage.memory = self._new(storage.rows + 1)  # its own: the ones must stay

    def _new(self, rows: int) -> int:
        self.rows.append(rows)
        return len(self.rows) - 1

    def _is_shared(self, index: int) -> bool:
        storage = self._storages[index]
        return storage.kind == "computed" and storage.varies and not storage.ones

    def place(self, index: int) -> None:
        """Choose the free memory that is nearest in size, of these the one that was used last."""
        if not self._is_shared(index):
            return
        storage = self._storages[index]
        if not self._free:
            storage.memory = self._new(storage.rows)
            return
        memory = min(reversed(self._free), key=lambda m: abs(self.rows[m] - storage.rows))
        self._free.remove(memory)
        self.rows[memory] = max(self.rows[memory], storage.rows)
        storage.memory = memory

    def fits(self, index: int, step: Step) -> bool:
        """Whether a step may write over this operand, which is not read later."""
        out = self._storages[step.out.storage]
        if step.kind != "row" or out.memory is None or not self._is_shared(index):
            return False
        alike = step.out._replace(storage=index)
        if any(view != alike for view in step.operands if view.storage == index):
            return False
        return self._storages[index].rows <= out.rows and _is_one_call(step.detail)

    def place_over(self, index: int, out: int) -> None:
        """Put an operand where the result will be."""
        self._storages[index].memory = self._storages[out].memory

    def leave(self, index: int) -> None:
        """Let a memory be used before it is written here."""
        memory = self._storages[index].memory
        if memory is not None and self._is_shared(index):
            self._free.append(memory)


@cache
def _is_one_call(op: Op) -> bool:
    operands = [np.ones(1) for _ in op.derivatives]
    return len(rows.calls(op, operands, np.ones(1))) == 1
