"""Blocks: the data and the grads of many leaves in two arrays, for programs and optimisers.

A block of a thousand parameters is moved, or added to, as two arrays, as fast as arrays are. On the
C core its leaves get their numbers when something looks at one of them, not before; in Python at
once. Either way, what a leaf shows is what was last said of it, there or in any block.
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
    """Two buffers of float64, `data` and `grad`, and the Values that they are the numbers of.

    Whoever uses a buffer pulls it before, and pushes it when he has changed it.
    """

    __slots__ = ("__weakref__", "_pulls", "data", "grad", "leaves")

    def __init__(self, leaves: tuple[Value, ...], data: array[float], grad: array[float]) -> None:
        self.leaves = leaves
        self.data = data
        self.grad = grad
        self._pulls = count()

    def pull_data(self) -> int:
        """Make `data` what the leaves have; an equal result says that nothing is new."""
        bulk.read_data(self.leaves, self.data)
        return next(self._pulls)

    def pull_grads(self) -> None:
        """Make `grad` what the leaves have."""
        bulk.read_grads(self.leaves, self.grad)

    def push_data(self) -> None:
        """Let the leaves have what is in `data`."""
        bulk.write_data(self.leaves, self.data)

    def push_grads(self) -> None:
        """Let the leaves have what is in `grad`."""
        bulk.write_grads(self.leaves, self.grad)

    def zero_grads(self) -> None:
        """Let the leaves have grads of 0."""
        self.grad[:] = array("d", bytes(8 * len(self.leaves)))
        self.push_grads()

    def add(self, gradients: Any) -> None:
        """Add a buffer of as many float64 to the grads."""
        bulk.add_grads(self.leaves, gradients)

    def has(self, values: Iterable[Value]) -> bool:
        """Whether a list holds these leaves, in their order."""
        values = list(values)
        return len(values) == len(self.leaves) and all(map(is_, values, self.leaves))


_blocks: WeakValueDictionary[tuple[int, ...], Any] = WeakValueDictionary()


def block_of(values: Sequence[Value]) -> Any:
    """Give the block of these Values: the same one to all who ask for the same Values.

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
        # A node's grad passes through it within a backward pass: that is not put off.
        made = Block if any(v.parents or v._closure for v in values) else _Leaves
        block = made(tuple(values), *[array("d", bytes(8 * len(key))) for _ in range(2)])
        _blocks[key] = block
    return block


@takeover.prefer_c
def hide_leaves(node: Value) -> None:
    """Let `backward()` on the C core skip a node's operands, leaves of blocks all of them.

    It asks the node instead, by `_collect()`, for pairs of a block and what is to be added to it,
    and adds all of these at the end, when nothing can fail any more.
    """


_Leaves: Any = takeover.prefer_c(Block)
