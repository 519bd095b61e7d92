"""Regularity: rows of positions with equal steps, which a strided view can read."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

Strides = tuple[int, ...]
DEEPEST = 5  # nested runs: beyond, gathering is as good


class Nest(NamedTuple):
    """Tables with equal steps: where each starts, and its strides by member and by term."""

    bases: tuple[int, ...]
    dims: tuple[int, ...]
    strides: tuple[Strides, ...]
    term_dims: tuple[int, ...]
    term_strides: tuple[Strides, ...]


def runs(rows: Any) -> tuple[tuple[int, ...], list[Strides]] | None:
    """Take rows of positions apart into nested runs of equal steps, common to all rows.

    Gives the lengths of the runs, outermost first, and the steps of each row; None if there are no
    such runs.

    >>> runs(np.array([[0, 1, 2, 10, 11, 12], [5, 5, 5, 6, 6, 6]]))
    ((2, 3), [(10, 1), (1, 0)])
    """
    return _runs(rows, DEEPEST)


def _runs(rows: Any, depth: int) -> tuple[tuple[int, ...], list[Strides]] | None:
    count, length = rows.shape
    if length == 1:
        return (), [()] * count
    steps = rows[:, 1:] - rows[:, :-1]
    first = steps[:, :1]
    breaks = (steps != first).any(axis=0)
    run = int(breaks.argmax()) + 1 if breaks.any() else length
    if length % run or not depth:
        return None
    blocks = rows.reshape(count, -1, run)
    if run < length and (blocks != blocks[:, :, :1] + first[:, :, None] * np.arange(run)).any():
        return None
    outer = _runs(blocks[:, :, 0], depth - 1)
    if outer is None:
        return None
    dims, strides = outer
    return (*dims, run), [(*s, int(step)) for s, step in zip(strides, first[:, 0])]


def nest(tables: list[Any]) -> Nest | None:
    """Find the steps of tables of shape (members, terms), if they have any in common.

    >>> nest([np.array([[0, 1], [3, 4]]), np.array([[7, 8], [7, 8]])])
    Nest(bases=(0, 7), dims=(2,), strides=((3,), (0,)), term_dims=(2,), term_strides=((1,), (1,)))
    """
    if tables[0].size == 1:
        nothing: tuple[Strides, ...] = ((),) * len(tables)
        return Nest(tuple([table.item() for table in tables]), (), nothing, (), nothing)
    for table in tables:
        if (table != table[:, :1] + (table[:1] - table[0, 0])).any():
            return None
    members = runs(np.array([table[:, 0] for table in tables]))
    terms = runs(np.array([table[0] for table in tables]))
    if members is None or terms is None:
        return None
    bases = tuple([int(table[0, 0]) for table in tables])
    return Nest(bases, members[0], tuple(members[1]), terms[0], tuple(terms[1]))
