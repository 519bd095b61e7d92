"""Functions of logarithms and powers that have names of their own."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

from micrograd.ops import (
    KINKS,
    LOG_2,
    OF_TWO,
    Op,
    abs,
    cos,
    equal,
    less,
    log,
    log1p,
    power,
    sin,
    where,
)

PI = math.pi


def _logit(x: Any) -> Any:
    # Near 1/2 the quotient is near 1, where log1p keeps the digits.
    near = less(abs(x - 0.5), 0.2)
    middle = where(near, x, 0.5)
    return where(near, log1p((2 * middle - 1) / (1 - middle)), log(x / (1 - x)))


def _other_than_zero(x: Any) -> Any:
    return where(equal(x, 0), 1.0, x)


# The Taylor series of the slope of sinc, divided by x: in powers of x**2, from the highest.
_SLOPE = [(-1) ** k * 2 * k * PI ** (2 * k) / math.factorial(2 * k + 1) for k in range(16, 0, -1)]


def _sinc_slope(x: Any, out: Any) -> Any:
    """Return (cos(pi x) - sinc(x)) / x, which near 0 cancels: there as its series."""
    near = less(x * x, 0.4)
    far = where(near, 1.0, x)
    series = reduce(lambda total, c: total * x * x + c, _SLOPE[1:], _SLOPE[0])
    return where(near, x * series, (cos(PI * x) - out) / far)


# fmt: off

exp2 = Op("exp2",   lambda x: power(2.0, x), lambda x, out: out * LOG_2)
logit = Op("logit", _logit,                  lambda x, out: 1 / (x * (1 - x)))
# As in NumPy, with a factor of pi: sin(pi x) / (pi x), which is 1 at 0.
sinc = Op("sinc",   lambda x: where(equal(x, 0), 1.0, sin(PI * x) / (PI * _other_than_zero(x))),
                                             _sinc_slope)
# x * log(y), which is 0 for x = 0, whatever y is. Its slope in y is 0 there, even at y = 0.
xlogy = Op("xlogy", lambda x, y: x * log(where(equal(x, 0) * equal(y, y), 1.0, y)),
                                             lambda x, y, out: log(y),
                                             lambda x, y, out: x / (y + equal(x, 0) * equal(y, 0)))
# fmt: on

KINKS[xlogy] = dict.fromkeys(OF_TWO, lambda x, y: equal(x, 0) * equal(y, 0))
