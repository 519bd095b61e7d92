"""What makes a Value pleasant to use: text, comparisons, the names that the original has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micrograd.operators import Operators

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
        return self._data < (other._data if isinstance(other, Comfort) else other)

    def __le__(self, other: Any) -> Any:
        return self._data <= (other._data if isinstance(other, Comfort) else other)

    def __gt__(self, other: Any) -> Any:
        return self._data > (other._data if isinstance(other, Comfort) else other)

    def __ge__(self, other: Any) -> Any:
        return self._data >= (other._data if isinstance(other, Comfort) else other)

    def __pos__(self) -> Self:
        return self

    def conjugate(self) -> Self:
        """Self: a real number is its own conjugate. NumPy's var(), std() and norm() ask for it."""
        return self
