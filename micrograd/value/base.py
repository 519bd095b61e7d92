"""What makes a Value pleasant to use: text, comparisons, the names that the original has."""

from __future__ import annotations

import operator
import threading
from typing import TYPE_CHECKING, Any

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
        return format(self._data, spec) if spec else str(self)

    def __float__(self) -> float:
        raise TypeError(
            "float(v) and the functions of math would drop the gradient of a Value: write the row "
            "instead, v.exp() or micrograd.exp(v) for math.exp(v), or v.data for the bare number"
        )

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


# What programs/asking.py asks for: by thread, what answers for the Values that a program compares
# while it is traced there, and is told of those whose numbers it reads.
_traces: dict[int, Any] = {}
_COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def _compare(v: Comfort, other: Any, comparison: Any) -> Any:
    """Compare while a program is traced, perhaps by another thread; C numbers the comparisons."""
    if comparison.__class__ is int:
        comparison = _COMPARISONS[comparison]
    answers = _traces.get(threading.get_ident())
    answer = None if answers is None else answers.compare(v, other, comparison)
    if answer is not None:
        return answer
    return comparison(v._data, other._data if isinstance(other, Comfort) else other)


def _read(v: Comfort, name: str) -> float:
    """Give data or grad while a program is traced, perhaps by another thread."""
    answers = _traces.get(threading.get_ident())
    if answers is not None:
        answers.read(v, name)
    return v._data if name == "data" else v._grad
