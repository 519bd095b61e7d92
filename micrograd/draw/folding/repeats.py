"""Find the steps of a computation that repeats itself: the layers of a network, Newton's method.

Anchors are boxes made alike, seen a few operations deep, that lie on one path. Whatever depends on
the same number of them is a step; steps of equal content repeat. Since no operation of an earlier
step uses one of a later step, folding them makes no cycle.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from micrograd.draw.folding.patterns import Level, what
from micrograd.draw.scene.boxes import Box
from micrograd.draw.scene.names import stem
from micrograd.draw.scene.outline import Group

FEWEST = 3  # repetitions that are worth telling
STEPS = 10  # that have a box of their own in any case
DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # how many operations deep boxes are compared
EFFORT = 300_000  # boxes that may be looked at, over all anchors


class _Run(NamedTuple):
    """The steps that anchors make: what each of them holds, by the places of the boxes."""

    steps: list[list[int]]
    crossing: int  # boxes whose results pass from one step to another
    anchors: set[int]

    def merit(self) -> tuple[int, int, int]:
        """Return what a better run has more of."""
        return sum(map(len, self.steps)), -self.crossing, len(self.steps)


def repeated(level: Level, most: int) -> list[Box] | None:
    """Fold the steps of a repeating computation; None if there are none.

    More steps than leave `most` boxes share boxes: "steps 1 to 10 of 100".
    """
    best = _longest_run(level)
    if best is None:
        return None
    steps = [_with_own_leaves(level, step) for step in best.steps]
    rest = len(level.boxes) - sum(map(len, steps))
    each = -(-len(steps) // max(STEPS, most - rest))
    label: list[Hashable] = [(i,) for i in range(len(level.boxes))]
    names: dict[Hashable, str] = {}
    module = _module(level, steps)
    for number, step in enumerate(steps):
        group = number // each
        ends = group * each, min(group * each + each, len(steps))
        names[group] = _title(level, steps, *ends, module)
        for i in step:
            label[i] = group
    return level.merged(label, names, whole=True)


def _module(level: Level, steps: Sequence[Sequence[int]]) -> Group | None:
    """Return the module that all steps are calls of, if most of their Values lie in it."""
    homes = Counter(
        level.outline.home[v] for step in steps for i in step for v in level.boxes[i].values
    )
    lines: Counter[Group] = Counter()
    for home, count in homes.items():
        lines.update({group: count for group in (home.line() if home else ()) if group.module})
    found = [group for group, count in lines.items() if 2 * count > homes.total()]
    return min(found, key=lambda group: group.height, default=None)


def calls(level: Level, most: int) -> list[Box] | None:
    """Fold the calls of a module that follow each other directly; None if there are none."""
    boxes = repeated(level, most)
    return boxes if boxes and any(", call" in box.pattern for box in boxes) else None


def _title(
    level: Level, steps: Sequence[Sequence[int]], first: int, end: int, module: Group | None
) -> str:
    count, word = f"{len(steps):,}", f"{module.title}, call" if module else "step"
    text = f"{word} {end:,} of {count}"
    if end - first > 1:
        text = f"{word}s {first + 1:,} to {end:,} of {count}"
    name = level.outline.name(level.boxes[steps[end - 1][-1]].values[-1])
    return f"{stem(name) and name}: {text}" if name and end - first == 1 else text


def _longest_run(level: Level) -> _Run | None:
    """Return the run that holds most; among equals, the one that passes least between steps."""
    inner = [bool(used) or box.group is not None for used, box in zip(level.before, level.boxes)]
    kinds: dict[Hashable, int] = {}
    kind = [kinds.setdefault(_kind(level, i), len(kinds)) for i in range(len(level.boxes))]
    left = EFFORT
    seen: set[tuple[int, ...]] = set()
    runs: list[_Run] = []
    for anchors in _anchors(level, kind, inner):
        if tuple(anchors) not in seen and left > 0:
            seen.add(tuple(anchors))
            left -= len(level.boxes)
            run = _best_run(level, set(anchors), kind, inner)
            longer = run and _extended(level, run, kind, inner)
            runs += filter(None, (run, longer))
    return max(runs, key=_Run.merit, default=None)


def _extended(level: Level, run: _Run, kind: Sequence[int], inner: Sequence[bool]) -> _Run | None:
    """Return a run of one more step, which begins otherwise, as the first step often does."""
    first = min(run.anchors)
    before = _leading_to(level, list(range(first + 1)), first, inner)[:-1]
    for i in [i for i in before if kind[i] == kind[first] and inner[i]][-8:]:
        longer = _best_run(level, run.anchors | {i}, kind, inner)
        if longer is not None and len(longer.steps) > len(run.steps):
            return longer
    return None


def _kind(level: Level, i: int) -> Hashable:
    """Return what a box holds, but for numbers in names."""
    box = level.boxes[i]
    v = box.values[-1]
    if box.group is not None:
        return re.sub(r"\d+", "#", box.group.title)
    return what(box), re.sub(r"\d+", "#", level.outline.name(v)), level.outline.kinds[v]


def _anchors(level: Level, kind: Sequence[int], inner: Sequence[bool]) -> Iterator[list[int]]:
    """Yield boxes that are made alike to a certain depth, the most numerous first."""
    signature, depth = list(kind), 0
    for wanted in DEPTHS:
        while depth < wanted:
            numbers: dict[Hashable, int] = {}
            signature = [
                numbers.setdefault((kind[i], *(signature[x] for x in used)), len(numbers))
                for i, used in enumerate(level.before)
            ]  # fmt: skip
            depth += 1
        members: dict[int, list[int]] = {}
        for i, number in enumerate(signature):
            if inner[i]:
                members.setdefault(number, []).append(i)
        for found in sorted(members.values(), key=len, reverse=True)[:8]:
            if len(found) >= FEWEST:
                yield found


def _best_run(
    level: Level, anchors: set[int], kind: Sequence[int], inner: Sequence[bool]
) -> _Run | None:
    """Return the better of two runs: what leads to no later step may follow its step, or end it."""
    runs = [_run(level, anchors, kind, inner, outputs) for outputs in (False, True)]
    return max(filter(None, runs), key=_Run.merit, default=None)


def _run(
    level: Level, anchors: set[int], kind: Sequence[int], inner: Sequence[bool], outputs: bool
) -> _Run | None:
    """Return the longest run of equal steps that anchors make, if it is long enough.

    With `outputs`, what is made of an anchor and leads to no other belongs to the anchor's step.
    """
    done: list[int] = []  # anchors on the way to a box, itself included
    step: list[int] = []  # those on the way to it, without it; -1 for what unites them
    for i in range(len(level.boxes)):
        used = [x for x in level.before[i] if inner[x]]
        step.append(max((done[x] for x in used), default=0))
        late = len({done[x] for x in used}) >= FEWEST or any(step[x] < 0 for x in used)
        step[i] = -1 if late else step[i]
        done.append(step[i] + (i in anchors))
    if max(done) < len(anchors):  # not all on one path
        return None
    if outputs:
        leads = [False] * len(step)
        for i in reversed(range(len(step))):
            leads[i] = i in anchors or any(leads[x] for x in level.after[i] if step[x] >= 0)
        for i, used in enumerate(level.before):
            if inner[i] and step[i] >= 0 and not leads[i]:
                step[i] = max((step[x] for x in used if inner[x]), default=step[i])
    for i in reversed(range(len(step))):  # what is made for a later step belongs to it
        users = [step[x] for x in level.after[i]]
        if inner[i] and i not in anchors and users and min(users) > step[i] >= 0:
            step[i] = min(users)
    for i, used in enumerate(level.before):  # what many steps use belongs to none
        early = inner[i] and step[i] == 0 and all(step[x] < 0 for x in used if inner[x])
        if early and len({step[x] for x in level.after[i] if step[x] >= 0}) >= FEWEST:
            step[i] = -2
    steps: list[list[int]] = [[] for _ in range(len(anchors) + 1)]
    for i, number in enumerate(step):
        if inner[i] and number >= 0:
            steps[number].append(i)
    steps[0] = _leading_to(level, steps[0], min(anchors), inner)
    content = [sorted(Counter(kind[i] for i in one).items()) for one in steps]
    best = range(0)
    first = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or content[end] != content[first]:
            if end - first > len(best):
                best = range(first, end)
            first = end
    if len(best) < FEWEST or len(steps[best[0]]) < 2:
        return None
    chosen = set(best)
    crossing = {
        x for i, number in enumerate(step) if number in chosen
        for x in level.before[i] if inner[x] and step[x] != number
    }  # fmt: skip
    return _Run([steps[number] for number in best], len(crossing), anchors)


def _leading_to(level: Level, boxes: list[int], last: int, inner: Sequence[bool]) -> list[int]:
    """Return the last one of some boxes, those it depends on, and those that depend on it."""
    needed = {last}
    for i in reversed(boxes):
        if i in needed:
            needed.update(x for x in level.before[i] if inner[x])
    made = {last}
    for i in boxes:
        if not made.isdisjoint(level.before[i]):
            made.add(i)
    return [i for i in boxes if i in needed or i in made]


def _with_own_leaves(level: Level, step: Sequence[int]) -> list[int]:
    """Add the leaves that nothing but this step uses."""
    inside = set(step)
    used = {x for i in step for x in level.before[i] if level.boxes[x].group is None}
    own = {x for x in used if not level.before[x] and inside.issuperset(level.after[x])}
    return sorted(own | inside)
