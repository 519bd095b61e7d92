"""A table, as text for a terminal and as HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Union

Cell = Union[str, int, float]

_NO_WRAP = ' style="text-align:left;white-space:nowrap"'
_ROOM = "padding:3px 8px"  # marimo gives cells none


class Table:
    """A title, a header, rows of texts and numbers, and a note below.

    Floats have 6 significant digits; columns of numbers are aligned right. Raises ValueError for a
    row whose length differs from the header's. `decimals` gives columns a fixed number of decimals
    instead, by their header. Shows itself in a notebook, also in one that is not trusted: the HTML
    has no script and no style sheet.

    >>> print(Table("Two weights", ["weight", "grad"], [["w[0]", 0.5], ["w[1]", -12.25]]))
    Two weights
    weight    grad
    --------------
    w[0]       0.5
    w[1]    -12.25
    """

    def __init__(
        self,
        title: str,
        header: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        note: str = "",
        decimals: Mapping[str, int] | None = None,
    ) -> None:
        self.title = title
        self.header: list[str] = list(header)
        self.rows: list[list[Cell]] = [list(row) for row in rows]
        self.note = note
        self._decimals = [(decimals or {}).get(name) for name in self.header]
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(
                    f"the table {title!r} has {len(self.header)} columns, got a row of "
                    f"{len(row)}: {row!r}; give one cell per column"
                )

    def text(self) -> str:
        """Return the table as lines of text, columns separated by two blanks.

        >>> Table("", ["z"], [[1.0]]).text()
        'z\\n-\\n1'
        """
        grid = [self.header, *map(self._texts, self.rows)]
        widths = [max(map(len, column)) for column in zip(*grid)]
        lines = ["  ".join(map(_pad, row, widths, self._numeric())).rstrip() for row in grid]
        rule = "-" * max(map(len, lines))
        return "\n".join([*filter(None, [self.title]), lines[0], rule, *lines[1:], *self._notes()])

    def html(self) -> str:
        """Return the table as HTML that passes the filters of notebooks.

        >>> Table("", ["z"], [["a < b"]]).html().partition("<tbody>")[2]
        '<tr><td style="text-align:left;padding:3px 8px">a &lt; b</td></tr></tbody></table>'
        """
        numeric = self._numeric()
        title = f"<caption{_NO_WRAP}>{escape(self.title)}</caption>" if self.title else ""
        body = "".join(_row("td", self._texts(row), numeric) for row in self.rows)
        table = (
            f"<table>{title}<thead>{_row('th', self.header, numeric)}</thead>"
            f"<tbody>{body}</tbody></table>"
        )
        return table + "".join(f"<p>{escape(line)}</p>" for line in self._notes())

    __str__ = text
    _repr_html_ = html

    def _texts(self, row: list[Cell]) -> list[str]:
        return [
            format_cell(cell) if n is None or isinstance(cell, str) else f"{cell + 0.0:.{n}f}"
            for cell, n in zip(row, self._decimals)
        ]

    def _numeric(self) -> list[bool]:
        """Tell which columns hold a number: these are aligned right."""
        columns = zip(*self.rows) if self.rows else [()] * len(self.header)
        return [any(not isinstance(cell, str) for cell in column) for column in columns]

    def _notes(self) -> list[str]:
        return self.note.splitlines()


def format_cell(cell: Cell) -> str:
    """Return the text of a cell: a float with 6 significant digits, anything else as it is.

    >>> format_cell(7.406969856065749), format_cell(-0.0), format_cell(3), format_cell("w")
    ('7.40697', '0', '3', 'w')
    """
    return f"{cell + 0.0:.6g}" if isinstance(cell, float) else str(cell)


def _pad(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)


def _row(tag: str, texts: Iterable[str], numeric: Sequence[bool]) -> str:
    sides = ["right" if right else "left" for right in numeric]
    cells = [
        f'<{tag} style="text-align:{side};{_ROOM}">{escape(text)}</{tag}>'
        for text, side in zip(texts, sides)
    ]
    return f"<tr>{''.join(cells)}</tr>"
