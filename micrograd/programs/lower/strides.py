"""Strided views, on which a step works; and regularity: positions with equal steps are a view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

Strides = tuple[int, ...]
DEEPEST = 5  # nested runs: beyond, gathering is as good


class View(NamedTuple):
    """Rows of a storage: `base` plus a step for each dimension.

    What varies has a further axis, the examples, behind these.
    """

    storage: int
    varies: bool
    base: int
    dims: tuple[int, ...]
    strides: Strides


class Step(NamedTuple):
    """One call: what it does, where the result goes, on what."""

    kind: str  # "row", "product", "outer", "sum", "einsum", "take" or "put"
    out: View
    operands: tuple[View, ...]
    detail: Any = None


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


def contiguous(dims: tuple[int, ...]) -> Strides:
    """The strides of an array of these dimensions without gaps.

    >>> contiguous((2, 3))
    (3, 1)
    """
    strides: list[int] = []
    size = 1
    for dim in reversed(dims):
        strides.append(size)
        size *= dim
    return tuple(reversed(strides))


def alike(left: View, right: View) -> tuple[View, View]:
    """Two views of all members by the same dimensions; one without gaps takes the other's."""
    if left.strides == contiguous(left.dims):
        return left._replace(dims=right.dims, strides=contiguous(right.dims)), right
    return left, right._replace(dims=left.dims, strides=contiguous(left.dims))


def along(view: View, axes: Sequence[int]) -> View:
    """A view with these of its dimensions, in this order."""
    dims = tuple([view.dims[d] for d in axes])
    return view._replace(dims=dims, strides=tuple([view.strides[d] for d in axes]))
