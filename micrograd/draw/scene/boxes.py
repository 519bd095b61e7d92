"""The boxes and arrows of a picture, each box standing for one Value or for many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

from micrograd.draw.scene.convex import quotient, topological
from micrograd.draw.scene.outline import Group, Outline
from micrograd.engine import Value


class Box:
    """A box that stands for one Value, or for many that are folded.

    `places` are those of its Values in the graph. A folded box has a `group`, the module or scope
    that it holds, or a `pattern`, which says what else it holds, such as "+ of 100 terms". `inner`
    are the boxes that it shows when it opens, if these are not its Values. A box that is `whole` is
    merged with no other.
    """

    __slots__ = ("group", "inner", "pattern", "places", "values", "whole")

    def __init__(
        self,
        outline: Outline,
        places: list[int],
        group: Group | None = None,
        pattern: str = "",
        inner: Sequence[Box] = (),
        whole: bool = False,
    ) -> None:
        self.places: list[int] = places
        self.values: list[Value] = [outline.order[i] for i in places]
        self.group: Group | None = group
        self.pattern: str = pattern
        self.inner: Sequence[Box] = inner
        self.whole: bool = whole

    @property
    def folded(self) -> bool:
        """Tell whether the box stands for a module or for several Values."""
        return self.group is not None or bool(self.pattern)


class Arrow(NamedTuple):
    """The use of an operand by an operation, or all such uses between two boxes if one is folded.

    `consumer.parents[position]` is the operand if both boxes are single Values; otherwise it is
    the first of `merged` uses.
    """

    tail: Box
    head: Box
    consumer: Value
    position: int
    merged: int


class Folding:
    """The boxes of a picture, operands before what uses them, and the box that holds each Value."""

    def __init__(self, outline: Outline, boxes: Iterable[Box]) -> None:
        self.outline = outline
        self.boxes: list[Box] = in_order(outline, list(boxes))
        self.box_at: list[int] = numbered(outline, self.boxes)

    @cached_property
    def _used(self) -> set[int]:
        """Return the places of Values that another box uses, and of the roots."""
        at = self.box_at
        used = {self.outline.place[root] for root in self.outline.roots}
        for i, operands in enumerate(self.outline.operands):
            used.update([x for x in operands if at[x] != at[i]])
        return used

    def exits(self, box: Box) -> list[Value]:
        """List the results in a box that other boxes use, or the roots."""
        used = [self.outline.order[i] for i in box.places if i in self._used]
        return [v for v in used if v.parents]

    def arrows(self) -> list[Arrow]:
        """List the arrows, those into one box together, in the order of its operands.

        >>> a = Value(2.0, label="a")
        >>> pair = unfolded(Outline(a + a))
        >>> [(arrow.consumer._op, arrow.position) for arrow in pair.arrows()]
        [('+', 0), ('+', 1)]
        """
        found: list[Arrow] = []
        at, outline = self.box_at, self.outline
        for number, head in enumerate(self.boxes):
            merged: dict[Box, list[Any]] = {}  # the first use of each folded box, and their number
            for i in head.places:
                for position, x in enumerate(outline.operands[i]):
                    if at[x] == number:
                        continue
                    tail = self.boxes[at[x]]
                    if tail in merged:
                        merged[tail][-1] += 1
                    elif head.folded or tail.folded:
                        merged[tail] = [outline.order[i], position, 1]
                    else:
                        found.append(Arrow(tail, head, outline.order[i], position, 1))
            found += (Arrow(tail, head, *use) for tail, use in merged.items())
        return found


def unfolded(outline: Outline) -> Folding:
    """Give every Value a box of its own.

    >>> len(unfolded(Outline(Value(2.0) + Value(3.0))).boxes)
    3
    """
    return Folding(outline, [Box(outline, [i]) for i in range(len(outline.order))])


def in_order(outline: Outline, boxes: list[Box]) -> list[Box]:
    """Sort boxes such that operands come first, else by when they are finished."""
    if len(boxes) == len(outline.order):
        return boxes
    finished = sorted(boxes, key=lambda box: max(box.places))
    unit = numbered(outline, finished)
    return [finished[i] for i in topological(quotient(outline.operands, unit))]


def numbered(outline: Outline, boxes: Sequence[Box]) -> list[int]:
    """Return the number of the box that holds the Value at each place."""
    unit = [0] * len(outline.order)
    for number, box in enumerate(boxes):
        for i in box.places:
            unit[i] = number
    return unit
