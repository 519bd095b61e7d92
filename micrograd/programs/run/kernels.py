"""Rows of the table as calls on NumPy arrays that write into a given one."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op
from micrograd.symbolic.formula import Formula, of_row, operand_names
from micrograd.value.selection import Chosen, Selection, Take, logsumexp_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Call = tuple[Callable[..., Any], tuple[Any, ...]]

LARGE = 2**14  # elements; below, it is the number of calls that costs
MINUS_ONE = np.array(-1.0)  # an array: a float would be made one at every call


def calls(op: Op, operands: list[Array], out: Array) -> list[Call]:
    """Return the calls that compute a row on these operands into `out`.

    A row that is made of other rows runs as these; one that is only known for floats runs element
    by element.
    """
    if isinstance(op, Take):
        index, *table = [x.reshape((1,) * (out.ndim - x.ndim) + x.shape) for x in operands]
        even = _even(table)
        if even is None:
            return [(_take, (op.count, index, table, np.ogrid[_all(out)], out))]
        return [(_take_from_memory, (op.count, _once(index), *_in_memory(even, index, out), out))]
    if isinstance(op, Chosen):
        index, place = operands
        marks = np.empty(out.shape, bool)
        return [(_mark_chosen, (op.count, _once(index), place, marks, out))]
    if isinstance(op, Selection) and op.make is logsumexp_of:
        own = [np.empty(out.shape, out.dtype) for _ in range(3)]
        return [(_log_of_sum, (op, operands, out, *own))]
    if op is ops.sign and out.size >= LARGE:
        return [(_sign, (operands[0], out, np.empty(out.shape, bool)))]
    if op is ops.negative:  # np.negative is wrong from steps of 64 bytes to any but 8 (NumPy 2)
        return [(np.multiply, (operands[0], MINUS_ONE.astype(out.dtype, copy=False), out))]
    ufunc = _ufunc(op)
    if ufunc is not None:
        if op is ops.maximum or op is ops.minimum:  # which want to be told by name
            return [(partial(ufunc, out=out), tuple(operands))]
        return [(ufunc, (*operands, out))]
    if op is ops.where:
        return [(_where, (*operands, out))]
    if op is ops.stop_gradient or isinstance(op, Choice):
        return [(np.copyto, (out, operands[0]))]
    formula = of_row(op) if ops.TABLE.get(op.name) is op else None
    if formula is None or formula.op is op:
        return [(_apply, (op, operands, out))]
    found: list[Call] = []
    _write(formula, dict(zip(operand_names(op), operands)), out, found)
    return found


def reduced(op: Op, terms: Array, axes: tuple[int, ...], out: Array) -> Call:
    """Return the call that adds up, or takes the maximum or minimum, along some axes."""
    reduce = getattr(np, op.name).reduce
    if op is ops.add:
        return reduce, (terms, axes, None, out)
    return _extreme, (reduce, terms, axes, out)


def on_arrays(op: Op) -> Callable[..., Any]:
    """Return what computes an operation on arrays: NumPy's function, or else the operation."""
    if isinstance(op, Choice):
        return lambda slope, *_: slope
    return _ufunc(op) or op


@cache
def _ufunc(op: Op) -> Callable[..., Any] | None:
    """NumPy's function for a row of the table, if there is one."""
    ufunc = getattr(np, op.name, None)
    return ufunc if ops.TABLE.get(op.name) is op and isinstance(ufunc, np.ufunc) else None


# The C executor has vectors for these as well.
_VECTORS_IN_C = (
    *(ops.add, ops.subtract, ops.multiply, ops.divide, ops.negative, ops.abs, ops.sign, ops.sqrt),
    *(ops.maximum, ops.minimum, ops.less, ops.less_equal, ops.equal),
    *(ops.exp, ops.expm1, ops.log, ops.log1p, ops.tanh, ops.sin, ops.cos, ops.power),
    *(ops.arcsin, ops.arccos, ops.arctan, ops.arctan2, ops.hypot),
)


@cache
def has_vectors_in_numpy_alone(op: Op) -> bool:
    """Tell whether NumPy may compute a row of many numbers faster than the C executor, as sin."""
    return _ufunc(op) is not None and op not in _VECTORS_IN_C


def _write(formula: Formula, names: dict[str, Array], out: Array, found: list[Call]) -> None:
    """Append the calls that compute a formula into `out`."""
    operands = []
    free = True
    for part in formula.args:
        if part.op is None:
            name = part.symbol
            operands.append(names[name] if isinstance(name, str) else _filled(out, name))
        else:
            place = out if free else np.empty(out.shape, out.dtype)
            free = False
            _write(part, names, place, found)
            operands.append(place)
    assert formula.op is not None
    found += calls(formula.op, operands, out)


# As long as calls hold them.
_FILLED: WeakValueDictionary[Any, Array] = WeakValueDictionary()


def _filled(like: Array, number: float) -> Array:
    # An array: the maximum of an array and one number is three times slower.
    key = (like.shape, like.dtype, number)
    found = _FILLED.get(key)
    if found is None:
        found = _FILLED.setdefault(key, np.full(like.shape, number, like.dtype))
    return found


def _apply(op: Op, operands: list[Array], out: Array) -> None:
    out[...] = op(*operands)


def _sign(x: Array, out: Array, is_above: Array) -> None:
    """Compute the sign, in half of NumPy's time where nothing is negative, as behind a relu."""
    if not np.minimum.reduce(x, None) >= 0:  # or it is nan
        np.sign(x, out)
        return
    np.greater(x, 0.0, is_above)
    np.copyto(out, is_above)


def _all(array: Array) -> tuple[slice, ...]:
    return tuple([slice(size) for size in array.shape])


def _even(table: list[Array]) -> Array | None:
    """Return arrays that lie one behind the other as one view, with an axis more in front."""
    first = table[0]
    starts = [x.__array_interface__["data"][0] for x in table]
    step = (starts[-1] - starts[0]) // max(1, len(table) - 1)
    alike = all(x.shape == first.shape and x.strides == first.strides for x in table)
    if not alike or starts != [starts[0] + k * step for k in range(len(table))]:
        return None
    shape, strides = (len(table), *first.shape), (step, *first.strides)
    return np.lib.stride_tricks.as_strided(first, shape, strides) if min(strides) >= 0 else None


def _in_memory(table: Array, index: Array, out: Array) -> tuple[int, Array, Array]:
    """Return how far an entry of a table is from the next, where the parts are, and the memory."""
    step, *steps = [stride // table.itemsize for stride in table.strides]
    parts = np.zeros(np.where(np.array(_once(index).shape) == 1, out.shape, 1), np.intp)
    for axis, size in enumerate(table.shape[1:]):
        along = [1] * out.ndim
        along[axis] = size
        parts = parts + steps[axis] * np.arange(size).reshape(along)
    ends = [(size - 1) * s for size, s in zip(table.shape, (step, *steps))]
    return step, parts, np.lib.stride_tricks.as_strided(table, (sum(ends) + 1,), (table.itemsize,))


def _take_from_memory(
    count: int, index: Array, step: int, parts: Array, memory: Array, out: Array
) -> None:
    places = index.astype(np.intp) % count  # those of rows that take another path may be any
    memory.take(places * step + parts, None, out, "clip")


def _take(count: int, index: Array, table: list[Array], grid: Any, out: Array) -> None:
    places = index.astype(np.intp) % count
    together = np.stack(np.broadcast_arrays(*table))
    out[...] = np.broadcast_to(together, (count, *out.shape))[(places, *grid)]


def _once(x: Array) -> Array:
    """Return an array without what it repeats."""
    return x[tuple([slice(1) if step == 0 else slice(None) for step in x.strides])]


def _mark_chosen(count: int, index: Array, place: Array, marks: Array, out: Array) -> None:
    np.equal(index % count, place, marks)  # into floats at once, it is slower for many
    np.copyto(out, marks)


def _extreme(reduce: Callable[..., Any], terms: Array, axes: tuple[int, ...], out: Array) -> None:
    """Compute a maximum or minimum; of 0.0 and -0.0 it is the last, as in a loop."""
    reduce(terms, axes, None, out)
    if np.count_nonzero(out) == out.size:
        return
    ordered = np.moveaxis(terms, axes, range(len(axes))).reshape(-1, *out.shape)[::-1]
    last = np.expand_dims((ordered == 0).argmax(0), 0)
    np.copyto(out, np.take_along_axis(ordered, last, 0)[0], where=out == 0)


def _log_of_sum(
    op: Op, operands: list[Array], out: Array, largest: Array, total: Array, power: Array
) -> None:
    """Compute a logsumexp, without the cases of infinite numbers where there are none."""
    largest[...] = operands[0]
    for x in operands[1:]:
        np.maximum(largest, x, out=largest)
    if np.count_nonzero(np.isfinite(largest)) < largest.size:
        _apply(op, operands, out)
        return
    total[...] = 0.0
    for x in operands:
        np.subtract(x, largest, power)
        np.add(total, np.exp(power, power), total)
    np.add(np.log(total, total), largest, out)


def _where(condition: Array, x: Array, y: Array, out: Array) -> None:
    np.copyto(out, np.where(condition, x, y))
