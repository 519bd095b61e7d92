"""Matrix products as calls of NumPy, in the layouts and sizes that OpenBLAS is quick at.

It multiplies small matrices as they lie, without packing them first; there the quickest way to a
long thin product is in pieces. Which is quicker was measured; see benchmarks/README.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.programs.run.kernels import Call

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

SMALL = 1_000_000  # multiply-adds of a product that OpenBLAS does not pack
SHORTEST = 256  # examples in a piece


def product(left: Array, right: Array, out: Array) -> list[Call]:
    """Return the calls for `out = left @ right`, where the examples are the columns of `right`."""
    pieces = _pieces(left, right, right.shape[-1])
    work = _work(left, right) // len(pieces)
    calls: list[Call] = []
    if 30_000 < work < SMALL and _is_rows_by_columns(left, right) and len(left) > 1:
        # Rows by columns is the slowest layout, by a third to a half.
        calls, copy = packed(left.T, 0, 1)
        left = copy.T
    if len(pieces) == 1:
        return [*calls, *one_product(left, right, out)]
    return [*calls, *[(np.matmul, (left, right[:, s], out[:, s])) for s in pieces]]


def outer(left: Array, right: Array, out: Array) -> list[Call]:
    """Do the same where the examples are the columns of `left` and the rows of `right`: a sum."""
    pieces = _pieces(left, right, left.shape[-1])
    if len(pieces) == 1:
        return one_product(left, right, out)
    sums = np.empty((len(pieces), *out.shape), out.dtype)
    parts = [(np.matmul, (left[:, s], right[s], part)) for s, part in zip(pieces, sums)]
    return [*parts, (np.add.reduce, (sums, 0, None, out))]


def _is_rows_by_columns(left: Array, right: Array) -> bool:
    return left.strides[1] == left.itemsize and right.strides[0] == right.itemsize


def _work(left: Array, right: Array) -> int:
    """Multiply-adds, or 0 for more than one product."""
    return left.size * right.shape[1] if left.ndim == right.ndim == 2 else 0


def _pieces(left: Array, right: Array, n: int) -> list[slice]:
    """Split the examples into pieces that make the products small, if they are not too few."""
    count = -(-_work(left, right) // SMALL) or 1
    size = -(-n // count)
    if size < SHORTEST:
        return [slice(0, n)]
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def one_product(left: Array, right: Array, out: Array) -> list[Call]:
    """Choose the quicker of NumPy's two matrix products: `dot` has less to prepare."""
    small = 0 < _work(left, right) < 300_000
    as_they_lie = left.flags.forc and right.flags.forc and out.flags.c_contiguous
    return [(np.dot if small and as_they_lie else np.matmul, (left, right, out))]


def fits_blas(matrix: Array) -> bool:
    """Return whether OpenBLAS can read a matrix as it lies."""
    return matrix.itemsize in matrix.strides[-2:] and 0 not in matrix.strides[-2:]


def packed(array: Array, first: int, count: int) -> tuple[list[Call], Array]:
    """Return an array with `count` axes from `first` as one, and what copies it, if it has gaps."""
    shape = (*array.shape[:first], -1, *array.shape[first + count :])
    if array.flags.c_contiguous:
        return [], array.reshape(shape)
    copy = np.empty(array.shape, array.dtype)
    return [(np.copyto, (copy, array))], copy.reshape(shape)
