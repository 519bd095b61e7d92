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

from micrograd.draw.folding.patterns import Level
from micrograd.draw.scene.boxes import Box
from micrograd.draw.scene.names import stem
from micrograd.draw.scene.outline import Group

FEWEST = 3  # repetitions that are worth telling
FEWER = (25, 16, 12, 9)  # boxes of a picture, if more are too many for a page
STEPS = 10  # that have a box of their own, if the page has room
DEPTHS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # how many operations deep boxes are compared
EFFORT = 300_000  # boxes that may be looked at, over all anchors, unless there are more


class _Run(NamedTuple):
    """The steps that anchors make: what each of them holds, by the places of the boxes."""

    steps: list[list[int]]
    crossing: int  # boxes whose results pass from one step to another
    anchors: list[int]

    def merit(self) -> tuple[int, int, int]:
        """Return what a better run has more of."""
        return sum(map(len, self.steps)), -self.crossing, len(self.steps)


def repeated(level: Level, most: int) -> Iterator[list[Box]]:
    """Fold the steps of a repeating computation, if there are any.

    More steps than leave `most` boxes share boxes: "steps 1 to 10 of 100". The fewer boxes are
    yielded, the later.
    """
    best = _longest_run(level)
    if best is None:
        return
    steps = [_with_own_leaves(level, step) for step in best.steps]
    module = _module(level, steps)
    rest = len(level.boxes) - sum(map(len, steps))
    shared: set[int] = set()  # how many steps share a box
    few = [max(FEWEST, boxes - rest) for boxes in FEWER if boxes < most]
    for count in (max(STEPS, most - rest), *few):
        each = -(-len(steps) // count)
        if each not in shared:
            shared.add(each)
            yield _with_steps(level, steps, each, module)


def _with_steps(
    level: Level, steps: Sequence[Sequence[int]], each: int, module: Group | None
) -> list[Box]:
    label: list[int | None] = [None] * len(level.boxes)
    names: dict[int, str] = {}
    for first in range(0, len(steps), each):
        end = min(first + each, len(steps))
        names[first] = _title(level, steps, first, end, module)
        for step in steps[first:end]:
            for i in step:
                label[i] = first
    return level.merged(label, names, whole=True)


def _module(level: Level, steps: Sequence[Sequence[int]]) -> Group | None:
    """Return the module that all steps are calls of, if most of their Values lie in it."""
    homes = Counter(
        level.outline.home_at[place]
        for step in steps
        for i in step
        for place in level.boxes[i].places
    )
    lines: Counter[Group] = Counter()
    for home, count in homes.items():
        lines.update({group: count for group in (home.line() if home else ()) if group.module})
    found = [group for group, count in lines.items() if 2 * count > homes.total()]
    return min(found, key=lambda group: group.height, default=None)


def calls(level: Level, most: int) -> list[Box] | None:
    """Fold the calls of a module that follow each other directly; None if there are none."""
    boxes = next(repeated(level, most), None)
    return boxes if boxes and any(", call" in box.pattern for box in boxes) else None


def _title(
    level: Level, steps: Sequence[Sequence[int]], first: int, end: int, module: Group | None
) -> str:
    count, word = f"{len(steps):,}", f"{module.title}, call" if module else "step"
    text = f"{word} {end:,} of {count}"
    if end - first > 1:
        text = f"{word}s {first + 1:,} to {end:,} of {count}"
    name = level.outline.name_at[level.boxes[steps[end - 1][-1]].places[-1]]
    return f"{stem(name) and name}: {text}" if name and end - first == 1 else text


def _longest_run(level: Level) -> _Run | None:
    """Return the run that holds most; among equals, the one that passes least between steps."""
    search = _Search(level)
    seen: set[tuple[int, ...]] = set()
    runs: list[_Run] = []
    for anchors in search.anchors():
        if search.left <= 0:
            break
        if tuple(anchors) not in seen:
            seen.add(tuple(anchors))
            run = search.best_run(anchors)
            longer = run and search.extended(run)
            runs += filter(None, (run, longer))
    return max(runs, key=_Run.merit, default=None)


class _Search:
    """The search for a run: what it knows of each box, and how many it may still look at."""

    def __init__(self, level: Level) -> None:
        self.level = level
        self.left: int = max(EFFORT, 5 * len(level.boxes))
        self.inner: list[bool] = [
            bool(used) or box.group is not None for used, box in zip(level.before, level.boxes)
        ]
        kinds: dict[Hashable, int] = {}
        self.kind: list[int] = [
            kinds.setdefault(_kind(level, i), len(kinds)) for i in range(len(level.boxes))
        ]
        inner = self.inner
        self.used: list[list[int]] = [[x for x in used if inner[x]] for used in level.before]

    def anchors(self) -> Iterator[list[int]]:
        """Yield boxes that are made alike to a certain depth, the most numerous first."""
        signature, depth = self.kind, 0
        for wanted in DEPTHS:
            while depth < wanted:
                self.left -= len(signature)
                numbers: dict[Hashable, int] = {}
                signature = [
                    numbers.setdefault((kind, *[signature[x] for x in used]), len(numbers))
                    for kind, used in zip(self.kind, self.level.before)
                ]
                depth += 1
            members: dict[int, list[int]] = {}
            for i, number in enumerate(signature):
                if self.inner[i]:
                    members.setdefault(number, []).append(i)
            for found in sorted(members.values(), key=len, reverse=True)[:8]:
                if len(found) >= FEWEST:
                    yield found

    def extended(self, run: _Run) -> _Run | None:
        """Return a run of one more step, which begins otherwise, as the first step often does."""
        first, kind = run.anchors[0], self.kind
        before = self.leading_to(list(range(first + 1)), first)[:-1]
        starts = [i for i in before if kind[i] == kind[first] and self.inner[i]][-8:]
        several = [[i, *run.anchors] for i in starts]
        for anchors, otherwise in (
            *((one, False) for one in several),
            *((one, True) for one in (run.anchors, *several)),
        ):
            longer = self.best_run(anchors, otherwise) if self.left > 0 else None
            if longer is not None and len(longer.steps) > len(run.steps):
                return longer
        return None

    def best_run(self, anchors: list[int], otherwise: bool = False) -> _Run | None:
        """Return the longest run of equal steps that anchors make, if it is long enough.

        Of two: what leads to no later step may follow its step, or end it. The first step may begin
        `otherwise`: what it does counts then, and not how often.
        """
        step = self._numbered(anchors)
        if step is None:
            return None
        both = step, self._with_outputs(step, anchors)
        runs = [self._run(one, anchors, otherwise) for one in both]
        return max(filter(None, runs), key=_Run.merit, default=None)

    def _numbered(self, anchors: list[int]) -> list[int] | None:
        """Count the anchors on the way to each box; -1 for what unites them.

        Return None if the anchors are not all on one path.
        """
        done: list[int] = []  # the anchors on the way to a box, itself included
        step: list[int] = []
        waiting = iter(anchors)
        anchor, passed = next(waiting), 0
        for i, used in enumerate(self.used):
            counts = [done[x] for x in used]
            number = max(counts, default=0)
            if counts and (min(counts) < 0 or len(set(counts)) >= FEWEST):
                number = -1
            step.append(number)
            if i == anchor:
                if number != passed:  # the last anchor did not lead here
                    self.left -= i
                    return None
                passed = number = number + 1
                anchor = next(waiting, -1)
            done.append(number)
        self.left -= len(step)
        return step

    def _with_outputs(self, step: list[int], anchors: list[int]) -> list[int]:
        """Let what is made of an anchor, and leads to no other, belong to the anchor's step."""
        step = list(step)
        leads = [False] * len(step)
        for i in anchors:
            leads[i] = True
        for i in reversed(range(len(step))):
            if leads[i] and step[i] >= 0:
                for x in self.used[i]:
                    leads[x] = True
        for i, used in enumerate(self.used):
            if self.inner[i] and step[i] >= 0 and not leads[i]:
                step[i] = max([step[x] for x in used], default=step[i])
        return step

    def _run(self, step: list[int], anchors: list[int], otherwise: bool) -> _Run | None:
        step = self._settled(step, set(anchors))
        steps: list[list[int]] = [[] for _ in range(len(anchors) + 1)]
        for i, number in enumerate(step):
            if self.inner[i] and number >= 0:
                steps[number].append(i)
        steps[0] = self.leading_to(steps[0], anchors[0])
        content = [sorted([self.kind[i] for i in one]) for one in steps]
        if otherwise and set(content[0]) == set(content[1]):
            content[0] = content[1]
        best = range(0)
        first = 0
        for end in range(1, len(steps) + 1):
            if end == len(steps) or content[end] != content[first]:
                if end - first > len(best):
                    best = range(first, end)
                first = end
        if len(best) < FEWEST or len(steps[best[0]]) < 2:
            return None
        crossing = {
            x for i, number in enumerate(step) if number in best
            for x in self.used[i] if step[x] != number
        }  # fmt: skip
        self.left -= 2 * len(step)
        return _Run([steps[number] for number in best], len(crossing), anchors)

    def _settled(self, step: list[int], anchors: set[int]) -> list[int]:
        """Give each box the step that it is made for; -2 to what many steps use."""
        step, after = list(step), self.level.after
        for i in reversed(range(len(step))):
            if self.inner[i] and i not in anchors and after[i]:
                first = min([step[x] for x in after[i]])
                if first > step[i] >= 0:
                    step[i] = first
        for i, used in enumerate(self.used):
            early = step[i] == 0 and self.inner[i] and max([step[x] for x in used], default=-1) < 0
            if early and len({step[x] for x in after[i] if step[x] >= 0}) >= FEWEST:
                step[i] = -2
        return step

    def leading_to(self, boxes: list[int], last: int) -> list[int]:
        """Return the last one of some boxes, those it depends on, and those that depend on it."""
        needed = {last}
        for i in reversed(boxes):
            if i in needed:
                needed.update(self.used[i])
        made = {last}
        for i in boxes:
            if not made.isdisjoint(self.level.before[i]):
                made.add(i)
        return [i for i in boxes if i in needed or i in made]


def _kind(level: Level, i: int) -> Hashable:
    """Return what a box holds, but for numbers in names."""
    box = level.boxes[i]
    if box.group is not None:
        return re.sub(r"\d+", "#", box.group.title)
    name = level.outline.name_at[box.places[-1]]
    return level.does[i], name and re.sub(r"\d+", "#", name), level.outline.kind_at[box.places[-1]]


def _with_own_leaves(level: Level, step: Sequence[int]) -> list[int]:
    """Add the leaves that nothing but this step uses."""
    inside = set(step)
    used = {x for i in step for x in level.before[i] if level.boxes[x].group is None}
    own = {x for x in used if not level.before[x] and inside.issuperset(level.after[x])}
    return sorted(own | inside)
