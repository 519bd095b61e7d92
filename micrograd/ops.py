"""The table of operations: one row each, with its value and its derivatives, written once.

Read a row from left to right: the name (NumPy's), the value as a function of the operands, and
one rule per operand: the local derivative, a function of the operands and of the result `out`.
Everything else follows from the rows: what a Value computes and passes back, derivatives of
derivatives (a rule called on Values records a graph), batches on arrays.

A rule is one expression made of operators and other rows. `None` instead of a rule means that the
result carries no derivative with respect to that operand.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from micrograd.engine import Value
    from micrograd.symbolic.formula import Formula

Rule = Callable[..., Any]


class Op:
    """Define an operation by its name, its value and one local derivative per operand.

    Call it on floats, on Values, or on NumPy arrays that broadcast. `symbol` is what diagrams
    show. Raises TypeError for a part of the wrong kind and for a wrong number of operands.

    >>> from micrograd import Value
    >>> cube = Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
    >>> cube(2.0)
    8.0
    >>> x = Value(2.0)
    >>> cube(x).backward()
    >>> x.grad
    12.0
    """

    __slots__ = ("derivatives", "name", "symbol", "value")

    def __init__(
        self, name: str, value: Rule, *derivatives: Rule | None, symbol: str | None = None
    ) -> None:
        if not isinstance(name, str):
            raise TypeError(f"Op: the name comes first and is a string; got {name!r}")
        if not callable(value):
            raise TypeError(f"Op {name!r}: the value is a function of the operands; got {value!r}")
        if not derivatives:
            raise TypeError(f"Op {name!r}: write one derivative per operand after the value")
        for rule in derivatives:
            if rule is not None and not callable(rule):
                raise TypeError(
                    f"Op {name!r}: a derivative is a function of the operands and of the result, "
                    f"or None where there is none; got {rule!r}"
                )
        self.name: str = name
        self.value: Rule = value
        self.derivatives: tuple[Rule | None, ...] = derivatives
        self.symbol: str = name if symbol is None else symbol

    if TYPE_CHECKING:  # numbers give a number, Values a Value, Formulas and arrays the same again

        @overload
        def __call__(self, *operands: float) -> float: ...  # type: ignore[overload-overlap]
        @overload
        def __call__(self, *operands: Value | float) -> Value: ...  # type: ignore[overload-overlap]
        @overload
        def __call__(self, *operands: Formula | float) -> Formula: ...
        @overload
        def __call__(self, *operands: Any) -> Any: ...

    def __call__(self, *operands: Any) -> Any:
        if len(operands) != len(self.derivatives):
            raise TypeError(
                f"{self.name} takes {len(self.derivatives)} operand(s), got {len(operands)}"
            )
        for operand in operands:
            if operand.__class__ not in _PLAIN_NUMBERS:
                return self._dispatch(operands)
        try:
            return self.value(*operands)
        except (ArithmeticError, ValueError) as error:
            return _value_after(error, self, operands)

    def _dispatch(self, operands: tuple[Any, ...]) -> Any:
        """Compute on the operands: arrays first, then an object that has `_apply(op, args)`."""
        owner: Any = None
        for operand in operands:
            if hasattr(operand, "__array_namespace__") and not isinstance(operand, float):
                if _is_scalar(operand) and any(hasattr(x, "_apply") for x in operands):
                    continue  # a number of NumPy's among Values
                return _on_arrays(self, operands, operand.__array_namespace__())
            # As for Python's own operators, a subclass wins over its base class.
            if hasattr(operand, "_apply") and (
                owner is None
                or (type(operand) is not type(owner) and isinstance(operand, type(owner)))
            ):
                owner = operand
        if owner is None:
            if any(not hasattr(operand, "__float__") for operand in operands):
                raise self._not_taken(operands)
            # NumPy's floats follow rules of their own (1/0 is no error, True - False is one).
            numbers = [float(x) if isinstance(x, float) else x for x in operands]
            try:
                return self.value(*numbers)
            except (ArithmeticError, ValueError) as error:
                return _value_after(error, self, numbers)
        result = owner._apply(self, operands)
        for operand in operands:  # as Python's own operators ask both sides
            if result is NotImplemented and hasattr(operand, "_apply") and operand is not owner:
                result = operand._apply(self, operands)
        if result is NotImplemented:
            raise self._not_taken(operands)
        return result

    def _not_taken(self, operands: tuple[Any, ...]) -> TypeError:
        kinds = ", ".join(type(operand).__name__ for operand in operands)
        found = f"{self.name} takes numbers, Values or arrays, got ({kinds})"
        if any(isinstance(operand, (list, tuple)) for operand in operands):
            others = ", y" * (len(operands) - 1)
            found += f": write [{self.name}(x{others}) for x in values] for a list"
        return TypeError(found)

    @property
    def __name__(self) -> str:  # an Op can be used wherever a function can
        return self.name

    def __repr__(self) -> str:
        return f"Op({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        if _in_table(self):
            return _row, (self.name,)  # pickled by reference
        return _restore, (self.name, self.value, self.derivatives, self.symbol)


_PLAIN_NUMBERS = frozenset({float, int, bool})


# Functions that Python's math lacks ---------------------------------------------------------------


def _real_power(x: Any, y: Any) -> Any:
    out = x**y
    if isinstance(out, complex):
        raise ValueError("a negative number to a fractional power is not a real number")
    return out


def _sign(x: float) -> float:
    return x if x != x else float((x > 0) - (x < 0))  # the sign of nan is nan


def _real_cbrt(x: float) -> float:
    if sys.version_info >= (3, 11):
        return math.cbrt(x)
    if x == 0 or not math.isfinite(x):
        return x
    root = math.copysign(math.fabs(x) ** (1 / 3), x)
    return root - (root - x / (root * root)) / 3  # a step of Newton's method, for the last digits


LOG_2 = math.log(2)
LOG_10 = math.log(10)
ERF_SLOPE = 2 / math.sqrt(math.pi)  # of erf at 0


class Steps:
    """Compute a value in several steps, which are written down as a name only: on Formulas, raise.

    `function` is made of rows and operators, so it takes floats and arrays.

    >>> half = Steps(lambda x: x / 2)
    >>> half(3.0)
    1.5
    """

    __slots__ = ("function",)

    def __init__(self, function: Rule) -> None:
        self.function = function

    def __call__(self, *numbers: Any) -> Any:
        if any(hasattr(x, "_apply") for x in numbers):
            raise TypeError("it is computed in steps, on numbers")
        return self.function(*numbers)


def _gap(x: Any, y: Any) -> Any:
    """Return x - y, which between two equal infinities is 0."""
    return where(equal(abs(x), math.inf) * equal(x, y), 0.0, x - y)


def _size(x: Any) -> Any:
    """Return abs(x) as x or as -x: unlike abs, each of them is smooth at 0."""
    return where(less(x, 0), -x, x)


def _base(x: Any, y: Any) -> Any:
    """Return the base of x**(y - 1), in the slope of x**y: at 0**0, where the slope is 0, it is 1."""
    if y.__class__ in _PLAIN_NUMBERS and y != 0:
        return x
    return x + equal(x, 0) * equal(y, 0)


# The table -------------------------------------------------------------------------------------
# A comment above a row states its convention where the textbook leaves a choice.
# fmt: off

#    name                      value                     local derivatives, one per operand

add = Op("add",                lambda x, y: x + y,       lambda x, y, out: 1.0,
                                                         lambda x, y, out: 1.0, symbol="+")
subtract = Op("subtract",      lambda x, y: x - y,       lambda x, y, out: 1.0,
                                                         lambda x, y, out: -1.0, symbol="-")
multiply = Op("multiply",      lambda x, y: x * y,       lambda x, y, out: y,
                                                         lambda x, y, out: x, symbol="*")
divide = Op("divide",          lambda x, y: x / y,       lambda x, y, out: 1 / y,
                                                         lambda x, y, out: -out / y, symbol="/")
negative = Op("negative",      lambda x: -x,             lambda x, out: -1.0, symbol="-")

# Comparisons look at the data and carry no derivative.
less = Op("less",              lambda x, y: x < y,       None, None, symbol="<")
less_equal = Op("less_equal",  lambda x, y: x <= y,      None, None, symbol="<=")
equal = Op("equal",            lambda x, y: x == y,      None, None, symbol="==")

# Both operands are computed before `where` chooses; the other one gets slope 0.
where: Op = Op("where",        lambda c, x, y: x if c else y,
                                                         None,
                                                         lambda c, x, y, out: where(c, 1.0, 0.0),
                                                         lambda c, x, y, out: where(c, 0.0, 1.0))

stop_gradient = Op("stop_gradient", lambda x: x,         None)

# Kinks: at 0 the slopes of sign, abs and relu are 0; at a tie, maximum and minimum give each 1/2.
sign = Op("sign",              _sign,                    lambda x, out: 0.0)
abs = Op("abs",                math.fabs,                lambda x, out: sign(x))
maximum = Op("maximum",        lambda x, y: x if x > y or x != x else y,  # a nan wins
                                                         lambda x, y, out: 0.5 + 0.5 * sign(_gap(x, y)),
                                                         lambda x, y, out: 0.5 + 0.5 * sign(_gap(y, x)))
minimum = Op("minimum",        lambda x, y: x if x < y or x != x else y,
                                                         lambda x, y, out: 0.5 - 0.5 * sign(_gap(x, y)),
                                                         lambda x, y, out: 0.5 - 0.5 * sign(_gap(y, x)))
relu = Op("relu",              lambda x: maximum(x, 0.0),
                                                         lambda x, out: sign(out), symbol="ReLU")

exp = Op("exp",                math.exp,                 lambda x, out: out)
expm1 = Op("expm1",            math.expm1,               lambda x, out: exp(x))
log = Op("log",                math.log,                 lambda x, out: 1 / x)
log1p = Op("log1p",            math.log1p,               lambda x, out: 1 / (1 + x))
log2 = Op("log2",              math.log2,                lambda x, out: 1 / (x * LOG_2))
log10 = Op("log10",            math.log10,               lambda x, out: 1 / (x * LOG_10))

# x**0 is 1 with slope 0, even at x = 0, where the first rule takes 1 as the base. 0**y has slope 0
# in y. For a negative base, whose powers are real at integers only, the slope in y is nan.
power: Op = Op("power",        _real_power,              lambda x, y, out: y * power(_base(x, y), y - 1),
                                                         lambda x, y, out: out * log(where(less(x, 0), math.nan, x + equal(x, 0))),
                                                         symbol="**")
sqrt = Op("sqrt",              math.sqrt,                lambda x, out: 0.5 / out)
cbrt = Op("cbrt",              _real_cbrt,               lambda x, out: 1 / (3 * out * out))
# The slopes of hypot are x / out and y / out, the sines of two angles: written so, they are 0 at the
# origin, where it has a kink, and their own slopes do not cancel where one operand is far the larger.
hypot = Op("hypot",            math.hypot,
                                                         lambda x, y, out: sin(arctan2(x, _size(y))),
                                                         lambda x, y, out: sin(arctan2(y, _size(x))))

sin: Op = Op("sin",            math.sin,                 lambda x, out: cos(x))
cos: Op = Op("cos",            math.cos,                 lambda x, out: -sin(x))
tan = Op("tan",                math.tan,                 lambda x, out: 1 + out * out)
arcsin = Op("arcsin",          math.asin,                lambda x, out: 1 / sqrt((1 - x) * (1 + x)))
arccos = Op("arccos",          math.acos,                lambda x, out: -1 / sqrt((1 - x) * (1 + x)))
arctan = Op("arctan",          math.atan,                lambda x, out: 1 / (1 + x * x))
arctan2: Op = Op("arctan2",    math.atan2,               lambda y, x, out: x / hypot(y, x) / hypot(y, x),
                                                         lambda y, x, out: -y / hypot(y, x) / hypot(y, x))

sinh = Op("sinh",              math.sinh,                lambda x, out: cosh(x))
cosh: Op = Op("cosh",          math.cosh,                lambda x, out: sinh(x))
tanh = Op("tanh",              math.tanh,                lambda x, out: 1 - out * out)
arcsinh = Op("arcsinh",        math.asinh,               lambda x, out: 1 / hypot(1, x))
arccosh = Op("arccosh",        math.acosh,               lambda x, out: 1 / (sqrt(x - 1) * sqrt(x + 1)))
arctanh = Op("arctanh",        math.atanh,               lambda x, out: 1 / ((1 - x) * (1 + x)))

# In these three no intermediate result overflows.
sigmoid = Op("sigmoid",        lambda x: exp(minimum(x, 0.0)) / (1 + exp(-abs(x))),
                                                         lambda x, out: out * (1 - out))
softplus = Op("softplus",      lambda x: maximum(x, 0.0) + log1p(exp(-abs(x))),
                                                         lambda x, out: sigmoid(x))
logaddexp = Op("logaddexp",    lambda x, y: maximum(x, y) + log1p(exp(-abs(_gap(x, y)))),
                                                         lambda x, y, out: sigmoid(_gap(x, y)),
                                                         lambda x, y, out: sigmoid(_gap(y, x)))

erf = Op("erf",                math.erf,                 lambda x, out: ERF_SLOPE * exp(-x * x))
erfc = Op("erfc",              math.erfc,                lambda x, out: -ERF_SLOPE * exp(-x * x))

# fmt: on

# At a kink or jump the rules above choose a slope, which holds for a first derivative only: to
# differentiate it again is an error. Under (i, j) stands where that is, of the slope by operand i
# differentiated by operand j. (relu is not among them: at 0 it is its left side, in all orders.)
OF_TWO = ((0, 0), (0, 1), (1, 0), (1, 1))
KINKS: dict[Op, dict[tuple[int, int], Rule]] = {
    sign: {(0, 0): lambda x: equal(x, 0)},
    abs: {(0, 0): lambda x: equal(x, 0)},
    maximum: dict.fromkeys(OF_TWO, equal),
    minimum: dict.fromkeys(OF_TWO, equal),
    hypot: dict.fromkeys(OF_TWO, lambda x, y: equal(hypot(x, y), 0)),
    power: {
        **dict.fromkeys(OF_TWO[1:3], lambda x, y: equal(x, 0) * (equal(y, 0) + equal(y, 1))),
        (1, 1): lambda x, y: equal(x, 0) * equal(y, 0),
    },
}
# Where a slope of these is 0, the operand does not count: it gets nothing, even if nan arrives.
STOPS: set[Op] = {sign, where, maximum, minimum}
# special/ adds the functions that fewer people need.
TABLE: dict[str, Op] = {row.name: row for row in list(globals().values()) if isinstance(row, Op)}


def _in_table(op: Op) -> bool:
    return TABLE.get(op.name) is op


def _row(name: str) -> Op:
    return TABLE[name]


def _restore(name: str, value: Rule, derivatives: tuple[Rule | None, ...], symbol: str) -> Op:
    return Op(name, value, *derivatives, symbol=symbol)


# IEEE arithmetic -------------------------------------------------------------------------------

ieee_here: Callable[[], bool] = bool  # whether it is asked within `ieee()`, see graph/modes.py


def follows_ieee() -> bool:
    """Tell whether inf or nan is wanted here where the arithmetic of floats raises.

    >>> follows_ieee()
    False
    """
    return ieee_here()


def _value_after(error: Exception, op: Op, numbers: Sequence[float]) -> float:
    if not follows_ieee():
        raise error
    return by_ieee(op, numbers)


def by_ieee(function: Rule, numbers: Sequence[float]) -> float:
    """Compute a function of numbers as arrays do: it gives inf or nan where floats raise.

    >>> by_ieee(log, [0.0])
    -inf
    """
    import numpy as np

    with np.errstate(all="ignore"):
        return float(np.ravel(function(*[np.array([float(x)]) for x in numbers]))[0])


# Arrays ----------------------------------------------------------------------------------------


def _is_scalar(x: Any) -> bool:
    return x.shape == () and str(x.dtype) != "object"


def _on_arrays(op: Op, operands: tuple[Any, ...], xp: Any) -> Any:
    """Compute an operation on arrays of the namespace `xp` (NumPy's, say), by IEEE arithmetic."""
    if any(hasattr(x, "_apply") or str(getattr(x, "dtype", "")) == "object" for x in operands):
        with xp.errstate(all="ignore"):  # what Python's numbers cannot do, they raise themselves
            return xp.frompyfunc(op, len(operands), 1)(*operands)  # arrays of Values
    if (known := _in_table(op)) and hasattr(xp, op.name):
        return getattr(xp, op.name)(*operands)
    if isinstance(op.value, Steps) or (known and not isinstance(op.value, BuiltinFunctionType)):
        return op.value(*operands)  # made of rows and operators, which take arrays
    return _elementwise(op)(*operands)


ON_ARRAYS: dict[Op, Callable[..., Any]] = {}  # by SciPy, where its own function differs


def _elementwise(op: Op) -> Callable[..., Any]:
    """Return a function that computes `op` per element: SciPy's (erf, gamma), or a Python loop."""
    import numpy as np

    if _in_table(op):
        try:
            import scipy.special
        except ImportError:
            pass
        else:
            return ON_ARRAYS.get(op) or getattr(scipy.special, op.name)
    vectorized = np.vectorize(op.value, otypes=[float])
    return lambda *operands: vectorized(*operands)[()]  # a scalar for scalars
