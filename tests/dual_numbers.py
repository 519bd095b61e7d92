"""Plain floats with dual numbers: derivatives by a way that shares nothing with micrograd's.

A Dual x + y e, with e * e = 0, holds a number and its rate of change; both may be Duals again, for
second derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


class Dual:
    """A number and its rate of change."""

    def __init__(self, x: Any, rate: Any) -> None:
        self.x, self.rate = x, rate

    def __add__(self, other: Any) -> Dual:
        x, rate = parts(other)
        return Dual(self.x + x, self.rate + rate)

    def __mul__(self, other: Any) -> Dual:
        x, rate = parts(other)
        return Dual(self.x * x, self.rate * x + self.x * rate)

    def __truediv__(self, other: Any) -> Dual:
        x, rate = parts(other)
        return Dual(self.x / x, (self.rate * x - self.x * rate) / (x * x))

    __radd__, __rmul__ = __add__, __mul__

    def __rtruediv__(self, other: Any) -> Dual:
        return Dual(other, 0.0).__truediv__(self)

    def __neg__(self) -> Dual:
        return Dual(-self.x, -self.rate)

    def __sub__(self, other: Any) -> Dual:
        return Dual.__add__(self, -other)

    def __rsub__(self, other: Any) -> Dual:
        return Dual.__add__(-self, other)


def parts(x: Any) -> tuple[Any, Any]:
    return (x.x, x.rate) if isinstance(x, Dual) else (x, 0.0)


def number(x: Any) -> float:
    """Return the number within Duals of any depth."""
    while isinstance(x, Dual):
        x = x.x
    return float(x)


def function(value: Callable[[float], float], slope: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a function of floats one of Duals, by its slope, which is one of Duals already."""

    def of_any(x: Any) -> Any:
        return Dual(of_any(x.x), slope(x.x) * x.rate) if isinstance(x, Dual) else value(x)

    return of_any


exp: Callable[[Any], Any] = function(math.exp, lambda x: exp(x))
sin: Callable[[Any], Any] = function(math.sin, lambda x: cos(x))
cos: Callable[[Any], Any] = function(math.cos, lambda x: -sin(x))
tanh: Callable[[Any], Any] = function(math.tanh, lambda x: 1.0 - tanh(x) * tanh(x))


def largest(*values: Any) -> Any:
    """Return the largest one; at a tie, those that are count equally."""
    highest = max(map(number, values))
    [first, *others] = [x for x in values if number(x) == highest]
    return sum(others, first) * (1 / (1 + len(others)))


def gradient(f: Callable[[list[Any]], Any], at: list[float]) -> list[float]:
    """Return the derivative of f by each of its numbers."""
    return [
        number(parts(f([Dual(x, float(i == k)) for i, x in enumerate(at)]))[1])
        for k in range(len(at))
    ]


def hessian(f: Callable[[list[Any]], Any], at: list[float]) -> list[list[float]]:
    """Return the second derivatives of f by each two of its numbers."""

    def second(j: int, k: int) -> float:
        xs = [Dual(Dual(x, float(i == j)), Dual(float(i == k), 0.0)) for i, x in enumerate(at)]
        return number(parts(parts(f(xs))[1])[1])

    return [[second(j, k) for k in range(len(at))] for j in range(len(at))]
