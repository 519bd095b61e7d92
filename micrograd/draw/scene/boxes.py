"""The boxes and arrows of a picture, each box standing for one Value or for many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from micrograd.draw.scene.convex import quotient, topological
from micrograd.draw.scene.outline import Group, Outline
from micrograd.engine import Value
from micrograd.value.identity import IdentityDict, IdentitySet


class Box:
    """A box that stands for one Value, or for many that are folded.

    A folded box has a `group`, the module or scope that it holds, or a `pattern`, which says what
    else it holds, such as "+ of 100 terms". `inner` are the boxes that it shows when it opens, if
    these are not its Values. A box that is `whole` is merged with no other.
    """

    __slots__ = ("group", "inner", "pattern", "values", "whole")

    def __init__(
        self,
        values: list[Value],
        group: Group | None = None,
        pattern: str = "",
        inner: Sequence[Box] = (),
        whole: bool = False,
    ) -> None:
        self.values: list[Value] = values
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
        self.box_of: IdentityDict[Value, Box] = IdentityDict(
            (v, box) for box in self.boxes for v in box.values
        )
        self._used: IdentitySet[Value] | None = None

    def exits(self, box: Box) -> list[Value]:
        """List the results in a box that other boxes use, or the roots."""
        if self._used is None:
            self._used = IdentitySet(self.outline.roots)
            for head in self.boxes:
                for consumer in head.values:
                    self._used.update(x for x in consumer.parents if self.box_of[x] is not head)
        return [v for v in box.values if v in self._used and v.parents]

    def arrows(self) -> list[Arrow]:
        """List the arrows, those into one box together, in the order of its operands.

        >>> a = Value(2.0, label="a")
        >>> pair = unfolded(Outline(a + a))
        >>> [(arrow.consumer._op, arrow.position) for arrow in pair.arrows()]
        [('+', 0), ('+', 1)]
        """
        found: list[Arrow] = []
        box_of = self.box_of
        for head in self.boxes:
            merged: dict[Box, list[Any]] = {}  # the first use of each folded box, and their number
            for consumer in head.values:
                for position, operand in enumerate(consumer.parents):
                    tail = box_of[operand]
                    if tail is head:
                        continue
                    if tail in merged:
                        merged[tail][-1] += 1
                    elif head.folded or tail.folded:
                        merged[tail] = [consumer, position, 1]
                    else:
                        found.append(Arrow(tail, head, consumer, position, 1))
            found += (Arrow(tail, head, *use) for tail, use in merged.items())
        return found


def unfolded(outline: Outline) -> Folding:
    """Give every Value a box of its own.

    >>> len(unfolded(Outline(Value(2.0) + Value(3.0))).boxes)
    3
    """
    return Folding(outline, [Box([v]) for v in outline.order])


def in_order(outline: Outline, boxes: list[Box]) -> list[Box]:
    """Sort boxes such that operands come first, else by when they are finished."""
    if len(boxes) == len(outline.order):
        return boxes
    place = outline.place
    finished = sorted(boxes, key=lambda box: max([place[v] for v in box.values]))
    unit = [0] * len(place)
    for number, box in enumerate(finished):
        for v in box.values:
            unit[place[v]] = number
    return [finished[i] for i in topological(quotient(outline.operands, unit))]
