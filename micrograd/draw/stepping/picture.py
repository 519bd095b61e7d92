"""Draw boxes, arrows and frames as SVG, placed by Graphviz.

Every number has an element of its own (`data-slot`), which a script or an animation can fill.
stepper.js draws the insides of parts in the same way; a test compares the two.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib import resources
from typing import Any, NamedTuple

from micrograd.draw.diagram import layout
from micrograd.draw.scene import theme
from micrograd.draw.scene.labels import printable
from micrograd.draw.stepping.parts import Arrow, Box, Frame, Place

LETTER, LINE, PAD = 7.4, 18, 9  # a letter of the 13-pixel font, a line of text, a box's margin
TOP = LINE + 2  # the baseline of the first line of a box
MARGIN = 14  # around the picture, so that what hangs below a box is not cut off
LONGEST = 22  # letters of a name in a box; the whole name is in its tooltip
NUMBER = 10  # letters of a number, as in -1.234e-05, so that boxes need not grow
COLUMN = 900  # the width of a column of text, in pixels
STEP = 4  # letters by which boxes grow, so that parts alike have boxes of one size


class Picture(NamedTuple):
    """A finished drawing: its elements, the places of boxes and frames, the paths of arrows."""

    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    frames: Sequence[Frame]
    body: str
    width: float
    height: float
    places: dict[str, Place]
    paths: dict[str, str]  # cubic curves from the operand to the consumer
    outlines: dict[str, Place]  # of the frames

    def svg(self, alt: str, over: str = "", footer: Sequence[str] = ()) -> str:
        """Return it as a file: `over` is drawn on top, `footer` has the lines that stand below."""
        inside = max([self.width, *(LETTER * len(line) + 2 * MARGIN for line in footer)])
        height = self.height + (LINE + MARGIN if footer else 0)
        shift = f'<g transform="translate({(inside - self.width) / 2:.1f} 0)">'
        return _element(
            inside,
            height,
            f'xmlns="http://www.w3.org/2000/svg" {_label(alt)}',
            f"<title>{safe(alt)}</title><style>{style()}</style>{shift}{self.body}{over}</g>",
        )

    def png(self) -> bytes:
        """Return it as a PNG, drawn by Graphviz, for hosts that show no SVG.

        It has two pixels for each one of a column, in which a wider picture is scaled down.
        """
        source = _source(self.boxes, self.arrows, self.frames, alone=True)
        scale = min(1.0, COLUMN / self.width)
        return layout.render(source, "png", round(layout.RESOLUTION * scale))

    def embedded(self, alt: str, view: str) -> str:
        """Return it as an element of a page that has the style sheet; `view` is its name there."""
        attributes = f'{_label(alt)} data-view="{view}" style="--width:{self.width:.0f}px"'
        return _element(self.width, self.height, attributes, self.body)


def _element(width: float, height: float, attributes: str, inner: str) -> str:
    return (
        f'<svg class="picture" {attributes} width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">'
        f'<rect class="sheet" width="100%" height="100%" rx="8"/>{inner}</svg>'
    )


def _label(alt: str) -> str:
    return f'role="img" aria-label="{safe(alt)}"'


def safe(text: str) -> str:
    """Escape any text for SVG and HTML.

    >>> safe("a < b\\x00")
    'a &lt; b␀'
    """
    return escape(printable(text))


def style() -> str:
    """Return the colours and the style sheet of the picture."""
    return theme.variables() + style_sheet("picture.css")


def style_sheet(name: str) -> str:
    """Read a style sheet of this package as one line."""
    return " ".join(resources.files(__package__).joinpath(name).read_text("utf-8").split())


def draw(boxes: Sequence[Box], arrows: Sequence[Arrow], frames: Sequence[Frame] = ()) -> Picture:
    """Place and draw boxes, arrows and frames."""
    placed = json.loads(layout.render(_source(boxes, arrows, frames), "json0"))
    left, bottom, right, top = map(float, placed["bb"].split(","))
    plan = _Plan(placed, boxes, left - MARGIN, top + MARGIN)
    plan.sort_interchangeable(arrows)
    parts = [_frame(frame, plan.outlines[frame.key]) for frame in _all(frames)]
    parts += [_arrow(arrow.key, plan.paths[arrow.key]) for arrow in arrows]
    parts += [_box(box, plan.places[box.key]) for box in boxes]
    width, height = right - left + 2 * MARGIN, top - bottom + 2 * MARGIN
    body = "".join(parts)
    return Picture(
        boxes, arrows, frames, body, width, height, plan.places, plan.paths, plan.outlines
    )


def rounded(path: str) -> str:
    """Round the numbers of a path to whole pixels, which a reader cannot tell.

    >>> rounded("M1.4 2.6C3.0 4.0 5.0 6.0 7.5 8.0")
    'M1 3C3 4 5 6 8 8'
    """
    return re.sub(r"-?\d+\.\d+", lambda m: f"{float(m[0]):.0f}", path)


def layout_source(
    boxes: Sequence[Box], arrows: Sequence[Arrow], frames: Sequence[Frame] = ()
) -> str:
    """Return the text that Graphviz is given, which is equal for parts that look alike."""
    return _source(boxes, arrows, frames)


# The layout ------------------------------------------------------------------------------------


def box_size(box: Box) -> tuple[float, float]:
    """Return the width and height that a box needs, in pixels."""
    head = len(shortened(box.name)) * 1.08 + (2 + len(box.symbol) if box.symbol else 0)
    rows = [len(row.caption) + 1.5 + max(len(row.text), NUMBER) for row in box.rows]
    letters = math.ceil(max(head, *map(len, box.notes), *rows) / STEP) * STEP
    lines = 1 + len(box.notes) + len(box.rows)
    return LETTER * letters + 2 * PAD, LINE * (lines - 1) + TOP + PAD


def shortened(name: str) -> str:
    """Cut a long name in its middle: both ends tell it from others.

    >>> shortened("layers[0].neurons[12].w[3]")
    'layers[0].…ns[12].w[3]'
    """
    half = LONGEST // 2 - 1
    return name if len(name) <= LONGEST else f"{name[:half]}\u2026{name[-half - 1 :]}"


MANY_BOXES = 60  # more of them are laid out quickly rather than neatly
MANY_PORTS = 12  # more operands than these share one port


def _source(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    frames: Sequence[Frame],
    alone: bool = False,
) -> str:
    """Write the text for Graphviz, where each box is a table, with a cell for each of its ports.

    `alone` writes the text of boxes and frames too, for a picture that Graphviz draws alone.
    """
    table = _written if alone else _table
    ports: dict[str, int] = {}
    for arrow in arrows:
        ports[arrow.head] = max(ports.get(arrow.head, 0), arrow.port + 1)
    ports = {key: count if count <= MANY_PORTS else 1 for key, count in ports.items()}
    quick = "nslimit=0.1; mclimit=0.2;" if len(boxes) > MANY_BOXES else ""
    lines = [
        f"digraph {{ {quick} rankdir=LR; newrank=true; ranksep=0.72; nodesep=0.34; pad=0.1;",
        "node [shape=plain, fontname=Helvetica, fontsize=13]; "
        f"edge [arrowhead={'normal' if alone else 'none'}];",
        *(f'"{box.key}" [label=<{table(box, ports.get(box.key, 1))}>];' for box in boxes),
        *(_subgraph(frame, alone) for frame in frames),
    ]
    for arrow in arrows:
        port = min(arrow.port, ports[arrow.head] - 1)
        lines.append(f'"{arrow.tail}":e -> "{arrow.head}":p{port}:w [id="{arrow.key}"];')
    lines += [line for frame in _all(frames) for line in _behind(frame, arrows)]
    return "\n".join([*lines, "}"])


def _table(box: Box, ports: int) -> str:
    """Write an invisible table of the size of a box, with a cell for each port."""
    width, height = box_size(box)
    size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT'
    cells = (f'<TR><TD PORT="p{i}" {size}="{height // ports:.0f}"></TD></TR>' for i in range(ports))
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0" '
        f'{size}="{height:.0f}">{"".join(cells)}</TABLE>'
    )


def _written(box: Box, ports: int) -> str:
    """Write a table with the text of a box, for a picture that Graphviz draws alone."""
    lines = [(f"<B>{safe(shortened(box.name)) or ' '}</B>", safe(box.symbol))]
    lines += [(safe(note), "") for note in box.notes]
    lines += [(safe(row.caption), safe(row.text)) for row in box.rows]
    rows = (
        f'<TR><TD ALIGN="LEFT" PORT="p{i}">{left}</TD><TD ALIGN="RIGHT">{right}</TD></TR>'
        for i, (left, right) in enumerate(lines)
    )
    return (
        f'<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="2" BGCOLOR="{theme.LIGHT[box.kind].fill}">'
        f"{''.join(rows)}</TABLE>"
    )


def _behind(frame: Frame, arrows: Sequence[Arrow]) -> Iterator[str]:
    """Keep a frame to the right of what leads into it, its parameters too, by a hidden point."""
    inside = set(frame.boxes)
    heads = {arrow.head for arrow in arrows}
    sources = [key for key in frame.boxes if key not in heads]
    before = {arrow.tail for arrow in arrows if arrow.head in inside and arrow.tail not in inside}
    if sources and before:
        point = f"before_{frame.key}"
        yield f'"{point}" [style=invis, shape=point, width=0, height=0];'
        yield from (f'"{key}" -> "{point}" [style=invis, weight=0];' for key in sorted(before))
        yield from (f'"{point}" -> "{key}" [style=invis, minlen=0];' for key in sources)


def _subgraph(frame: Frame, alone: bool) -> str:
    inside = [f'"{key}";' for key in frame.boxes]
    inside += [_subgraph(inner, alone) for inner in frame.frames]
    room = f'WIDTH="{LETTER * len(frame.name):.0f}" HEIGHT="14"'  # for the name, written later
    empty = f'<TABLE BORDER="0" FIXEDSIZE="TRUE" {room}><TR><TD></TD></TR></TABLE>'
    name = safe(frame.name) if alone else empty
    return (
        f'subgraph "cluster_{frame.key}" {{ id="{frame.key}"; margin=10; labeljust=l; '
        f"label=<{name}>; {' '.join(inside)} }}"
    )


# The drawing -----------------------------------------------------------------------------------


class _Plan:
    """Where Graphviz put everything, in pixels from the top left corner."""

    def __init__(self, placed: dict[str, Any], boxes: Sequence[Box], left: float, top: float):
        self.left, self.top = left, top
        things = {thing["name"]: thing for thing in placed.get("objects", [])}
        self.places: dict[str, Place] = {}
        for box in boxes:
            x, y = self._point(things[box.key]["pos"])
            width, height = map(round, box_size(box))
            self.places[box.key] = Place(
                round(x - width / 2, 1), round(y - height / 2, 1), width, height
            )
        self.paths = {
            edge["id"]: _path([self._point(point) for point in edge["pos"].split()])
            for edge in placed.get("edges", [])
            if "id" in edge
        }
        self.outlines = {
            thing["id"]: self._outline(*map(float, thing["bb"].split(",")))
            for name, thing in things.items()
            if name.startswith("cluster_")
        }

    def sort_interchangeable(self, arrows: Sequence[Arrow]) -> None:
        """Order boxes with the same arrows, such as the neurons of a layer."""
        ways: dict[str, set[tuple[str, str, int]]] = {key: set() for key in self.places}
        between: dict[tuple[str, str, int], str] = {}
        for arrow in arrows:
            ways[arrow.head].add(("from", arrow.tail, arrow.port))
            ways[arrow.tail].add(("to", arrow.head, arrow.port))
            between[arrow.tail, arrow.head, arrow.port] = arrow.key
        alike: dict[Any, list[str]] = {}
        for key, place in self.places.items():
            size = place.width, place.height
            alike.setdefault((place.x, size, frozenset(ways[key])), []).append(key)
        taken: dict[str, str] = {}
        for keys in alike.values():
            taken.update(zip(keys, sorted(keys, key=lambda key: self.places[key].y)))
        self.places = {key: self.places[taken[key]] for key in self.places}
        self.paths = {
            arrow.key: self.paths[between[taken[arrow.tail], taken[arrow.head], arrow.port]]
            for arrow in arrows
        }

    def _point(self, text: str) -> tuple[float, float]:
        x, y = map(float, text.split(","))
        return x - self.left, self.top - y

    def _outline(self, left: float, bottom: float, right: float, top: float) -> Place:
        return Place(left - self.left, self.top - top, right - left, top - bottom)


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
    right, base, lines = width - PAD, TOP, []
    for note in box.notes:
        base += LINE
        lines.append(f'<text class="key" x="{PAD}" y="{base}">{safe(note)}</text>')
    for i, row in enumerate(box.rows):
        base += LINE
        odd = " odd" if re.search("nan|inf", row.text) else ""
        lines.append(
            f'<text class="key" x="{PAD}" y="{base}">{safe(row.caption)}</text>'
            f'<text class="{row.slot}{odd}" data-slot="{row.slot}" data-row="{i}" x="{right:g}" '
            f'y="{base}">{safe(row.text)}</text>'
        )
    return (
        f'<g class="box {box.kind}" data-box="{box.key}" transform="translate({x} {y})">'
        f"<title>{safe(box.tooltip)}</title>{shape(box.kind, width, height)}"
        f'<text class="name" x="{PAD}" y="{TOP}">{safe(shortened(box.name))}</text>'
        f'<text class="op" x="{right:g}" y="{TOP}">{safe(box.symbol)}</text>'
        f"{''.join(lines)}</g>"
    )


def shape(kind: str, width: float, height: float, style: str = "shape") -> str:
    """Return the outline of a box, which tells the kinds of Values apart without colours."""
    w, h, half = f"{width:g}", f"{height:g}", f"{height / 2:g}"
    outlines = {
        "parameter": f"M0 4A{width / 2:g} 4 0 0 1 {w} 4V{height - 4:g}A{width / 2:g} 4 0 0 1 0 "
        f"{height - 4:g}ZM0 4A{width / 2:g} 4 0 0 0 {w} 4",  # a cylinder
        "leaf": f"M0 0H{w}V{h}H0ZM0 5H{w}",  # a card
        "input": f"M0 0H{width - 8:g}L{w} {half}L{width - 8:g} {h}H0Z",  # points onward
        "constant": f"M0 0H{width - 9:g}L{w} 9V{h}H0ZM{width - 9:g} 0V9H{w}",  # a note
        "part": f"M0 {h}V-5H{width / 3:g}L{width / 3 + 5:g} 0H{w}V{h}Z",  # a folder
    }
    if kind in outlines:
        return f'<path class="{style}" d="{outlines[kind]}"/>'
    return f'<rect class="{style}" width="{w}" height="{h}" rx="6"/>'


def _frame(frame: Frame, place: Place) -> str:
    x, y, width, height = place
    return (
        f'<g class="frame" data-frame="{frame.key}" transform="translate({x:.1f} {y:.1f})">'
        f'<rect width="{width:.1f}" height="{height:.1f}" rx="8"/>'
        f'<text x="10" y="18">{safe(frame.name)}</text></g>'
    )
