"""Strided views of storages, and the steps that work on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from micrograd.programs.lift.regularity import Strides


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

    # "row", "product", "outer", "einsum", "sum", "segments", "running", "take", "put" or "clear"
    kind: str
    out: View
    operands: tuple[View, ...]
    detail: Any = None


def contiguous(dims: tuple[int, ...]) -> Strides:
    """Return the strides of an array of these dimensions without gaps.

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
    """Return a view with these of its dimensions, in this order."""
    dims = tuple([view.dims[d] for d in axes])
    return view._replace(dims=dims, strides=tuple([view.strides[d] for d in axes]))
