"""The pictures between which a stepper changes: one as it begins, one for each part that opens.

A part is a module, a scope, or what else is folded (a long sum, say). When it opens, so do those
around it and, where there is room, those within; all others stay folded. So there is one picture
for each part, and not one for each choice of parts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from micrograd.draw.folding.levels import BOXES
from micrograd.draw.folding.levels import fold as fold_outline
from micrograd.draw.scene.boxes import Box, Folding
from micrograd.draw.scene.labels import number
from micrograd.draw.scene.names import shapes
from micrograd.draw.scene.outline import Group
from micrograd.draw.stepping import picture
from micrograd.draw.stepping.narration import Narration
from micrograd.draw.stepping.picture import Arrow, Frame, Picture, Row
from micrograd.engine import Value

MOST_OPEN = 150  # boxes in a picture with an open part; what has more stays folded
MOST_DRAWN = 8_000  # boxes and arrows in all pictures of a page: about three million bytes
WIDEST = 28  # characters of what the box of a part says that it holds
MOST_NUMBERS = 3  # of a quantity, in the box of a part


class Part:
    """What may be folded: a module, a scope, a sum; `rows` are the quantities that its box shows.

    Each row is what it is called, "data" or "grad", and the Values whose numbers it shows.
    """

    def __init__(self, box: Box, parent: int, name: str) -> None:
        self.box = box
        self.parent = parent
        self.name = name
        self.rows: list[tuple[str, str, list[Value]]] = []


class Views:
    """All pictures of a narration: one of the beginning (-1), and one for each part that opens.

    `opened` has the parts that are open in each picture.
    """

    def __init__(self, narration: Narration, fold: int | str | None = BOXES) -> None:
        self.narration = narration
        self.outline = narration.outline
        self.index = {v: i for i, v in enumerate(narration.values)}
        first = _folded(narration, fold)
        self.parts: list[Part] = []
        self.home: dict[Value, int] = dict.fromkeys(
            narration.values, -1
        )  # the innermost part of each
        self._make_parts(first)
        boxes = set(first.boxes)
        closed = {i for i, part in enumerate(self.parts) if part.box in boxes}
        self.opened: dict[int, frozenset[int]] = {}
        self.pictures: dict[int, Picture] = {}
        self._draw(-1, frozenset(self._open_parts(closed)))
        self._open_what_fits()

    def line(self, part: int) -> Iterator[int]:
        """A part, the one around it, and so on."""
        while part >= 0:
            yield part
            part = self.parts[part].parent

    def _make_parts(self, first: Folding) -> None:
        folded = {box.group: box for box in first.boxes if box.group}
        places: dict[Group | None, int] = {None: -1}
        for group in self.outline.groups:  # an outer one before those in it
            places[group] = len(self.parts)
            box = folded.get(group) or Box(group.values, group)
            name = self.narration.given.get(group.scope.module) or group.title
            self.parts.append(Part(box, places[group.parent], name))
        self.home.update((v, places[group]) for v, group in self.outline.home.items())
        for box in first.boxes:
            if box.pattern:
                homes = {self.home[v] for v in box.values}
                self.parts.append(Part(box, homes.pop() if len(homes) == 1 else -1, box.pattern))
                self.home.update(dict.fromkeys(box.values, len(self.parts) - 1))
        for part, outputs in zip(self.parts, self._used_outside()):
            part.rows = self._quantities(part.box, outputs)

    def _used_outside(self) -> list[list[Value]]:
        """For each part, the Values in it that others use; the root is used by whoever asks."""
        used: list[dict[Value, None]] = [{} for _ in self.parts]
        for v in self.narration.values:
            around = set(self.line(self.home[v]))
            for x in v.parents:
                for part in self.line(self.home[x]):
                    if x.parents and part not in around:
                        used[part][x] = None
        root = self.narration.root
        for part in self.line(self.home[root]):
            used[part][root] = None
        return [list(found) for found in used]

    def _open_parts(self, closed: set[int]) -> Iterator[int]:
        for i in range(len(self.parts)):
            if closed.isdisjoint(self.line(i)):
                yield i

    def _open_what_fits(self) -> None:
        """Give every part a picture of its own, from the outside in, as long as there is room."""
        waiting, drawn = [-1], 0
        while waiting:
            here = waiting.pop(0)
            boxes = self.pictures[here].places
            for part in (int(key[1:]) for key in boxes if key[0] == "g"):
                if part in self.opened or drawn > MOST_DRAWN:
                    continue
                alone = self.opened[here] | {part}
                if len(boxes) - 1 + len(self.parts[part].box.values) <= BOXES:
                    drawn += self._draw(part, alone | self._within(part))
                elif len(boxes) - 1 + self._content(part) <= MOST_OPEN:
                    drawn += self._draw(part, alone)
                    waiting.append(part)

    def _within(self, part: int) -> set[int]:
        return {i for i in range(part, len(self.parts)) if part in self.line(i)}

    def _content(self, part: int) -> int:
        """How many boxes there are in a part when those within it are folded."""
        values = sum(1 for v in self.parts[part].box.values if self.home[v] == part)
        return values + sum(1 for inner in self.parts if inner.parent == part)

    def _keys(self, opened: frozenset[int]) -> dict[str, list[Value]]:
        """The boxes when some parts stand open, by their keys, with the Values in each."""
        top = [-1] * len(self.parts)  # of each part: the outermost closed one around it, or -1
        for i, one in enumerate(self.parts):
            around = top[one.parent] if one.parent >= 0 else -1
            top[i] = around if around >= 0 else -1 if i in opened else i
        found: dict[str, list[Value]] = {}
        for v, part in self.home.items():
            closed = top[part] if part >= 0 else -1
            key = f"v{self.index[v]}" if closed < 0 else f"g{closed}"
            found.setdefault(key, []).append(v)
        return found

    # One picture ---------------------------------------------------------------------------

    def _draw(self, part: int, opened: frozenset[int]) -> int:
        keys = self._keys(opened)
        boxes = {
            key: self.parts[int(key[1:])].box if key[0] == "g" else Box(values)
            for key, values in keys.items()
        }
        folding = Folding(self.outline, boxes.values())
        key_of = {box: key for key, box in boxes.items()}
        arrows = []
        for arrow in folding.arrows():
            tail, head = key_of[arrow.tail], key_of[arrow.head]
            single = not arrow.tail.folded and not arrow.head.folded
            key = f"{tail}-{head}-{arrow.position}" if single else f"{tail}-{head}"
            arrows.append(Arrow(key, tail, head, arrow.position if single else 0))
        drawn = [
            self._part_box(key, int(key[1:])) if key[0] == "g" else self._value_box(key, *values)
            for key, values in keys.items()
        ]
        self.opened[part] = opened
        self.pictures[part] = picture.draw(drawn, arrows, self._frames(opened, keys))
        return len(drawn) + len(arrows)

    def _frames(self, opened: frozenset[int], keys: Iterable[str]) -> list[Frame]:
        """A frame for each open module. One that holds nothing but another is left out, unless a
        click opened it, and so is the one that holds all: neither tells anything."""
        inside: dict[int, list[str]] = {part: [] for part in opened}
        for key in keys:
            if self._around(key) >= 0:
                inside[self._around(key)].append(key)
        frames: dict[int, list[Frame]] = {part: [] for part in (-1, *opened)}
        for part in sorted(opened, reverse=True):  # what is within comes first
            boxes, inner = inside[part], frames[part]
            alone = not boxes and len(inner) == 1 and part in self.opened.get(-1, opened)
            if boxes or inner:
                one = [Frame(str(part), self.parts[part].name, boxes, inner)]
                frames[self.parts[part].parent] += inner if alone else one
        outermost = frames[-1]
        if len(outermost) == 1 and not outermost[0].boxes:
            return list(outermost[0].frames)
        return outermost

    def _around(self, key: str) -> int:
        place = int(key[1:])
        return (
            self.parts[place].parent if key[0] == "g" else self.home[self.narration.values[place]]
        )

    def _value_box(self, key: str, v: Value) -> picture.Box:
        narration = self.narration
        rows = [
            Row("data", "data", number(v.data)),
            Row(narration.given_gradients.get(v, "grad"), "grad", number(narration.totals[v])),
        ]
        gradient = f"{narration.gradients[v]} {narration.totals[v]!r}"
        tooltip = f"{narration.names[v]}: data {v.data!r}, {gradient}"
        kind = self.outline.kinds[v].value
        return picture.Box(
            key, kind, within(narration.names[v], self.outline.home[v]), v._op, [], rows, tooltip
        )

    def _part_box(self, key: str, place: int) -> picture.Box:
        part, narration = self.parts[place], self.narration
        numbers = {"data": lambda v: v.data, "grad": narration.totals.__getitem__}
        rows = [
            Row(caption, slot, _listed([number(numbers[slot](v)) for v in values]))
            for caption, slot, values in part.rows
        ]
        group = part.box.group
        kind = group.kind if group and group.kind != part.name else ""
        held = [f"{len(part.box.values):,} Values"]
        if group and group.parameters:
            held.append(", ".join(shapes(path for path, _ in group.parameters)))
        notes = [note if len(note) <= WIDEST else note[: WIDEST - 1] + "\u2026" for note in held]
        around = self.parts[part.parent].box.group if part.parent >= 0 else None
        name = within(part.name, around)
        return picture.Box(key, "part", name, kind, notes, rows, ": ".join([part.name, *held]))

    def _quantities(self, box: Box, outputs: list[Value]) -> list[tuple[str, str, list[Value]]]:
        """What the box of a part shows: the quantities in it that were named, else its outputs."""
        named: dict[tuple[str, str], list[Value]] = {}
        for slot, given in (
            ("data", self.narration.given),
            ("grad", self.narration.given_gradients),
        ):
            for v in box.values:
                if v in given:
                    named.setdefault((re.split(r"[(\[]", given[v])[0], slot), []).append(v)
        rows = [(stem, slot, values) for (stem, slot), values in named.items()]
        return rows or [("data", "data", outputs), ("grad", "grad", outputs)]


def _folded(narration: Narration, fold: int | str | None) -> Folding:
    """The picture as it begins: of so many boxes, folded by a class of modules, or not at all."""
    if fold is None:
        return fold_outline(narration.outline, most=len(narration.values))
    if isinstance(fold, str):
        return fold_outline(narration.outline, BOXES, fold)
    # As many arrows as can still be told apart.
    return fold_outline(narration.outline, fold, fits=lambda found: len(found.arrows()) <= 2 * fold)


def within(name: str, around: Group | None) -> str:
    """Leave out of a name the path of the module in whose frame it stands."""
    path = f"{around.path}." if around and around.path else ""
    return name.rpartition(path)[2] if path and path in name else name


def _listed(numbers: Sequence[str]) -> str:
    more = " \u2026" if len(numbers) > MOST_NUMBERS else ""
    return ", ".join(numbers[:MOST_NUMBERS]) + more
