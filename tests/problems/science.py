"""Ten scalar programs of science, written as for plain numbers.

Each takes its parameters as a list and the module for its functions: micrograd's math, Python's,
or mpmath, which has the same names. `AT` has a point for each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Program = Callable[[Any, Any], Any]


def orbit(p: Any, m: Any) -> Any:
    """Return the height of a satellite, after steps of leapfrog around the Earth."""
    x, y, vx, vy = 1.0, 0.0, p[0], p[1]
    for _ in range(60):
        r3 = m.sqrt(x * x + y * y) ** 3
        vx, vy = vx - 0.01 * x / r3, vy - 0.01 * y / r3
        x, y = x + 0.02 * vx, y + 0.02 * vy
        r3 = m.sqrt(x * x + y * y) ** 3
        vx, vy = vx - 0.01 * x / r3, vy - 0.01 * y / r3
    return m.sqrt(x * x + y * y) - 1


def dose(p: Any, m: Any) -> Any:
    """Return the squared misfit of a drug's concentration, taken by mouth, in one compartment."""
    absorbed, removed, volume = m.exp(p[0]), m.exp(p[1]), m.exp(p[2])
    total = 0.0
    for t, seen in [(0.5, 3.1), (1.0, 4.4), (2.0, 4.9), (4.0, 3.6), (8.0, 1.6), (12.0, 0.7)]:
        factor = 100 * absorbed / (volume * (absorbed - removed))
        total = total + (m.log(factor * (m.exp(-removed * t) - m.exp(-absorbed * t)) / seen)) ** 2
    return total


RETURNS = [0.3, -1.2, 0.8, 0.1, -0.4, 2.1, -1.7, 0.2, 0.6, -0.9, 0.4, 1.1]


def garch(p: Any, m: Any) -> Any:
    """Return the negative log likelihood of returns under GARCH(1, 1)."""
    base, shock, memory = p
    variance, total = base / (1 - shock - memory), 0.0
    for r in RETURNS:
        total = total + 0.5 * (m.log(2 * m.pi * variance) + r * r / variance)
        variance = base + shock * r * r + memory * variance
    return total


def kalman(p: Any, m: Any) -> Any:
    """Return the negative log likelihood of a local level, filtered from noisy observations."""
    q, r = m.exp(p[0]), m.exp(p[1])
    level, spread, total = 0.0, 10.0, 0.0
    for y in RETURNS:
        spread = spread + q
        innovation = spread + r
        total = total + 0.5 * (m.log(2 * m.pi * innovation) + (y - level) ** 2 / innovation)
        gain = spread / innovation
        level, spread = level + gain * (y - level), (1 - gain) * spread
    return total


def sabr(p: Any, m: Any) -> Any:
    """Return Hagan's implied volatility of the SABR model, away from the money."""
    alpha, beta, rho, nu = p
    forward, strike, t = 100.0, 110.0, 2.0
    k = (forward * strike) ** ((1 - beta) / 2)
    log = m.log(forward / strike)
    z = nu / alpha * k * log
    x = m.log((m.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho))
    below = k * (1 + (1 - beta) ** 2 / 24 * log**2 + (1 - beta) ** 4 / 1920 * log**4)
    drift = (1 - beta) ** 2 / 24 * alpha**2 / k**2 + rho * beta * nu * alpha / (4 * k)
    return alpha / below * (z / x) * (1 + (drift + (2 - 3 * rho**2) / 24 * nu**2) * t)


def truss(p: Any, m: Any) -> Any:
    """Return how far the tip of two bars sinks under a load, by the sizes of the bars."""
    first, second, height = p
    a = b = d = 0.0
    for area, dx in ((first, 1.0), (second, -2.0)):
        length = m.sqrt(dx * dx + height * height)
        stiffness = area / length**3
        a, b, d = a + stiffness * dx * dx, b + stiffness * dx * height, d + stiffness * height**2
    return a / (a * d - b * b)  # of the system [[a, b], [b, d]] u = [0, 1], the second unknown


def ray(p: Any, m: Any) -> Any:
    """Return where a ray crosses the axis behind a thick lens with two spherical faces."""
    front, back, index = p
    height, angle = 0.3, 0.0
    for radius, n in ((front, index), (back, 1 / index)):
        normal = m.asin(height / radius)
        into = angle + normal
        out = m.asin(m.sin(into) / n)
        angle = out - normal
        height = height + 0.2 * m.tan(angle)
    return -height / m.tan(angle)


def equilibrium(p: Any, m: Any) -> Any:
    """Return the pH of a buffer, by Newton's method on the balance of charges."""
    acid, salt, constant = m.exp(p[0]), m.exp(p[1]), m.exp(p[2])
    h = constant * acid / salt
    for _ in range(12):
        balance = h + salt - 1e-14 / h - (acid + salt) * constant / (constant + h)
        slope = 1 + 1e-14 / h**2 + (acid + salt) * constant / (constant + h) ** 2
        h = h - balance / slope
    return -m.log(h) / m.log(10.0)


def ratings(p: Any, m: Any) -> Any:
    """Return the negative log likelihood of games, by the strengths of four players."""
    total = 0.0
    for winner, loser in [(0, 1), (0, 2), (1, 2), (2, 3), (3, 0), (1, 3), (0, 3)]:
        total = total + m.log(1 + m.exp(p[loser] - p[winner]))
    return total + 0.05 * sum(x * x for x in p)


def epidemic(p: Any, m: Any) -> Any:
    """Return the misfit of an SIR epidemic, by steps of Runge and Kutta, to counts of the ill."""
    beta, gamma, start = m.exp(p[0]), m.exp(p[1]), m.exp(p[2])

    def rates(s: Any, i: Any) -> tuple[Any, Any]:
        return -beta * s * i, beta * s * i - gamma * i

    s, i, total, h = 1 - start, start, 0.0, 0.5
    for seen in (0.02, 0.04, 0.09, 0.16, 0.22, 0.24, 0.22):
        for _ in range(4):
            a, b = rates(s, i)
            c, d = rates(s + h / 2 * a, i + h / 2 * b)
            e, f = rates(s + h / 2 * c, i + h / 2 * d)
            u, v = rates(s + h * e, i + h * f)
            s = s + h / 6 * (a + 2 * c + 2 * e + u)
            i = i + h / 6 * (b + 2 * d + 2 * f + v)
        total = total + (i - seen) ** 2
    return total


AT: dict[Program, list[float]] = {
    orbit: [0.1, 1.1],
    dose: [0.4, -1.3, 2.6],
    garch: [0.2, 0.15, 0.7],
    kalman: [-1.0, 0.2],
    sabr: [2.0, 0.5, -0.3, 0.4],
    truss: [1.0, 1.5, 2.0],
    ray: [2.0, -3.0, 1.5],
    equilibrium: [-2.0, -2.5, -10.9],
    ratings: [0.5, 0.1, -0.2, -0.4],
    epidemic: [-0.1, -1.2, -4.5],
}
