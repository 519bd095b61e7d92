"""Passes in chunks: the steps on some examples at a time, so that their numbers stay in the cache.

What only the next steps read is then not written to memory at all: it is overwritten in the cache
by the next chunk. What all examples share is computed before; what is made of sums over them,
behind the last chunk.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from micrograd import ops
from micrograd.programs.lower.strides import Step, View

if TYPE_CHECKING:
    from micrograd.programs.lower.operands import Storage

CACHE = 2**18  # bytes; a quarter of what processors have for each core, at the second level
FEWEST = 32  # examples of which a chunk is worth its instructions
EVEN = 64  # bytes: a chunk is so many of each row, or several times


class Pass(NamedTuple):
    """Steps, by when they are taken: before the examples, on each chunk of them, and after all."""

    before: list[Step]
    each: list[Step]
    after: list[Step]


class _Rows:
    """Rows of storages, as the first and the last of each view."""

    def __init__(self) -> None:
        self._spans: dict[int, list[tuple[int, int]]] = {}

    def add(self, view: View) -> None:
        self._spans.setdefault(view.storage, []).append(_span(view))

    def meet(self, view: View) -> bool:
        """Return whether a view may touch one of the rows."""
        spans = self._spans.get(view.storage)
        if not spans:
            return False
        low, high = _span(view)
        return any(first <= high and low <= last for first, last in spans)


def in_chunks(steps: Sequence[Step]) -> Pass | None:
    """Return the steps by when they are taken; None where some examples need sums over all."""
    found = Pass([], [], [])
    late = _Rows()  # what is complete after all examples
    read = _Rows()  # what is read then, or by each of them
    for step in steps:
        out = _written(step)
        views = [out, *step.operands]
        is_late = any(map(late.meet, views))
        if not any(view.varies for view in views):
            if not is_late and read.meet(out):
                return None
            (found.after if is_late else found.before).append(step)
            if is_late:
                late.add(out)
                for view in step.operands:
                    read.add(view)
            continue
        if is_late or not (step.out.varies or _adds_up(step)):
            return None
        found.each.append(step)
        if not step.out.varies:
            late.add(out)
        for view in step.operands:
            if not view.varies:
                read.add(view)
    return found


def _written(step: Step) -> View:
    """Return what a step may write: of what it puts or clears rows of, all."""
    if step.kind in ("put", "clear"):
        return step.out._replace(base=0, dims=(sys.maxsize,), strides=(1,))
    return step.out


def _adds_up(step: Step) -> bool:
    """Return whether a step is a sum over the examples, to which more can be added."""
    return step.kind in ("outer", "einsum") or (step.kind == "sum" and step.detail[0] is ops.add)


def _span(view: View) -> tuple[int, int]:
    reaches = [(size - 1) * stride for size, stride in zip(view.dims, view.strides)]
    low = view.base + sum(r for r in reaches if r < 0)
    return low, view.base + sum(r for r in reaches if r > 0)


def chunk_of(storages: Sequence[Storage], memories: Sequence[int], n: int, size: int) -> int:
    """Return how many of `n` examples to take at a time: all, if their numbers fit the cache.

    Each number has a `size` in bytes.
    """
    own = [storage for storage in storages if storage.memory is None]
    each = sum(memories) + sum(storage.rows for storage in own if storage.varies)
    # What all share is read again for each chunk, which should be as much.
    shared = sum(storage.rows for storage in own if not storage.varies)
    most = max(FEWEST, CACHE // (size * each), shared // each) if each else n
    count = -(-n // most)
    even = EVEN // size
    return -(-n // (count * even)) * even if 2 * n > 3 * most else n
