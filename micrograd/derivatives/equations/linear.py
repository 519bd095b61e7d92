"""Linear equations with Values in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from micrograd.derivatives.trees import array_of
from micrograd.engine import Value
from micrograd.value import hooks
from micrograd.value.numbers import to_float


def solve(A: Any, b: Any) -> Any:  # noqa: N803 - the name that everyone gives it
    """Return the x for which A x = b: an array of Values, or of floats if there are no Values.

    `A` is a square matrix, `b` a vector or a matrix with as many rows: lists or arrays of numbers
    and Values. It pivots. Its derivative, of any order, is a second solve with the same matrix. So
    `solve(A, b)` takes n * n Values per column for its graph, and not n**3. Raises ValueError when
    the shapes do not fit, and where A is singular.

    >>> from micrograd import grad
    >>> A = [[Value(2.0), Value(1.0)], [1.0, Value(3.0)]]
    >>> x = solve(A, [3.0, 5.0])
    >>> [round(v.data, 4) for v in x], round(grad(x[0], A[0][0]).data, 4)
    ([0.8, 1.4], -0.48)
    """
    matrix, (n, width) = _rows(A, "A", 2)
    given, shape = _rows(b, "b", 1)
    if n != width or shape[0] != n:
        raise ValueError(
            f"solve takes a square matrix A and a b with as many rows; their shapes are "
            f"{(n, width)} and {shape}"
        )
    columns = [list(column) for column in zip(*given)]
    everything = [x for row in (*matrix, *columns) for x in row]
    has_values = any(isinstance(x, Value) for x in everything)
    if has_values and hooks.tracer_here() is not None:
        solved = [_eliminate(matrix, column) for column in columns]
    elif has_values:
        solved = _solve_values(matrix, columns)
    else:
        solved = _solve_numbers(matrix, columns)
    entries = [x for row in zip(*solved) for x in row]
    return array_of(entries, shape, object if has_values else float)


def _rows(given: Any, name: str, least: int) -> tuple[list[list[Any]], tuple[int, ...]]:
    """Return a matrix as a list of rows, a vector as one column; and the shape that was given."""
    rows = given.tolist() if hasattr(given, "tolist") else given
    if isinstance(rows, Value) or not hasattr(rows, "__len__") or isinstance(rows, (str, dict)):
        raise TypeError(f"solve: {name} is a list or an array of numbers and Values, got {given!r}")
    rows = [x.tolist() if hasattr(x, "tolist") else x for x in rows]
    is_vector = least == 1 and not any(isinstance(x, (list, tuple)) for x in rows)
    if is_vector:
        rows = [[x] for x in rows]
    lengths = {len(x) if isinstance(x, (list, tuple)) else None for x in rows}
    if len(lengths) != 1 or None in lengths:
        raise ValueError(f"solve: the rows of {name} must be lists of one length, and not empty")
    rows = [[x if isinstance(x, Value) else to_float(x, name) for x in row] for row in rows]
    return rows, (len(rows),) if is_vector else (len(rows), len(rows[0]))


def number_of(x: Any) -> float:
    """Return the number of a Value, or a number as it is.

    >>> number_of(Value(2.0)), number_of(3.0)
    (2.0, 3.0)
    """
    return x._number if isinstance(x, Value) else float(x)


def _solve_numbers(matrix: Sequence[Sequence[Any]], columns: Sequence[Sequence[Any]]) -> Any:
    """Return the solutions in numbers, one list per column."""
    import numpy as np

    numbers = np.array([[number_of(x) for x in row] for row in matrix])
    right = np.array([[number_of(x) for x in column] for column in columns]).T
    try:
        return np.linalg.solve(numbers, right).T.tolist()
    except np.linalg.LinAlgError:
        if not np.isfinite(numbers).all():
            raise ValueError(f"solve: the matrix has entries that are nan: {matrix}") from None
        rank = int(np.linalg.matrix_rank(numbers))
        raise ValueError(
            f"solve: the matrix is singular (its rank is {rank} of {len(matrix)}), so there is no "
            "one solution"
        ) from None


def _identity(n: int) -> list[list[float]]:
    return [[float(i == j) for i in range(n)] for j in range(n)]


def _solve_values(matrix: list[list[Any]], columns: list[list[Any]]) -> list[list[Value]]:
    """Solve in numbers, and record how the solution depends on all entries.

    Each row has a residual b - A x, which is zero, with slopes 1 by b and -x by A; each unknown
    rises by the inverse of A times the residuals. Both are called on numbers, or on Values, and
    then the x and the inverse are Values too, so that any order is right.
    """
    n = len(matrix)
    rows = [[x if isinstance(x, Value) else Value(x) for x in row] for row in matrix]
    inverse = _Inverse(rows, _solve_numbers(matrix, _identity(n)))
    solved: list[list[Value]] = []
    for column, numbers in zip(columns, _solve_numbers(matrix, columns)):
        xs: list[Value] = []
        fall = _Fall(numbers, xs)
        residuals = [
            Value.node(0.0, [*row, b if isinstance(b, Value) else Value(b)], fall)
            for row, b in zip(rows, column)
        ]
        xs += [Value.node(x, residuals, _Rise(inverse, i), "solve") for i, x in enumerate(numbers)]
        solved.append(xs)
    return solved


class _Fall:
    """The slopes of a residual, by the entries of its row of A and by b."""

    def __init__(self, numbers: list[float], xs: list[Value]) -> None:
        self.numbers, self.xs = numbers, xs

    def __call__(self, *operands: Any) -> list[Any]:
        unknowns = self.xs if isinstance(operands[0], Value) else self.numbers
        return [*[-x for x in unknowns], 1.0]


class _Inverse:
    """The inverse of a matrix, as a list per column: in numbers, and in Values once asked for."""

    def __init__(self, rows: list[list[Value]], numbers: list[list[float]]) -> None:
        self.rows, self.numbers = rows, numbers
        self.known: list[list[Value]] = []

    def in_values(self) -> list[list[Value]]:
        self.known = self.known or _solve_values(self.rows, _identity(len(self.rows)))
        return self.known


class _Rise:
    """The slopes of an unknown by the residuals: a row of the inverse."""

    def __init__(self, inverse: _Inverse, i: int) -> None:
        self.inverse, self.i = inverse, i

    def __call__(self, *operands: Any) -> list[Any]:
        in_values = isinstance(operands[0], Value)
        columns = self.inverse.in_values() if in_values else self.inverse.numbers
        return [column[self.i] for column in columns]


def _eliminate(matrix: list[list[Any]], column: list[Any]) -> list[Any]:
    """Solve by Gaussian elimination with pivoting, whose every step is recorded, for programs."""
    rows = [[*row, b] for row, b in zip(matrix, column)]
    n = len(rows)
    for k in range(n):
        best = k
        for i in range(k + 1, n):
            if abs(rows[i][k]) > abs(rows[best][k]):
                best = i
        rows[k], rows[best] = rows[best], rows[k]
        for i in range(k + 1, n):
            factor = rows[i][k] / rows[k][k]
            rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k])]
    x: list[Any] = [0.0] * n
    for k in reversed(range(n)):
        rest = sum((rows[k][j] * x[j] for j in range(k + 1, n)), start=0.0)
        x[k] = (rows[k][n] - rest) / rows[k][k]
    return x
