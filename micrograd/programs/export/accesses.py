"""Elements of arrays under loops, and which loops can be one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Dims = tuple[int, ...]


class Access(NamedTuple):
    """An element of an array: `base`, and a step for each loop around it.

    Where `array` is no name it is a number, which has no elements.
    """

    array: str
    base: int
    strides: Dims

    def at(self, counters: Sequence[str]) -> str:
        """Write the element.

        >>> Access("w", 2, (3, 0, 1)).at(["i", "j", "k"])
        'w[2 + 3 * i + k]'
        """
        if not self.array.isidentifier():
            return self.array
        terms = [str(self.base)] if self.base or not any(self.strides) else []
        for stride, counter in zip(self.strides, counters):
            if stride:
                terms.append(counter if stride == 1 else f"{stride} * {counter}")
        return f"{self.array}[{' + '.join(terms).replace('+ -', '- ')}]"

    def only(self, loops: Sequence[int]) -> Access:
        """Return the access under some of the loops."""
        return self._replace(strides=tuple([self.strides[d] for d in loops]))


def joined(dims: Dims, accesses: Sequence[Access]) -> tuple[Dims, list[Access]]:
    """Leave out loops of one turn, and make one loop of two wherever all steps allow it.

    >>> joined((2, 1, 3), [Access("a", 0, (3, 9, 1)), Access("b", 5, (6, 0, 2))])
    ((6,), [Access(array='a', base=0, strides=(1,)), Access(array='b', base=5, strides=(2,))])
    """
    kept: list[int] = []
    sizes: list[int] = []
    for d, size in enumerate(dims):
        if size == 1:
            continue
        if kept and all(a.strides[kept[-1]] == size * a.strides[d] for a in accesses):
            kept[-1] = d
            sizes[-1] *= size
        else:
            kept.append(d)
            sizes.append(size)
    return tuple(sizes), [a.only(kept) for a in accesses]
