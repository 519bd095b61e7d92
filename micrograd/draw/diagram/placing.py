"""Where the parts of a picture stand: Graphviz places boxes of given sizes, and leads arrows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

from micrograd.draw.diagram.parts import Arrow, Box, Frame, Place
from micrograd.draw.scene.labels import printable

LETTER, LINE, PAD = 7.4, 18, 9  # a letter of the 13-pixel font, a line of text, a box's margin
TOP = LINE + 2  # the baseline of the first line of a box
MARGIN = 14  # around the picture, so that what hangs below a box is not cut off
LONGEST = 22  # letters of a name in a box; the whole name is in its tooltip
STEP = 4  # letters by which boxes grow, so that parts alike have boxes of one size
MANY_BOXES = 60  # more of them are laid out quickly rather than neatly
MANY_PORTS = 12  # more operands than these share one port
FAR_TOO_MANY = 150  # more of them are joined by straight lines
SMALL, SMALL_LINE = 6.8, 15  # a letter of the 12-pixel font, in which arrows are labelled


class Way(NamedTuple):
    """The direction of the arrows and the room between boxes, in inches."""

    rankdir: str = "LR"
    ranksep: float = 0.72
    nodesep: float = 0.34

    @property
    def ends(self) -> tuple[str, str]:
        """The sides of boxes at which arrows begin and end, as Graphviz calls them."""
        return {"LR": "ew", "RL": "we", "TB": "sn", "BT": "ns"}[self.rankdir]  # type: ignore[return-value]


ACROSS = Way()


def safe(text: str) -> str:
    """Escape any text for SVG and HTML.

    >>> safe("a < b\\x00")
    'a &lt; b␀'
    """
    return escape(printable(text))


def box_size(box: Box) -> tuple[float, float]:
    """Return the width and height that a box needs, in pixels."""
    *names, last = title_lines(box) or [""]
    slim = bool(box.rows) and not any(row.caption for row in box.rows)
    gap, step = (1.0, 1) if slim else (2.0, STEP)
    head = len(last) * 1.08 + (gap + len(box.symbol) if box.symbol else 0)
    rows = [
        len(row.caption) + 1.5 * (not slim) + max(len(row.text), box.number) for row in box.rows
    ]
    texts = (head, *(1.08 * len(name) for name in names), *map(len, box.notes), *rows)
    letters = math.ceil(max(texts) / step) * step
    lines = len(title_lines(box)) + len(box.notes) + len(box.rows)
    return LETTER * letters + 2 * PAD, LINE * (lines - 1) + TOP + PAD


def title_lines(box: Box) -> list[str]:
    """Return the lines above its numbers: those of its name, the operation beside the last one."""
    if not box.name and not box.symbol:
        return []
    return [line if box.wrapped else shortened(line) for line in box.name.split("\n")]


def shortened(name: str) -> str:
    """Cut a long name in its middle: both ends tell it from others.

    >>> shortened("layers[0].neurons[12].w[3]")
    'layers[0].…ns[12].w[3]'
    """
    half = LONGEST // 2 - 1
    return name if len(name) <= LONGEST else f"{name[:half]}\u2026{name[-half - 1 :]}"


def source(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    frames: Sequence[Frame] = (),
    way: Way = ACROSS,
) -> str:
    """Write the text for Graphviz, where each box is a table, with a cell for each of its ports.

    It is equal for parts that look alike.
    """
    upright = way.rankdir in ("TB", "BT")
    ports: dict[str, int] = {}
    for arrow in arrows:
        ports[arrow.head] = max(ports.get(arrow.head, 0), arrow.port + 1)
    ports = {key: count if count <= MANY_PORTS else 1 for key, count in ports.items()}
    quick = "nslimit=0.1; mclimit=0.2;" if len(boxes) > MANY_BOXES else ""
    quick += " splines=line;" if len(boxes) > FAR_TOO_MANY else ""

    def table(box: Box) -> str:
        return _table(box, ports.get(box.key, 1), upright)

    lines = [
        f"digraph {{ {quick} rankdir={way.rankdir}; newrank=true; ranksep={way.ranksep}; "
        f"nodesep={way.nodesep}; pad=0.1;",
        "node [shape=plain, fontname=Helvetica, fontsize=13]; edge [arrowhead=none];",
        *(f'"{box.key}" [label=<{table(box)}>];' for box in boxes),
        *map(_subgraph, frames),
    ]
    for arrow in arrows:
        port = min(arrow.port, ports[arrow.head] - 1)
        out, into = way.ends
        label = f", label=<{_room(arrow.label)}>" if arrow.label else ""
        lines.append(
            f'"{arrow.tail}":{out} -> "{arrow.head}":p{port}:{into} [id="{arrow.key}"{label}];'
        )
    lines += [line for frame in all_frames(frames) for line in _behind(frame, arrows)]
    return "\n".join([*lines, "}"])


def _table(box: Box, ports: int, upright: bool) -> str:
    """Write an invisible table of the size of a box, with a cell for each port, in its order."""
    width, height = box_size(box)
    size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{height:.0f}"'
    wide, high = (width // ports, height) if upright else (width, height // ports)
    one = f'FIXEDSIZE="TRUE" WIDTH="{wide:.0f}" HEIGHT="{high:.0f}"'
    cells = [f'<TD PORT="p{i}" {one}></TD>' for i in range(ports)]
    rows = "".join(cells if upright else [f"{cell}</TR><TR>" for cell in cells])
    return f"<TABLE {_BARE} {size}><TR>{rows.removesuffix('</TR><TR>')}</TR></TABLE>"


def _room(label: Sequence[str]) -> str:
    """Write an invisible table of the size of the text on an arrow."""
    width = SMALL * max(map(len, label)) + 14
    size = f'FIXEDSIZE="TRUE" WIDTH="{width:.0f}" HEIGHT="{SMALL_LINE * len(label) + 2}"'
    return f"<TABLE {_BARE} {size}><TR><TD></TD></TR></TABLE>"


_BARE = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"'


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


def _subgraph(frame: Frame) -> str:
    inside = [f'"{key}";' for key in frame.boxes]
    inside += map(_subgraph, frame.frames)
    room = f'WIDTH="{LETTER * len(frame.name):.0f}" HEIGHT="14"'  # for the name, written later
    empty = f'<TABLE BORDER="0" FIXEDSIZE="TRUE" {room}><TR><TD></TD></TR></TABLE>'
    return (
        f'subgraph "cluster_{frame.key}" {{ id="{frame.key}"; margin=10; labeljust=l; '
        f"label=<{empty}>; {' '.join(inside)} }}"
    )


# The places ------------------------------------------------------------------------------------


class Plan:
    """Where Graphviz put everything, in pixels from the top left corner."""

    def __init__(self, placed: dict[str, Any], boxes: Sequence[Box], left: float, top: float):
        self.left: float = left
        self.top: float = top
        things = {thing["name"]: thing for thing in placed.get("objects", [])}
        self.places: dict[str, Place] = {}
        for box in boxes:
            x, y = self._point(things[box.key]["pos"])
            width, height = map(round, box_size(box))
            self.places[box.key] = Place(
                round(x - width / 2, 1), round(y - height / 2, 1), width, height
            )
        self.paths: dict[str, str] = {
            edge["id"]: _path([self._point(point) for point in edge["pos"].split()])
            for edge in placed.get("edges", [])
            if "id" in edge
        }
        self.labels: dict[str, tuple[float, float]] = {
            edge["id"]: self._point(edge["lp"]) for edge in placed.get("edges", []) if "lp" in edge
        }
        self.outlines: dict[str, Place] = {
            thing["id"]: self._outline(*map(float, thing["bb"].split(",")))
            for name, thing in things.items()
            if name.startswith("cluster_")
        }

    def sort_interchangeable(self, arrows: Sequence[Arrow], way: Way) -> None:
        """Order boxes with the same arrows, such as the neurons of a layer."""
        along, across = ("x", "y") if way.rankdir in ("LR", "RL") else ("y", "x")
        ways: dict[str, set[tuple[str, str, int]]] = {key: set() for key in self.places}
        between: dict[tuple[str, str, int], str] = {}
        for arrow in arrows:
            ways[arrow.head].add(("from", arrow.tail, arrow.port))
            ways[arrow.tail].add(("to", arrow.head, arrow.port))
            between[arrow.tail, arrow.head, arrow.port] = arrow.key
        alike: dict[Any, list[str]] = {}
        for key, place in self.places.items():
            size = place.width, place.height
            rank = getattr(place, along)
            alike.setdefault((rank, size, frozenset(ways[key])), []).append(key)
        taken: dict[str, str] = {}
        for keys in alike.values():
            taken.update(zip(keys, sorted(keys, key=lambda key: getattr(self.places[key], across))))
        self.places = {key: self.places[taken[key]] for key in self.places}
        paths, labels = dict(self.paths), dict(self.labels)
        for arrow in arrows:
            other = between[taken[arrow.tail], taken[arrow.head], arrow.port]
            self.paths[arrow.key] = paths[other]
            if other in labels:
                self.labels[arrow.key] = labels[other]

    def _point(self, text: str) -> tuple[float, float]:
        x, y = map(float, text.split(","))
        return x - self.left, self.top - y

    def _outline(self, left: float, bottom: float, right: float, top: float) -> Place:
        return Place(left - self.left, self.top - top, right - left, top - bottom)


def all_frames(frames: Iterable[Frame]) -> Iterable[Frame]:
    """Yield frames and those within them."""
    for frame in frames:
        yield frame
        yield from all_frames(frame.frames)


def _path(points: Sequence[tuple[float, float]]) -> str:
    start, *rest = [f"{x:.1f} {y:.1f}" for x, y in points]
    return f"M{start}C{' '.join(rest)}"
