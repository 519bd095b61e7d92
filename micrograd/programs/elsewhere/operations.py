"""The operations of the table on the arrays of any library that follows the array API standard.

An operation that NumPy has as a function of its own is that of the library. Another is made of
such, by calling its value in the table; what no library has in its main namespace comes from its
module of special functions.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op, Steps
from micrograd.programs.elsewhere.namespaces import name_of
from micrograd.value.operators import Operators
from micrograd.value.selection import Chosen, Extreme

# By NumPy's name: that of the standard, where it is another.
_STANDARD = {
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "arctan2": "atan2",
    "power": "pow",
    "mod": "remainder",
}
_COMPARISONS = (ops.less, ops.less_equal, ops.equal)
# By the name of a library: its module of special functions.
_SPECIAL = {
    "jax": "jax.scipy.special",
    "torch": "torch.special",
    "cupy": "cupyx.scipy.special",
}
_NAMES = {"lgamma": "gammaln"}  # that they have there


def compute(xp: Any, op: Op, operands: Sequence[Any]) -> Any:
    """Compute an operation on arrays of one dtype that broadcast against each other."""
    if op is ops.stop_gradient or isinstance(op, Choice):
        return operands[0]
    if op in _COMPARISONS:
        return xp.astype(getattr(xp, op.name)(*operands), operands[0].dtype)
    if op is ops.where:
        return xp.where(operands[0] != 0, operands[1], operands[2])
    if op is ops.sign:  # that of nan is nan, which PyTorch does not know
        [x] = operands
        return xp.where(x == x, xp.sign(x), x)
    if isinstance(op, Extreme):
        return reduce(lambda x, y: compute(xp, op.pairwise, (x, y)), operands)
    if isinstance(op, Chosen):
        index, place = operands
        return xp.astype(xp.where(index < 0, index + op.count, index) == place, index.dtype)
    function = _own_function(xp, op)
    if function is not None:
        return function(*operands)
    return _made_of_others(xp, op, operands)


def _own_function(xp: Any, op: Op) -> Callable[..., Any] | None:
    """Return the library's function that is NumPy's of that name, if there is one."""
    if ops.TABLE.get(op.name) is not op:
        return None
    if not isinstance(getattr(np, op.name, None), np.ufunc) and op.name != "round":
        return None
    standard = getattr(xp, _STANDARD.get(op.name, op.name), None)
    return standard or getattr(xp, op.name, None)


def _made_of_others(xp: Any, op: Op, operands: Sequence[Any]) -> Any:
    value = op.value.function if isinstance(op.value, Steps) else op.value
    like = operands[0]
    try:
        found = value(*[_Operand(xp, x) for x in operands])
    except TypeError:  # it needs a number: a function of math, or one with a condition
        return _special(xp, op)(*operands)
    return found.array if isinstance(found, _Operand) else xp.full_like(like, float(found))


def _special(xp: Any, op: Op) -> Callable[..., Any]:
    library = name_of(xp)
    if library == "torch" and op.name in _MISSING and ops.TABLE.get(op.name) is op:
        return partial(_MISSING[op.name], xp)
    if ops.TABLE.get(op.name) is op and library in _SPECIAL:
        special = importlib.import_module(_SPECIAL[library])
        function = getattr(special, _NAMES.get(op.name, op.name), None)
        if function is not None:
            return function  # type: ignore[no-any-return]
    if library in ("numpy", "array_api_strict"):
        return lambda *arrays: xp.asarray(op(*map(np.asarray, arrays)), dtype=arrays[0].dtype)
    own = "" if ops.TABLE.get(op.name) is op else " of yours, which asks for numbers,"
    raise TypeError(
        f"{library} has no function for the operation{own} {op.name}: write it of operations that "
        "it has, or call the program on NumPy arrays"
    )


def _gamma(xp: Any, x: Any) -> Any:
    """Compute the gamma function by the logarithm of its size, and its sign."""
    whole = xp.floor(x)
    sign = xp.where((x < 0) & (xp.remainder(whole, 2 * xp.ones_like(x)) != 0), -1.0, 1.0)
    size = xp.exp(_special(xp, ops.TABLE["lgamma"])(x))
    found = xp.where((x < 0) & (x == whole), xp.full_like(x, float("nan")), sign * size)
    return xp.where(x == 0, 1 / x, found)


def _cbrt(xp: Any, x: Any) -> Any:
    """Compute the cube root, with a step of Newton's method for the last digits."""
    root = xp.sign(x) * xp.pow(xp.abs(x), 1 / 3)
    plain = (x == 0) | ~xp.isfinite(x)
    return xp.where(plain, x, root - (root - x / (root * root)) / 3)


_MISSING = {"gamma": _gamma, "cbrt": _cbrt}  # in PyTorch


class _Operand(Operators["_Operand"]):
    """An array for which the operations of the table are those of its library."""

    def __init__(self, xp: Any, array: Any) -> None:
        self.xp = xp
        self.array = array

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> _Operand:
        arrays = [
            x.array if isinstance(x, _Operand) else self.xp.full_like(self.array, float(x))
            for x in operands
        ]
        return _Operand(self.xp, compute(self.xp, op, arrays))

    def __bool__(self) -> bool:
        raise TypeError("an array has no one truth")

    def _ask(self, _: object) -> Any:
        raise TypeError("an array has no one truth: less(x, y) and where(...) compare its elements")

    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = _ask
    __hash__ = None  # type: ignore[assignment]
