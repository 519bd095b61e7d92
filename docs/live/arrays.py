"""What `micrograd.explain` needs of NumPy, in plain Python, for the live page.

No package registry has NumPy for browsers yet (its wheel for Pyodide lies on a server of its own),
and the page loads nothing from elsewhere. So this module stands in for it there: arrays of one or
two dimensions of floats, and the functions that the course's equations and the check of gradients
call. tests/test_live.py holds it against NumPy.
"""

from __future__ import annotations

import math
import operator
from contextlib import contextmanager
from itertools import accumulate, chain
from types import SimpleNamespace

inf, nan = math.inf, math.nan


class ndarray:  # noqa: N801 (NumPy's name)
    """An array of floats: its shape, and its numbers row by row."""

    __slots__ = ("flat", "shape")

    def __init__(self, flat, shape):
        self.flat, self.shape = list(flat), tuple(shape)

    # Reading --------------------------------------------------------------------------------------

    def __array_namespace__(self):
        import numpy  # the name under which the page registers this module

        return numpy

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        return len(self.flat)

    @property
    def T(self):  # noqa: N802
        if self.ndim < 2:
            return self
        rows, columns = self.shape
        return ndarray(
            chain.from_iterable(self.flat[j::columns] for j in range(columns)), (columns, rows)
        )

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        return iter(self.flat) if self.ndim < 2 else map(self.__getitem__, range(self.shape[0]))

    def __bool__(self):
        return bool(self.item())

    def __float__(self):
        return float(self.item())

    def __int__(self):
        return int(self.item())

    def item(self):
        (number,) = self.flat
        return number

    def tolist(self):
        if self.ndim == 0:
            return self.item()
        return list(self.flat) if self.ndim == 1 else self._rows()

    def _rows(self):
        width = self.shape[-1]
        return [self.flat[k : k + width] for k in range(0, len(self.flat), width)]

    def __getitem__(self, index):
        rows, columns = index if isinstance(index, tuple) else (index, slice(None))
        if self.ndim == 1:
            chosen = _at(self.flat, rows)
            return ndarray(chosen, (len(chosen),)) if isinstance(chosen, list) else chosen
        chosen = _at(self._rows(), rows)
        if isinstance(rows, int):
            found = chosen[columns]
            return array(found) if isinstance(found, list) else found
        return array([row[columns] for row in chosen])

    def __setitem__(self, index, numbers):
        rows, columns = index
        table = self._rows()
        places = range(self.shape[0])[rows]
        new = _spread(asarray(numbers), (len(places), len(range(self.shape[1])[columns])))
        for place, row in zip(places, new._rows()):
            table[place][columns] = row
        self.flat = list(chain.from_iterable(table))

    # Arithmetic -----------------------------------------------------------------------------------

    def __matmul__(self, other):
        if self.ndim == other.ndim == 1:
            return sum(map(operator.mul, self.flat, other.flat))
        columns = other.T._rows()
        products = (
            sum(map(operator.mul, row, column)) for row in self._rows() for column in columns
        )
        return ndarray(products, (self.shape[0], other.shape[1]))

    def __neg__(self):
        return ndarray(map(operator.neg, self.flat), self.shape)

    def __invert__(self):
        return ndarray(map(operator.not_, self.flat), self.shape)

    # Along an axis --------------------------------------------------------------------------------

    def sum(self, axis=None, keepdims=False):
        return self._along(math.fsum, axis, keepdims)

    def max(self, axis=None, keepdims=False):
        return self._along(max, axis, keepdims)

    def all(self):
        return all(self.flat)

    def argmax(self):
        return self.flat.index(max(self.flat))

    def _along(self, reduce, axis, keepdims):
        if axis is None:
            return reduce(self.flat)
        found = [reduce(line) for line in (self.T if axis == 0 else self)._rows()]
        return ndarray(
            found, ((1, len(found)), (len(found), 1))[axis] if keepdims else (len(found),)
        )

    # Shapes ---------------------------------------------------------------------------------------

    def copy(self):
        return ndarray(self.flat, self.shape)

    def astype(self, kind):
        return ndarray(map(kind, self.flat), self.shape)

    def ravel(self, order="C"):
        return ndarray((self.T if order == "F" else self).flat, (self.size,))

    def reshape(self, shape, order="C"):
        flat = self.ravel(order).flat
        return ndarray(flat, shape[::-1]).T if order == "F" else ndarray(flat, shape)


def _at(items, index):
    return [items[k] for k in index] if isinstance(index, (list, ndarray)) else items[index]


def _spread(x, shape):
    """Repeat the rows and columns of an array until it has a shape."""
    if x.shape == shape:
        return x
    height, width = (1, 1, *shape)[-2:]
    rows = x._rows() if x.ndim else [x.flat]
    wide = [row * width if len(row) == 1 else row for row in rows]
    return ndarray(chain.from_iterable(wide * height if len(wide) == 1 else wide), shape)


def _elementwise(function):
    """Make a function of numbers one of arrays, by IEEE's rules where it would raise."""

    def careful(*numbers):
        try:
            return function(*numbers)
        except ZeroDivisionError:
            top = numbers[0]
            return (
                nan
                if top == 0 or top != top
                else math.copysign(inf, top) * math.copysign(1, numbers[1])
            )
        except OverflowError:
            return inf
        except ValueError:
            return -inf if function is math.log and numbers[0] == 0 else nan

    def on_arrays(*operands):
        arrays = [asarray(x) for x in operands]
        if not any(isinstance(x, ndarray) for x in operands):
            return careful(*operands)
        if len(arrays) == 1:
            return ndarray(map(careful, arrays[0].flat), arrays[0].shape)
        ndim = max(x.ndim for x in arrays)
        shapes = [(1,) * (ndim - x.ndim) + x.shape for x in arrays]
        shape = tuple(max(sizes) for sizes in zip(*shapes))
        return ndarray(map(careful, *(_spread(x, shape).flat for x in arrays)), shape)

    return on_arrays


def _operators():
    names = ("add", "sub", "mul", "truediv", "pow", "lt", "le", "gt", "ge", "eq", "ne", "and")
    for name in names:
        word = name + "_" * (name == "and")
        on_arrays = _elementwise(getattr(operator, word))
        setattr(ndarray, f"__{name}__", on_arrays)
        setattr(ndarray, f"__r{name}__", lambda x, y, f=on_arrays: f(y, x))
    ndarray.__hash__ = object.__hash__


_operators()

exp, log, isfinite = map(_elementwise, (math.exp, math.log, math.isfinite))
abs, sqrt, tanh = map(_elementwise, (math.fabs, math.sqrt, math.tanh))
minimum, maximum = _elementwise(min), _elementwise(max)
where = _elementwise(lambda condition, x, y: x if condition else y)


# Making arrays -----------------------------------------------------------------------------------


def array(numbers, dtype=float, copy=True):
    """Make an array of a number, of a list of numbers, or of a list of such lists."""
    if isinstance(numbers, ndarray):
        return ndarray(numbers.flat, numbers.shape)
    if hasattr(numbers, "__array__"):
        return array(numbers.__array__())
    if not hasattr(numbers, "__iter__") or isinstance(numbers, str):
        return ndarray([dtype(numbers)], ())
    parts = [x if isinstance(x, float) else asarray(x) for x in numbers]
    if any(isinstance(x, ndarray) and x.ndim for x in parts):
        (width,) = {x.shape for x in parts} if len({x.shape for x in parts}) == 1 else ((None,),)
        if width == (None,) or len(width) > 1:
            raise ValueError("the rows of a matrix must have one length")
        return ndarray(chain.from_iterable(x.flat for x in parts), (len(parts), *width))
    return ndarray(map(float, parts), (len(parts),))


def asarray(numbers, dtype=float):
    """Return an array as it is, and anything else as an array."""
    return numbers if isinstance(numbers, ndarray) else array(numbers, dtype)


def _filled(number):
    def make(shape):
        shape = (shape,) if isinstance(shape, int) else tuple(shape)
        return ndarray([number] * math.prod(shape), shape)

    return make


zeros, ones = _filled(0.0), _filled(1.0)


def zeros_like(x):
    return zeros(x.shape)


def ones_like(x):
    return ones(x.shape)


def linspace(start, stop, count):
    return array([start + (stop - start) * k / max(1, count - 1) for k in range(count)])


# Putting them together and taking them apart ---------------------------------------------------


def column_stack(parts):
    tables = [
        x._rows() if x.ndim == 2 else [[number] for number in x.flat] for x in map(asarray, parts)
    ]
    return array([list(chain.from_iterable(rows)) for rows in zip(*tables)])


def concatenate(parts):
    return array(list(chain.from_iterable(x.flat for x in parts)))


def split(x, ends):
    starts = [0, *map(int, ends)]
    return [array(x.flat[a:b]) for a, b in zip(starts, [*starts[1:], x.size])]


def outer(x, y):
    return array([[a * b for b in y.flat] for a in x.flat])


def roll(x, by, axis):
    if axis == 1:
        return roll(x.T, by, 0).T
    rows = x._rows()
    return array([rows[(k - by) % len(rows)] for k in range(len(rows))])


def cumsum(numbers):
    return array(list(accumulate(numbers)))


def argmax(numbers):
    return asarray(numbers).argmax()


def argsort(x, axis=None):
    return ndarray(sorted(range(x.size), key=x.flat.__getitem__), (x.size,))


def flatnonzero(x):
    return [k for k, number in enumerate(x.flat) if number]


@contextmanager
def errstate(**settings):
    """Do nothing: the functions here follow IEEE's rules and say nothing about it."""
    yield


linalg = SimpleNamespace(norm=lambda x: math.hypot(*x.flat))
