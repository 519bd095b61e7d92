"""Matrices and biases of parameters, laid out in many ways."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from random_cases.writer import Matrix, Writer

POOL = 160  # parameters in one list, from which many steps take


def matrix(w: Writer, rows: int, columns: int) -> Matrix:
    """Draw weights for so many units and inputs."""
    scale = 1.5 / max(columns, 1) ** 0.5
    tied = [(m, r, c) for m, r, c in w.matrices if {(r, c), (c, r)} & {(rows, columns)}]
    if tied and w.chance(0.4):
        return _tied(w, tied, rows, columns)
    name, layout = w.rng.choice(LAYOUTS)
    w.kind(f"weights {name}")
    found = layout(w, rows, columns, scale)
    w.matrices.append((found, rows, columns))
    return found


def _tied(w: Writer, candidates: list[tuple[Matrix, int, int]], rows: int, columns: int) -> Matrix:
    found, r, c = w.rng.choice(candidates)
    if (r, c) == (rows, columns) and not (r == c and w.chance(0.5)):
        w.kind("weights tied")
        return found
    w.kind("weights tied, transposed")
    return lambda i, j: found(j, i)


def _nested(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    p = w.values(rows, columns, scale=scale)
    return lambda i, j: f"{p}[{i}][{j}]"


def _transposed(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    p = w.values(columns, rows, scale=scale)
    return lambda i, j: f"{p}[{j}][{i}]"


def _flat(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    p = w.values(rows * columns, scale=scale)
    if w.chance(0.5):
        return lambda i, j: f"{p}[({i}) * {columns} + {j}]"
    return lambda i, j: f"{p}[{i} + ({j}) * {rows}]"


def _array(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    p = w.values(rows, columns, scale=scale)
    name = next(reversed(w.parameters))
    w.parameters[name] = np.array(w.parameters[name], dtype=object).reshape(rows, columns)
    return lambda i, j: f"{p}[{i}, {j}]"


def _permuted(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    p = w.values(rows, columns, scale=scale)
    units, inputs = w.indices(rows), w.indices(columns)
    if w.chance(0.3):
        return lambda i, j: f"{p}[{rows - 1} - ({i})][{j}]"
    return lambda i, j: f"{p}[{units}[{i}]][{inputs}[{j}]]"


def _circulant(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    if w.chance(0.5):
        p = w.values(max(rows, columns), scale=scale)
        return lambda i, j: f"{p}[({i} - ({j})) % {max(rows, columns)}]"
    p = w.values(rows + columns - 1, scale=scale)
    return lambda i, j: f"{p}[({i}) - ({j}) + {columns - 1}]"


def _low_rank(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    p, q = w.values(rows, scale=scale), w.values(columns)
    return lambda i, j: f"{p}[{i}] * {q}[{j}]"


def _of_parameters(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    """Compute weights from parameters in the function."""
    p = w.values(rows, columns, scale=scale)
    c = w.values()
    written = w.pick("({p}*{c})", "({p} - {c})", "mg.tanh({p})", "({c} + mg.sin({p}))", "(-{p})")
    return lambda i, j: written.format(p=f"{p}[{i}][{j}]", c=c)


def _repeated(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    """Use fewer parameters than there are weights."""
    count = w.rng.randint(1, max(1, rows * columns - 1))
    p = w.values(count, scale=scale)
    a, b = w.rng.randint(1, 5), w.rng.randint(1, 5)
    return lambda i, j: f"{p}[(({i}) * {a} + ({j}) * {b}) % {count}]"


def _separate(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    """Keep the weights of each unit in a list of their own."""
    if rows > 5:
        return _nested(w, rows, columns, scale)
    lists = ", ".join(w.values(columns, scale=scale) for _ in range(rows))
    return lambda i, j: f"({lists},)[{i}][{j}]"


def _pooled(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    """Take weights from a long list, any distance apart."""
    p = pool(w)
    step, start = w.rng.randint(1, 17), w.rng.randint(0, 20)
    across = w.rng.choice((1, rows * step, step * 2, w.rng.randint(1, 17)))
    return lambda i, j: f"{p}[({start} + ({i}) * {step} + ({j}) * {across}) % {POOL}]"


def _computed_outside(w: Writer, rows: int, columns: int, scale: float) -> Matrix:
    """Use Values that were computed from parameters before the function runs."""
    p = w.values(rows, columns, scale=scale)
    name = next(reversed(w.parameters))
    w.parameters[name] = [[v.tanh() for v in row] for row in w.parameters[name]]
    w.moves = False
    return lambda i, j: f"{p}[{i}][{j}]"


LAYOUTS: list[tuple[str, Callable[[Writer, int, int, float], Matrix]]] = [
    ("nested", _nested),
    ("nested", _nested),
    ("nested", _nested),
    ("transposed", _transposed),
    ("flat", _flat),
    ("in an object array", _array),
    ("permuted", _permuted),
    ("circulant", _circulant),
    ("low rank", _low_rank),
    ("computed from parameters", _of_parameters),
    ("repeated", _repeated),
    ("in separate lists", _separate),
    ("strided", _pooled),
    ("strided", _pooled),
    ("computed outside", _computed_outside),
]


def pool(w: Writer) -> str:
    """Return the long list of parameters that the steps of a case share."""
    if w.pool is None:
        w.pool = w.values(POOL, scale=0.7)
    return w.pool


def bias(w: Writer, count: int) -> Callable[[str], str] | None:
    """Draw what is added to each of `count` units; None for nothing."""
    name = w.pick(*_BIASES)
    w.kind(f"bias {name}")
    if name == "none":
        return None
    if name == "shared":
        p = w.values()
        return lambda i: p
    if name == "shifted":
        p = w.values(count + 2)
        offset = w.rng.randint(0, 2)
        return lambda i: f"{p}[{i} + {offset}]"
    if name == "reversed":
        p = w.values(count)
        return lambda i: f"{p}[{count - 1} - ({i})]"
    if name == "permuted":
        p, order = w.values(count), w.indices(count)
        return lambda i: f"{p}[{order}[{i}]]"
    if name == "product":
        p, c = w.values(count), w.values()
        return lambda i: f"{p}[{i}]*{c}"
    if name == "two":
        p = w.values(count)
        second = w.values() if w.chance(0.5) else f"{w.values(count)}[{{i}}]"
        return lambda i: f"({p}[{i}] + {second.format(i=i)})"
    if name == "strided":
        p, step, start = pool(w), w.rng.randint(1, 17), w.rng.randint(0, 20)
        return lambda i: f"{p}[({start} + ({i}) * {step}) % {POOL}]"
    if name == "number":
        number = w.number()
        return lambda i: number
    p = w.values(count)
    return lambda i: f"{p}[{i}]"


_BIASES = (
    *("own", "own", "own", "own", "none", "none", "shared", "shifted", "reversed"),
    *("permuted", "permuted", "product", "two", "strided", "strided", "number"),
)
