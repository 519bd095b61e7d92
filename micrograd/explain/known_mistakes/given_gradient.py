"""Read a gradient in the forms in which people have it: matrices, or one unrolled vector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


_DIGITS = range(2, 8)  # with which a gradient may have been printed


def matrices_of(grad: Any) -> list[Any] | None:
    """Return a gradient as matrices; None if it is one unrolled vector."""
    if isinstance(grad, Mapping):  # D, by its superscripts
        grad = list(grad.values())
    if hasattr(grad, "shape") or not isinstance(grad, (list, tuple)):
        return None
    try:
        found = [np.asarray(x, dtype=float) for x in grad]
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
        flat = np.asarray(grad, dtype=float).ravel()
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"the gradient is a list of matrices like Theta, or one vector; got {grad!r}"
        ) from error
    if not np.isfinite(flat).all():
        raise ValueError("the gradient holds numbers that are not finite")
    return flat


def slack_of(given: Sequence[Any]) -> list[Any]:
    """Return half a unit in the last place of entries that were printed with few digits, else 0."""
    largest = max(float(np.abs(x).max()) for x in given)
    slack = [np.zeros(x.shape) for x in given]
    for digits in _DIGITS:  # behind the point
        if 10.0**-digits < 0.1 * largest and all((np.round(x, digits) == x).all() for x in given):
            slack = [np.full(x.shape, 0.51 * 10.0**-digits) for x in given]
            break
    for digits in _DIGITS:  # in all
        units = [_units(x, digits) for x in given]
        if all(np.allclose(np.round(x / u) * u, x, 1e-14, 0.0) for x, u in zip(given, units)):
            return [np.maximum(s, 0.51 * u * (x != 0)) for s, x, u in zip(slack, given, units)]
    return slack


def _units(x: Array, digits: int) -> Array:
    """Return the unit in the last of some significant digits of each entry."""
    size = np.where(x == 0, 1.0, np.abs(x))
    units: Array = 10.0 ** (np.floor(np.log10(size)) + 1 - digits)
    return units


def sizes_of(shapes: Sequence[tuple[int, ...]]) -> str:
    """Write shapes as `25x401, 10x26`."""
    return ", ".join("x".join(map(str, shape)) for shape in shapes)
