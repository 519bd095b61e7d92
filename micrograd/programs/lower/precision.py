"""The numbers that a program computes with: float64, or float32, which has half of the digits.

What float32 cannot hold at all raises: a finite number would be infinite, a small one 0, and a
large integer another one. What is computed from these follows the arithmetic of float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd import ops
from micrograd.programs.trace.tape import Tape
from micrograd.value.selection import Take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

DOUBLE = np.dtype(np.float64)
SINGLE = np.dtype(np.float32)
LIMITS = np.finfo(np.float32)
WHOLE = 2**24  # up to here float32 has all integers
NEAR = 2.0**-64  # how much smaller than the largest seed one may be, with room for its gradients


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
    does not have, and for others that would be 0.
    """
    if array.dtype == dtype:
        return array
    if dtype == DOUBLE or array.dtype.kind in "iub":
        refuse_rounding(array, dtype, what)
        return array.astype(dtype)
    with np.errstate(over="ignore", under="ignore"):
        found = array.astype(dtype)
    _refuse_loss(found, array, what)
    return found


def fill(buffer: Array, numbers: Any, what: str) -> None:
    """Copy numbers into a buffer; raises what `converted` raises for those not of float32."""
    if buffer.dtype == DOUBLE:
        buffer[:] = numbers
        return
    with np.errstate(over="ignore", under="ignore"):
        buffer[:] = numbers
    _refuse_loss(buffer, np.asarray(numbers), what)


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


def whole_constants(tape: Tape) -> None:
    """Raise ValueError where rounding to float32 would make another integer of a constant.

    That matters where it is an exponent, which would be even, is compared, or stands in a table.
    """
    for op, operands in zip(tape.ops, tape.operands):
        if op in (ops.power, ops.equal) or isinstance(op, Take):
            numbers = [tape.constants[x] for x in operands if x in tape.constants]
            whole = [int(x) for x in numbers if x.is_integer() and abs(x) <= 2**53]
            for x in rounded(np.array(whole, np.int64)):
                raise ValueError(
                    f"the constant {x} of a program is none of float32, and as an operand of "
                    f"{op.name} it may not be rounded: make it a program of float64"
                )


def bands(seeds: Array | float) -> Iterator[tuple[Array | float, float]]:
    """Yield seeds near 1, which float32 can hold, with what to multiply their gradients by.

    Those that differ too much in size come one after another; zeros pass nothing on.

    >>> list(bands(1e-60))
    [(1.0, 1e-60)]
    """
    if isinstance(seeds, float):
        if seeds:
            yield (1.0, seeds) if math.isfinite(seeds) else (seeds, 1.0)
        return
    sizes = np.abs(seeds)
    if not math.isfinite(sizes.max(initial=0.0)):
        strange = ~np.isfinite(sizes)
        yield np.where(strange, seeds, 0.0), 1.0
        sizes[strange] = 0.0
    all_of_them, left = np.count_nonzero(seeds != 0), np.count_nonzero(sizes != 0)
    while left:
        largest = float(sizes.max())
        scale = 2.0 ** math.floor(math.log2(largest))
        near = sizes > largest * NEAR
        count = np.count_nonzero(near)
        if count == all_of_them:
            yield np.divide(seeds, scale, sizes), scale
            return
        yield np.where(near, seeds, 0.0) / scale, scale
        sizes[near] = 0.0
        left -= count


def refuse_rounding(integers: Array, dtype: np.dtype[Any], what: str) -> None:
    """Raise ValueError for an integer that a program of this dtype would round, if of float32."""
    if dtype == DOUBLE or integers.dtype.kind == "b" or not integers.size:
        return
    for x in rounded(integers):
        raise ValueError(
            f"{what} holds the integer {x}, which is none of float32, where only those to "
            f"{WHOLE:,} all are: call a program of float64, or give floats, if they may be rounded"
        )


def rounded(integers: Array) -> Array:
    """Return the integers within the range of float32 that it does not have."""
    if integers.max(initial=0) <= WHOLE and integers.min(initial=0) >= -WHOLE:
        return integers[:0]
    found = integers[integers != 0]
    odd = found // (found & -found)  # without the powers of 2 that are in it
    found = found[(odd > WHOLE) | (odd < -WHOLE)]
    lost: Array = found[abs(found) <= float(LIMITS.max)]
    return lost


def _refuse_loss(found: Array, numbers: Array, what: str) -> None:
    """Raise for numbers that became infinite, or 0."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.add.reduce(found, None)
    if not np.isfinite(total):
        lost = np.isinf(found) & np.isfinite(numbers)
        if lost.any():
            raise OverflowError(
                f"{what} holds {numbers[lost].flat[0]:g}, which is beyond the range of float32, "
                f"{LIMITS.max:.1e}: call a program of float64, or scale the numbers"
            )
    if found.all():
        return
    lost = (found == 0) & (numbers != 0)
    if lost.any():
        raise ValueError(
            f"{what} holds {numbers[lost].flat[0]:g}, which is 0 in float32: call a program of "
            "float64, scale the numbers, or give 0"
        )
