"""How a case is called: how often, on how many rows, given how, reduced how."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import numpy as np

LAYOUTS = ("plain", "plain", "plain", "lists", "strided", "reversed", "columns", "float32")
REDUCTIONS = ("sum", "mean", "columns", "elements", "mask", "parts")


class Call(NamedTuple):
    """One call, or several on chunks of the rows, and one backward pass."""

    rows: int
    distinct: int  # of the rows; the others repeat them, so that the loop need not
    cuts: tuple[int, ...]  # where the rows are cut in chunks; at 0, the first has none
    layout: str
    reduction: str
    kept: bool  # until after the later calls, before its backward pass
    forgotten: bool  # whether its results are let go of before that, and memory is used again
    joined: bool  # whether those kept have one backward pass together
    more: bool  # whether the ordinary graph has a part in what is differentiated
    twice: bool  # whether the backward pass is done twice
    overwritten: bool  # whether the arrays given are filled with other numbers after the call


def draw(rng: random.Random, nodes: int, results: int) -> list[Call]:
    """Draw the calls of a function that makes so many nodes and returns so many scalars."""
    budget = 30_000 if rng.random() < 0.05 else 5_000
    sizes = [_rows(rng, nodes) for _ in range(rng.choice((1, 1, 2, 2)))]
    calls = [rng.choice(sizes) for _ in range(rng.choice((1, 1, 2, 2, 3, 4)))]
    drawn = [_call(rng, rows, budget // (len(calls) * nodes), results) for rows in calls]
    if rng.random() < 0.4:  # as in training: what was asked for is computed ahead the next time
        drawn = [call._replace(reduction=drawn[0].reduction) for call in drawn]
    return drawn


def _rows(rng: random.Random, nodes: int) -> int:
    if nodes > 1000 and rng.random() < 0.5:
        return rng.randint(1000, 3000)  # matrix products so large that they run in pieces
    low, high = rng.choices(
        [(1, 1), (2, 7), (8, 40), (41, 300), (301, 3000), (8193, 9000)], (20, 38, 18, 12, 11, 1)
    )[0]
    return rng.randint(low, high)


def _call(rng: random.Random, rows: int, distinct: int, results: int) -> Call:
    cuts = 0 if rows < 2 or rng.random() < 0.75 else rng.randint(1, min(3, rows - 1))
    reduction = rng.choice(REDUCTIONS)
    if reduction == "elements" and rows * results > 40:
        reduction = "columns"
    return Call(
        rows,
        max(1, min(rows, distinct)),
        tuple(sorted(rng.sample(range(rows), cuts))),
        rng.choice(LAYOUTS),
        reduction,
        kept=rng.random() < 0.3,
        forgotten=rng.random() < 0.6,
        joined=rng.random() < 0.4,
        more=rng.random() < 0.15,
        twice=rng.random() < 0.1,
        overwritten=rng.random() < 0.1,
    )


def given(array: Any, layout: str) -> Any:
    """Return the same numbers in another memory layout."""
    if array.dtype == object or (
        layout == "lists" and len(array)
    ):  # an empty list says nothing of its rows' shape
        return array.tolist()
    if layout == "strided":
        return np.repeat(array, 2, axis=0)[::2]
    if layout == "reversed":
        return array[::-1].copy()[::-1]
    if layout == "columns":
        return np.asfortranarray(array)
    if layout == "float32":  # drawn as such
        return array.astype(np.int32 if array.dtype.kind == "i" else np.float32)
    return array


def reduce(result: Any, reduction: str, rng: random.Random) -> tuple[Any, Any]:
    """Reduce a result to one Value; return it and the weight of each element."""
    weights = np.zeros(result.data.shape)
    size = result.data.size
    if reduction == "present":  # what no missing number has reached
        chosen = np.isfinite(result.data)
        weights[chosen] = 0.7
        return 0.7 * result[chosen].sum(), weights
    if reduction == "sum":
        weights += 1.0
        return result.sum(), weights
    if reduction == "mean" and size:
        weights += 1 / size
        return result.mean(), weights
    root: Any = 0.0
    if reduction == "elements":
        for position in np.ndindex(*result.data.shape):
            weights[position] = rng.uniform(-1, 1)
            root = root + float(weights[position]) * result[position]
    elif reduction == "columns" and result.ndim == 2:
        for k in range(result.shape[1]):
            weight = rng.uniform(-1, 1)
            weights[:, k] = weight
            root = root + weight * result[:, k].sum()
    elif reduction == "mask":
        chosen = np.random.default_rng(rng.getrandbits(32)).random(result.data.shape) < 0.4
        weights[chosen], weights[~chosen] = 0.7, -1.3
        root = 0.7 * result[chosen].sum() - 1.3 * result[~chosen].sum()
    else:
        a, b = sorted(rng.randint(0, len(result)) for _ in range(2))
        c, d = rng.uniform(-1, 1), rng.uniform(-1, 1)
        weights[a:b] += c
        weights[::2] += d
        root = c * result[a:b].sum() + result[::2].sum() * d
    return root, weights
