"""The gamma function, its logarithm, and the derivatives of that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from typing import Any

from micrograd.ops import ON_ARRAYS, Op, Steps, abs, equal, less, log, power, sign, sqrt, tan, where
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


def _slopes_of_cotangent(most: int) -> Iterator[list[int]]:
    """Yield the derivatives of the cotangent as polynomials of it: each is -(1 + c**2) p'(c)."""
    p = [0, 1]  # from the lowest power
    for _ in range(most):
        slope = [-k * a for k, a in enumerate(p)][1:]
        p = [a + b for a, b in zip([*slope, 0, 0], [0, 0, *slope])]
        yield p


_MOST = 8  # the order of the derivatives of digamma at negative numbers
_COTANGENT = list(_slopes_of_cotangent(_MOST))


def _cotangent(x: Any) -> Any:
    """Return the cotangent of pi x for x in [-1/2, 1/2] other than 0; near 1/2 it is small."""
    far = less(0.25, abs(x))
    size = math.pi * where(far, 0.5 - abs(x), abs(x))
    return sign(x) * where(far, tan(size), 1 / tan(where(far, 1.0, size)))


def _polynomial(p: list[int], c: Any) -> Any:
    """Compute a polynomial of even, or of odd powers alone."""
    odd = 1 - len(p) % 2
    total = reduce(lambda total, a: total * (c * c) + a, p[odd::2][::-1])
    return c * total if odd else total


def _polygamma(n: Any, x: Any) -> Any:
    """Sum (-1)**(n + 1) n! / (x + k)**(n + 1) over k, the far terms by Euler and Maclaurin.

    What is below 0 is reflected: up to a sign it is that of 1 - x, less a slope of the cotangent.
    """
    is_first, above = equal(n, 0), less(0, x)
    inside = where(above, 1.0, less(n, _MOST + 1) * (1 - equal(x, floor(x))))
    known = where(is_first, 1.0, less(0, n) * equal(n, floor(n)) * inside)
    s = where(is_first, 2.0, n + 1)
    z = where(above, x, 1 - x)
    w = z + _UP
    term = w ** (-s)  # which may be 0 where the first of the sum is not
    total = w ** (1 - s) / (s - 1) + 0.5 * term
    for k in range(_UP):
        total = total + (z + k) ** (-s)
    term = term * s / w
    for j, bernoulli in enumerate(_BERNOULLI, 1):
        total = total + bernoulli / math.factorial(2 * j) * term
        term = term * (s + 2 * j - 1) * (s + 2 * j) / (w * w)
    alternating = 2 * mod(n, 2) - 1
    summed = alternating * gamma(s) * total
    c = _cotangent(where(above, 0.25, where(inside, x - round(x), 0.25)))
    slope = sum(where(equal(n, k), _polynomial(p, c), 0.0) for k, p in enumerate(_COTANGENT, 1))
    reflected = -alternating * summed - power(math.pi, s) * slope
    first = _digamma(where(is_first, x, 1.0))
    return where(is_first, first, where(above, summed, reflected)) + _nothing_but(known)


# fmt: off

gamma: Op = Op("gamma",   math.gamma,                lambda x, out: out * digamma(x))
lgamma = Op("lgamma",     math.lgamma,               lambda x, out: digamma(x))  # of abs(gamma(x))
digamma: Op = Op("digamma", Steps(_digamma),         lambda x, out: polygamma(1.0, x))
# The derivative of order n of digamma, a whole number; of negative x up to order 8.
polygamma: Op = Op("polygamma", Steps(_polygamma),   None,
                                                     lambda n, x, out: polygamma(n + 1, x))
# fmt: on


def _lgamma_on_arrays(x: Any) -> Any:
    """Compute it as math.lgamma: SciPy's is -inf at -inf, and inf next to 0."""
    from scipy.special import gammaln

    is_tiny = less(abs(x), 1e-300) * less(0, abs(x))
    far = gammaln(where(equal(x, -math.inf), math.inf, x))
    return where(is_tiny, -log(where(is_tiny, abs(x), 1.0)), far)


ON_ARRAYS[lgamma] = _lgamma_on_arrays
