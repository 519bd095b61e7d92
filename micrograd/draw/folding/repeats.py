"""Find the steps of a computation that repeats itself: the layers of a network, Newton's method.

Anchors are boxes made alike, seen a few operations deep, that lie on one path. Whatever depends on
the same number of them is a step; steps of equal content repeat. Since no operation of an earlier
step uses one of a later step, folding them makes no cycle.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import NamedTuple

from micrograd.draw.folding.patterns import LONG, Level, joined, many_merged
from micrograd.draw.scene.boxes import Box
from micrograd.draw.scene.names import stem
from micrograd.draw.scene.outline import Group, Outline

FEWEST = 3  # repetitions that are worth telling
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


def repeated(level: Level, most: int, of_module: bool = False) -> Iterator[list[Box]]:
    """Fold the steps of a repeating computation, if there are any: each into a box of its own.

    Then, for a page that cannot hold these, all but the last one, which is open, share a box; or
    all but the first and the last one. If `of_module`, those within a module only.
    """
    best = _longest_run(level)
    if best is None:
        return
    steps, count = best.steps, len(best.steps)
    around = _around(level, steps)
    if of_module and not (around and around.module):
        return
    rest, held = _with_inputs(level, steps)

    def folded(boxes: Sequence[Box], first: int, end: int) -> Box:
        title = _title(level, steps, first, end, around)
        return boxes[0] if len(boxes) == 1 else joined(level.outline, boxes, title, whole=True)

    each = [folded(boxes, n, n + 1) for n, boxes in enumerate(held)]
    if count <= max(STEPS, most - len(rest)):
        yield [*rest, *each]
    if count > FEWEST:
        yield [*rest, folded(each[:-1], 0, count - 1), *held[-1]]
        yield [*rest, each[0], folded(each[1:-1], 1, count - 1), each[-1]]


def _around(level: Level, steps: Sequence[Sequence[int]]) -> Group | None:
    """Return the innermost module or scope that holds most Values of the steps, if any does."""
    homes = Counter(
        level.outline.home_at[place]
        for step in steps
        for i in step
        for place in level.boxes[i].places
    )
    lines: Counter[Group] = Counter()
    for home, count in homes.items():
        lines.update(dict.fromkeys(home.nest if home else (), count))
    found = [group for group, count in lines.items() if 2 * count > homes.total()]
    return min(found, key=lambda group: group.height, default=None)


def _title(
    level: Level, steps: Sequence[Sequence[int]], first: int, end: int, around: Group | None
) -> str:
    """Say which steps these are, after the names of results: "h2 … h9: steps 2 to 9 of 10"."""
    word = f"{around.title}, step" if around and around.title != "step" else "step"
    numbers = f"{word} {end:,}"
    if end - first > 1:
        numbers = f"{word}s {first + 1:,} to {end:,}"
    ends = steps[first], steps[end - 1]
    groups = [level.boxes[step[0]].group for step in ends if len(step) == 1]
    titles = dict.fromkeys(group.title for group in groups if group is not None)
    if titles:  # each step is a module or scope
        return " … ".join(titles)
    names = [_result(level, step) for step in ends]
    named = " … ".join(dict.fromkeys(names)) + ": " if all(map(stem, names)) else ""
    return f"{named}{numbers} of {len(steps):,}"


def _result(level: Level, step: Sequence[int]) -> str:
    """Return the name of the last result with a name in a step; that of the list, if several."""
    for i in reversed(step):
        box = level.boxes[i]
        name = level.outline.name_at[box.places[-1]] if level.before[i] else ""
        if name:
            return re.sub(r"\[\d+\]$", "", name) if box.inner else name
    return ""


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
        before = self._leading_to(first, range(first + 1)) - {first}
        starts = [i for i in sorted(before) if kind[i] == kind[first] and self.inner[i]][-8:]
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
        steps[0] = self._first_step(step, steps[0], anchors[0])
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
        if len(best) < (FEWEST if self._is_step(steps[best[0]]) else LONG):
            return None
        crossing = {
            x for i, number in enumerate(step) if number in best
            for x in self.used[i] if step[x] != number
        }  # fmt: skip
        self.left -= 2 * len(step)
        return _Run([steps[number] for number in best], len(crossing), anchors)

    def _is_step(self, boxes: Sequence[int]) -> bool:
        """Tell whether boxes do so much that it is worth telling: a module's work, or several."""
        return len(boxes) > 1 or any(self.level.boxes[i].group is not None for i in boxes)

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

    def _first_step(self, step: list[int], boxes: Sequence[int], anchor: int) -> list[int]:
        """Return those of the boxes before the second anchor that make the first step.

        They are what leads to the first anchor, what is made of it, and what lies between these and
        each other or later steps: else an arrow would leave the step and come back.
        """
        needed = self._leading_to(anchor, boxes)
        made, between = {anchor}, set(needed)
        for i in boxes:
            if not made.isdisjoint(self.used[i]):
                made.add(i)
            if not between.isdisjoint(self.used[i]):
                between.add(i)
        inside = needed | made
        for i in reversed(boxes):
            if i in between and any(x in inside or step[x] > 0 for x in self.level.after[i]):
                inside.add(i)
        return [i for i in boxes if i in inside]

    def _leading_to(self, last: int, boxes: Sequence[int]) -> set[int]:
        """Return a box and those of some boxes that it depends on."""
        needed = {last}
        for i in reversed(boxes):
            if i in needed:
                needed.update(self.used[i])
        return needed.intersection(boxes)


def _kind(level: Level, i: int) -> Hashable:
    """Return what a box holds, but for numbers in names."""
    box = level.boxes[i]
    if box.group is not None:
        return re.sub(r"\d+", "#", box.group.title)
    name = level.outline.name_at[box.places[-1]]
    return level.does[i], name and re.sub(r"\d+", "#", name), level.outline.kind_at[box.places[-1]]


def _with_inputs(level: Level, steps: Sequence[Sequence[int]]) -> tuple[list[Box], list[list[Box]]]:
    """Return the boxes that belong to no step, and those of each step.

    A step has what it alone uses: leaves, and what each step has of its own, such as `u * x[t]`.
    """
    step_at = {
        place: number
        for number, step in enumerate(steps)
        for i in step
        for place in level.boxes[i].places
    }
    rest: list[Box] = []
    held: list[list[Box]] = [[] for _ in steps]
    for i in reversed(range(len(level.boxes))):  # what uses a box comes after it
        box = level.boxes[i]
        parts: Sequence[Box] = [box]
        numbers = [step_at.get(box.places[0], -1)]
        if numbers == [-1] and box.group is None:
            inner = box.inner or parts
            users = [_user(level.outline, part, step_at) for part in inner]
            fewest = len(steps) - 1 if level.before[i] else 1  # the first step may begin otherwise
            if min(users) >= 0 and len(set(users)) >= fewest:
                parts = many_merged(level.outline, inner, users)
                step_at.update((x, n) for part, n in zip(inner, users) for x in part.places)
                numbers = [step_at[part.places[0]] for part in parts]
        for part, number in zip(parts, numbers):
            (rest if number < 0 else held[number]).append(part)
    return rest, [boxes[::-1] for boxes in held]


def _user(outline: Outline, box: Box, step_at: Mapping[int, int]) -> int:
    """Return the step that alone uses a box; -1 if there is none."""
    users = {j for i in box.places for j in outline.consumers[i]}.difference(box.places)
    numbers = {step_at.get(j, -1) for j in users}
    return numbers.pop() if len(numbers) == 1 else -1
