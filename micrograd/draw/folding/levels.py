"""Decide which Values of a graph share a box: those of a module first, then what reads as one.

A graph of a hundred thousand Values is folded in a few passes over it, without recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from micrograd.draw.folding.condense import condensed
from micrograd.draw.folding.patterns import Level, alike, rows, sums
from micrograd.draw.folding.repeats import repeated
from micrograd.draw.scene.boxes import Box, Folding, unfolded
from micrograd.draw.scene.outline import Group, Kind, Outline
from micrograd.native.gc_pause import uncollected

BOXES = 60  # the most boxes in a picture, unless another number is asked for


def fold(
    outline: Outline,
    most: int = BOXES,
    modules: str | None = None,
    fits: Callable[[Folding], bool] = lambda folding: True,
) -> Folding:
    """Fold a graph, the innermost modules first, until at most `most` boxes remain, and it `fits`.

    Modules that hold all results stay open, since a single box shows nothing. If closing modules
    is not enough, long sums fold too, then Values made alike, then steps that repeat, then long
    rows of operations; at last boxes are merged that one other box alone uses. `modules` names a
    class of modules, or a scope, to be folded instead, or several with commas between them;
    "network" stands for the outermost ones. Raises ValueError if there is none of that name.

    >>> from micrograd.nn import MLP
    >>> model = MLP(2, [16, 16, 1])
    >>> small = fold(Outline(model([1.0, -2.0])), most=10)
    >>> [box.group.title for box in small.boxes if box.group]
    ['layers[0]', 'layers[1]', 'layers[2]']
    """
    with uncollected():
        return _fold(outline, most, modules, fits)


def _fold(
    outline: Outline, most: int, modules: str | None, fits: Callable[[Folding], bool]
) -> Folding:
    if modules is None and len(outline.order) <= most:
        whole = unfolded(outline)
        if fits(whole):
            return whole
    ways = [_named(outline, modules)] if modules is not None else _by_height(outline)
    folding: Folding | None = None
    for boxes in _attempts(outline, ways, most, modules is None):
        if len(boxes) <= most:
            folding = Folding(outline, boxes)
            if modules is not None or fits(folding):
                return folding
    assert folding is not None  # the last attempt has few boxes
    return folding


def _attempts(
    outline: Outline, ways: list[set[Group]], most: int, free: bool
) -> Iterator[list[Box]]:
    """Yield partitions of a graph, the last of at most `most` boxes."""
    if free and any(ways):
        yield from repeated(_alike(outline, set()), most, of_module=True)
    for closed in ways:
        folded = _folded(outline, closed)
        if closed:
            yield _boxes(outline, folded)
    for closed in ways:
        level = _alike(outline, closed)
        yield level.boxes
        steps: list[Box] = []
        for steps in repeated(level, most):
            yield steps
        level = Level(outline, steps) if steps else level
        in_rows = rows(level)
        if len(in_rows) < len(level.boxes):
            yield in_rows
            level = Level(outline, in_rows)
    yield from condensed(level, most)


def _alike(outline: Outline, closed: set[Group]) -> Level:
    folded = _folded(outline, closed)
    return Level(outline, alike(Level(outline, sums(outline, folded))))


def _folded(outline: Outline, closed: set[Group]) -> list[Group | None]:
    """Return, for each Value, the outermost closed group that holds it."""
    held: dict[Group | None, Group] = {}
    for group in outline.groups:  # outer ones first
        around = held.get(group.parent)
        if around is not None or group in closed:
            held[group] = around or group
    return [held.get(home) for home in outline.home_at]


def _boxes(outline: Outline, folded: list[Group | None]) -> list[Box]:
    held: dict[Group | int, list[int]] = {}
    for i, group in enumerate(folded):
        held.setdefault(i if group is None else group, []).append(i)
    return [
        Box(outline, places, unit if isinstance(unit, Group) else None)
        for unit, places in held.items()
    ]


def _by_height(outline: Outline) -> list[set[Group]]:
    """List what may be closed: innermost modules only, ..., all that leave a picture."""
    results = outline.kind_at.count(Kind.RESULT)
    closable = [g for g in outline.groups if _results(outline, g) < results]
    heights = sorted({g.height for g in closable})
    return [{g for g in closable if g.height <= height} for height in heights] or [set()]


def check_fold(outline: Outline, fold: Any) -> None:
    """Raise ValueError if `fold` is neither a number of boxes, nor None, nor a name in there."""
    is_number = isinstance(fold, int) and not isinstance(fold, bool)
    if not (fold is None or isinstance(fold, str) or (is_number and fold >= 2)):
        raise ValueError(
            f"fold must be a number of boxes, 2 or more, a name, or None: got {fold!r}"
        )
    if isinstance(fold, str):
        _named(outline, fold)


def _results(outline: Outline, group: Group) -> int:
    return sum(1 for i in group.places if outline.kind_at[i] is Kind.RESULT)


def _named(outline: Outline, name: str) -> set[Group]:
    if name.lower() == "network":
        found = {g for g in outline.groups if g.parent is None}
    else:
        names = {part.strip() for part in name.lower().split(",")}
        found = {g for g in outline.groups if g.kind.lower() in names}
    if not found:
        kinds = sorted({g.kind for g in outline.groups}, key=str.lower)
        raise ValueError(
            f"this graph holds no {name!r} to fold: "
            + (
                f"it has {', '.join(kinds)}"
                if kinds
                else "nothing in it was made by a module or within micrograd.scope(...)"
            )
        )
    return found
