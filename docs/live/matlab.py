"""Read the matrices of a MAT-file of level 5, as `save -v6`, `save -v7` and SciPy write it.

SciPy has no wheel in a package registry that a browser could load, and the one reader on npm is
under the GPL. Only full matrices of real numbers are read; what else a file holds is left out.
"""

from __future__ import annotations

import struct
import zlib
from math import prod

# Codes of the format: numbers as they lie in the file.
_NUMBERS = {1: "b", 2: "B", 3: "h", 4: "H", 5: "i", 6: "I", 7: "f", 9: "d", 12: "q", 13: "Q"}
_MATRIX, _COMPRESSED = 14, 15
_CLASSES = range(6, 16)  # of matrices of numbers: double, single, eight sorts of integers
_COMPLEX = 0x0800

Rows = list[list[float]]


def read(data: bytes) -> dict[str, Rows]:
    """Return the matrices in a file by their names, each as a list of rows.

    Raises ValueError if it is no MAT-file of level 5, or cut off.
    """
    if data[:8] == b"\x89HDF\r\n\x1a\n" or data[:10] == b"MATLAB 7.3":
        raise ValueError("this MAT-file is of version 7.3: save it again with save -v7")
    orders = {b"IM": "<", b"MI": ">"}
    if len(data) < 128 or data[126:128] not in orders:
        raise ValueError(
            "this is no MAT-file of level 5: save it with save -v7 (in Octave: save -7), or paste "
            "the matrices"
        )
    try:
        return dict(_matrices(data[128:], orders[data[126:128]]))
    except (struct.error, zlib.error, LookupError, RuntimeError) as error:
        raise ValueError(f"this MAT-file is damaged or cut off ({error})") from error


def _matrices(data, order):
    for kind, content in _elements(data, order):
        if kind == _COMPRESSED:
            yield from _matrices(zlib.decompress(content), order)
        elif kind == _MATRIX:
            yield from _matrix(content, order)


def _elements(data, order):
    """Yield the type and the bytes of each element; small ones stand in their own tag."""
    at = 0
    while at + 8 <= len(data):
        kind, size = struct.unpack_from(order + "II", data, at)
        start = at + 8
        if kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, at + 4
        if start + size > len(data):
            raise struct.error(f"{size} bytes were expected, {len(data) - start} are there")
        yield kind, data[start : start + size]
        at = start + size if kind == _COMPRESSED else (start + size + 7) // 8 * 8


def _matrix(content, order):
    parts = _elements(content, order)
    flags = _numbers(*next(parts), order)[0]
    shape = _numbers(*next(parts), order)
    name = next(parts)[1].decode("latin-1")
    if flags & 0xFF in _CLASSES and not flags & _COMPLEX and len(shape) == 2 and prod(shape):
        flat = [float(x) for x in _numbers(*next(parts), order)]
        yield name, [flat[row :: shape[0]] for row in range(shape[0])]  # column by column


def _numbers(kind, content, order):
    code = _NUMBERS[kind]
    return struct.unpack(f"{order}{len(content) // struct.calcsize(code)}{code}", content)
