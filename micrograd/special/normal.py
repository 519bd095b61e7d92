"""The normal distribution: its probabilities, their logarithms, and the inverse functions."""

from __future__ import annotations

import math
from typing import Any

from micrograd.ops import (
    LOG_2,
    Op,
    Steps,
    abs,
    erf,
    erfc,
    exp,
    less,
    log,
    log1p,
    minimum,
    sqrt,
    where,
)

ROOT_2 = math.sqrt(2)
ROOT_2_PI = math.sqrt(2 * math.pi)
LOG_ROOT_2_PI = math.log(2 * math.pi) / 2
_TAIL = -4.0  # below, the continued fraction converges fast


def _hazard(x: Any) -> Any:
    """Return density(x) / ndtr(x), the slope of log_ndtr: in the tail by Laplace's fraction."""
    in_tail = less(x, _TAIL)
    near, far = where(in_tail, 0.0, x), where(in_tail, -x, -_TAIL)
    fraction = far
    for k in range(50, 0, -1):
        fraction = far + k / fraction
    return where(in_tail, fraction, exp(-near * near / 2) / ROOT_2_PI / ndtr(near))


def _log_ndtr(x: Any) -> Any:
    in_tail, above = less(x, _TAIL), less(0, x)
    middle = where(in_tail, 0.0, where(above, 0.0, x))
    tail = -x * x / 2 - LOG_ROOT_2_PI - log(_hazard(where(in_tail, x, _TAIL - 1)))
    upper = log1p(-ndtr(where(above, -x, 0.0)))
    return where(in_tail, tail, where(above, upper, log(ndtr(middle))))


def _inverse_erf(x: Any, tail: Any) -> Any:
    """Return the inverse of erf at x, with 1 - abs(x) given, by three steps of Newton's method.

    They start from Winitzki's approximation, right to 0.4 %. In the tail they go by the logarithm.
    """
    size = abs(x)
    logarithm = log(tail * (1 + size))
    t = 2 / (math.pi * 0.147) + logarithm / 2
    y = sqrt(-logarithm / 0.147 / (sqrt(t * t - logarithm / 0.147) + t))
    in_tail = less(0.5, size)
    wanted = log(tail)
    for _ in range(3):
        center = where(in_tail, 0.0, y)
        far = -ROOT_2 * y
        up = (erf(center) - size) * exp(center * center) / ERF_SLOPE
        down = (LOG_2 + log_ndtr(far) - wanted) / (ROOT_2 * _hazard(far))
        y = where(in_tail, y + down, y - up)
    return where(less(x, 0), -y, y)


ERF_SLOPE = 2 / math.sqrt(math.pi)

# fmt: off

ndtr: Op = Op("ndtr",  lambda x: 0.5 * erfc(-x / ROOT_2),
                                                 lambda x, out: exp(-x * x / 2) / ROOT_2_PI)
log_ndtr: Op = Op("log_ndtr", Steps(_log_ndtr),  lambda x, out: _hazard(x))
ndtri = Op("ndtri",    Steps(lambda p: ROOT_2 * _inverse_erf(2 * p - 1, 2 * minimum(p, 1 - p))),
                                                 lambda p, out: ROOT_2_PI * exp(out * out / 2))
erfinv = Op("erfinv",  Steps(lambda x: _inverse_erf(x, 1 - abs(x))),
                                                 lambda x, out: exp(out * out) / ERF_SLOPE)
# fmt: on
