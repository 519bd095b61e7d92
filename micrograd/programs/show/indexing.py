"""Write which elements of a vector an equation uses, where these are not all of them in order."""

from __future__ import annotations

from typing import Any

import numpy as np

from micrograd.programs.lift.regularity import runs

OTHER = "..."  # in no order that a slice can write


def index_text(table: Any, size: int) -> str:
    """Return what stands in brackets behind a vector of `size` elements; "" for the whole.

    `table` holds a place for each member and term. A vector that is repeated for others is used as
    a whole.

    >>> index_text(np.array([[2], [1], [0]]), 3), index_text(np.array([[1, 2]]), 4)
    ('::-1', '1:3')
    >>> index_text(np.array([[0, 1], [1, 2]]), 3)
    'i + j'
    """
    places = table.reshape(-1)
    used = np.unique(places)
    first, last, whole = int(used[0]), int(used[-1]), len(used) == size
    if len(used) == 1:
        return "" if whole else str(first)
    found = runs(places[None])
    if found is None:
        return "" if whole and (np.diff(places) >= 0).all() else OTHER
    moving = [(dim, step) for dim, step in zip(found[0], found[1][0]) if step]
    steps = [step for _, step in moving]
    if np.prod([dim for dim, _ in moving]) > len(used):
        return _overlapping(steps, first)
    if steps == [-1]:
        return "::-1" if whole else f"{last}:{first - 1 if first else ''}:-1"
    if min(steps) < 0 or (table.shape[1] == 1 and steps != sorted(steps, reverse=True)):
        return OTHER
    if whole:
        return ""
    if last - first + 1 == len(used):
        return f"{first}:{last + 1}"
    return f"{first}:{last + 1}:{steps[0]}" if len(steps) == 1 else OTHER


def order_text(rows: Any) -> str:
    """Return what stands in brackets behind rows of places that are used in another order.

    Places that a row has again, for other members, are looked at once.

    >>> order_text(np.array([[0, 1], [2, 3]])), order_text(np.array([[2, 3], [0, 1]]))
    ('', '::-1')
    >>> order_text(np.array([[0, 1, 0, 1], [2, 3, 2, 3]]))
    ''
    """
    rows = rows.reshape(len(rows), -1)
    rows = rows[:, np.sort(np.unique(rows[0], return_index=True)[1])]
    if (np.diff(rows.reshape(-1)) >= 0).all():
        return ""
    return "::-1" if (np.diff(rows[::-1].reshape(-1)) >= 0).all() else OTHER


def _overlapping(steps: list[int], first: int) -> str:
    """Write windows that overlap, as those of a convolution: `i + j`."""
    if min(steps) < 0 or len(steps) > len("ijklm"):
        return OTHER
    parts = [letter if step == 1 else f"{step} {letter}" for step, letter in zip(steps, "ijklm")]
    return " + ".join([str(first)] * (first > 0) + parts)


def is_matrix(matrix: Any, vector: Any) -> bool:
    """Tell whether rows of a matrix meet a vector, or each of several vectors, as in a product.

    Both tables hold a place for each member and term.
    """
    if len(matrix) == 1:
        return bool(len(np.unique(vector)) == vector.size)
    rows, vectors = np.unique(matrix, axis=0), np.unique(vector, axis=0)
    apart = len(np.unique(vectors)) == vectors.size
    return apart and len(rows) * len(vectors) == len(matrix)
