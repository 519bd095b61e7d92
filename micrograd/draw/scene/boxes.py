"""The boxes and arrows of a picture, each box standing for one Value or for many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from micrograd.draw.scene.convex import topological
from micrograd.draw.scene.outline import Group, Outline
from micrograd.engine import Value


class Box:
    """A box that stands for one Value, or for many that are folded.

    `places` are those of its Values in the graph. A folded box has a `group`, the module or scope
    that it holds, or a `pattern`, which says what else it holds, such as "+ of 100 terms". `inner`
    are the boxes that it shows when it opens, if these are not its Values. A box that is `whole` is
    merged with no other.
    """

    __slots__ = ("_outline", "group", "inner", "pattern", "places", "whole")

    def __init__(
        self,
        outline: Outline,
        places: list[int],
        group: Group | None = None,
        pattern: str = "",
        inner: Sequence[Box] = (),
        whole: bool = False,
    ) -> None:
        self._outline = outline
        self.places: list[int] = places
        self.group: Group | None = group
        self.pattern: str = pattern
        self.inner: Sequence[Box] = inner
        self.whole: bool = whole

    @property
    def values(self) -> list[Value]:
        """Return the Values in the box."""
        order = self._outline.order
        return [order[i] for i in self.places]

    @property
    def last(self) -> Value:
        """Return the last of its Values."""
        return self._outline.order[self.places[-1]]

    @property
    def folded(self) -> bool:
        """Tell whether the box stands for a module or for several Values."""
        return self.group is not None or bool(self.pattern)


class Arrow(NamedTuple):
    """The use of an operand by an operation; the first one between two boxes if one is folded.

    `consumer.parents[position]` is the operand.
    """

    tail: Box
    head: Box
    consumer: Value
    position: int


class Folding:
    """The boxes of a picture, operands before what uses them, and the box that holds each Value."""

    def __init__(self, outline: Outline, boxes: Iterable[Box]) -> None:
        self.outline = outline
        self.boxes: list[Box]
        self.box_at: list[int]
        self.boxes, _, self.box_at = in_order(outline, boxes)

    @cached_property
    def ends(self) -> list[Box]:
        """List the boxes that hold the roots."""
        return [self.boxes[self.box_at[self.outline.place(root)]] for root in self.outline.roots]

    @cached_property
    def _uses(self) -> list[tuple[int, int, int]]:
        """List the uses of Values of another box: by which one, in which position, of which one."""
        at, operands = self.box_at, self.outline.operands
        here = enumerate(zip(at, operands))
        across = [i for i, (box, used) in here for x in used if at[x] != box]
        return [
            (i, position, x)
            for i in dict.fromkeys(across)
            for position, x in enumerate(operands[i])
            if at[x] != at[i]
        ]

    @cached_property
    def _exits(self) -> dict[int, list[Value]]:
        """List the results that other boxes use, and the roots, by the number of their box."""
        outline = self.outline
        used = {x for _, _, x in self._uses}.union(map(outline.place, outline.roots))
        found: dict[int, list[Value]] = {}
        for x in sorted(used):
            if outline.operands[x]:
                found.setdefault(self.box_at[x], []).append(outline.order[x])
        return found

    def exits(self, box: Box) -> list[Value]:
        """List the results in a box that other boxes use, or the roots."""
        return self._exits.get(self.box_at[box.places[0]], [])

    def arrows(self) -> list[Arrow]:
        """List the arrows, those into one box together, in the order of its operands.

        >>> a = Value(2.0, label="a")
        >>> pair = unfolded(Outline(a + a))
        >>> [(arrow.consumer._op, arrow.position) for arrow in pair.arrows()]
        [('+', 0), ('+', 1)]
        """
        found: list[list[Arrow]] = [[] for _ in self.boxes]
        joined: set[tuple[Box, Box]] = set()
        for i, position, x in self._uses:
            number = self.box_at[i]
            tail, head = self.boxes[self.box_at[x]], self.boxes[number]
            if (tail, head) not in joined:
                found[number].append(Arrow(tail, head, self.outline.order[i], position))
                if tail.folded or head.folded:
                    joined.add((tail, head))
        return list(chain.from_iterable(found))


def unfolded(outline: Outline) -> Folding:
    """Give every Value a box of its own.

    >>> len(unfolded(Outline(Value(2.0) + Value(3.0))).boxes)
    3
    """
    return Folding(outline, [Box(outline, [i]) for i in range(len(outline.order))])


def beside_each_other(outline: Outline, box: Box) -> int:
    """Count the parts of a box that no result connects, if all do the same; else return 1.

    >>> x = Value(0.5)
    >>> (box,) = Folding(outline := Outline([x.tanh(), x.tanh()]), [Box(outline, [0, 1, 2])]).boxes
    >>> beside_each_other(outline, box)
    2
    """
    part: dict[int, int] = {}  # of each result, by its place: another one of its part, or itself

    def first(i: int) -> int:
        while part[i] != i:
            part[i] = i = part[part[i]]
        return i

    for i in sorted(i for i in box.places if outline.operands[i]):
        part[i] = i
        for x in outline.operands[i]:
            if x in part:
                part[first(x)] = i
    done: dict[int, set[Any]] = {}  # the operations of each part
    for i in part:
        done.setdefault(first(i), set()).add(outline.ops[i])
    first_one, *others = done.values() or [set()]
    return len(done) if all(other == first_one for other in others) else 1


def in_order(
    outline: Outline, boxes: Iterable[Box]
) -> tuple[list[Box], list[list[int]], list[int]]:
    """Sort boxes such that operands come first, else by when they are finished.

    Return them, the numbers of those that each one uses, and the number of the box of each Value.
    """
    boxes = sorted(boxes, key=lambda box: max(box.places))
    at = [0] * len(outline.order)
    for number, box in enumerate(boxes):
        for i in box.places:
            at[i] = number
    operands = outline.operands
    before = [
        sorted({at[x] for i in box.places for x in operands[i]} - {number})
        for number, box in enumerate(boxes)
    ]
    if all(not used or used[-1] < number for number, used in enumerate(before)):
        return boxes, before, at
    order = topological(dict(enumerate(before)))
    place = {number: i for i, number in enumerate(order)}
    return (
        [boxes[number] for number in order],
        [sorted([place[x] for x in before[number]]) for number in order],
        [place[number] for number in at],
    )
