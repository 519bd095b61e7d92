"""Python's `math` for Values: `from micrograd import math` is the one line to change.

Every name of Python's math is here. Of numbers the functions are Python's own; of Values, and of
arrays, they are micrograd's operations. Those that only make sense for numbers, such as `gcd`,
raise TypeError for Values and say why.

>>> from micrograd import Value, grad, math
>>> math.floor(2.5), math.hypot(3.0, 4.0)
(2, 5.0)
>>> print(f"{grad(lambda x: math.atan2(math.sin(x), 2.0))(math.pi / 3):.4f}")
0.2105
"""

from __future__ import annotations

import math as own
from collections.abc import Callable, Iterable
from functools import reduce, wraps
from typing import Any

import micrograd.ops as ops
from micrograd.ops import Op
from micrograd.special import elementary, gammas, rounding

Function = Callable[..., Any]

pi: float = own.pi
e: float = own.e
tau: float = own.tau
inf: float = own.inf
nan: float = own.nan


def _is_plain(operands: Iterable[Any]) -> bool:
    """Tell whether Python's own math knows what to do: there are no Values and no arrays."""
    return not any(hasattr(x, "_apply") or getattr(x, "shape", ()) != () for x in operands)


def _mirrored(name: str, compute: Callable[..., Any]) -> Callable[..., Any]:
    """Return Python's function for numbers, and `compute` for all else."""
    of_numbers = getattr(own, name, compute)  # an older Python may lack it

    def function(*operands: Any) -> Any:
        if not _is_plain(operands):
            return compute(*operands)
        try:
            return of_numbers(*operands)
        except (ArithmeticError, ValueError):
            if ops.follows_ieee():
                return compute(*operands)
            raise

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Return what Python's math.{name} returns, of Values as a Value."
    return function


def _of_numbers(name: str, advice: str) -> Callable[..., Any]:
    """Return Python's function, which refuses Values and says what to write instead."""
    of_numbers = getattr(own, name)

    @wraps(of_numbers)
    def function(*operands: Any, **options: Any) -> Any:
        if not _is_plain([*operands, *options.values()]):
            raise TypeError(f"math.{name} has no derivative, and takes numbers only: {advice}")
        return of_numbers(*operands, **options)

    return function


def _log(x: Any, base: Any = own.e) -> Any:
    return ops.log(x) if base == own.e else ops.log(x) / ops.log(base)


def _hypot(*coordinates: Any) -> Any:
    return reduce(ops.hypot, coordinates) if len(coordinates) > 1 else abs(coordinates[0])


# Both are x - n * y: with n whole, rounded towards 0 or to the nearest, of halves to the even one.
_fmod = Op("fmod", own.fmod, lambda x, y, out: 1.0, lambda x, y, out: rounding.trunc((out - x) / y))
_remainder = Op(
    *("remainder", own.remainder),
    *(lambda x, y, out: 1.0, lambda x, y, out: rounding.round((out - x) / y)),
)
ops.KINKS.update(  # the jumps
    {
        _fmod: dict.fromkeys(
            ops.OF_TWO, lambda x, y: ops.equal(_fmod(x, y), 0) * (1 - ops.equal(x, 0))
        ),
        _remainder: dict.fromkeys(
            ops.OF_TWO, lambda x, y: ops.equal(2 * abs(_remainder(x, y)), abs(y))
        ),
    }
)


def _modf(x: Any) -> tuple[Any, Any]:
    whole = rounding.trunc(x)
    return x - whole, whole


# fmt: off
acos: Function = _mirrored("acos", ops.arccos)
acosh: Function = _mirrored("acosh", ops.arccosh)
asin: Function = _mirrored("asin", ops.arcsin)
asinh: Function = _mirrored("asinh", ops.arcsinh)
atan: Function = _mirrored("atan", ops.arctan)
atan2: Function = _mirrored("atan2", ops.arctan2)
atanh: Function = _mirrored("atanh", ops.arctanh)
cbrt: Function = _mirrored("cbrt", ops.cbrt)
ceil: Function = _mirrored("ceil", rounding.ceil)
copysign: Function = _mirrored("copysign", rounding.copysign)
cos: Function = _mirrored("cos", ops.cos)
cosh: Function = _mirrored("cosh", ops.cosh)
degrees: Function = _mirrored("degrees", lambda x: x * (180 / own.pi))
erf: Function = _mirrored("erf", ops.erf)
erfc: Function = _mirrored("erfc", ops.erfc)
exp: Function = _mirrored("exp", ops.exp)
exp2: Function = _mirrored("exp2", elementary.exp2)
expm1: Function = _mirrored("expm1", ops.expm1)
fabs: Function = _mirrored("fabs", ops.abs)
floor: Function = _mirrored("floor", rounding.floor)
fma: Function = _mirrored("fma", lambda x, y, z: x * y + z)
fmod: Function = _mirrored("fmod", _fmod)
gamma: Function = _mirrored("gamma", gammas.gamma)
hypot: Function = _mirrored("hypot", _hypot)
isfinite: Function = _mirrored("isfinite", lambda x: abs(x) < own.inf)
isinf: Function = _mirrored("isinf", lambda x: abs(x) == own.inf)
isnan: Function = _mirrored("isnan", lambda x: x != x)
ldexp: Function = _mirrored("ldexp", lambda x, i: x * 2.0**i)
lgamma: Function = _mirrored("lgamma", gammas.lgamma)
log: Function = _mirrored("log", _log)
log10: Function = _mirrored("log10", ops.log10)
log1p: Function = _mirrored("log1p", ops.log1p)
log2: Function = _mirrored("log2", ops.log2)
modf: Function = _mirrored("modf", _modf)
pow: Function = _mirrored("pow", ops.power)
radians: Function = _mirrored("radians", lambda x: x * (own.pi / 180))
remainder: Function = _mirrored("remainder", _remainder)
sin: Function = _mirrored("sin", ops.sin)
sinh: Function = _mirrored("sinh", ops.sinh)
sqrt: Function = _mirrored("sqrt", ops.sqrt)
tan: Function = _mirrored("tan", ops.tan)
tanh: Function = _mirrored("tanh", ops.tanh)
trunc: Function = _mirrored("trunc", rounding.trunc)

_WHOLE = "it is about whole numbers"
comb: Function = _of_numbers("comb", "write exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1))")
factorial: Function = _of_numbers("factorial", "write gamma(n + 1)")
frexp: Function = _of_numbers("frexp", "write x / 2.0**k with a number k")
gcd: Function = _of_numbers("gcd", _WHOLE)
isqrt: Function = _of_numbers("isqrt", "write floor(sqrt(n))")
lcm: Function = _of_numbers("lcm", _WHOLE)
nextafter: Function = _of_numbers("nextafter", "it is about the digits of floats")
perm: Function = _of_numbers("perm", "write exp(lgamma(n + 1) - lgamma(n - k + 1))")
ulp: Function = _of_numbers("ulp", "it is about the digits of floats")
# fmt: on


def dist(p: Iterable[Any], q: Iterable[Any]) -> Any:
    """Return the distance of two points, sequences of coordinates. Raises ValueError for lengths.

    >>> dist([0.0, 0.0], [3.0, 4.0])
    5.0
    """
    return hypot(*[x - y for x, y in _pairs("dist", p, q)])


def fsum(values: Iterable[Any]) -> Any:
    """Return the sum: of numbers exactly rounded, of Values added in order.

    >>> fsum([0.1] * 10)
    1.0
    """
    values = list(values)
    return own.fsum(values) if _is_plain(values) else sum(values)


def isclose(a: Any, b: Any, *, rel_tol: float = 1e-09, abs_tol: float = 0.0) -> bool:
    """Tell whether two numbers or Values are close to each other, as Python's math does.

    >>> isclose(1.0, 1.0 + 1e-12)
    True
    """
    a, b = (getattr(x, "data", x) if hasattr(x, "_apply") else x for x in (a, b))
    return own.isclose(a, b, rel_tol=rel_tol, abs_tol=abs_tol)


def prod(values: Iterable[Any], *, start: Any = 1) -> Any:
    """Return the product of numbers or Values, times `start`.

    >>> prod([2.0, 3.0])
    6.0
    """
    return reduce(lambda x, y: x * y, values, start)


def sumprod(p: Iterable[Any], q: Iterable[Any]) -> Any:
    """Return the sum of the products of two sequences. Raises ValueError for other lengths.

    >>> sumprod([1.0, 2.0], [3.0, 4.0])
    11.0
    """
    return sum(x * y for x, y in _pairs("sumprod", p, q))


def _pairs(name: str, p: Iterable[Any], q: Iterable[Any]) -> list[tuple[Any, Any]]:
    p, q = list(p), list(q)
    if len(p) != len(q):
        raise ValueError(f"math.{name} takes sequences of one length, got {len(p)} and {len(q)}")
    return list(zip(p, q))


def __getattr__(name: str) -> Any:
    if hasattr(own, name) and not name.startswith("_"):
        raise AttributeError(
            f"micrograd.math has no {name} yet, which this Python's math has: for numbers, "
            f"import math as plain and write plain.{name}(...)"
        )
    raise AttributeError(f"module 'micrograd.math' has no attribute {name!r}")
