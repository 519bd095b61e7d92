"""Axes along which several arrays are walked together: fewer and longer ones are quicker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import add
from typing import NamedTuple


class Axis(NamedTuple):
    """How many places there are, and how far it is from one to the next in each array.

    The result comes first.
    """

    extent: int
    steps: tuple[int, ...]


class Roles(NamedTuple):
    """The axes of a sum: those of one small matrix product, and those along which it is repeated.

    The result has rows along `i` and columns along `j`; terms are added along `k`, `m`, and
    the `inner` axes. `swap` says that the factors have changed places.
    The innermost of the `loops` reads number after number along "j" or along "k", or neither, "".
    """

    outer: list[Axis]
    i: Axis
    j: Axis
    inner: list[Axis]
    m: Axis
    k: Axis
    swap: bool
    loops: str


def merged(axes: Sequence[Axis]) -> list[Axis]:
    """Return the axes, the longest steps first, as few as they can be.

    >>> merged([Axis(1, (0, 0)), Axis(3, (4, 8)), Axis(4, (1, 2))])
    [Axis(extent=12, steps=(1, 2))]
    """
    found: list[Axis] = []
    for axis in sorted(axes, key=lambda axis: [-abs(step) for step in axis.steps]):
        if axis.extent == 1:
            continue
        if found and found[-1].steps == tuple([axis.extent * step for step in axis.steps]):
            found[-1] = Axis(found[-1].extent * axis.extent, axis.steps)
        else:
            found.append(axis)
    return found


def overlap(bases: Sequence[int], axes: Sequence[Axis], apart: bool = False) -> bool:
    """Return whether the result overlaps an array, unless it lies number by number where it does.

    With `apart` it may not do that either.
    """
    spans = []
    for k, base in enumerate(bases):
        reaches = [(axis.extent - 1) * axis.steps[k] for axis in axes]
        spans.append((base + sum(r for r in reaches if r < 0), base + sum(map(_above, reaches))))
    low, high = spans[0]
    for k, (first, last) in enumerate(spans[1:], 1):
        same = bases[k] == bases[0] and all(axis.steps[k] == axis.steps[0] for axis in axes)
        if first <= high and low <= last and (apart or not same):
            return True
    return False


def walked(bases: Sequence[int], axes: Sequence[Axis]) -> list[list[int]]:
    """Return each place along some axes, in each array.

    >>> walked([7, 0], [Axis(2, (4, 0)), Axis(2, (1, 3))])
    [[7, 0], [8, 3], [11, 0], [12, 3]]
    """
    found = [[*bases]]
    for axis in axes:
        moves = [[k * step for step in axis.steps] for k in range(axis.extent)]
        found = [[*map(add, places, move)] for places in found for move in moves]
    return found


def _above(reach: int) -> int:
    return max(reach, 0)


ALONE = Axis(1, (0, 0, 0))
SHORT = 4  # columns that are too few for a tile


def roles(kept: Sequence[Axis], terms: Sequence[Axis]) -> Roles:
    """Choose which axes of a sum the innermost loops take, so that these read without gaps.

    `kept` are those of the result, `terms` those along which it is summed.
    """
    outer, inner = list(kept), list(terms)
    j = _longest(outer, lambda o, *s: o == 1 and 1 in s and max(s) < 2 and min(s) >= 0)
    k = _longest(inner, lambda o, *s: {*s} == {1})
    if j is not None and k is not None and j.extent < SHORT <= k.extent:
        j = None
    if j is not None and j.steps[-1] == 0:  # the factor that is shared along j comes first
        return roles(_swapped(kept), _swapped(terms))._replace(swap=True)
    i = None
    if j is not None:
        k = _longest(inner, lambda *s: True)
        is_product = j.steps[1] == 0
        loops = "j"
    else:
        is_product = k is not None
        loops = "k" if is_product else ""
        k = k or _longest(inner, lambda *s: True)
        if is_product:
            j = _longest(outer, lambda o, *s: s[0] == 0 and s[-1] != 0)
    others = [axis for axis in outer if axis is not j]
    if is_product:
        i = _longest(others, lambda o, *s: s[0] != 0 and s[-1] == 0)
    elif others:
        i = others[-1]
    assert k is not None
    outer = [axis for axis in others if axis is not i]
    inner = [axis for axis in inner if axis is not k]
    m = inner.pop() if inner else ALONE
    return Roles(outer, i or ALONE, j or ALONE, inner, m, k, False, loops)


def _longest(axes: Sequence[Axis], fits: Callable[..., bool]) -> Axis | None:
    """Return the longest of the axes of which the steps fit."""
    fitting = [axis for axis in axes if fits(*axis.steps)]
    return max(fitting, key=lambda axis: axis.extent, default=None)


def _swapped(axes: Sequence[Axis]) -> list[Axis]:
    """Return the axes with the two factors in the other order."""
    return [Axis(extent, (o, y, x)) for extent, (o, x, y) in axes]
