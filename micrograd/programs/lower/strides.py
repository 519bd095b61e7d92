"""Strided views of storages, and the steps that work on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.programs.lift.regularity import Strides

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def places_of(view: View) -> NDArray[Any]:
    """Return the rows of a storage that a view reads, by its dimensions.

    >>> places_of(View(0, True, 4, (2, 3), (3, 1)))
    array([[4, 5, 6],
           [7, 8, 9]])
    """
    places: NDArray[Any] = np.array(view.base)
    for size, stride in zip(view.dims, view.strides):
        places = places[..., None] + stride * np.arange(size)
    return places


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
    """Give two views of all members the same dimensions; one without gaps takes the other's."""
    if left.strides == contiguous(left.dims):
        return left._replace(dims=right.dims, strides=contiguous(right.dims)), right
    return left, right._replace(dims=left.dims, strides=contiguous(left.dims))


def along(view: View, axes: Sequence[int]) -> View:
    """Return a view with these of its dimensions, in this order."""
    dims = tuple([view.dims[d] for d in axes])
    return view._replace(dims=dims, strides=tuple([view.strides[d] for d in axes]))
