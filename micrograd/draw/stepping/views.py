"""The pictures of a stepper: one as it begins, and one of the inside of each part that opens.

A part is a module, a scope, or what else is folded (a long sum, say). The picture of a part shows
what it holds, parts within it folded, and the boxes around it that arrows lead from and to. Parts
that look alike, such as the neurons of a layer, share one layout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from micrograd.draw.diagram import parts, picture, placing
from micrograd.draw.diagram.parts import Arrow, Frame, Row
from micrograd.draw.diagram.picture import Picture
from micrograd.draw.folding.levels import BOXES
from micrograd.draw.folding.levels import fold as fold_outline
from micrograd.draw.folding.repeats import STEPS
from micrograd.draw.scene.boxes import Box, Folding
from micrograd.draw.scene.labels import number
from micrograd.draw.scene.names import shapes
from micrograd.draw.scene.outline import Group, Outline
from micrograd.draw.stepping.narration import Narration
from micrograd.engine import Value
from micrograd.value.identity import IdentityDict, IdentitySet, OperandSet

MOST_OPEN = 150  # boxes in the picture of a part; what holds more stays folded
MOST_DRAWN = 1_500  # boxes in all layouts of a page; parts beyond that stay folded
WIDEST = 28  # characters of a line of what a part holds
UPRIGHT = placing.Way("TB", ranksep=0.46, nodesep=0.1)  # four boxes fit a telephone's width
ALL, FIRST = 6, 3  # numbers of a quantity in the box of a part: all of a few, the first of many


class Part:
    """A part that may be folded: a module, a scope, a sum; `rows` are what its box shows.

    Each row is a caption, "data" or "grad", and the Values whose numbers it shows.
    """

    def __init__(self, box: Box, parent: int, name: str) -> None:
        self.box = box
        self.parent = parent
        self.name = name
        self.rows: list[tuple[str, str, list[Value]]] = []
        group = box.group
        self.symbol: str = group.kind if group and group.kind != name else ""
        held = [f"{len(box.values):,} Values"]
        if group and group.parameters:
            held.append(", ".join(shapes(path for path, _ in group.parameters)))
        self.notes: list[str] = [
            t if len(t) <= WIDEST else t[: WIDEST - 1] + "\u2026" for t in held
        ]
        self.tooltip: str = ": ".join([name, *held])


class Views:
    """All pictures of a narration: `first` as it begins, and `shown` with the boxes of each part.

    `shown[part]` is the place of its layout in `layouts`, the keys of its boxes, and the place of
    its layout for narrow screens. A layout has a size, the places of its boxes, its arrows as
    (tail, head, position or -1, path), and its frames, with their parts unless it is the one shown.
    """

    def __init__(self, narration: Narration, fold: int | str | None = BOXES) -> None:
        self.narration = narration
        self.outline: Outline = narration.outline
        self.index: IdentityDict[Value, int] = IdentityDict(
            (v, i) for i, v in enumerate(narration.values)
        )
        first = _folded(narration, fold)
        self.parts: list[Part] = []
        self.home = IdentityDict[Value, int]((v, -1) for v in narration.values)  # innermost part
        self._make_parts(first)
        self.consumers: IdentityDict[Value, list[Value]] = IdentityDict(
            (v, []) for v in narration.values
        )
        for v in narration.values:
            for x in OperandSet(v.parents):
                self.consumers[x].append(v)
        boxes = set(first.boxes)
        closed = {i for i, part in enumerate(self.parts) if part.box in boxes}
        self.open_first: list[int] = [
            i for i in range(len(self.parts)) if closed.isdisjoint(self.line(i))
        ]
        self.layouts: list[dict[str, object]] = []
        self.shown: dict[int, tuple[int, list[str], int]] = {}
        self._known: dict[str, int] = {}
        self._drawn: int = 0  # boxes in all layouts
        self.first: Picture = self._draw_first()
        self._lay_out_parts()

    def line(self, part: int) -> Iterator[int]:
        """Yield a part, the one around it, and so on outward."""
        while part >= 0:
            yield part
            part = self.parts[part].parent

    def _make_parts(self, first: Folding) -> None:
        folded = {box.group: box for box in first.boxes if box.group}
        places: dict[Group | None, int] = {None: -1}
        for group in self.outline.groups:  # outer ones first
            places[group] = len(self.parts)
            box = folded.get(group) or self._of_group(group)
            name = self.narration.given.get(group.scope.module) or group.title
            self.parts.append(Part(box, places[group.parent], name))
        self.home.update((v, places[group]) for v, group in self.outline.home.items())
        for box in first.boxes:
            if box.pattern:
                homes = {self.home[v] for v in box.values}
                self._make_pattern(box, homes.pop() if len(homes) == 1 else -1)
        for part, outputs in zip(self.parts, self._used_outside()):
            part.rows = self._quantities(part.box, outputs)

    def _of_group(self, group: Group) -> Box:
        return Box(self.outline, group.places, group)

    def _make_pattern(self, box: Box, parent: int) -> None:
        place = len(self.parts)
        self.parts.append(Part(box, parent, box.pattern))
        self.home.update((v, place) for v in box.values)
        for inner in box.inner:
            if inner.pattern:
                self._make_pattern(inner, place)

    def _used_outside(self) -> list[list[Value]]:
        """Return, for each part, the Values in it that others use; whoever asks uses the root."""
        used: list[IdentityDict[Value, None]] = [IdentityDict() for _ in self.parts]
        for v in self.narration.values:
            around = set(self.line(self.home[v]))
            for x in v.parents:
                for part in self.line(self.home[x]):
                    if x.parents and part not in around:
                        used[part][x] = None
        root = self.narration.root
        for part in self.line(self.home[root]):
            used[part][root] = None
        # A part of leaves alone has no other results.
        return [list(found) or part.box.values for found, part in zip(used, self.parts)]

    # The picture as it begins --------------------------------------------------------------

    def _draw_first(self) -> Picture:
        opened = set(self.open_first)
        top = [-1] * len(self.parts)  # of each part: the outermost closed one around it, or -1
        for i, part in enumerate(self.parts):
            around = top[part.parent] if part.parent >= 0 else -1
            top[i] = around if around >= 0 else -1 if i in opened else i
        key: IdentityDict[Value, str] = IdentityDict()
        for v, home in self.home.items():
            closed = top[home] if home >= 0 else -1
            key[v] = f"v{self.index[v]}" if closed < 0 else f"g{closed}"
        keys = list(dict.fromkeys(key.values()))
        arrows = self._arrows(self.narration.values, key)
        boxes = [self._box(k, self._around(k)) for k in keys]
        frames = self._frames(opened, keys)
        self.shown[-1] = (-1, keys, self._lay_out_upright(boxes, arrows, frames))
        return picture.draw(boxes, arrows, frames)

    def _frames(self, opened: set[int], keys: Iterable[str]) -> list[Frame]:
        """Return a frame for each open part, but for one that holds nothing but another, or all."""
        inside: dict[int, list[str]] = {part: [] for part in opened}
        for key in keys:
            if self._around(key) >= 0:
                inside[self._around(key)].append(key)
        frames: dict[int, list[Frame]] = {part: [] for part in (-1, *opened)}
        for part in sorted(opened, reverse=True):  # inner ones first
            boxes, inner = inside[part], frames[part]
            if boxes or inner:
                one = [Frame(str(part), self.parts[part].name, boxes, inner)]
                alone = not boxes and len(inner) == 1
                frames[self.parts[part].parent] += inner if alone else one
        outermost = frames[-1]
        if len(outermost) == 1 and not outermost[0].boxes:
            return list(outermost[0].frames)
        return outermost

    # The pictures of parts -----------------------------------------------------------------

    def _lay_out_parts(self) -> None:
        """Lay out what can be opened, from the outside in, as long as there is room."""
        waiting = [int(key[1:]) for key in self.shown[-1][1] if key[0] == "g"]
        for part in waiting:
            inside, key, values = self._inside(part)
            while len(inside) == 1 and next(iter(inside))[0] == "g":  # a layer of one neuron
                inside, key, values = self._inside(int(next(iter(inside))[1:]))
            keys = sorted(dict.fromkeys(key.values()), key=inside.__contains__)  # the inside last
            if len(inside) > 1 and len(keys) <= MOST_OPEN:
                self._show(part, keys, inside, self._arrows(values, key, inside))
                waiting += [int(k[1:]) for k in inside if k[0] == "g"]
            if self._drawn > MOST_DRAWN:
                return

    def _inside(self, part: int) -> tuple[dict[str, None], IdentityDict[Value, str], list[Value]]:
        """Return the boxes in a part, the box of each Value in and around it, and the latter."""
        around = set(self.line(part))
        inside: dict[str, None] = {}
        key: IdentityDict[Value, str] = IdentityDict()
        near = IdentitySet(self.parts[part].box.values)
        for v in self.parts[part].box.values:
            near.update((*v.parents, *self.consumers[v]))
        values = sorted(near, key=self.index.__getitem__)
        for v in values:
            line = list(self.line(self.home[v]))
            if part in line:
                place = line.index(part)
                key[v] = f"g{line[place - 1]}" if place else f"v{self.index[v]}"
                inside[key[v]] = None
            else:
                outer = [i for i in line if i not in around]
                key[v] = f"g{outer[-1]}" if outer else f"v{self.index[v]}"
        return inside, key, values

    def _show(
        self, part: int, keys: list[str], inside: dict[str, None], arrows: list[Arrow]
    ) -> None:
        """Lay out the inside of a part, from left to right and upright."""
        boxes = [self._box(key, part) for key in keys]
        name = placing.shortened(self.parts[part].name)
        # Of equal length for all neurons of a layer, so that they share a layout.
        frames = [Frame("part", f"{name:{len(name) + -len(name) % 12}}", list(inside), [])]
        across = self._lay_out(boxes, arrows, frames, placing.ACROSS)
        self.shown[part] = (across, keys, self._lay_out_upright(boxes, arrows, frames))

    def _lay_out_upright(
        self, boxes: Sequence[parts.Box], arrows: Sequence[Arrow], frames: Sequence[Frame]
    ) -> int:
        """Lay out for a telephone: from top to bottom, the boxes of Values without captions.

        The root keeps its own, by which a reader knows the lines of the others.
        """
        root = f"v{self.index[self.narration.root]}"
        boxes = [box if box.key == root else _without_captions(box) for box in boxes]
        return self._lay_out(boxes, arrows, frames, UPRIGHT)

    def _lay_out(
        self,
        boxes: Sequence[parts.Box],
        arrows: Sequence[Arrow],
        frames: Sequence[Frame],
        way: placing.Way,
    ) -> int:
        """Find or make a layout, and return its place; pictures that look alike share one."""
        key = {box.key: f"b{i}" for i, box in enumerate(boxes)}
        boxes = [box._replace(key=key[box.key]) for box in boxes]
        local = [Arrow(f"a{i}", key[a.tail], key[a.head], a.port) for i, a in enumerate(arrows)]
        frames = [_with_keys(frame, key) for frame in frames]
        source = placing.source(boxes, local, frames, way)
        place = self._known.setdefault(source, len(self.layouts))
        if place == len(self.layouts):
            self._drawn += len(boxes)
            drawn = picture.draw(boxes, local, frames, way)
            self.layouts.append(
                {
                    "size": [round(drawn.width), round(drawn.height)],
                    "boxes": [[round(n) for n in drawn.places[box.key]] for box in boxes],
                    "arrows": [_arrow(b, drawn.paths[a.key], a) for a, b in zip(local, arrows)],
                    "frames": [
                        [
                            *map(round, drawn.outlines[f.key]),
                            *([int(f.key)] if f.key != "part" else []),
                        ]
                        for f in placing.all_frames(frames)
                    ],
                }
            )
        return place

    # Boxes and arrows ----------------------------------------------------------------------

    def _arrows(
        self,
        values: Iterable[Value],
        key: IdentityDict[Value, str],
        inside: dict[str, None] | None = None,
    ) -> list[Arrow]:
        """Return an arrow per operand, or one between boxes that fold, if it touches `inside`."""
        found: dict[str, Arrow] = {}
        for v in values:
            for position, x in enumerate(v.parents):
                tail, head = key.get(x), key[v]
                if tail is None or tail == head:
                    continue
                if inside is not None and tail not in inside and head not in inside:
                    continue
                single = tail[0] == head[0] == "v"
                name = f"{tail}-{head}-{position}" if single else f"{tail}-{head}"
                port = position if single else 0
                found.setdefault(name, Arrow(name, tail, head, port, single))
        return list(found.values())

    def _around(self, key: str) -> int:
        place = int(key[1:])
        if key[0] == "g":
            return self.parts[place].parent
        return self.home[self.narration.values[place]]

    def _box(self, key: str, around: int) -> parts.Box:
        place = int(key[1:])
        group = self.parts[around].box.group if around >= 0 else None
        if key[0] == "g":
            return self._part_box(key, self.parts[place], group)
        return self._value_box(key, self.narration.values[place], group)

    def _value_box(self, key: str, v: Value, around: Group | None) -> parts.Box:
        narration = self.narration
        rows = [
            Row("data", "data", number(v.data)),
            Row(narration.given_gradients.get(v, "grad"), "grad", number(narration.totals[v])),
        ]
        gradient = f"{narration.gradients[v]} {narration.totals[v]!r}"
        tooltip = f"{narration.names[v]}: data {v.data!r}, {gradient}"
        kind = self.outline.kinds[v].value
        name = within(narration.names[v], around)
        return parts.Box(key, kind, name, v._op, [], rows, tooltip)

    def _part_box(self, key: str, part: Part, around: Group | None) -> parts.Box:
        numbers = {"data": lambda v: v.data, "grad": self.narration.totals.__getitem__}
        rows = [
            Row(caption, slot, _listed([number(numbers[slot](v)) for v in values]))
            for caption, slot, values in part.rows
        ]
        name = within(part.name, around)
        return parts.Box(key, "part", name, part.symbol, part.notes, rows, part.tooltip)

    def _quantities(self, box: Box, outputs: list[Value]) -> list[tuple[str, str, list[Value]]]:
        """Return what the box of a part shows: the named quantities in it, else its outputs."""
        named: dict[tuple[str, str], list[Value]] = {}
        for slot, given in (
            ("data", self.narration.given),
            ("grad", self.narration.given_gradients),
        ):
            for v in box.values:
                if v in given:
                    named.setdefault((_stem(given[v]), slot), []).append(v)
        rows = [(stem, slot, values) for (stem, slot), values in named.items()]
        return rows or [("data", "data", outputs), ("grad", "grad", outputs)]


def _folded(narration: Narration, fold: int | str | None) -> Folding:
    """Fold the first picture: to so many boxes, by a class of modules, or not at all."""
    if fold is None:
        return fold_outline(narration.outline, most=len(narration.values))
    if isinstance(fold, str):
        by_name = fold_outline(narration.outline, len(narration.values), fold)
        few = _stems_folded(by_name, narration)
        return few if len(few.boxes) <= BOXES else fold_outline(narration.outline, BOXES, fold)

    def is_clear(found: Folding) -> bool:  # its arrows can be told apart, its steps are few
        return len(found.arrows()) <= 2 * fold and sum(box.whole for box in found.boxes) <= STEPS

    return fold_outline(narration.outline, fold, fits=is_clear)


def _stems_folded(folding: Folding, narration: Narration) -> Folding:
    """Fold leaves that were named alike, such as a1(1) to a1(400), where they are many."""
    alike: dict[str, list[Box]] = {}
    for box in folding.boxes:
        v = box.values[0]
        if not box.folded and not v.parents and v in narration.given:
            alike.setdefault(_stem(narration.given[v]), []).append(box)
    many = {stem: boxes for stem, boxes in alike.items() if len(boxes) > ALL}
    folded = {box for boxes in many.values() for box in boxes}
    boxes = [box for box in folding.boxes if box not in folded]
    for stem, leaves in many.items():
        boxes.append(Box(folding.outline, [box.places[0] for box in leaves], pattern=stem))
    return Folding(folding.outline, boxes)


def _stem(name: str) -> str:
    """Return a name without its subscripts."""
    return re.split(r"[(\[]", name)[0]


def _without_captions(box: parts.Box) -> parts.Box:
    """Leave out the captions that the boxes of all Values share; drawing.js knows by the width."""
    rows = [row._replace(caption="") if row.caption == row.slot else row for row in box.rows]
    return box if box.kind == "part" else box._replace(rows=rows)


def _with_keys(frame: Frame, key: Mapping[str, str]) -> Frame:
    inner = [_with_keys(one, key) for one in frame.frames]
    return frame._replace(boxes=[key[k] for k in frame.boxes], frames=inner)


def _arrow(arrow: Arrow, path: str, local: Arrow) -> list[object]:
    ends = [int(local.tail[1:]), int(local.head[1:])]
    return [*ends, arrow.port if arrow.single else -1, picture.rounded(path)]


def within(name: str, around: Group | None) -> str:
    """Strip from a name the path of the module in whose frame it stands."""
    path = f"{around.path}." if around and around.path else ""
    return name.rpartition(path)[2] if path and path in name else name


def _listed(numbers: Sequence[str]) -> str:
    if len(numbers) <= ALL:
        return ", ".join(numbers)
    return ", ".join(numbers[:FIRST]) + " \u2026"
