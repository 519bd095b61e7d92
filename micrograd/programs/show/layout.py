"""Lay lines of equations out under their headings, as text in columns or as one block of LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from micrograd.symbolic.languages import latex_text

WIDEST = 200  # characters of a column; a longer line stands out, rather than pad all others


class Line(NamedTuple):
    """One equation: its left side, `=`, `:=`, `+=` or `<-`, the right side, the shape of both."""

    left: str
    sign: str
    right: str
    shape: tuple[Any, ...]


def as_text(parts: Sequence[tuple[str, list[Line]]]) -> str:
    """Return titled lists of lines as text: equations on the left, shapes on the right."""
    lines = [line for _, block in parts for line in block]
    left = _width(line.left for line in lines)
    width = _width(line.right for line in lines)
    written = []
    for title, block in parts:
        if block or title:
            written.append(title)
        for line in block:
            shape = " x ".join(map(str, line.shape)) or "1"
            written.append(
                f"  {line.left:<{left}} {line.sign:>2} {line.right:<{width}}   {shape}".rstrip()
            )
    return "\n".join(written)


def _width(texts: Iterable[str]) -> int:
    return max((len(text) for text in texts if len(text) <= WIDEST), default=0)


_SIGNS = {"=": "=", ":=": r"\mathrel{:}=", "+=": r"\mathrel{+}=", "<-": r"\leftarrow"}


def as_latex(parts: Sequence[tuple[str, list[Line]]]) -> str:
    """Return the titled lists of lines as one block of aligned equations."""
    rows = []
    for title, block in parts:
        if title:
            rows.append(rf"&\text{{{latex_text(title)}}}")
        for line in block:
            sign = _SIGNS[line.sign]
            shape = r" \times ".join(map(str, line.shape)) or "1"
            rows.append(rf"{line.left} &{sign} {line.right} && {shape}")
    return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"
