"""Sums of products of arrays, by matrix products where that pays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

EXAMPLES = "z"


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
        x = xp.sum(x, axis=summed)
    return _ordered(xp, x, "".join(a for a in axes if a in result), result)


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
    summed = [x for x in a if x in b and x not in result]
    together = [x for x in a if x in b and x in result]
    if not summed or EXAMPLES in together:
        # Many small products, one for each example, are slower than to multiply and add up.
        axes = result + "".join(summed)
        product = _spread(xp, left, a, axes) * _spread(xp, right, b, axes)
        return _reduced(xp, product, axes, result)
    rows = [x for x in a if x not in b]
    columns = [x for x in b if x not in a]
    size = {**dict(zip(a, left.shape)), **dict(zip(b, right.shape))}
    x = _grouped(xp, left, a, together, rows, summed, size)
    y = _grouped(xp, right, b, together, summed, columns, size)
    found = [*together, *rows, *columns]
    product = xp.reshape(xp.matmul(x, y), tuple([size[letter] for letter in found]))
    return _ordered(xp, product, "".join(found), result)


def _spread(xp: Any, x: Any, axes: str, result: str) -> Any:
    """Give an array the axes of the result, of size 1 where it has none."""
    order = "".join(letter for letter in result if letter in axes)
    x = _ordered(xp, x, axes, order)
    return x[tuple([slice(None) if letter in axes else None for letter in result])]


def _grouped(
    xp: Any,
    x: Any,
    axes: str,
    batch: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    size: dict[str, int],
) -> Any:
    """Return an array of matrices, with several axes as one."""
    x = _ordered(xp, x, axes, "".join([*batch, *first, *second]))
    shape = [size[letter] for letter in batch]
    for letters in (first, second):
        count = 1
        for letter in letters:
            count *= size[letter]
        shape.append(count)
    return xp.reshape(x, tuple(shape))
