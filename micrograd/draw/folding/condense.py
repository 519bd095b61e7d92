"""Merge boxes until a picture is small enough, those first that read as one: `W x`, a softmax.

A box is merged into the only one that uses it, which makes no cycle.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from micrograd.draw.folding.patterns import Level, merged, what
from micrograd.draw.folding.titles import Titles
from micrograd.draw.scene.boxes import Box, beside_each_other
from micrograd.draw.scene.outline import Outline

ENOUGH = 25  # boxes of a picture that was condensed
FEWER = (18, 12)  # if those are still too many for a page
PARTS = 10  # that a graph is cut into if nothing else helps


def condensed(level: Level, most: int) -> Iterator[list[Box]]:
    """Merge boxes until at most `most` remain, or `ENOUGH`, then fewer."""
    titles = Titles(level.outline)
    for enough in (ENOUGH, *FEWER):
        level = _condensed(level, titles, min(most, enough))
        yield [_counted(level.outline, titles, box) for box in level.boxes]


def _condensed(level: Level, titles: Titles, most: int) -> Level:
    """Merge boxes until at most `most` remain; cut what is left into parts.

    Terms go into their sums, weights into the operation that uses them, a softmax into one box,
    then operations in a row, then whatever one other box alone uses.
    """
    for unions in (_softmaxes, _weights_and_terms, _in_a_row, _used_once):
        while len(level.boxes) > most:  # the first two are found in all places, or in none
            always = unions in (_softmaxes, _weights_and_terms)
            boxes = _merge(level, titles, unions(level), 1 if always else most)
            if len(boxes) == len(level.boxes):
                break
            level = Level(level.outline, boxes)
    return level if len(level.boxes) <= most else Level(level.outline, _parts(level, most))


def _counted(outline: Outline, titles: Titles, box: Box) -> Box:
    """Say how many equal parts beside each other a merged box of functions holds, as heads are."""
    if box.group is not None or box.whole or not box.inner or "alike" in box.pattern:
        return box
    if titles.names(box) or not titles.functions(box):
        return box
    count = beside_each_other(outline, box)
    if count == 1:
        return box
    return Box(outline, box.places, None, f"{count:,} alike: {box.pattern}", box.inner)


# Boxes, the box that they are to be merged into, and what all are called, if not by rule.
_Union = tuple[tuple[int, ...], int, str]


def _softmaxes(level: Level) -> Iterator[_Union]:
    """Find the exponentials and their sum that a division brings together."""
    for i, used in enumerate(level.before):
        if level.boxes[i].group is not None or len(used) != 2 or _does(level, i) != "/":
            continue
        powers, total = sorted(used)
        if (
            _does(level, powers) == "exp"
            and _does(level, total) == "+ of term"
            and level.before[total] == [powers]
            and level.after[total] == [i]
            and level.after[powers] == sorted([total, i])
        ):
            yield (powers, total), i, "softmax"


def _weights_and_terms(level: Level) -> Iterator[_Union]:
    """Find leaves that one box uses, and products that are summed in one."""
    for i, after in enumerate(level.after):
        if len(after) == 1 and level.boxes[i].group is None:
            user = after[0]
            is_term = _does(level, i) == "*" and _does(level, user) == "+ of term"
            if level.boxes[user].group is None and (not level.before[i] or is_term):
                yield (i,), user, ""


def _in_a_row(level: Level) -> Iterator[_Union]:
    """Find operations that alone use another one, and little else."""
    for i, after in enumerate(level.after):
        if len(after) == 1 and level.before[i] and level.boxes[i].group is None:
            user = after[0]
            if level.boxes[i].whole or level.boxes[user].whole:
                continue
            others = [x for x in level.before[user] if x != i and level.before[x]]
            if level.boxes[user].group is None and not others:
                yield (i,), user, ""


def _used_once(level: Level) -> Iterator[_Union]:
    """Find boxes that one other box alone uses."""
    for i, after in enumerate(level.after):
        if len(after) == 1 and not (level.boxes[i].whole or level.boxes[after[0]].whole):
            yield (i,), after[0], ""


def _does(level: Level, i: int) -> str:
    box = level.boxes[i]
    return "" if box.group is not None else what_all_do(box)


def what_all_do(box: Box) -> str:
    """Return the operation of a box, or of the boxes alike in it."""
    if box.inner and box.pattern.partition(" ")[2].startswith("alike"):
        return what(box.inner[0])
    return what(box)


def _merge(level: Level, titles: Titles, unions: Iterator[_Union], most: int) -> list[Box]:
    """Merge boxes, the smallest first, as long as more than `most` remain."""
    left = len(level.boxes)
    into = list(range(left))
    called: dict[int, str] = {}
    for boxes, user, name in sorted(unions, key=lambda one: (not one[2], _size(level, one))):
        if left <= most:
            break
        left -= len(boxes)
        for i in boxes:
            into[i] = user
        if name:
            called[user] = name
    for i in reversed(range(len(into))):  # what uses a box comes after it
        into[i] = into[into[i]] if into[i] != i else i
    members: dict[int, list[int]] = {}
    for i, last in enumerate(into):
        members.setdefault(last, []).append(i)
    names: dict[Hashable, str] = {
        last: called.get(last) or titles.of([level.boxes[i] for i in inside])
        for last, inside in members.items()
        if len(inside) > 1
    }
    return merged(level.outline, level.boxes, into, names)


def _size(level: Level, union: _Union) -> int:
    boxes, user, _ = union
    return sum(len(level.boxes[i].places) for i in (*boxes, user))


def _parts(level: Level, most: int) -> list[Box]:
    """Cut what is left into parts that follow each other; the last box stays by itself."""
    others = len(level.boxes) - 1
    size = -(-others // max(1, min(PARTS, most - 1)))
    count = -(-others // size)
    label: list[Hashable] = [*(i // size for i in range(others)), "last"]
    names = {i: f"part {i + 1} of {count}" for i in range(count)}
    return merged(level.outline, level.boxes, label, names)
