"""The arguments of a program: arrays of rows, or rows of unlike lengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from micrograd.engine import Value
from micrograd.programs.lower.precision import DOUBLE, converted, refuse_rounding
from micrograd.programs.run.results import Result
from micrograd.value.numbers import is_number, refuse_masked

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

# What one row is: the lengths of an array, or, where they differ, what its parts are.
Structure = tuple[Union[int, "Structure"], ...]
_INTEGERS = (int, np.integer, np.bool_)  # and truths, which count as 0 and 1


class Argument:
    """The rows of one argument, all of them alike."""

    def __init__(
        self, array: Array, dtype: np.dtype[Any] = DOUBLE, what: str = "an argument"
    ) -> None:
        self.n: int = len(array)
        self.structures: list[Structure] = [array.shape[1:]]
        self.which: Array | None = None  # the structure of each row, where there are several
        self.is_integer: bool = array.dtype.kind in "iub"
        self._columns = columns_of(array, dtype, what)

    def columns(self, rows: Array | None = None) -> Array:
        """Return the numbers of some rows, which are alike: one column per row."""
        return self._columns if rows is None else self._columns[:, rows]


class Ragged(Argument):
    """The rows of one argument, some of them longer than others."""

    def __init__(
        self, rows: Sequence[Any], is_integer: bool, dtype: np.dtype[Any], what: str
    ) -> None:
        self.n: int = len(rows)
        self.is_integer = is_integer
        known: dict[Structure, int] = {}
        which = [known.setdefault(_structure(row), len(known)) for row in rows]
        self.structures: list[Structure] = list(known)
        self.which: Array | None = np.array(which)
        self._rows = [list(_numbers(row)) for row in rows]
        self._dtype, self._what = dtype, what

    def columns(self, rows: Array | None = None) -> Array:
        """Return the numbers of some rows, which are alike: one column per row."""
        chosen = range(self.n) if rows is None else rows
        numbers = [self._rows[row] for row in chosen]
        found = np.array(numbers, None if self.is_integer else float)
        if self.is_integer and found.dtype.kind in "Of":  # some are too large for int64
            refuse_rounding(np.array(numbers, object), self._dtype, self._what)
            found = found.astype(float)
        return converted(found, self._dtype, self._what).T


def read(
    function: str, given: Mapping[str, Any], dtype: np.dtype[Any] = DOUBLE
) -> tuple[dict[str, Argument], int]:
    """Read the arguments of a call, by name, and how many rows they have.

    Raises TypeError and ValueError for what holds no rows of numbers, or other numbers of rows,
    and what `converted` raises for numbers that float32 does not have.
    """
    arguments = {name: _read(function, name, x, dtype) for name, x in given.items()}
    counts = {name: argument.n for name, argument in arguments.items()}
    if not counts:
        raise TypeError(f"{function}: a program takes at least one argument, the examples")
    first, n = next(iter(counts.items()))
    for name, other in counts.items():
        if other != n:
            raise ValueError(
                f"{function}: {first} has {n} examples, {name} has {other}: "
                "the first axis of all arguments counts the same examples"
            )
    return arguments, n


def _read(function: str, name: str, given: Any, dtype: np.dtype[Any]) -> Argument:
    what = f"{function}: argument {name}"
    if isinstance(given, Result):
        raise TypeError(
            f"{what} is the result of a program, and no gradient would pass back to it: call that "
            "program within this one, or give its .data"
        )
    if given is None:
        raise TypeError(f"{what} is None: a program takes arrays of examples")
    refuse_masked(given, what)
    array = _as_array(given)
    if array is None or (array.dtype.kind == "O" and array.ndim == 1 and _is_nested(array)):
        return _ragged(what, list(given), dtype)
    if array.dtype.kind == "O":
        array = _from_objects(array, dtype, what)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must hold real numbers, got dtype {array.dtype}" + _likely(array))
    if array.ndim == 0:
        raise TypeError(
            f"{what} is one number: give an array with the examples along the first axis, or let "
            "the function take the number from its closure"
        )
    return Argument(array, dtype, what)


def by_structure(arguments: Iterable[Argument]) -> Iterator[tuple[tuple[Structure, ...], Array]]:
    """Yield the structures that rows have, one of each argument, and the rows that have these."""
    arguments = list(arguments)
    each = [0 if x.which is None else x.which for x in arguments]  # 0 where all have the same
    which = np.stack(np.broadcast_arrays(*each))
    kinds, kind_of = np.unique(which.T, axis=0, return_inverse=True)
    for kind, chosen in enumerate(kinds):
        structures = tuple([x.structures[i] for x, i in zip(arguments, chosen)])
        yield structures, np.flatnonzero(kind_of.reshape(-1) == kind)


def nested(structure: Structure, leaves: Iterator[Value]) -> Any:
    """Build one row: a scalar, or lists of lists of them."""
    if not structure:
        return next(leaves)
    if isinstance(structure[0], int):
        return [nested(structure[1:], leaves) for _ in range(structure[0])]
    return [nested(part, leaves) for part in structure]  # type: ignore[arg-type]


def _as_array(given: Any) -> Array | None:
    """Convert to an array; None for rows that differ in length."""
    try:
        return np.asarray(given)
    except ValueError:
        return None


def _is_nested(array: Array) -> bool:
    return any(hasattr(x, "__len__") and not isinstance(x, str) for x in array)


def _from_objects(array: Array, dtype: np.dtype[Any], what: str) -> Array:
    """Convert objects that are all integers, as pandas may hold them, or as they are large."""
    elements = array.reshape(-1).tolist()
    if elements and all(isinstance(x, _INTEGERS) for x in elements):
        fit = all(-(2**63) <= x < 2**63 for x in elements)
        if not fit:
            refuse_rounding(array, dtype, what)
        return array.astype(np.int64 if fit else np.float64)
    return array


def _ragged(what: str, rows: list[Any], dtype: np.dtype[Any]) -> Argument:
    numbers = [x for row in rows for x in _numbers(row)]
    for x in numbers:
        if not is_number(x):
            raise TypeError(f"{what} must hold real numbers" + _likely(np.array([x, None])[:1]))
    depths = {_depth(row) for row in rows}
    if len(depths) > 1:
        raise ValueError(f"{what} has rows of unlike depth: nest the lists of all rows alike")
    return Ragged(rows, all(isinstance(x, _INTEGERS) for x in numbers), dtype, what)


def _numbers(row: Any) -> Iterator[Any]:
    if hasattr(row, "__len__") and not isinstance(row, str):
        for part in row:
            yield from _numbers(part)
    else:
        yield row


def _depth(row: Any) -> int:
    if not hasattr(row, "__len__") or isinstance(row, str):
        return 0
    return 1 + max((_depth(part) for part in row), default=0)


def _structure(row: Any) -> Structure:
    if not hasattr(row, "__len__"):
        return ()
    parts = [_structure(part) for part in row]
    alike = all(part == parts[0] and all(isinstance(x, int) for x in part) for part in parts)
    return (len(parts), *(parts[0] if parts else ())) if alike else tuple(parts)


def _likely(array: Array) -> str:
    """Say what is to be done about objects that are no numbers."""
    elements = array.reshape(-1).tolist() if array.dtype.kind == "O" else []
    if any(isinstance(x, Value) for x in elements):
        return (
            ": Values belong into the function's closure; of one example, they are for the plain "
            "function, its __wrapped__"
        )
    other = next((x for x in elements if not is_number(x)), 0)
    return "" if is_number(other) else f": it holds {other!r}"


def columns_of(array: Array, dtype: np.dtype[Any], what: str = "an argument") -> Array:
    """Return the numbers in this dtype, the examples as the last axis, all other axes as one.

    `what` is what an error calls them.
    """
    if array.dtype is not dtype:
        array = converted(array, dtype, what)
    if array.ndim == 2:
        return array.T
    if array.ndim == 1:
        return array[None]
    n, *shape = array.shape
    return array.reshape(n, int(np.prod(shape))).T
