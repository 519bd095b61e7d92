"""Write a picture in the DOT language: boxes, arrows, legend and notes."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from micrograd.draw.diagram.sheet import MANY_ARROWS, Sheet
from micrograd.draw.scene.boxes import Box
from micrograd.draw.scene.labels import Writing, kind_of
from micrograd.draw.scene.outline import Kind
from micrograd.draw.scene.theme import INK, LIGHT, PAPER, SOFT, WRONG

if TYPE_CHECKING:
    import graphviz

FONT = 12  # the font size, in units of the picture
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
    if box in sheet.folding.ends:
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
    cells = [
        f'<FONT COLOR="{LIGHT[kind].line}">&#9632;</FONT> {word} ' for kind, word in sheet.legend()
    ]
    rows = []
    if cells:
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
