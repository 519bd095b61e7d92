"""Blocks: the data and the grads of many leaves in two arrays, for programs and optimisers.

An optimiser moves a thousand parameters as two arrays, at the speed of arrays. On the C core, the
leaves of a block get their numbers when something looks at one of them; in Python, at once. Either
way, a leaf shows the number that was last written to it, directly or through any block.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from itertools import count
from operator import is_
from typing import Any
from weakref import WeakValueDictionary

from micrograd.engine import Value
from micrograd.native import bulk, takeover


class Block:
    """The data and grads of some Values, as two float64 buffers.

    Pull before reading a buffer; push after writing to it.
    """

    __slots__ = ("__weakref__", "_pulls", "data", "grad", "leaves")

    def __init__(self, leaves: tuple[Value, ...], data: array[float], grad: array[float]) -> None:
        self.leaves: tuple[Value, ...] = leaves
        self.data: array[float] = data
        self.grad: array[float] = grad
        self._pulls = count()

    def pull_data(self) -> int:
        """Copy the leaves' data to `data`; an equal result means that nothing has changed since."""
        bulk.read_data(self.leaves, self.data)
        return next(self._pulls)

    def pull_grads(self) -> None:
        """Copy the leaves' grads to `grad`."""
        bulk.read_grads(self.leaves, self.grad)

    def push_data(self) -> None:
        """Copy `data` to the leaves."""
        bulk.write_data(self.leaves, self.data)

    def push_grads(self) -> None:
        """Copy `grad` to the leaves."""
        bulk.write_grads(self.leaves, self.grad)

    def zero_grads(self) -> None:
        """Set all grads to 0."""
        self.grad[:] = array("d", bytes(8 * len(self.leaves)))
        self.push_grads()

    def add(self, gradients: Any) -> None:
        """Add gradients, one float64 per leaf, to the grads."""
        bulk.add_grads(self.leaves, gradients)

    def has(self, values: Iterable[Value]) -> bool:
        """Tell whether `values` are just these leaves, in their order."""
        values = list(values)
        return len(values) == len(self.leaves) and all(map(is_, values, self.leaves))


_blocks: WeakValueDictionary[tuple[int, ...], Any] = WeakValueDictionary()


def block_of(values: Sequence[Value]) -> Any:
    """Return the block of these Values: the same object for the same Values.

    >>> from micrograd import Value
    >>> x, y = Value(1.0), Value(2.0)
    >>> block = block_of([x, y])
    >>> x.data = 3.0
    >>> _ = block.pull_data()
    >>> block.data
    array('d', [3.0, 2.0])
    >>> block.add(array("d", [0.5, 0.0]))
    >>> x.grad
    0.5
    """
    key = tuple(map(id, values))
    block = _blocks.get(key)
    if block is None:
        # Only leaves can wait for their numbers: a backward pass needs the grads of nodes at once.
        made = Block if any(v.parents or v._closure for v in values) else _Leaves
        block = made(tuple(values), *[array("d", bytes(8 * len(key))) for _ in range(2)])
        _blocks[key] = block
    return block


@takeover.prefer_c
def hide_leaves(node: Value) -> None:
    """Make `backward()` on the C core skip the operands of a node, which must all be in blocks.

    Instead of calling the node's `_backward()`, it calls `_collect()`, which returns pairs of a
    block and the gradients to add to it, and adds all of these when nothing can fail any more.
    """


_Leaves: Any = takeover.prefer_c(Block)
