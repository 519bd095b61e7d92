"""Sums of products of arrays, by matrix products where that pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

EXAMPLES = "z"
FEW = 16  # products that are added up one by one


def contract(xp: Any, arrays: Sequence[Any], letters: Sequence[str], result: str) -> Any:
    """Sum the products of arrays, whose axes have these letters, over those not in `result`.

    >>> import numpy as np
    >>> contract(np, [np.ones((2, 3)), np.ones((3, 4))], ["ab", "bz"], "az")
    array([[3., 3., 3., 3.],
           [3., 3., 3., 3.]])
    """
    left, axes = arrays[0], letters[0]
    for i in range(1, len(arrays)):
        later = set("".join(letters[i + 1 :])) | set(result)
        wanted = "".join(dict.fromkeys(x for x in axes + letters[i] if x in later))
        if i == len(arrays) - 1:
            wanted = result
        left, axes = _pair(xp, left, axes, arrays[i], letters[i], wanted), wanted
    return _reduced(xp, left, axes, result)


def _reduced(xp: Any, x: Any, axes: str, result: str) -> Any:
    summed = tuple([i for i, letter in enumerate(axes) if letter not in result])
    if summed:
        count = math.prod(x.shape[i] for i in summed)
        if axes[-1] in result and 0 < count <= FEW:
            x = _added(_parts(x, summed))
        else:
            x = xp.sum(x, axis=summed)
    return _ordered(xp, x, "".join(a for a in axes if a in result), result)


def _parts(x: Any, axes: Sequence[int]) -> list[Any]:
    """Take an array apart along some axes."""
    at: list[Any] = [slice(None)] * len(x.shape)
    parts = []
    for place in product(*[range(x.shape[axis]) for axis in axes]):
        for axis, i in zip(axes, place):
            at[axis] = i
        parts.append(x[tuple(at)])
    return parts


def _added(terms: list[Any]) -> Any:
    """Add up a few terms, of which a compiler makes one loop: pairs, so that none waits for all."""
    while len(terms) > 1:
        odd = terms[len(terms) & ~1 :]
        terms = [x + y for x, y in zip(terms[::2], terms[1::2])] + odd
    return terms[0]


def _ordered(xp: Any, x: Any, axes: str, result: str) -> Any:
    if axes == result:
        return x
    return xp.permute_dims(x, tuple([axes.index(letter) for letter in result]))


def _pair(xp: Any, left: Any, a: str, right: Any, b: str, result: str) -> Any:
    """Do it for two: what only one of them has is summed up first."""
    a_kept = "".join(x for x in a if x in b or x in result)
    b_kept = "".join(x for x in b if x in a or x in result)
    left, right = _reduced(xp, left, a, a_kept), _reduced(xp, right, b, b_kept)
    a, b = a_kept, b_kept
    size = {**dict(zip(a, left.shape)), **dict(zip(b, right.shape))}
    summed = "".join(x for x in a if x in b and x not in result)
    if not summed:
        return _spread(xp, left, a, result) * _spread(xp, right, b, result)
    if set(a) == set(b) and EXAMPLES in result:
        axes = result + summed
        terms = _spread(xp, left, a, axes) * _spread(xp, right, b, axes)
        return _reduced(xp, terms, axes, result)
    if EXAMPLES in a and EXAMPLES in b and EXAMPLES in result and _count(summed, size) <= FEW:
        return _unrolled(xp, left, a, right, b, summed, result)
    return _matmul(xp, left, a, right, b, summed, result, size)


def _unrolled(xp: Any, left: Any, a: str, right: Any, b: str, summed: str, result: str) -> Any:
    order = summed + result
    both = [_spread(xp, x, axes, order) for x, axes in ((left, a), (right, b))]
    pairs = zip(*[_parts(x, range(len(summed))) for x in both])
    return _added([x * y for x, y in pairs])


def _matmul(
    xp: Any,
    left: Any,
    a: str,
    right: Any,
    b: str,
    summed: str,
    result: str,
    size: dict[str, int],
) -> Any:
    """Multiply matrices; axes that stand in front count matrices, so that nothing is copied."""
    together = "".join(x for x in a if x in b and x in result)
    rows = "".join(x for x in a if x not in b)
    columns = "".join(x for x in b if x not in a)
    front = _front(b, columns, summed)
    if front and result.startswith(front) and not together:
        columns = columns[len(front) :]
        x = _grouped(xp, left, a, "", rows, summed, size)
        y = _grouped(xp, right, b, front, summed, columns, size)
        x = xp.broadcast_to(x, (*y.shape[:-2], *x.shape))
        return _shaped(xp, xp.matmul(x, y), front + rows + columns, result, size)
    # A sum over positions and examples: the positions' own sums, which are added up.
    front = summed.replace(EXAMPLES, "") if EXAMPLES in summed else ""
    less = _count(front + rows + columns, size) <= _count(a, size)
    if front and less and a.startswith(front) and b.startswith(front) and not together:
        x = _grouped(xp, left, a, front, rows, EXAMPLES, size)
        y = _grouped(xp, right, b, front, EXAMPLES, columns, size)
        total = xp.sum(xp.matmul(x, y), axis=tuple(range(len(front))))
        return _shaped(xp, total, rows + columns, result, size)
    x = _grouped(xp, left, a, together, rows, summed, size)
    y = _grouped(xp, right, b, together, summed, columns, size)
    return _shaped(xp, xp.matmul(x, y), together + rows + columns, result, size)


def _front(axes: str, own: str, summed: str) -> str:
    """Return the axes of its own that stand before those that are summed over."""
    first = min(axes.index(letter) for letter in summed)
    return "".join(x for x in axes[:first] if x in own)


def _count(letters: str, size: dict[str, int]) -> int:
    return math.prod(size[letter] for letter in letters)


def _shaped(xp: Any, x: Any, axes: str, result: str, size: dict[str, int]) -> Any:
    return _ordered(xp, xp.reshape(x, tuple([size[a] for a in axes])), axes, result)


def _spread(xp: Any, x: Any, axes: str, result: str) -> Any:
    """Give an array the axes of the result, of size 1 where it has none."""
    order = "".join(letter for letter in result if letter in axes)
    x = _ordered(xp, x, axes, order)
    return x[tuple([slice(None) if letter in axes else None for letter in result])]


def _grouped(
    xp: Any, x: Any, axes: str, batch: str, first: str, second: str, size: dict[str, int]
) -> Any:
    """Return an array of matrices, with several axes as one."""
    x = _ordered(xp, x, axes, batch + first + second)
    shape = [size[letter] for letter in batch]
    return xp.reshape(x, (*shape, _count(first, size), _count(second, size)))
