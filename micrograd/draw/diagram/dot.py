"""Write a picture in the DOT language: boxes, arrows, legend and notes."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Union

from micrograd.draw.scene.boxes import Arrow, Box, Folding
from micrograd.draw.scene.labels import Writing, kind_of, number, printable, write
from micrograd.draw.scene.outline import Kind, Outline
from micrograd.draw.scene.theme import INK, LIGHT, PAPER, SOFT, WRONG
from micrograd.engine import Value
from micrograd.graph.steps import local_formula
from micrograd.value.identity import IdentityDict

if TYPE_CHECKING:
    import graphviz

FONT = 12  # the font size, in units of the picture
# The width that a column of 960 pixels shows with 9-pixel letters, less a margin for estimates.
WIDEST = 0.88 * 960 / 9 * FONT
HIGHEST = 1.2  # the height of a page, in its width
MANY_ARROWS = 120  # more of them are drawn pale
MANY_BOXES = 150  # more of them are laid out quickly rather than neatly

# Shapes distinguish the kinds without colour.
SHAPES = {
    Kind.PARAMETER: {"shape": "cylinder", "margin": "0.07,0.05"},
    Kind.INPUT: {"shape": "cds", "margin": "0.12,0.1"},
    Kind.LEAF: {"shape": "cylinder", "margin": "0.07,0.05"},
    Kind.CONSTANT: {"shape": "note", "margin": "0.14,0.04"},
    Kind.RESULT: {"shape": "box", "style": "filled,rounded"},
    None: {"shape": "folder"},
}


# The local derivative of a Value by its parent at a position.
LocalDerivatives = Mapping[tuple[Value, int], Union[float, None]]


class Sheet:
    """A folding with all its text, and an estimate of its size.

    `derivatives` are the local derivatives to write on the arrows; `broken` says where an
    unfinished graph ends.
    """

    def __init__(
        self, folding: Folding, derivatives: LocalDerivatives | None = None, broken: str = ""
    ) -> None:
        self.folding = folding
        self.broken = broken
        self.outline: Outline = folding.outline
        self.writings: dict[Box, Writing] = {box: write(box, folding) for box in folding.boxes}
        self.arrows: list[Arrow] = folding.arrows()
        self.labels: dict[Arrow, list[str]] = self._arrow_labels(derivatives) if derivatives else {}
        self.hidden: int = sum(d is not None for d in (derivatives or {}).values()) - len(
            self.labels
        )

    @cached_property
    def ranks(self) -> dict[Box, int]:
        """Return the column, or row, of each box."""
        return _ranks(self.folding, self.arrows)

    def width(self, rankdir: str) -> float:
        """Estimate the width in units of the picture, from the number of characters."""
        boxes = {box: 0.6 * FONT * self.writings[box].characters + 16 for box in self.ranks}
        columns: dict[int, list[float]] = {}
        for box, rank in self.ranks.items():
            columns.setdefault(rank, []).append(boxes[box])
        label = max((max(map(len, text)) for text in self.labels.values()), default=0)
        gap = 22 + 0.58 * FONT * label
        if rankdir == "LR":
            return sum(map(max, columns.values())) + gap * (len(columns) - 1)
        return 1.2 * max(sum(widths) + 12 * len(widths) for widths in columns.values()) + gap

    @property
    def best_rankdir(self) -> str:
        """Return left to right if that fits on a page, or better than top to bottom."""
        if self._on_a_page("LR"):
            return "LR"
        return min(("LR", "TB"), key=lambda way: max(self.width(way), self.height(way) / HIGHEST))

    @property
    def fits(self) -> bool:
        """Tell whether the text is legible when the picture is scaled to a page."""
        return len(self.arrows) <= MANY_ARROWS and any(map(self._on_a_page, ("LR", "TB")))

    def _on_a_page(self, rankdir: str) -> bool:
        return self.width(rankdir) <= WIDEST and self.height(rankdir) <= HIGHEST * WIDEST

    def height(self, rankdir: str) -> float:
        """Estimate the height in units of the picture, from the number of lines."""
        rows: dict[int, list[float]] = {}
        for box, rank in self.ranks.items():
            writing = self.writings[box]
            lines = len(writing.rows) + max(1, len(writing.name))
            rows.setdefault(rank, []).append(1.4 * FONT * lines + 10)
        if rankdir == "LR":
            return max(sum(heights) + 9 * len(heights) for heights in rows.values())
        gap = 22 + (2 * FONT if self.labels else 0)
        return sum(map(max, rows.values())) + gap * (len(rows) - 1)

    def _arrow_labels(self, derivatives: LocalDerivatives) -> dict[Arrow, list[str]]:
        labels = {}
        for arrow in self.arrows:
            local = derivatives.get((arrow.consumer, arrow.position))
            if local is not None and not arrow.head.folded and not arrow.tail.folded:
                formula, shown = self._formula(arrow), number(local)
                labels[arrow] = [shown] if _is_number(formula) else [formula, f"= {shown}"]
        return labels

    def _formula(self, arrow: Arrow) -> str:
        """Write the rule with the names of the operands, which need not be identifiers."""
        around = (*arrow.consumer.parents, arrow.consumer)
        stand_ins = IdentityDict(
            (v, f"v{i}_") for i, v in enumerate(around) if self.outline.name(v)
        )
        formula = local_formula(arrow.consumer, arrow.position, stand_ins)
        text = "" if formula is None else formula.python()
        return _short(
            re.sub(r"v(\d+)_", lambda m: _name(self.outline.name(around[int(m[1])])), text)
        )


def local_derivatives(order: Sequence[Value]) -> LocalDerivatives:
    """Return the local derivatives of some Values, by operation and position of the operand."""
    found: dict[tuple[Value, int], float | None] = {}
    for v in order:
        if v.parents and v._closure is None:
            slopes = [d for x, d in zip(v.args, v._local_derivatives()) if isinstance(x, Value)]
            found.update(((v, position), d) for position, d in enumerate(slopes))
    return found


def _is_number(formula: str) -> bool:
    try:
        float(formula or "nan")
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= 24 else f"{text[:23]}…"


def _name(name: str) -> str:
    """Shorten a name for an arrow: the box it starts from has the path."""
    name = name.rpartition(".")[2]
    return printable(name if len(name) <= 16 else f"…{name[-15:]}")


def _ranks(folding: Folding, arrows: Sequence[Arrow]) -> dict[Box, int]:
    """Rank the boxes as Graphviz does: after their operands, a leaf just before its consumer."""
    into: dict[Box, list[Box]] = {}
    for arrow in arrows:
        into.setdefault(arrow.head, []).append(arrow.tail)
    ranks: dict[Box, int] = {}
    for box in folding.boxes:
        if box in into:
            ranks[box] = max(ranks.get(tail, 0) + 1 for tail in into[box])
        else:
            ranks[box] = 0
    first_use: dict[Box, int] = {}
    for arrow in arrows:
        head = ranks[arrow.head]
        first_use[arrow.tail] = min(head, first_use.get(arrow.tail, head))
    for box in folding.boxes:
        if box not in into:
            ranks[box] = first_use.get(box, 1) - 1
    return ranks


def digraph(sheet: Sheet, rankdir: str, notes: Sequence[str] = ()) -> graphviz.Digraph:
    """Write a sheet in the DOT language, with `notes` below the picture."""
    from micrograd.draw.diagram.digraph import Digraph

    boxes = sheet.folding.boxes
    dot = Digraph(
        graph_attr={
            "rankdir": rankdir, "nodesep": "0.12", "ranksep": "0.25", "pad": "0.1",
            "bgcolor": PAPER, "fontname": "Helvetica", "fontsize": str(FONT),
            "fontcolor": INK, "labelloc": "b", "labeljust": "l", "ordering": "in",
        },
        node_attr={
            "fontname": "Helvetica", "fontsize": str(FONT), "fontcolor": INK,
            "style": "filled", "margin": "0.05,0.03", "width": "0", "height": "0",
        },
        edge_attr={
            "fontname": "Helvetica", "fontsize": str(FONT), "fontcolor": SOFT,
            "color": SOFT, "arrowsize": "0.6",
        },
    )  # fmt: skip
    if len(boxes) > MANY_BOXES:
        dot.graph_attr.update(splines="line", nslimit="0.02", mclimit="0.1")
        del dot.graph_attr["ordering"]
    if len(sheet.arrows) > MANY_ARROWS:
        dot.edge_attr.update(color="#999999", penwidth="0.5")
    dot.graph_attr["label"] = _below(sheet, notes)
    ids = {box: f"b{i}" for i, box in enumerate(boxes)}
    for box in boxes:
        dot.node(ids[box], _label(sheet.writings[box]), **_look(sheet, box))
    for arrow in sheet.arrows:
        label = sheet.labels.get(arrow)
        text = {"label": f"<{'<BR/>'.join(map(_escaped, label))}>"} if label else {}
        if rankdir == "LR" and kind_of(arrow.tail, sheet.outline) is Kind.INPUT:
            text["tailport"] = "e"  # its tip; arrows from elsewhere would begin beside it
        dot.edge(ids[arrow.tail], ids[arrow.head], **text)
    return dot


def _look(sheet: Sheet, box: Box) -> dict[str, str]:
    look = _kind_style(kind_of(box, sheet.outline))
    if box.pattern:
        look.update(shape="box3d", margin="0.09,0.07")
    if any(root in box.values for root in sheet.outline.roots):
        look["penwidth"] = "2.5"
    if any(row.loud for row in sheet.writings[box].rows):
        look.update(color=WRONG, penwidth="2.5")
    return look


def _kind_style(kind: Kind | None) -> dict[str, str]:
    paint = LIGHT[kind.value if kind else "part"]
    return {"style": "filled", **SHAPES[kind], "color": paint.line, "fillcolor": paint.fill}


def _label(writing: Writing) -> str:
    """Write a box as a table: its name and operation in bold, then a row for each number."""
    head = "<BR/>".join(f"<B>{_escaped(line)}</B>" for line in writing.name)
    if writing.symbol:
        size = FONT + 3 if len(writing.symbol) == 1 else FONT
        symbol = f'<B><FONT POINT-SIZE="{size}">{_escaped(writing.symbol)}</FONT></B>'
        head += ("&nbsp; " if head else "") + symbol
    rows = [f'<TR><TD COLSPAN="2">{head}</TD></TR>'] if head else []
    for name, text, loud in writing.rows:
        shown = f'<FONT COLOR="{WRONG}"><B>{text}</B></FONT>' if loud else _escaped(text)
        if name:
            rows.append(
                f'<TR><TD ALIGN="LEFT"><FONT COLOR="{SOFT}">{_escaped(name)} </FONT></TD>'
                f'<TD ALIGN="RIGHT">{shown}</TD></TR>'
            )
        else:
            rows.append(f'<TR><TD COLSPAN="2">{shown}</TD></TR>')
    return f"<{_table(rows)}>"


def _below(sheet: Sheet, notes: Sequence[str]) -> str:
    """Write the legend, if there is more than one kind of box, and the notes."""
    kinds = {kind_of(box, sheet.outline) for box in sheet.folding.boxes}
    of_groups = {
        "module" if box.group.module is not None else "scope"
        for box in sheet.folding.boxes
        if box.group is not None
    }
    cells = [
        f'<FONT COLOR="{style["color"]}">&#9632;</FONT>'
        f" {kind.value if kind else ', '.join(sorted(of_groups))} "
        for kind, style in ((kind, _kind_style(kind)) for kind in SHAPES)
        if kind in kinds
    ]
    rows = []
    if len(cells) > 1:
        rows.append(f'<TR><TD ALIGN="LEFT">{"&nbsp; ".join(cells)}</TD></TR>')
    rows += [f'<TR><TD ALIGN="LEFT">{_escaped(note)}</TD></TR>' for note in notes]
    if not rows:
        return ""
    return f"<{_table(rows)}>"


def _table(rows: Sequence[str]) -> str:
    style = 'BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="1"'
    return f"<TABLE {style}>{''.join(rows)}</TABLE>"


def _escaped(text: str) -> str:
    # Graphviz would replace \N by the name of the box, even here: a tag keeps the two apart.
    return re.sub(r"\\(?=[NGETHL])", f'<FONT COLOR="{INK}">&#92;</FONT>', html.escape(text))
