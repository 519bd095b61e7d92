"""Problems of GradBench, in scalar Python: https://github.com/gradbench/gradbench.

The two nested ones go back to Pearlmutter and Siskind, Reverse-mode AD in a functional framework
(2008); `outer` and `inner` are the derivatives that they are computed by.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from micrograd import Value, jacobian, sqrt

Vector = list[Any]
Gradient = Callable[[Callable[[Any], Any]], Callable[[Any], Any]]


def determinant(matrix: Any) -> Any:
    """Compute a determinant by minors along the first row."""
    if len(matrix) == 1:
        return matrix[0][0]
    total: Any = 0.0
    for j, entry in enumerate(matrix[0]):
        minor = determinant([[*row[:j], *row[j + 1 :]] for row in matrix[1:]])
        total = total + entry * minor if j % 2 == 0 else total - entry * minor
    return total


def least_squares(x: Any, n: int) -> Any:
    """Compute half the squared distance of a polynomial from the sign function, at n points."""
    total: Any = 0.0
    for i in range(n):
        t = -1 + 2 * i / (n - 1)
        residual: Any = float((t > 0) - (t < 0))
        for j, coefficient in enumerate(x):
            residual = residual - coefficient * t**j
        total = total + residual * residual
    return total / 2


def forward(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Do as `grad(f)` in forward mode, as for a Jacobian with more results than x."""
    return lambda x: jacobian(lambda x: [f(x)] * (len(x) + 1))(x)[0]


def argmin(f: Callable[[Any], Any], gradient: Callable[[Any], Any], x: Vector) -> Vector:
    """Descend, with the step doubled after ten that succeed and halved after one that fails.

    The numbers 1e-5 and 10 are part of the problem: they decide where it stops.
    """
    value, slope, step, successes = f(x), gradient(x), 1e-5, 0
    while math.hypot(*map(_number, slope)) > 1e-5:
        if successes == 10:
            step, successes = 2 * step, 0
            continue
        moved = [a - step * g for a, g in zip(x, slope)]
        if math.dist([*map(_number, x)], [*map(_number, moved)]) <= 1e-5:
            break
        moved_value = f(moved)
        if moved_value < value:
            x, value, slope, successes = moved, moved_value, gradient(moved), successes + 1
        else:
            step, successes = step / 2, 0
    return x


def _number(x: Any) -> float:
    return x.data if isinstance(x, Value) else float(x)


def landing(inner: Gradient) -> Callable[[Vector], Any]:
    """Return the squared miss of a particle pushed by two charges, one at height 10 - w."""

    def squared_distance(w: Vector) -> Any:
        charges = [(10.0, 10.0 - w[0]), (10.0, 0.0)]

        def potential(at: Vector) -> Any:
            ways = [(at[0] - x, at[1] - y) for x, y in charges]
            return sum(1 / sqrt(x * x + y * y) for x, y in ways)

        at: Vector = [0.0, 8.0]
        velocity: Vector = [0.75, 0.0]
        while True:
            slope = inner(potential)(at)
            moved = [x + 0.1 * v for x, v in zip(at, velocity)]
            if moved[1] <= 0:
                time = -at[1] / velocity[1]
                x = at[0] + time * velocity[0]
                return x * x
            at, velocity = moved, [v - 0.1 * s for v, s in zip(velocity, slope)]

    return squared_distance


def particle(outer: Gradient, inner: Gradient, w: float) -> float:
    """Find the w for which the particle lands nearest to the origin."""
    f = landing(inner)
    return _number(argmin(f, outer(f), [w])[0])


def saddle(outer: Gradient, inner: Gradient, start: Vector) -> Vector:
    """Compute min over p of max over q of |p|^2 - |q|^2, and where it is."""

    def cost(p: Vector, q: Vector) -> Any:
        return (p[0] * p[0] + p[1] * p[1]) - (q[0] * q[0] + q[1] * q[1])

    def best_reply(p: Vector) -> Vector:
        def loss(q: Vector) -> Any:
            return -cost(p, q)

        return argmin(loss, inner(loss), start)

    def worst_case(p: Vector) -> Any:
        return cost(p, best_reply(p))

    p = argmin(worst_case, outer(worst_case), start)
    return [*map(_number, p), *map(_number, best_reply(p))]
