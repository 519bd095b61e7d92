"""The gamma function, its logarithm, and the derivatives of that."""

from __future__ import annotations

import math
from typing import Any

from micrograd.ops import Op, Steps, equal, less, log, sqrt, tan, where
from micrograd.special.rounding import floor, mod, round

# Bernoulli numbers B2, B4, ..., B24.
_BERNOULLI = [
    *(1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510),
    *(43867 / 798, -174611 / 330, 854513 / 138, -236364091 / 2730),
]
_UP = 10  # steps to where the asymptotic series is good


def _digamma(x: Any) -> Any:
    """Go up by the recurrence to where the asymptotic series holds; reflect what is below 1/2."""
    below = less(x, 0.5)
    z = where(below, 1 - x, x)
    w = z + _UP
    series = 0.0
    for k in range(8, 0, -1):
        series = (series + _BERNOULLI[k - 1] / (2 * k)) / (w * w)
    above = log(w) - 0.5 / w - series
    for k in range(_UP):
        above = above - 1 / (z + k)
    angle = where(below, math.pi * (x - round(x)), 1.0)
    return where(below, above - math.pi / tan(angle), above)


def _nothing_but(condition: Any) -> Any:
    """Return 0 where a condition holds; elsewhere raise ValueError, or on arrays return nan."""
    return sqrt(where(condition, 0.0, -1.0))


def _polygamma(n: Any, x: Any) -> Any:
    """Sum (-1)**(n + 1) n! / (x + k)**(n + 1) over k, the far terms by Euler and Maclaurin."""
    is_first = equal(n, 0)
    known = where(is_first, 1.0, less(0, n) * equal(n, floor(n)) * less(0, x))
    s = where(is_first, 2.0, n + 1)
    x_above = where(less(0, x), x, 1.0)
    w = x_above + _UP
    term, total = w ** (-s), 0.0
    total = w * term / (s - 1) + 0.5 * term
    for k in range(_UP):
        total = total + (x_above + k) ** (-s)
    term = term * s / w
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        total = total + bernoulli / math.factorial(2 * j) * term
        term = term * (s + 2 * j - 1) * (s + 2 * j) / (w * w)
    sign = 2 * mod(n, 2) - 1
    first = _digamma(where(is_first, x, 1.0))
    return where(is_first, first, sign * gamma(s) * total) + _nothing_but(known)


# fmt: off

gamma: Op = Op("gamma",   math.gamma,                lambda x, out: out * digamma(x))
lgamma = Op("lgamma",     math.lgamma,               lambda x, out: digamma(x))  # of abs(gamma(x))
digamma: Op = Op("digamma", Steps(_digamma),         lambda x, out: polygamma(1.0, x))
# The derivative of order n of digamma, for n > 0 of positive x; n is a whole number.
polygamma: Op = Op("polygamma", Steps(_polygamma),   None,
                                                     lambda n, x, out: polygamma(n + 1, x))
# fmt: on
