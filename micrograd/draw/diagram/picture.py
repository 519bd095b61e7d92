"""Draw boxes, arrows and frames as SVG, placed by Graphviz: the one drawing of all pictures.

Every number has an element of its own (`data-slot`), which a script or an animation can fill.
stepping/drawing.js draws the insides of parts in the same way; a test compares the two.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from importlib import resources
from typing import NamedTuple

from micrograd.draw.diagram import formats, layout
from micrograd.draw.diagram.arrow_labels import clear_labels
from micrograd.draw.diagram.parts import Arrow, Box, Frame, Place
from micrograd.draw.diagram.placing import (
    ACROSS,
    LETTER,
    LINE,
    MARGIN,
    PAD,
    SMALL,
    SMALL_LINE,
    TOP,
    Plan,
    Way,
    all_frames,
    safe,
    source,
    title_lines,
)
from micrograd.draw.scene import theme

COLUMN = 900  # the width of a column of text, in pixels


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

    def svg(
        self,
        alt: str,
        over: str = "",
        footer: Sequence[str] = (),
        legend: Sequence[tuple[str, str]] = (),
        notes: Sequence[str] = (),
        title: str = "",
        looks: str = "",
    ) -> str:
        """Return it as a file.

        `over` is drawn on top; one of the lines of `footer` stands below at a time; `legend` has
        the kinds of boxes with the words for them, `notes` the lines below it; `alt` describes it,
        and follows the title, if there is one.
        """
        told = [LETTER * len(line) + 2 * MARGIN for line in (*footer, *notes)]
        told.append(sum(SMALL * len(word) + 34 for _, word in legend) + 2 * MARGIN)
        inside = max(self.width, *told)
        below, height = _below(legend, notes, self.height + SMALL_LINE)
        height = max(height, self.height + (LINE + MARGIN if footer else 0))
        shift = f'<g transform="translate({(inside - self.width) / 2:.1f} 0)">'
        words = f"<title>{safe(title)}</title><desc>{safe(alt)}</desc>"
        return _element(
            inside,
            height,
            f'xmlns="http://www.w3.org/2000/svg" {_label(f"{title}. {alt}" if title else alt)} '
            'style="max-width:100%;height:auto"',
            f"{shift}{self.body}{over}</g>{below}",
            f"{words if title else f'<title>{safe(alt)}</title>'}<style>{style()}</style>",
            looks,
        )

    def png(self, alt: str) -> bytes:
        """Return it as a PNG, for hosts that show no SVG.

        It has two pixels for each one of a column, in which a wider picture is scaled down.
        """
        return formats.png(self.svg(alt), alt, self._scale)

    @property
    def shown(self) -> dict[str, int]:
        """The size at which that PNG is to be shown."""
        return {"width": round(self.width * self._scale)}

    @property
    def _scale(self) -> float:
        return min(1.0, COLUMN / self.width)

    def embedded(self, alt: str, view: str) -> str:
        """Return it as an element of a page that has the style sheet; `view` is its name there."""
        attributes = f'{_label(alt)} data-view="{view}" style="--width:{self.width:.0f}px"'
        return _element(self.width, self.height, attributes, self.body)


def _element(
    width: float, height: float, attributes: str, inner: str, head: str = "", looks: str = ""
) -> str:
    return (
        f'<svg class="picture{looks}" {attributes} width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}">'
        f'{head}<rect class="sheet" width="100%" height="100%" rx="8"/>{inner}</svg>'
    )


def _label(alt: str) -> str:
    return f'role="img" aria-label="{safe(alt)}"'


def style() -> str:
    """Return the colours and the style sheet of the picture."""
    return theme.variables() + style_sheet(__package__, "picture.css")


def style_sheet(package: str, name: str) -> str:
    """Read a style sheet of a package as one line."""
    return " ".join(resources.files(package).joinpath(name).read_text("utf-8").split())


def draw(
    boxes: Sequence[Box],
    arrows: Sequence[Arrow],
    frames: Sequence[Frame] = (),
    way: Way = ACROSS,
) -> Picture:
    """Place and draw boxes, arrows and frames."""
    placed = json.loads(layout.render(source(boxes, arrows, frames, way), "json0"))
    left, bottom, right, top = map(float, placed["bb"].split(","))
    plan = Plan(placed, boxes, left - MARGIN, top + MARGIN)
    plan.sort_interchangeable(arrows, way)
    plan.labels = clear_labels(arrows, plan.labels, plan.paths, plan.places)
    parts = [_frame(frame, plan.outlines[frame.key]) for frame in all_frames(frames)]
    parts += [_arrow(arrow, plan, way) for arrow in arrows]
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


def _below(legend: Sequence[tuple[str, str]], notes: Sequence[str], y: float) -> tuple[str, float]:
    """Write the legend and the notes, from a height on; return them and where they end."""
    written, x = [], float(MARGIN)
    for kind, word in legend:
        written.append(
            f'<g class="{kind}"><rect class="shape" x="{x:.0f}" y="{y - 9:.0f}" width="11" '
            f'height="11" rx="2"/></g><text class="key" x="{x + 16:.0f}" y="{y:.0f}">{safe(word)}'
            "</text>"
        )
        x += SMALL * len(word) + 34
    if legend:
        y += LINE
    for note in notes:
        written.append(f'<text class="key" x="{MARGIN}" y="{y:.0f}">{safe(note)}</text>')
        y += LINE
    return "".join(written), y - SMALL_LINE + (MARGIN / 2 if written else 0)


_AHEAD = {"LR": (1, 0), "RL": (-1, 0), "TB": (0, 1), "BT": (0, -1)}


def _arrow(arrow: Arrow, plan: Plan, way: Way) -> str:
    path = plan.paths[arrow.key]
    x, y = map(float, path.replace("C", " ").split()[-2:])
    dx, dy = _AHEAD[way.rankdir]  # an arrow ends upright on the side of its box
    tips = [(x, y)] + [(x - 8 * dx - e * dy, y - 8 * dy - e * dx) for e in (3.5, -3.5)]
    head = " ".join(f"{a:.1f},{b:.1f}" for a, b in tips)
    words = f"<title>{safe(arrow.tooltip)}</title>" if arrow.tooltip else ""
    return (
        f'<g class="arrow" data-arrow="{arrow.key}">{words}<path d="{path}"/>'
        f'<polygon points="{head}"/>{_on_arrow(arrow, plan)}</g>'
    )


def _on_arrow(arrow: Arrow, plan: Plan) -> str:
    if not arrow.label:
        return ""
    x, y = plan.labels[arrow.key]
    first = y - SMALL_LINE * (len(arrow.label) / 2 - 0.75)
    return "".join(
        f'<text class="label" x="{x:.1f}" y="{first + i * SMALL_LINE:.1f}">{safe(line)}</text>'
        for i, line in enumerate(arrow.label)
    )


def _box(box: Box, place: Place) -> str:
    x, y, width, height = place
    right, base, lines = width - PAD, TOP - LINE, []
    titles = title_lines(box)
    for i, title in enumerate(titles):
        base += LINE
        lines.append(f'<text class="name" x="{PAD}" y="{base}">{safe(title)}</text>')
        if i == len(titles) - 1:
            lines.append(f'<text class="op" x="{right:g}" y="{base}">{safe(box.symbol)}</text>')
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
    looks = " ".join(filter(None, ["box", box.kind, box.looks]))
    back = shape("result", width, height, "shape back") if "many" in box.looks else ""
    return (
        f'<g class="{looks}" data-box="{box.key}" transform="translate({x} {y})">'
        f"<title>{safe(box.tooltip)}</title>{back}{shape(box.kind, width, height)}"
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
