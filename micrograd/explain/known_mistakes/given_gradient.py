"""Read a gradient in the forms in which people have it: matrices, or one unrolled vector."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


_SMALL = 0.1  # a matrix of smaller entries than this part of the largest is measured by the latter
_DIGITS = range(2, 8)  # with which a gradient may have been printed


def matrices_of(grad: Any) -> list[Any] | None:
    """Return a gradient as matrices; None if it is one unrolled vector."""
    if isinstance(grad, Mapping):  # D, by its superscripts
        grad = list(grad.values())
    if hasattr(grad, "shape") or not isinstance(grad, (list, tuple)):
        return None
    try:
        found = [_floats(x) for x in grad]
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"the gradient holds something that is no matrix of numbers: {error}"
        ) from error
    if all(x.ndim == 0 for x in found):
        return None
    if any(x.ndim != 2 for x in found):
        raise ValueError("each part of the gradient is a matrix, a row per unit")
    if not all(np.isfinite(x).all() for x in found):
        raise ValueError("the gradient holds numbers that are not finite")
    return found


def vector_of(grad: Any) -> Array:
    """Return a gradient as one vector of finite numbers."""
    try:
        flat = _floats(grad).ravel()
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"the gradient is a list of matrices like Theta, or one vector; got {grad!r}"
        ) from error
    if not np.isfinite(flat).all():
        raise ValueError("the gradient holds numbers that are not finite")
    return flat


def _floats(given: Any) -> Array:
    """Return an array of numbers; NumPy takes None for a nan."""
    if _has_none(given):
        raise TypeError("None is no number")
    return np.asarray(given, dtype=float)


def _has_none(given: Any) -> bool:
    return given is None or (isinstance(given, (list, tuple)) and any(map(_has_none, given)))


def split(flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    """Cut a vector into parts for matrices of these shapes."""
    return np.split(flat, np.cumsum([a * b for a, b in shapes])[:-1])


def slack_of(given: Sequence[Any]) -> list[Any]:
    """Return half a unit in the last place of entries that were printed with few digits, else 0."""
    numbers = [v for x in given for v in x.ravel().tolist()]
    largest = max(map(abs, numbers))
    behind_the_point = (
        d for d in _DIGITS if 10.0**-d < 0.1 * largest and all(round(v, d) == v for v in numbers)
    )
    in_all = (d for d in _DIGITS if all(float(f"{v:.{d}g}") == v for v in numbers))
    decimals, significant = next(behind_the_point, None), next(in_all, None)

    def slack(v: float) -> float:
        unit = 10.0**-decimals if decimals else 0.0
        if significant and v:
            unit = max(unit, 10.0 ** (math.floor(math.log10(abs(v))) + 1 - significant))
        return 0.51 * unit

    return [np.array([list(map(slack, row)) for row in x.tolist()]) for x in given]


def sizes_of(shapes: Sequence[tuple[int, ...]]) -> str:
    """Write shapes as `25x401, 10x26`."""
    return ", ".join("x".join(map(str, shape)) for shape in shapes)


def distance(given: Sequence[Any], other: Sequence[Any], slack: Sequence[Any] = ()) -> float:
    """Return the largest difference of entries, relative to the largest entry of the matrix.

    `slack` is what each entry may differ by for nothing.
    """
    largest = max(float(np.abs(y).max()) for y in other) or 1.0
    return max(
        max(float((np.abs(x - y) - free).max()), 0.0)
        / max(float(np.abs(y).max()), _SMALL * largest)
        for x, y, free in zip_longest(given, other, slack, fillvalue=0.0)
    )
