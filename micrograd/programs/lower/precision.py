"""The numbers that a program computes with: float64, or float32, which has half of the digits.

What float32 cannot hold at all raises: a finite number would be infinite, a small one 0, and a
large integer another one. What is computed from these follows the arithmetic of float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

DOUBLE = np.dtype(np.float64)
SINGLE = np.dtype(np.float32)
LIMITS = np.finfo(np.float32)
WHOLE = 2**24  # up to here float32 has all integers


def checked(asked: Any) -> np.dtype[Any]:
    """Return the dtype that a program was asked to compute in, float64 where none was.

    >>> checked("float32")
    dtype('float32')
    """
    try:
        found: np.dtype[Any] = np.dtype(asked)  # of None it is float64
    except TypeError:
        found = np.dtype(object)
    if found in (DOUBLE, SINGLE):
        return found
    half = "; arrays of float16 may be given to either" if found == np.float16 else ""
    raise ValueError(
        f"a program computes in dtype='float64' or, faster and with 7 digits, 'float32', not in "
        f"{asked!r}{half}"
    )


def converted(array: Array, dtype: np.dtype[Any], what: str) -> Array:
    """Return an array as one of this dtype; the same where it is. `what` is for errors.

    Raises OverflowError for numbers beyond the range of float32, ValueError for integers that it
    does not have.
    """
    if array.dtype == dtype:
        return array
    if dtype == DOUBLE or array.dtype.kind in "iub":
        if dtype == SINGLE:
            _refuse_rounding(array, what)
        return array.astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        found = array.astype(dtype)
    _refuse_overflow(found, array, what)
    return found


def fill(buffer: Array, numbers: Any, what: str) -> None:
    """Copy numbers into a buffer; raises OverflowError for those beyond the range of float32."""
    if buffer.dtype == DOUBLE:
        buffer[:] = numbers
        return
    with np.errstate(over="ignore", under="ignore"):
        buffer[:] = numbers
    _refuse_overflow(buffer, np.asarray(numbers), what)


def constants_in(constants: Sequence[float], dtype: np.dtype[Any]) -> Array:
    """Return the constants of a program as an array.

    Raises OverflowError for those beyond the range of float32, ValueError for those that would be
    0 there, or lose digits.
    """
    given = np.array(constants, float)
    if dtype == DOUBLE:
        return given
    tiny = given[(given != 0) & (abs(given) < LIMITS.tiny)]
    if tiny.size:
        raise ValueError(
            f"the constant {tiny[0]:g} of a program is too small for float32, which has 7 digits "
            f"from {LIMITS.tiny:.1e} on and is 0 below 1e-45: make it a program of float64"
        )
    return converted(given, dtype, "a program")


def scaled(seeds: Array | float) -> tuple[Array | float, float]:
    """Return seeds as numbers near 1, which float32 can hold, and what to multiply by afterwards.

    >>> scaled(1e-60)
    (1.0, 1e-60)
    """
    if isinstance(seeds, float):
        return 1.0, seeds
    largest = float(np.abs(seeds).max(initial=0.0))
    if not 0.0 < largest < np.inf:  # 0, or infinite, or nan
        return seeds, 1.0
    scale = float(2.0 ** np.floor(np.log2(largest)))
    return (seeds / scale, scale) if scale else (seeds, 1.0)


def _refuse_rounding(integers: Array, what: str) -> None:
    if integers.max(initial=0) <= WHOLE and integers.min(initial=0) >= -WHOLE:
        return
    wrong = integers[integers.astype(SINGLE).astype(DOUBLE) != integers]
    if wrong.size:
        raise ValueError(
            f"{what} holds the integer {wrong.flat[0]}, which is none of float32, where only those "
            f"to {WHOLE:,} all are: call a program of float64, or give floats, if they may be "
            "rounded"
        )


def _refuse_overflow(found: Array, numbers: Array, what: str) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(found, None)
    if np.isfinite(total):
        return
    lost = np.isinf(found) & np.isfinite(numbers)
    if lost.any():
        raise OverflowError(
            f"{what} holds {numbers[lost].flat[0]:g}, which is beyond the range of float32, "
            f"{LIMITS.max:.1e}: call a program of float64, or scale the numbers"
        )
