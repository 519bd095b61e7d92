"""Sparse Jacobians and Hessians: as many sweeps as colours, instead of one per variable.

The graph shows which variables each result depends on. Columns that share no row get one colour,
and one sweep in the direction of all of them finds their entries; rows likewise. For a Hessian,
which is symmetric, a star colouring needs fewer. See Gebremedhin, Manne and Pothen, What Color Is
Your Jacobian? (2005). No library on PyPI has star colourings without JAX; SciPy's own grouping of
columns is private, and knows nothing of symmetry.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import Any

from micrograd.derivatives import chain_rule, sweeps
from micrograd.derivatives.chain_rule import Entry
from micrograd.derivatives.fresh_inputs import Call
from micrograd.derivatives.sweeps import Rows
from micrograd.engine import Value
from micrograd.native.takeover import prefer_c
from micrograd.value import hooks
from micrograd.value.errors import ARITHMETIC_ERRORS

# For each row of a matrix, the columns, in order, where it may have something but zeros.
Pattern = list[list[int]]


def jacobian(call: Call) -> Any:
    """Return the Jacobian of a call, by its flat results and its flat x, as a sparse array."""
    import numpy as np

    _check(call, "jacobian")
    outputs, _ = call.outputs()
    rows = pattern(outputs, call.variables)
    columns = _transposed(rows, len(call.variables))
    i, j = _places(rows)
    up, down = colours(columns, rows), colours(rows, columns)
    if max(down, default=0) < max(up, default=0):
        sums = [sum(group) for group in _groups(outputs, down)]
        compressed = np.array(_numbers(sweeps.adjoints(sums, call.variables, own=True)))
        entries = compressed[np.array(down, dtype=int)[i], j]
    else:
        entries = _sweep_up(outputs, call.variables, up)[np.array(up, dtype=int)[j], i]
    if not np.isfinite(entries).all():  # zeros that met infinity on the way: see sweeps.jacobian
        entries = np.array(_numbers(sweeps.adjoints(outputs, call.variables, own=True)))[i, j]
    return _array(entries, i, j, (len(rows), len(columns)))


def hessian(call: Call) -> Any:
    """Return the Hessian of a call by its flat x as a sparse array, symmetric to the last bit."""
    _check(call, "hessian")
    slopes = chain_rule.gradient(call.scalar(), call.variables, 1.0)
    rows = _symmetric(pattern(slopes, call.variables))
    return _array(*_hessian_entries(slopes, call.variables, rows), (len(rows), len(rows)))


def filled_hessian(call: Call, slopes: Sequence[Entry]) -> Any:
    """Return a large Hessian that is mostly zeros as a flat dense array; None for any other."""
    import numpy as np

    n = len(slopes)
    if n < 128 or call.at_values or hooks.tracer_here() is not None:
        return None
    rows = pattern(slopes, call.variables)
    if sum(map(len, rows)) > n * n / 8:
        return None
    try:
        entries, i, j = _hessian_entries(slopes, call.variables, _symmetric(rows))
    except _ValuesError:
        return None
    full = np.zeros((n, n))
    full[i, j] = entries
    return full.ravel()


def _hessian_entries(
    slopes: Sequence[Entry], variables: Sequence[Value], rows: Pattern
) -> tuple[Any, Any, Any]:
    """Return the entries of a Hessian, their rows and their columns."""
    import numpy as np

    own = np.array(star_colours(rows), dtype=int)
    compressed = _sweep_up(slopes, variables, own)
    i, j = _places(rows)
    kind = i * len(compressed) + own[j]  # the row and the colour that it meets
    alone = np.bincount(kind)[kind] == 1  # if not, i is alone of its colour in the row of j
    i, j, alone = i[i >= j], j[i >= j], alone[i >= j]
    entries = np.where(alone, compressed[own[j], i], compressed[own[i], j])
    if not np.isfinite(entries).all():
        entries = np.array(_numbers(sweeps.adjoints(slopes, variables, own=True)))[i, j]
    below = i > j
    return (
        np.concatenate([entries, entries[below]]),
        np.concatenate([i, j[below]]),
        np.concatenate([j, i[below]]),
    )


class _ValuesError(TypeError):
    """The derivatives are Values, which no sparse array holds."""


def _check(call: Call, name: str) -> None:
    if call.at_values or hooks.tracer_here() is not None:
        raise _no_numbers(name)


def _no_numbers(name: str = "a derivative") -> TypeError:
    return _ValuesError(
        f"{name} with sparse=True gives numbers, but here the derivatives are Values, since x "
        "holds Values, or since this is within a program or another derivative: leave it out"
    )


def _numbers(rows: Rows | None) -> Rows:
    if rows is None:
        raise _no_numbers()
    return rows


def _sweep_up(outputs: Sequence[Entry], variables: Sequence[Value], chosen: Any) -> Any:
    """Return an array of the rates of the outputs along the variables of each colour.

    They are nan where the sweep fails.
    """
    import numpy as np

    n = 1 + max(chosen, default=-1)
    directions = (np.array(chosen) == np.arange(n)[:, None]).astype(float).tolist()
    try:
        rows = sweeps.tangents(outputs, variables, directions, own=True)
    except (*ARITHMETIC_ERRORS, TypeError):
        return np.full((n, len(outputs)), np.nan)
    return np.array(_numbers(rows)).reshape(n, len(outputs))


def _places(rows: Pattern) -> tuple[Any, Any]:
    """Return the rows and the columns of all entries, in two arrays."""
    import numpy as np

    sizes = [len(row) for row in rows]
    columns = np.fromiter(chain.from_iterable(rows), dtype=int, count=sum(sizes))
    return np.repeat(np.arange(len(rows)), sizes), columns


def _array(entries: Any, i: Any, j: Any, shape: tuple[int, int]) -> Any:
    from scipy.sparse import coo_array

    return coo_array((entries, (i, j)), shape=shape).tocsr()


# Patterns --------------------------------------------------------------------------------------


@prefer_c
def pattern(outputs: Sequence[Any], variables: Sequence[Value]) -> Pattern:
    """Return for each output the positions of the variables that it depends on."""
    nothing: frozenset[int] = frozenset()
    found = {id(x): frozenset([j]) for j, x in enumerate(variables)}
    for node, positions in sweeps.steps_between(outputs, variables) or ():
        sets = [found[id(node.args[i])] for i in positions]
        found[id(node)] = found.get(id(node), nothing).union(*sets)
    return [sorted(found.get(id(y), nothing)) for y in outputs]


def _transposed(rows: Pattern, n: int) -> Pattern:
    columns: Pattern = [[] for _ in range(n)]
    for i, row in enumerate(rows):
        for j in row:
            columns[j].append(i)
    return columns


def _symmetric(rows: Pattern) -> Pattern:
    columns = _transposed(rows, len(rows))
    return [sorted({*row, *column}) for row, column in zip(rows, columns)]


def _groups(outputs: Sequence[Value], chosen: list[int]) -> Iterator[list[Value]]:
    for colour in range(1 + max(chosen, default=-1)):
        yield [y for y, own in zip(outputs, chosen) if own == colour]


# Colours ---------------------------------------------------------------------------------------


def colours(columns: Pattern, rows: Pattern) -> list[int]:
    """Return a colour for each column; two that share a row differ.

    >>> colours([[0], [0, 1], [1]], [[0, 1], [1, 2]])
    [0, 1, 0]
    """
    taken: list[set[int]] = [set() for _ in rows]
    chosen = []
    for column in columns:
        used = set().union(*[taken[i] for i in column])
        colour = next(c for c in count() if c not in used)
        for i in column:
            taken[i].add(colour)
        chosen.append(colour)
    return chosen


def star_colours(rows: Pattern) -> list[int]:
    """Return a star colouring of a symmetric pattern: each path of four has three colours.

    >>> star_colours([[0, 1, 2, 3], [0, 1], [0, 2], [0, 3]])
    [0, 1, 1, 1]
    """
    chosen = [-1] * len(rows)
    met: list[dict[int, int]] = [{} for _ in rows]  # how many next to it have each colour
    first: list[dict[int, int]] = [{} for _ in rows]  # and who had them first
    beyond: list[set[int]] = [set() for _ in rows]  # of those next to it that lead on to its own
    for v in sorted(range(len(rows)), key=lambda v: -len(rows[v])):
        near = [w for w in rows[v] if w != v]
        used = set(met[v])
        for w in near:
            used |= met[w].keys() if met[v].get(chosen[w], 0) > 1 else beyond[w]
        own = chosen[v] = next(c for c in count() if c not in used)
        for w in near:
            if met[v].get(chosen[w], 0) > 1:
                beyond[w].add(own)
            met[w][own] = met[w].get(own, 0) + 1
            if met[w][own] > 1 and chosen[w] >= 0:
                beyond[v].add(chosen[w])
                beyond[first[w][own]].add(chosen[w])
            first[w].setdefault(own, v)
    return chosen
