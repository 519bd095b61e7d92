"""Write the text of a box: its name, its operation and its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from micrograd.draw.scene.boxes import Box, Folding, beside_each_other
from micrograd.draw.scene.names import shapes
from micrograd.draw.scene.outline import Kind, Outline
from micrograd.engine import Value

LINE = 20  # characters in a line of a name
LINES = 3  # lines of a name; the rest is cut
PARTS = 6  # shapes of parameters listed in one box


class Row(NamedTuple):
    """A line in a box: a caption and a text; `loud` marks a number that is not finite."""

    name: str
    text: str
    loud: bool = False


class Writing(NamedTuple):
    """The text of a box: the lines of its name, its operation, and rows of numbers."""

    name: Sequence[str]
    symbol: str
    rows: Sequence[Row]

    @property
    def characters(self) -> int:
        """Return the length of the longest line."""
        first = [*self.name[:-1], "  ".join([*self.name[-1:], self.symbol]).strip()]
        return max(len(text) for text in [*first, *(f"{r.name}  {r.text}" for r in self.rows)])

    @property
    def heading(self) -> str:
        """Return the name and the operation in one line."""
        return " ".join(filter(None, ["".join(self.name), self.symbol]))

    @property
    def words(self) -> str:
        """Return the whole text in one line."""
        rows = (f"{row.name} {row.text}".strip() for row in self.rows)
        return ", ".join(filter(None, [self.heading, *rows]))


def number(x: float) -> str:
    """Format a number with 4 significant digits.

    >>> number(0.0), number(-1234567.0), number(float("nan"))
    ('0', '-1.235e+06', 'nan')
    """
    return f"{x:.4g}"


def write(box: Box, folding: Folding) -> Writing:
    """Write the text of a box; grads only once a backward pass has filled them in."""
    outline = folding.outline
    if not box.folded:
        (v,) = box.values
        rows = [_row("data", v.data)] + ([_row("grad", v.grad)] if outline.filled else [])
        examples = getattr(v, "_examples", None)
        if examples is not None:  # of a program's call, which holds no number of its own
            rows = [Row("rows", f"{examples:,}")]
        return Writing(wrapped(outline.name(v)), printable(v._op), rows)
    exits = folding.exits(box)
    if box.group is not None:
        title, kind = box.group.title, box.group.kind
        size = f"{'' if kind == title else f'{printable(kind)} of '}{len(box.places):,} Values"
        if not box.group.scope.key and (count := beside_each_other(outline, box)) > 1:
            size = f"{count:,} alike, {size}"
        return Writing(wrapped(title), "", [Row("", size), *_of_group(box, exits, outline)])
    return Writing(wrapped(box.pattern, 30), "", _of_pattern(box, exits, outline))


def _of_group(box: Box, exits: list[Value], outline: Outline) -> list[Row]:
    assert box.group is not None
    parts = shapes(path for path, _ in box.group.parameters)
    if len(parts) > PARTS:
        parts = [*parts[: PARTS - 1], f"and {len(parts) - PARTS + 1} more"]
    rows = [Row("", line) for line in _lines(printable(part) for part in parts)]
    if len(exits) == 1:
        rows.append(_row("out", exits[0].data))
    parameters = [p for _, p in box.group.parameters]
    if parameters and outline.filled:
        rows.append(_row("|grad|", _norm(parameters)))
    return rows


def _lines(parts: Iterable[str]) -> list[str]:
    """Join parts into as few lines as hold them."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) < LINE:
            lines[-1] += f", {part}"
        else:
            lines.append(part)
    return lines


def _of_pattern(box: Box, exits: list[Value], outline: Outline) -> list[Row]:
    number_of_values = f"{len(box.places):,}"
    said = f"{number_of_values} " in box.pattern  # "100 alike: ReLU"
    rows = [] if said else [Row("", f"{number_of_values} Values")]
    shown = exits or [v for v in box.values if not v.parents]
    low, high = min(v.data for v in shown), max(v.data for v in shown)
    if any(not math.isfinite(v.data) for v in shown):
        bad = next(v.data for v in shown if not math.isfinite(v.data))
        rows.append(Row("data", f"some {number(bad)}" if len(shown) > 1 else number(bad), True))
    else:
        rows.append(Row("data", number(low) + (f" to {number(high)}" if high != low else "")))
    if outline.filled:
        one = len(shown) == 1
        rows.append(_row("grad" if one else "|grad|", shown[0].grad if one else _norm(shown)))
    return rows


def _row(name: str, x: float) -> Row:
    return Row(name, number(x), not math.isfinite(x))


def _norm(values: Iterable[Value]) -> float:
    return math.hypot(*(v.grad for v in values))


def wrapped(name: str, line: int = LINE) -> list[str]:
    """Wrap a name, at dots and blanks if possible, and cut what exceeds the lines of a box.

    >>> wrapped("layers[0].neurons[12].w[3]")
    ['layers[0]', '.neurons[12].w[3]']
    """
    lines: list[str] = []
    name = printable(name.strip())
    while name and len(lines) < LINES:
        end = line
        if len(name) > line:
            end = max(name.rfind(".", 1, line + 1), name.rfind(" ", 1, line + 1))
            end = end if end > 0 else line
        lines.append(name[:end].strip())
        name = name[end:]
    if name:
        lines[-1] = lines[-1][: line - 1] + "…"
    return lines


def printable(text: str) -> str:
    """Replace white space by blanks, and control characters by their symbols.

    >>> printable("a\\nb\\x00")
    'a b␀'
    """
    return "".join(_sign(c) for c in text)


def _sign(c: str) -> str:
    if c.isprintable() or c in "\u200c\u200d":  # joiners, needed by some scripts
        return c
    if c.isspace():
        return " "
    return chr(0x2400 + ord(c)) if c < " " else "\ufffd"


def kind_of(box: Box, outline: Outline) -> Kind | None:
    """Return the kind of the Values in a box; None for a module or scope, which mixes kinds."""
    return None if box.group is not None else outline.kind_at[box.places[-1]]
