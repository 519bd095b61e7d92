"""Read and write the numbers of many Values at once, in a buffer of float64.

The buffer is an `array('d')` or a NumPy array. Optimisers and programs share theirs, see blocks.py.
The C core does the same at a few nanoseconds per Value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from micrograd.value.base import ValueBase

if TYPE_CHECKING:
    from micrograd.engine import Value

FUNCTIONS = ("read_data", "write_data", "read_grads", "write_grads", "add_grads")


def read_data(values: Sequence[Value], buffer: Any) -> None:
    """Copy the data of Values into a buffer.

    Raises ValueError when their lengths differ, TypeError when the buffer holds something else or
    one of them is no Value; nothing is changed then.

    >>> from array import array
    >>> from micrograd import Value
    >>> numbers = array("d", [0.0, 0.0])
    >>> read_data([Value(1.0), Value(2.0)], numbers)
    >>> numbers
    array('d', [1.0, 2.0])
    """
    numbers = _float64(values, buffer)
    for i, v in enumerate(values):
        numbers[i] = v._number


def write_data(values: Sequence[Value], buffer: Any) -> None:
    """Set the data of Values to the numbers in a buffer; raises as `read_data` does.

    >>> from array import array
    >>> from micrograd import Value
    >>> x = Value(1.0)
    >>> write_data([x], array("d", [3.0]))
    >>> x.data
    3.0
    """
    for v, number in zip(values, _float64(values, buffer)):
        v._number = number


def read_grads(values: Sequence[Value], buffer: Any) -> None:
    """Copy the grads of Values into a buffer; raises as `read_data` does.

    >>> from array import array
    >>> from micrograd import Value
    >>> x, numbers = Value(1.0), array("d", [0.0])
    >>> x.backward()
    >>> read_grads([x], numbers)
    >>> numbers
    array('d', [1.0])
    """
    numbers = _float64(values, buffer)
    for i, v in enumerate(values):
        numbers[i] = v._grad


def write_grads(values: Sequence[Value], buffer: Any) -> None:
    """Set the grads of Values to the numbers in a buffer; raises as `read_data` does.

    >>> from array import array
    >>> from micrograd import Value
    >>> x = Value(1.0)
    >>> write_grads([x], array("d", [0.5]))
    >>> x.grad
    0.5
    """
    for v, number in zip(values, _float64(values, buffer)):
        v._grad = number


def add_grads(values: Sequence[Value], buffer: Any) -> None:
    """Add the numbers in a buffer to the grads of Values; raises as `read_data` does.

    >>> from array import array
    >>> from micrograd import Value
    >>> x = Value(1.0)
    >>> x.backward()
    >>> add_grads([x], array("d", [0.5]))
    >>> x.grad
    1.5
    """
    for v, number in zip(values, _float64(values, buffer)):
        v._grad += number


def _float64(values: Sequence[Value], buffer: Any) -> Any:
    numbers = memoryview(buffer)
    if numbers.format != "d" or numbers.ndim != 1:
        raise TypeError(
            f"a one-dimensional buffer of float64 is needed, got format {numbers.format!r} in "
            f"{numbers.ndim} dimensions: give an array('d') or a NumPy array of float64"
        )
    for v in values:
        if not isinstance(v, ValueBase):
            raise TypeError(f"the numbers of Values are read and written in bulk, got {v!r}")
    if len(numbers) != len(values):
        raise ValueError(
            f"the buffer holds {len(numbers)} numbers for {len(values)} Values: one each is needed"
        )
    return numbers
