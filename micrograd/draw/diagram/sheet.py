"""What a picture shows: the text of its boxes and arrows, and whether a page can hold that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Union

from micrograd.draw.diagram import parts
from micrograd.draw.diagram.parts import Row
from micrograd.draw.diagram.placing import SMALL, SMALL_LINE, Way, box_size
from micrograd.draw.scene.boxes import Arrow, Box, Folding
from micrograd.draw.scene.labels import Writing, kind_of, number, printable, write
from micrograd.draw.scene.outline import Kind, Outline
from micrograd.engine import Value
from micrograd.graph.steps import local_formula
from micrograd.value.identity import IdentityDict

COLUMN = 960  # the width of a page, in pixels
# In it, text that is 12 pixels high is still 10, less a margin for estimates.
WIDEST = 0.97 * COLUMN * 12 / 10
HIGHEST = 1.2  # the height of a page, in its width
FOOT = 60  # the height of the legend and the notes
MANY_ARROWS = 120  # more of them are drawn pale
RANKS, NODES = 0.45, 0.18  # the room between boxes, in inches

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
        self.parts: dict[Box, parts.Box] = {
            box: self._part(f"b{i}", box) for i, box in enumerate(folding.boxes)
        }
        self.arrows: list[Arrow] = folding.arrows()
        self.labels: dict[Arrow, list[str]] = self._arrow_labels(derivatives) if derivatives else {}
        self.hidden: int = sum(d is not None for d in (derivatives or {}).values()) - len(
            self.labels
        )

    @cached_property
    def ranks(self) -> dict[Box, int]:
        """Return the column, or row, of each box."""
        return _ranks(self.folding, self.arrows)

    def _part(self, key: str, box: Box) -> parts.Box:
        """Say how a box is drawn."""
        writing, kind = self.writings[box], kind_of(box, self.outline)
        looks = {
            "root": box in self.folding.ends,
            "loud": any(row.loud for row in writing.rows),
            "many": bool(box.pattern),
        }
        return parts.Box(
            key,
            kind.value if kind else "part",
            "\n".join(writing.name),
            writing.symbol,
            [row.text for row in writing.rows if not row.name],
            [Row(row.name, _slot(row.name), row.text) for row in writing.rows if row.name],
            writing.words,
            " ".join(name for name, so in looks.items() if so),
            number=0,  # these stay as they are
            wrapped=True,
        )

    def lines(self) -> list[parts.Arrow]:
        """Say how the arrows are drawn."""
        return [
            parts.Arrow(
                f"a{i}",
                self.parts[arrow.tail].key,
                self.parts[arrow.head].key,
                0 if arrow.head.folded or arrow.tail.folded else arrow.position,
                label=self.labels.get(arrow, ()),
                tooltip=f"{self._heading(arrow.tail)} goes into {self._heading(arrow.head)}",
            )
            for i, arrow in enumerate(self.arrows)
        ]

    def legend(self) -> list[tuple[str, str]]:
        """Return the kinds of boxes with the words for them, if there are several."""
        kinds = {kind_of(box, self.outline) for box in self.folding.boxes}
        of_groups = {
            "module" if box.group.scope.key else "scope"
            for box in self.folding.boxes
            if box.group is not None
        }
        found = [(kind.value, kind.value) for kind in Kind if kind in kinds]
        if None in kinds:
            found.append(("part", ", ".join(sorted(of_groups))))
        return found if len(found) > 1 else []

    def _heading(self, box: Box) -> str:
        return self.writings[box].words.partition(",")[0]

    def way(self, rankdir: str) -> Way:
        """Return the direction with the room between boxes."""
        return Way(rankdir, RANKS, NODES)

    def width(self, rankdir: str) -> float:
        """Estimate the width in pixels."""
        columns: dict[int, list[float]] = {}
        for box, rank in self.ranks.items():
            columns.setdefault(rank, []).append(box_size(self.parts[box])[0])
        labels: dict[int, float] = {}  # the widest between two columns
        for arrow, text in self.labels.items():
            at = (self.ranks[arrow.tail] + self.ranks[arrow.head]) // 2
            labels[at] = max(labels.get(at, 0), SMALL * max(map(len, text)) + 14)
        if rankdir in ("LR", "RL"):
            gaps = 72 * RANKS * (len(columns) - 1) + sum(labels.values())
            return sum(map(max, columns.values())) + gaps + 44
        widest = max(sum(widths) + 72 * NODES * len(widths) for widths in columns.values())
        return 1.2 * widest + max(labels.values(), default=0) + 44

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
        high = self.height(rankdir) + FOOT
        return self.width(rankdir) <= WIDEST and high <= HIGHEST * COLUMN

    def height(self, rankdir: str) -> float:
        """Estimate the height in pixels."""
        rows: dict[int, list[float]] = {}
        for box, rank in self.ranks.items():
            rows.setdefault(rank, []).append(box_size(self.parts[box])[1])
        if rankdir in ("LR", "RL"):
            return max(sum(heights) + 72 * NODES * len(heights) for heights in rows.values())
        gap = 72 * RANKS + (2 * SMALL_LINE if self.labels else 0)
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


def _slot(caption: str) -> str:
    return "grad" if caption == "grad" else "data"
