"""Rounding, the remainder of a division, and signs: functions with jumps."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

from micrograd.ops import KINKS, OF_TWO, STOPS, Op, equal, sign


def _rounded(f: Callable[[float], int]) -> Callable[[float], float]:
    """Return a function of `math` that gives floats, inf and -0.0 among them, as C does."""
    return lambda x: math.copysign(f(x), x) if math.isfinite(x) else x


# fmt: off

# Each is flat: its slope is 0, also at the jumps. Halves are rounded to the even neighbour.
floor: Op = Op("floor", _rounded(math.floor),     lambda x, out: 0.0)
ceil = Op("ceil",       _rounded(math.ceil),      lambda x, out: 0.0)
trunc = Op("trunc",     _rounded(math.trunc),     lambda x, out: 0.0)
round: Op = Op("round", _rounded(builtins.round), lambda x, out: 0.0)

# The remainder has the sign of y, as Python's and NumPy's do.
mod = Op("mod",         lambda x, y: x % y,      lambda x, y, out: 1.0,
                                                 lambda x, y, out: round((out - x) / y), symbol="%")

# The sign of y on x: without a slope in y, whose sign is all that counts.
copysign: Op = Op("copysign", math.copysign,     lambda x, y, out: sign(x) * copysign(1.0, y), None)
# fmt: on


STOPS.update([floor, ceil, trunc, round])


def _is_whole(x: Any) -> Any:
    return equal(x, floor(x))


KINKS.update(
    {
        floor: {(0, 0): _is_whole},
        ceil: {(0, 0): _is_whole},
        trunc: {(0, 0): lambda x: _is_whole(x) * (1.0 - equal(x, 0))},
        round: {(0, 0): lambda x: equal(x - floor(x), 0.5)},
        copysign: {(0, 0): lambda x, y: equal(x, 0)},
        mod: dict.fromkeys(OF_TWO, lambda x, y: equal(mod(x, y), 0)),
    }
)
