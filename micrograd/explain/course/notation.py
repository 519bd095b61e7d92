"""The notation of Andrew Ng's course: superscripts for layers, matrices, equations.

An equation is written once, as `delta[2] = Theta[2]' * delta[3] .* g'(z[2])`, and shown as text,
LaTeX or HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from micrograd.engine import Value
from micrograd.symbolic.formula import Formula
from micrograd.value.words.tables import Cell, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

Rows = list[list[float]]
Numbers = Union["NDArray[np.float64]", Rows]

_MOST_ROWS, _MOST_COLUMNS = 10, 10  # of a matrix that are still shown


def entry(name: str, *subscripts: int) -> str:
    """Write one entry of a matrix or vector; column 0, the bias, is Octave's column 1.

    >>> entry("Theta1", 3, 0), entry("delta2", 1)
    ('Theta1(3,0)', 'delta2(1)')
    """
    return f"{name}({','.join(map(str, subscripts))})"


class Matrix:
    """Numbers with the subscripts of the course: rows count from 1, columns from `first_column`.

    `m[i, j]` is one number, `m[i]` the list of a row's numbers, `m.rows` all of them, and
    `numpy.asarray(m)` the bare array. `m.value(i, j)` is the Value that holds a number. A subscript
    out of range raises IndexError. Column 0, where there is one, is that of the bias: Octave's
    column 1.

    >>> theta = Matrix("Theta1", [[0.1, 0.3], [0.2, 0.4]], rows_are="unit", first_column=0)
    >>> theta[2, 0], theta[2]
    (0.2, [0.2, 0.4])
    """

    def __init__(
        self,
        name: str,
        rows: Numbers,
        *,
        rows_are: str,
        first_column: int = 1,
        values: Callable[[int], Sequence[Value]] | None = None,
    ) -> None:
        self.name = name
        self._numbers = np.asarray(rows, dtype=float)
        self.rows_are = rows_are
        self.first_column = first_column
        self._values = values

    @property
    def rows(self) -> Rows:
        """All numbers, as a list of rows."""
        rows: Rows = self._numbers.tolist()
        return rows

    def __getitem__(self, index: Any) -> Any:
        if not isinstance(index, tuple):
            return self._numbers[self._place(index, self.first_column)[0]].tolist()
        return float(self._numbers[self._place(*index)])

    def value(self, i: int, j: int) -> Value:
        """Return the Value that holds a number, to nudge it or to list its contributions.

        Raises TypeError if there is none: a gradient is a number, and a bias unit is always 1.

        >>> z = Matrix("z2", [[3.0]], rows_are="example", values=lambda row: [Value(3.0)])
        >>> z.value(1, 1)
        Value(data=3.0, grad=0.0)
        """
        row, column = self._place(i, j)
        if self._values is None:
            raise TypeError(
                f"{self.name} holds gradients, which are numbers; there are Values behind a, z "
                "and Theta"
            )
        values: Sequence[Value] = self._values(row)
        column -= len(self._numbers[row]) - len(values)  # without the bias unit
        if column < 0:
            raise TypeError(f"{entry(self.name, i, 0)} is the bias unit: always 1, not a Value")
        return values[column]

    def _place(self, i: int, j: int) -> tuple[int, int]:
        """Translate subscripts of the course into indices of the array."""
        height, width = self._numbers.shape
        if not 1 <= i <= height or not 0 <= j - self.first_column < width:
            raise IndexError(
                f"{self.name} has rows 1 to {height} (one per {self.rows_are}) and "
                f"columns {self.first_column} to {self.first_column + width - 1}, "
                f"got [{i}, {j}]"
            )
        return i - 1, j - self.first_column

    def __len__(self) -> int:
        return len(self._numbers)

    def __iter__(self) -> Iterator[list[float]]:
        return iter(self.rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._numbers, dtype=dtype)

    def table(self) -> Table:
        """Lay out the matrix, or the first rows and columns of a large one.

        >>> print(Matrix("delta3", [[0.5, -1.0]], rows_are="example").table())
        delta3 (row: example)
        example    1   2
        ----------------
        1        0.5  -1
        """
        height, width = self._numbers.shape
        columns = range(self.first_column, self.first_column + min(width, _MOST_COLUMNS))
        more = ["..."] if width > _MOST_COLUMNS else []
        rows: list[list[Cell]] = [
            [str(i), *row[: len(columns)], *more]
            for i, row in enumerate(self._numbers[:_MOST_ROWS].tolist(), start=1)
        ]
        first, last = columns[0], self.first_column + width - 1
        cut = [
            *([f"rows 1 to {len(rows)} of {height:,}"] if height > len(rows) else []),
            *([f"columns {first} to {columns[-1]} of {first} to {last}"] if more else []),
        ]
        note = f"{', '.join(cut).capitalize()}." if cut else ""
        header = [self.rows_are, *map(str, columns), *more]
        return Table(f"{self.name} (row: {self.rows_are})", header, rows, note)

    def latex(self) -> str:
        r"""Return the numbers as a LaTeX matrix, the first ones of a large one.

        >>> Matrix("D1", [[0.5, -1.0]], rows_are="unit").latex()
        '\\begin{bmatrix} 0.5 & -1 \\end{bmatrix}'
        """
        lines = []
        for row in self._numbers[:_MOST_ROWS].tolist():
            cells = [Formula(float(f"{x:.4g}")).latex() for x in row[:_MOST_COLUMNS]]
            lines.append(" & ".join([*cells, *([r"\cdots"] if len(row) > len(cells) else [])]))
        if len(self._numbers) > len(lines):
            lines.append(r"\vdots")
        return r"\begin{bmatrix} " + r" \\ ".join(lines) + r" \end{bmatrix}"

    def __repr__(self) -> str:
        return self.table().text()

    def _repr_html_(self) -> str:
        return self.table().html()


class BySuperscript(dict[int, Matrix]):
    """Matrices by their superscript in the course; a missing one raises IndexError and says why.

    >>> z2 = Matrix("z2", [[3.0]], rows_are="example")
    >>> z = BySuperscript("z", 2, [z2], "layer 1 has no z")
    >>> z[2][1, 1]
    3.0
    >>> z[1]
    Traceback (most recent call last):
        ...
    IndexError: there is no z[1]: layer 1 has no z
    """

    def __init__(
        self, name: str, first: int, matrices: Sequence[Matrix], missing: str, no_first: str = ""
    ) -> None:
        super().__init__(enumerate(matrices, start=first))
        self.name = name
        self._missing = missing
        self._no_first = no_first or missing  # why layer 1 has none

    def __missing__(self, superscript: int) -> Matrix:
        why = self._no_first if superscript == 1 else self._missing
        raise IndexError(f"there is no {self.name}[{superscript!r}]: {why}")

    def __repr__(self) -> str:
        return "\n\n".join(map(repr, self.values()))

    def _repr_html_(self) -> str:
        return "".join(matrix._repr_html_() for matrix in self.values())


# Tokens of an equation, and their spelling in LaTeX and in HTML.
_LETTERS = {
    "delta": (r"\delta", "δ"),
    "Theta": (r"\Theta", "Θ"),
    "Delta": (r"\Delta", "Δ"),
    "lambda": (r"\lambda", "λ"),
    "sum": (r"\sum", "Σ"),
    "log": (r"\log", "log"),
    "dcost/d": (r"\partial\,\mathrm{cost} / \partial ", "∂cost/∂"),
    "cost": (r"\mathrm{cost}", "cost"),
    "loss": (r"\mathrm{loss}", "loss"),
    ".*": (r"\odot", "⊙"),
    "*": (r"\,", ""),
    "]'": ("]^T", "]<sup>T</sup>"),
}
_TOKEN = re.compile(
    r"(?P<letter>dcost/d|[A-Za-z]+|\.\*|\*|\]')(\[(?P<layer>\d+)\])?(?P<transposed>')?(_(?P<index>\w))?"
)


class Equation(NamedTuple):
    """One line in the notation of the course; `a[2]` is a with the superscript (2).

    >>> line = Equation("delta[2] = Theta[2]' * delta[3] .* g'(z[2])")
    >>> line.text()
    "delta2 = Theta2' * delta3 .* g'(z2)"
    >>> line.html()
    "δ<sup>(2)</sup> = (Θ<sup>(2)</sup>)<sup>T</sup>  δ<sup>(3)</sup> ⊙ g'(z<sup>(2)</sup>)"
    """

    source: str

    def text(self) -> str:
        """Return the equation as the course writes it in Octave: delta2, Theta2', .*

        >>> Equation("a[3] - y").text()
        'a3 - y'
        """
        return re.sub(r"(\w)\[(\d+)\]", r"\1\2", self.source)

    def latex(self) -> str:
        r"""Return the equation as LaTeX, for math mode.

        >>> Equation("a[3] - y").latex()
        'a^{(3)} - y'
        """
        return _TOKEN.sub(_latex_token, self.source)

    def html(self) -> str:
        """Return the equation as HTML with superscripts.

        >>> Equation("a[3] - y").html()
        'a<sup>(3)</sup> - y'
        """
        return _TOKEN.sub(_html_token, self.source)


def _latex_token(found: re.Match[str]) -> str:
    letter = _LETTERS.get(found["letter"], (found["letter"], ""))[0]
    if found["layer"]:
        letter = f"{letter}^{{({found['layer']})}}"
    if found["transposed"]:
        letter = f"({letter})^T" if found["layer"] else f"{letter}'"
    return f"{letter}_{{{found['index']}}}" if found["index"] else letter


def _html_token(found: re.Match[str]) -> str:
    letter = _LETTERS.get(found["letter"], ("", escape(found["letter"])))[1]
    if found["layer"]:
        letter = f"{letter}<sup>({found['layer']})</sup>"
    if found["transposed"]:
        letter = f"({letter})<sup>T</sup>" if found["layer"] else f"{letter}'"
    return f"{letter}<sub>{found['index']}</sub>" if found["index"] else letter


class Section(NamedTuple):
    """Equations, a sentence or two about them, and the numbers that they yield.

    >>> z = Matrix("z2", [[3.0]], rows_are="example")
    >>> print(Section([Equation("z[2] = Theta[1] * [1; a[1]]")], "A weighted sum.", [z]).text())
    z2 = Theta1 * [1; a1]
    A weighted sum.
    <BLANKLINE>
    z2 (row: example)
    example  1
    ----------
    1        3
    """

    equations: list[Equation]
    words: str
    numbers: Sequence[Matrix | Table]

    def text(self) -> str:
        """Return the section as lines of text.

        >>> Section([Equation("a[3] - y")], "The error.", []).text()
        'a3 - y\\nThe error.'
        """
        head = [*(line.text() for line in self.equations), *self.words.splitlines()]
        return "\n\n".join(["\n".join(head), *(_table(m).text() for m in self.numbers)])

    def html(self) -> str:
        """Return the section as HTML that passes the filters of notebooks.

        >>> Section([Equation("a[3] - y")], "The error.", []).html()
        '<p><b>a<sup>(3)</sup> - y</b></p><p>The error.</p>'
        """
        lines = "".join(f"<p><b>{line.html()}</b></p>" for line in self.equations)
        words = "".join(f"<p>{escape(line)}</p>" for line in self.words.splitlines())
        return f"{lines}{words}" + "".join(_table(n).html() for n in self.numbers)

    def latex(self) -> str:
        r"""Return the equations and matrices as LaTeX, for math mode.

        >>> print(Section([Equation("a[3] - y")], "The error.", []).latex())
        \begin{gathered} a^{(3)} - y \end{gathered}
        """
        matrices = [m for m in self.numbers if isinstance(m, Matrix)]
        lines = [
            *(line.latex() for line in self.equations),
            *(rf"\mathrm{{{m.name}}} = {m.latex()}" for m in matrices),
        ]
        return r"\begin{gathered} " + r" \\ ".join(lines) + r" \end{gathered}"


def _table(numbers: Matrix | Table) -> Table:
    return numbers.table() if isinstance(numbers, Matrix) else numbers
