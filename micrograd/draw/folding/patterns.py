"""Find Values that belong together without a module: long sums and rows, and Values made alike.

None of this makes a cycle: a sum or row has one exit, which nothing before it uses; and Values
made alike have operands made alike, so that none of them can depend on another.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from micrograd import ops
from micrograd.draw.scene.boxes import Box, in_order
from micrograd.draw.scene.names import stem
from micrograd.draw.scene.outline import Group, Kind, Outline

MANY = 4  # the fewest terms, or Values made alike, that share a box
_JOINED = (ops.add, ops.subtract, ops.multiply)
LONG = 8  # the fewest operations in a row that share a box
PLURALS = {kind: f"{kind.value}s" for kind in Kind} | {Kind.LEAF: "leaves"}


class Level:
    """Boxes that partition a graph, operands first, and which of them each one uses."""

    def __init__(self, outline: Outline, boxes: Iterable[Box]) -> None:
        self.outline = outline
        self.boxes: list[Box]
        self.before: list[list[int]]
        self.box_at: list[int]  # of each Value, by its place
        self.boxes, self.before, self.box_at = in_order(outline, boxes)
        self.after: list[list[int]] = [[] for _ in self.boxes]
        for i, used in enumerate(self.before):
            for x in used:
                self.after[x].append(i)

    @cached_property
    def does(self) -> list[str]:
        """Return what each box does: see `what`."""
        return [what(box) for box in self.boxes]


def merged(
    outline: Outline, boxes: Iterable[Box], label: Sequence[Hashable], name: Mapping[Any, str]
) -> list[Box]:
    """Return boxes after those of one label, unless it is None, are merged.

    `name` says what these hold.
    """
    together: dict[Hashable, list[Box]] = {}
    found: list[Box] = []
    for box, key in zip(boxes, label):
        if key is None:
            found.append(box)
        else:
            together.setdefault(key, []).append(box)
    for key, several in together.items():
        found += several if len(several) == 1 else [joined(outline, several, name[key])]
    return found


def joined(outline: Outline, boxes: Sequence[Box], name: str, whole: bool = False) -> Box:
    """Return a box that holds some others."""
    return Box(outline, [i for box in boxes for i in box.places], None, name, boxes, whole)


def sums(outline: Outline, folded: Sequence[Group | None]) -> list[Box]:
    """Return a box for each folded group, each long sum outside of these, each Value."""
    units = _Units(outline, folded)
    units.join_sums()
    return units.boxes()


class _Units:
    """Values joined step by step, by their places: a unit is a group, or named by a Value in it."""

    def __init__(self, outline: Outline, folded: Sequence[Group | None]) -> None:
        self.outline = outline
        self.order = outline.order
        self.operands = outline.operands
        self.consumers = outline.consumers
        self.ops = outline.ops
        self.kinds = outline.kind_at
        self.homes = outline.home_at
        self.folded = folded
        self.unit: list[Group | int] = [group or i for i, group in enumerate(folded)]
        self.pattern: dict[int, str] = {}  # of a unit of several Values

    def boxes(self) -> list[Box]:
        """Return a box per unit."""
        found: dict[Group | int, list[int]] = {}
        for i, unit in enumerate(self.unit):
            found.setdefault(unit, []).append(i)
        return [
            Box(self.outline, inside, unit) if isinstance(unit, Group)
            else Box(self.outline, inside, pattern=self.pattern.get(unit, ""))
            for unit, inside in found.items()
        ]  # fmt: skip

    def join_sums(self) -> None:
        """Join a long sum, difference or product, whose partial results nothing else uses."""
        sums = self._find_sums(frozenset())
        apart = frozenset(i for last, inside in sums.items() for i in self._terms(last, inside))
        for last, additions in self._find_sums(apart).items() if apart else sums.items():
            inside = set(additions)
            outside = [x for i in additions for x in self.operands[i] if x not in inside]
            start = [x for x in outside if self._is_start(x)]  # the 0 that sum() begins with
            number = len(outside) - len(start)
            if number >= MANY or (start and self.ops[last] is ops.add):
                symbol = self.order[last]._op
                what = ("factor" if symbol == "*" else "term") + "s" * (number > 1)
                self._join(last, [*additions, *start], f"{symbol} of {number:,} {what}")

    def _find_sums(self, apart: frozenset[int]) -> dict[int, list[int]]:
        """Return the additions of each sum by its last one; those `apart` are in none around."""
        top = [-1] * len(self.order)  # of each addition: the last one of its sum
        found: dict[int, list[int]] = {}
        for i in reversed(range(len(self.order))):
            op = self.ops[i]
            if op not in _JOINED or self.folded[i] is not None:
                continue
            top[i] = i
            if len(self.consumers[i]) == 1 and i not in apart:
                (outer,) = self.consumers[i]
                is_next = self.ops[outer] is op and self._together(i, outer)
                if is_next and (op is not ops.subtract or self._is_lessened(i, outer)):
                    top[i] = top[outer]
            found.setdefault(top[i], []).append(i)
        return found

    def _terms(self, last: int, additions: Sequence[int]) -> Iterator[int]:
        """Find additions in a sum that are terms of it, such as the last of many `h = w * h + b`.

        Other terms, which are used elsewhere too, are made like them; or they are all that is
        summed.
        """
        inside = set(additions)
        op = self.ops[last]
        others = Counter(
            self._made(x)
            for i in additions
            for x in self.operands[i]
            if x not in inside and self.ops[x] is op
        )
        if others:
            yield from (i for i in additions if i != last and others[self._made(i)] > 1)
        first, *more = self.operands[last]
        if op is ops.add and self._is_start(first):
            yield from inside.intersection(more)

    def _made(self, i: int) -> Hashable:
        """Return how a Value is made, two operations deep, and its name but for its digits."""
        used = [(self.ops[x], *[self.ops[y] for y in self.operands[x]]) for x in self.operands[i]]
        return stem(self.outline.name_at[i]), tuple(used)

    def _is_start(self, x: int) -> bool:
        after = self.consumers[x]
        return (
            self.kinds[x] in (Kind.CONSTANT, Kind.LEAF)
            and self.order[x].data == 0
            and len(after) == 1
            and (self.ops[after[0]] is ops.add or self._is_lessened(x, after[0]))
        )

    def _is_lessened(self, x: int, by: int) -> bool:
        return self.ops[by] is ops.subtract and self.operands[by][0] == x

    def _together(self, i: int, j: int) -> bool:
        return self.folded[j] is None and self.homes[i] is self.homes[j]

    def _join(self, last: int, inside: Iterable[int], pattern: str) -> None:
        for i in inside:
            self.unit[i] = last
        self.pattern[last] = pattern


def rows(level: Level) -> list[Box]:
    """Merge operations in a long row, each of which uses nothing but the last one and leaves."""
    row: dict[int, list[int]] = {}  # by the last operation so far
    home_at = level.outline.home_at
    homes = [home_at[box.places[-1]] for box in level.boxes]
    for i, box in enumerate(level.boxes[:-1]):  # the root stays by itself
        if box.folded or not level.before[i]:
            continue
        used = [x for x in level.before[i] if level.before[x] or level.boxes[x].group is not None]
        x = used[0] if len(used) == 1 else -1
        follows = x in row and level.after[x] == [i] and homes[x] is homes[i]
        row[i] = [*row.pop(x), i] if follows else [i]
    label: list[int | None] = [None] * len(level.boxes)
    names: dict[int, str] = {}
    for last, inside in row.items():
        if len(inside) >= LONG:
            names[last] = f"{len(inside):,} operations in a row"
            for i in inside:
                label[i] = last
                for x in level.before[i]:
                    if level.after[x] == [i] and _is_constant(level, x):
                        label[x] = last
    return merged(level.outline, level.boxes, label, names)


def _is_constant(level: Level, i: int) -> bool:
    return level.outline.kind_at[level.boxes[i].places[-1]] is Kind.CONSTANT


def alike(level: Level) -> list[Box]:
    """Merge boxes made alike: by one operation, of operands made alike, in one module or scope.

    Leaves are alike if they share a kind, a name but for its digits, and the way they are used;
    the number of terms in a sum does not count.
    """
    return many_merged(level.outline, level.boxes, made_alike(level))


def many_merged(outline: Outline, boxes: Sequence[Box], label: Sequence[Hashable]) -> list[Box]:
    """Return boxes after those of one label, if they are many, are merged."""
    members: dict[Hashable, list[Box]] = {}
    for box, key in zip(boxes, label):
        members.setdefault(key, []).append(box)
    many = {key: several for key, several in members.items() if len(several) >= MANY}
    names = {key: _name_of_many(outline, several) for key, several in many.items()}
    return merged(outline, boxes, [key if key in many else None for key in label], names)


def made_alike(level: Level) -> list[int]:
    """Give boxes that are made alike the same number."""
    outline, does = level.outline, level.does
    kind_at, home_at = outline.kind_at, outline.home_at
    unnamed = [i for i, box in enumerate(level.boxes) if _is_unnamed(outline, box)]
    roles = _roles(level) if len(unnamed) > 1 else [0] * len(level.boxes)
    numbers: dict[Hashable, int] = {}
    label: list[int] = []
    for i, box in enumerate(level.boxes):
        last = box.places[-1]
        made: Hashable = i  # by nothing else
        if kind_at[last] is Kind.CONSTANT:
            made = "constant"
        elif box.pattern:
            made = does[i], home_at[last], frozenset([label[x] for x in level.before[i]])
        elif box.group is not None:
            pass
        elif outline.operands[last]:
            used = tuple([label[level.box_at[x]] for x in outline.operands[last]])
            made = does[i], home_at[last], used
        else:
            name = stem(outline.name_at[last])
            made = kind_at[last], name, home_at[last], None if name else roles[i]
        label.append(numbers.setdefault(made, len(numbers)))
    for i, box in enumerate(level.boxes):  # constants go with what uses them
        if kind_at[box.places[-1]] is Kind.CONSTANT:
            users = frozenset([label[x] for x in level.after[i]])
            label[i] = numbers.setdefault(("users", users), len(numbers))
    return label


def _is_unnamed(outline: Outline, box: Box) -> bool:
    """Tell whether a box is a leaf that has no name, and is no constant."""
    i = box.places[-1]
    is_leaf = not box.folded and not outline.operands[i]
    return is_leaf and not outline.name_at[i] and outline.kind_at[i] is not Kind.CONSTANT


def what(box: Box) -> str:
    """Return what a box without a group does: its operation, or its pattern without counts."""
    return _without_counts(box.pattern) if box.pattern else box.last._op


@functools.lru_cache(4096)
def _without_counts(pattern: str) -> str:
    return re.sub(r"[\d,]+ |s$", "", pattern)


def _roles(level: Level) -> list[int]:
    """Give boxes that the same operations use in the same places the same number."""
    outline, does = level.outline, level.does
    numbers: dict[Hashable, int] = {}
    role = [0] * len(level.boxes)
    uses: list[list[tuple[int, int]]] = [[] for _ in level.boxes]  # the roles of users, and where
    for i in reversed(range(len(level.boxes))):
        box = level.boxes[i]
        last = box.places[-1]
        key: Hashable = i
        if box.group is None:
            key = does[i], outline.kind_at[last], outline.home_at[last], frozenset(uses[i])
        role[i] = numbers.setdefault(key, len(numbers))
        operands = outline.operands[last]
        if box.folded or len(operands) > MANY:  # the call of a program may have thousands
            for x in level.before[i]:
                uses[x].append((role[i], -1))
        else:
            for position, x in enumerate(operands):
                uses[level.box_at[x]].append((role[i], position))
    return role


def _name_of_many(outline: Outline, boxes: Sequence[Box]) -> str:
    count = f"{len(boxes):,}"
    v = boxes[0].last
    if not v.parents:
        place = boxes[0].places[-1]
        kind, name = PLURALS[outline.kind_at[place]], stem(outline.name_at[place])
        return f"{name}: {_extent(outline, boxes) or count} {kind}" if name else f"{count} {kind}"
    patterns = {box.pattern for box in boxes}
    if patterns == {""}:
        return f"{count} alike: {v._op or 'results'}"
    return f"{count} alike: {patterns.pop() if len(patterns) == 1 else f'{v._op} of terms'}"


def _extent(outline: Outline, boxes: Sequence[Box]) -> str:
    """Return the shape of an array of leaves by the indices in their names; empty if it has none.

    The rows of a matrix are counted even if only some of its columns are used.
    """
    indices = [re.findall(r"\[(\d+)\]", outline.name_at[box.places[0]]) for box in boxes]
    if len({len(one) for one in indices}) != 1 or len(indices[0]) < 2:
        return ""
    return "\u00d7".join(str(len(set(side))) for side in zip(*indices))
