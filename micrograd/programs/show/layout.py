"""Lay lines of equations out under their headings, as text in columns or as one block of LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from micrograd.programs.show.notation import LaTeX, Style
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


class Printed:
    """What a program prints of itself: its equations, for the arguments of the last call."""

    _name: str
    _known: Any  # what was traced of its function

    def __str__(self) -> str:
        traced = self._traced_paths()
        if traced is None:
            return f"{self!r}: call it once, and it prints its equations"
        return as_text(traced.equations(self._result_name(), Style()))

    def latex(self) -> str:
        r"""Return the equations as LaTeX, an `aligned` block for math mode.

        Raises ValueError before the first call, when nothing is traced.

        >>> from micrograd import Value, program
        >>> w = Value(2.0)
        >>> scaled = program(lambda x: w * x)
        >>> _ = scaled([1.0])
        >>> print(scaled.latex())
        \begin{aligned}
        &\text{forward} \\
        \mathrm{result} &= w \, x && 1 \times n \\
        &\text{backward} \\
        \Delta_{w} &\mathrel{:}= \textstyle\sum x && 1
        \end{aligned}
        """
        traced = self._traced_paths()
        if traced is None:
            raise ValueError(f"{self!r} has no equations before its first call: call it once")
        return as_latex(traced.equations(self._result_name(), LaTeX()))

    def _repr_markdown_(self) -> str:
        return str(self) if self._traced_paths() is None else f"$$\n{self.latex()}\n$$"

    def _traced_paths(self) -> Any:
        """Those of the last shape of arguments that is known."""
        version = self._known.version
        known = [p for p in version.paths.values() if p.found] if version else []
        return known[-1] if known else None

    def _result_name(self) -> str:
        return self._name if self._name.isidentifier() else "result"
