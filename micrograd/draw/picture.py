"""The picture that the stepper moves: boxes, arrows and frames, placed by Graphviz, as SVG.

Graphviz only says where things go. The SVG is written here, so that every number has a place of
its own in it (`data-slot`), which a script or an animation can fill.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from importlib import resources
from typing import NamedTuple

from micrograd.draw import layout

LETTER, LINE, PAD = 7.4, 18, 9  # a letter of the 13-pixel font, a line of text, a box's margin
MARGIN = 14  # around the picture, so that what hangs below a box is not cut off
LONGEST = 22  # letters of a name in a box; the whole name is in its tooltip


class Row(NamedTuple):
    """A line in a box: what it is called, where its number goes, and the finished number."""

    caption: str
    slot: str
    text: str


class Box(NamedTuple):
    """What stands for one Value, or for all of a folded module."""

    key: str
    kind: str
    name: str
    symbol: str
    rows: Sequence[Row]
    tooltip: str


class Arrow(NamedTuple):
    """A way from an operand to its consumer, arriving at the port of its position."""

    key: str
    tail: str
    head: str
    port: int = 0


class Frame(NamedTuple):
    """A line around the boxes and the frames of a module that stands open."""

    key: str
    name: str
    boxes: Sequence[str]
    frames: Sequence[Frame]


class Place(NamedTuple):
    """The corner at the left and top, and the size, in pixels."""

    x: float
    y: float
    width: float
    height: float


class Picture(NamedTuple):
    """A finished drawing: its elements, where the boxes are, the paths of the arrows."""

    body: str
    width: float
    height: float
    places: dict[str, Place]
    paths: dict[str, str]  # from the operand to the consumer

    def svg(self, alt: str, extra: str = "", identity: str = "") -> str:
        """Give it as an SVG element that needs nothing else; `extra` is drawn over it."""
        size = f'width="{self.width:.0f}" height="{self.height:.0f}"'
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="picture" role="img" {size} '
            f'viewBox="0 0 {self.width:.0f} {self.height:.0f}"{identity}>'
            f"<title>{escape(alt)}</title><style>{style()}</style>{self.body}{extra}</svg>"
        )


def style() -> str:
    """Give the style sheet of the picture."""
    return _squeezed(resources.files(__package__).joinpath("picture.css").read_text("utf-8"))


def draw(boxes: Sequence[Box], arrows: Sequence[Arrow], frames: Sequence[Frame] = ()) -> Picture:
    """Place and draw boxes, arrows and frames."""
    ports: dict[str, int] = {}
    for arrow in arrows:
        ports[arrow.head] = max(ports.get(arrow.head, 0), arrow.port + 1)
    source = _source(boxes, arrows, frames, ports)
    placed = json.loads(layout.render(source, "json0"))
    return _drawn(placed, boxes, arrows, frames)


# The layout ------------------------------------------------------------------------------------


def box_size(box: Box) -> tuple[float, float]:
    """How wide and high a box must be, in pixels."""
    head = len(shortened(box.name)) * 1.08 + (2 + len(box.symbol) if box.symbol else 0)
    rows = [len(row.caption) + 1.5 + max(len(row.text), 4) for row in box.rows]
    return LETTER * max(head, *rows) + 2 * PAD, LINE * (1 + len(box.rows)) + PAD


def shortened(name: str) -> str:
    """Keep the end of a long name, which is what tells it from others."""
    return name if len(name) <= LONGEST else "\u2026" + name[1 - LONGEST :]


MANY_PORTS = 12  # operands that still get a place each on the edge of a box


def _source(
    boxes: Iterable[Box], arrows: Iterable[Arrow], frames: Iterable[Frame], ports: dict[str, int]
) -> str:
    lines = [
        "digraph { rankdir=LR; ranksep=0.72; nodesep=0.34; pad=0;",
        "node [shape=plain]; edge [arrowhead=none];",
    ]
    for box in boxes:
        width, height = box_size(box)
        count = ports.get(box.key, 1)
        count = count if count <= MANY_PORTS else 1
        lines.append(f'"{box.key}" [label=<{_table(width, height, count)}>];')
    lines += [_subgraph(frame) for frame in frames]
    for arrow in arrows:
        port = arrow.port if ports[arrow.head] <= MANY_PORTS else 0
        lines.append(f'"{arrow.tail}":e -> "{arrow.head}":p{port}:w [id="{arrow.key}"];')
    return "\n".join([*lines, "}"])


def _table(width: float, height: float, count: int) -> str:
    """An invisible table as large as a box, with a cell for each operand to arrive at."""
    size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT'
    cells = (f'<TR><TD PORT="p{i}" {size}="{height // count:.0f}"></TD></TR>' for i in range(count))
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" '
        f'{size}="{height:.0f}">{"".join(cells)}</TABLE>'
    )


def _subgraph(frame: Frame) -> str:
    inside = " ".join([*(f'"{key}";' for key in frame.boxes), *map(_subgraph, frame.frames)])
    width, height = LETTER * len(frame.name) / 72, 14 / 72
    return (
        f'subgraph "cluster_{frame.key}" {{ id="{frame.key}"; margin=10; labeljust=l; '
        f'label=<<TABLE BORDER="0" FIXEDSIZE="TRUE" WIDTH="{width * 72:.0f}" '
        f'HEIGHT="{height * 72:.0f}"><TR><TD></TD></TR></TABLE>>; {inside} }}'
    )


# The drawing -----------------------------------------------------------------------------------


def _drawn(
    placed: dict, boxes: Sequence[Box], arrows: Sequence[Arrow], frames: Sequence[Frame]
) -> Picture:
    left, bottom, right, top = map(float, placed["bb"].split(","))
    width, height = right - left + 2 * MARGIN, top - bottom + 2 * MARGIN

    def point(text: str) -> tuple[float, float]:
        x, y = map(float, text.split(","))
        return x - left + MARGIN, top - y + MARGIN

    objects = placed.get("objects", [])
    places = {}
    for box, thing in zip(boxes, _named(objects, [box.key for box in boxes])):
        x, y = point(thing["pos"])
        w, h = box_size(box)
        places[box.key] = Place(round(x - w / 2, 1), round(y - h / 2, 1), round(w), round(h))
    paths = {
        edge["id"]: _path([point(p) for p in edge["pos"].split()])
        for edge in placed.get("edges", [])
    }
    outlines = {}
    for thing in objects:
        if thing["name"].startswith("cluster_"):
            x1, y1, x2, y2 = map(float, thing["bb"].split(","))
            x, y = point(f"{x1},{y2}")
            outlines[thing["id"]] = Place(x, y, x2 - x1, y2 - y1)
    parts = [f'<rect class="sheet" width="{width:.0f}" height="{height:.0f}" rx="8"/>']
    parts += [_frame(frame, outlines[frame.key]) for frame in _all(frames)]
    parts += [_arrow(arrow.key, paths[arrow.key]) for arrow in arrows]
    parts += [_box(box, places[box.key]) for box in boxes]
    return Picture("".join(parts), width, height, places, paths)


def _named(objects: list[dict], keys: Sequence[str]) -> list[dict]:
    by_name = {thing["name"]: thing for thing in objects}
    return [by_name[key] for key in keys]


def _all(frames: Iterable[Frame]) -> Iterable[Frame]:
    for frame in frames:
        yield frame
        yield from _all(frame.frames)


def _path(points: Sequence[tuple[float, float]]) -> str:
    start, *rest = [f"{x:.1f} {y:.1f}" for x, y in points]
    return f"M{start}C{' '.join(rest)}"


def _arrow(key: str, path: str) -> str:
    x, y = map(float, path.replace("C", " ").split()[-2:])
    head = f"{x:.1f},{y:.1f} {x - 8:.1f},{y - 3.5:.1f} {x - 8:.1f},{y + 3.5:.1f}"
    return f'<g class="arrow" data-arrow="{key}"><path d="{path}"/><polygon points="{head}"/></g>'


def _box(box: Box, place: Place) -> str:
    x, y, width, height = place
    right, lines = width - PAD, []
    for i, row in enumerate(box.rows):
        base = LINE * (i + 2) - 2
        odd = " odd" if row.text in ("nan", "inf", "-inf") else ""
        lines.append(
            f'<text class="key" x="{PAD}" y="{base}">{escape(row.caption)}</text>'
            f'<text class="{row.slot}{odd}" data-slot="{row.slot}" x="{right}" y="{base}">'
            f"{escape(row.text)}</text>"
        )
    return (
        f'<g class="box {box.kind}" data-box="{box.key}" transform="translate({x} {y})">'
        f"<title>{escape(box.tooltip)}</title>{_shape(box.kind, width, height)}"
        f'<text class="name" x="{PAD}" y="{LINE - 2}">{escape(shortened(box.name))}</text>'
        f'<text class="op" x="{right}" y="{LINE - 2}">{escape(box.symbol)}</text>'
        f"{''.join(lines)}</g>"
    )


def _shape(kind: str, width: float, height: float) -> str:
    if kind == "parameter":  # the corners cut off
        corners = [(7, 0), (width - 7, 0), (width, 7), (width, height - 7)]
        corners += [(width - 7, height), (7, height), (0, height - 7), (0, 7)]
        return f'<polygon class="shape" points="{" ".join(f"{x},{y}" for x, y in corners)}"/>'
    round_corner = {"input": 16, "constant": 0}.get(kind, 6)
    return f'<rect class="shape" width="{width}" height="{height}" rx="{round_corner}"/>'


def _frame(frame: Frame, place: Place) -> str:
    x, y, width, height = place
    return (
        f'<g class="frame" data-frame="{frame.key}" transform="translate({x:.1f} {y:.1f})">'
        f'<rect width="{width:.1f}" height="{height:.1f}" rx="8"/>'
        f'<text x="10" y="18">{escape(frame.name)}</text></g>'
    )


def _squeezed(css: str) -> str:
    return re.sub(r"\s+", " ", css).strip()
