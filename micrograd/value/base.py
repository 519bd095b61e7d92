"""What makes a Value pleasant to use: text, comparisons, the names that the original has."""

from __future__ import annotations

import operator
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from micrograd.ops import Op
from micrograd.value.errors import ARITHMETIC_ERRORS, forward_error
from micrograd.value.numbers import is_number
from micrograd.value.operators import Operators

if TYPE_CHECKING:
    from typing_extensions import Self

    from micrograd.engine import Value


class Comfort(Operators["Value"]):
    """All of Value that has nothing to do with derivatives."""

    __slots__ = ()

    if TYPE_CHECKING:  # what Value has
        _data: float
        _grad: float

        @property
        def parents(self) -> tuple[Value, ...]: ...

    @property
    def _prev(self) -> set[Value]:
        return set(self.parents)

    def __repr__(self) -> str:
        return f"Value(data={self._data}, grad={self._grad})"

    def __format__(self, spec: str) -> str:
        if spec and _traces and is_traced(self):  # type: ignore[arg-type]
            raise _number_lost("a text with the number of one row would stay in the program")
        return format(self._data, spec) if spec else str(self)

    def __float__(self) -> float:
        raise _number_lost(
            "float(v) and the functions of math would drop the gradient of a Value: write the row "
            "instead, v.exp() or micrograd.exp(v) for math.exp(v), or v.data for the bare number"
        )

    def __int__(self) -> int:
        raise _number_lost(
            "int(v), round(v) and a Value as an index would drop its gradient: use the Value "
            "itself, or v.data for the bare number"
        )

    __index__ = __int__

    def __round__(self, digits: int | None = None) -> int:
        return int(self)

    # A Value is equal to a number as its data is, and to no other Value.

    def __eq__(self, other: object) -> Any:
        return _compare(self, other, operator.eq)

    def __ne__(self, other: object) -> Any:
        return _compare(self, other, operator.ne)

    __hash__ = object.__hash__

    def __lt__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.lt)
        return self._data < (other._data if isinstance(other, Comfort) else other)

    def __le__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.le)
        return self._data <= (other._data if isinstance(other, Comfort) else other)

    def __gt__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.gt)
        return self._data > (other._data if isinstance(other, Comfort) else other)

    def __ge__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.ge)
        return self._data >= (other._data if isinstance(other, Comfort) else other)

    def __pos__(self) -> Self:
        return self

    def conjugate(self) -> Self:
        """Self: a real number is its own conjugate. NumPy's var(), std() and norm() ask for it."""
        return self


# By thread, the recording of a program that is traced there (see programs/trace/recording.py). It
# answers for the Values that the program compares, is told of those whose numbers are read, and
# computes where floats raise.
_traces: dict[int, Any] = {}
_COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def _compare(v: Comfort, other: Any, comparison: Any) -> Any:
    """Compare, perhaps while a program is traced; C numbers the comparisons."""
    if comparison.__class__ is int:
        comparison = _COMPARISONS[comparison]
    recording = _traces.get(threading.get_ident()) if _traces else None
    if recording is not None:
        return recording.compare(v, other, comparison)
    equality = comparison is operator.eq or comparison is operator.ne
    if equality and other is not v and not is_number(other):
        return NotImplemented
    return comparison(v._data, other._data if isinstance(other, Comfort) else other)


def _read(v: Comfort, name: str) -> float:
    """Give data or grad while a program is traced, perhaps by another thread."""
    recording = _traces.get(threading.get_ident())
    if recording is not None:
        recording.read(v, name)
    return v._data if name == "data" else v._grad


def _number_lost(advice: str) -> TypeError:
    """The error for what would take the number out of a Value; a program adds the line."""
    recording = _traces.get(threading.get_ident()) if _traces else None
    return TypeError(advice) if recording is None else recording.error(advice)


def is_traced(v: Value) -> bool:
    """Whether this thread traces a program, and v depends on an argument of it."""
    recording = _traces.get(threading.get_ident()) if _traces else None
    return recording is not None and recording.is_traced(v)


def value_after(error: Exception, op: Op, operands: Sequence[Any]) -> float:
    """Raise the error of an operation; while a program is traced, give inf or nan instead."""
    recording = _traces.get(threading.get_ident()) if _traces else None
    if recording is not None:
        with suppress(*ARITHMETIC_ERRORS):
            number: float = recording.value(op, operands)
            return number
    raise forward_error(error, op, operands) from error
