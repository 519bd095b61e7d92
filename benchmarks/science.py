"""Works of science for benchmarks/programs.py: fits of many rows, and long evaluations of one.

Each formula is written once, on scalars, with `m` for the functions of a library. JAX gets its
loops as `lax.scan`, since it unrolls those of Python. `rows NAME N` is the loss of N rows, with its
gradient by the parameters; `once NAME` is a value and its gradient by the arguments.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import numpy as np

Step = Callable[[], Any]

# Losses of one row ------------------------------------------------------------------------------


def logistic(p: Any, m: Any, row: Any) -> Any:
    """Return the negative log likelihood of a label, by six features."""
    *x, label = row
    z = p[6] + sum(w * xi for w, xi in zip(p, x))
    return m.softplus(z) - label * z


def mixture(p: Any, m: Any, row: Any) -> Any:
    """Return the negative log likelihood of a number, under three normal distributions."""
    logits, means, logs = p[:3], p[3:6], p[6:9]
    terms = []
    for logit, mean, log in zip(logits, means, logs):
        z = (row[0] - mean) * m.exp(-log)
        terms.append(logit - log - 0.5 * z * z)
    return m.logsumexp(logits) - m.logsumexp(terms)


def sabr(p: Any, m: Any, row: Any) -> Any:
    """Return the squared error of Hagan's volatility, at the money by the limit of its formula."""
    alpha, beta, rho, nu = p
    forward, strike, time, seen = row
    k = (forward * strike) ** ((1 - beta) / 2)
    drift = (1 - beta) ** 2 / 24 * alpha**2 / k**2 + rho * beta * nu * alpha / (4 * k)
    late = 1 + (drift + (2 - 3 * rho**2) / 24 * nu**2) * time

    def away(log: Any) -> Any:
        z = nu / alpha * k * log
        x = m.log((m.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho))
        below = k * (1 + (1 - beta) ** 2 / 24 * log**2 + (1 - beta) ** 4 / 1920 * log**4)
        return alpha / below * (z / x) * late

    log = m.log(forward / strike)
    return (m.choose(abs(log) < 1e-4, lambda: alpha / k * late, away, log) - seen) ** 2


def curve(p: Any, m: Any, row: Any) -> Any:
    """Return the squared error of a yield, by the curve of Nelson and Siegel."""
    years, seen = row
    decay = m.exp(-years / p[3])
    load = (1 - decay) / (years / p[3])
    return (p[0] + p[1] * load + p[2] * (load - decay) - seen) ** 2


def kepler(p: Any, m: Any, row: Any) -> Any:
    """Return the squared error of a star's radial velocity, by Newton's steps to its place."""
    phase, motion, eccentricity, size, turn, drift = p
    time, seen = row
    mean = phase + motion * time
    e = mean
    for _ in range(5):
        e = e - (e - eccentricity * m.sin(e) - mean) / (1 - eccentricity * m.cos(e))
    up, down = m.sqrt(1 + eccentricity) * m.sin(e / 2), m.sqrt(1 - eccentricity) * m.cos(e / 2)
    angle = 2 * m.arctan2(up, down)
    return (size * (m.cos(angle + turn) + eccentricity * m.cos(turn)) + drift - seen) ** 2


def _rows(kind: str, n: int) -> Any:
    """Draw the rows of a fit, as columns."""
    draw = np.random.default_rng(0)
    noise = draw.normal(size=n)
    if kind == "logistic":
        return [*draw.normal(size=(6, n)), (noise > 0.0).astype(float)]
    if kind == "mixture":
        return [draw.choice([-2.0, 0.0, 3.0], n) + noise]
    if kind == "sabr":
        forward, strike = np.full(n, 100.0), draw.uniform(80, 120, n)
        strike[::100] = 100.0  # at the money
        return [forward, strike, draw.uniform(0.5, 3, n), 0.2 + 0.01 * noise]
    if kind == "curve":
        return [draw.uniform(0.25, 30, n), 3 + 0.1 * noise]
    return [draw.uniform(0, 50, n), 3 + 50 * noise]


FITS: dict[str, tuple[Any, list[float]]] = {
    "logistic": (logistic, [0.3, -0.2, 0.5, 0.1, -0.4, 0.2, 0.1]),
    "mixture": (mixture, [0.1, 0.2, -0.3, -1.5, 0.2, 2.5, 0.1, 0.0, 0.3]),
    "sabr": (sabr, [2.0, 0.5, -0.3, 0.4]),
    "curve": (curve, [5.0, -1.0, 1.0, 2.0]),
    "kepler": (kepler, [0.3, 1.1, 0.2, 50.0, 0.7, 3.0]),
}

# Long evaluations: a state, how it moves on, and what each step adds to the result ---------------


class Loop:
    """A state that moves on for `steps` steps; the sum of what the steps give is the result.

    `begin(p, m)` returns the first state, `step(p, m, state, x)` the next one and what is added;
    `xs` has the row of data that each step gets.
    """

    def __init__(self, begin: Any, step: Any, xs: Any, at: list[float]) -> None:
        self.begin, self.step, self.at = begin, step, at
        self.xs = np.asarray(xs, float).reshape(len(xs), -1)

    def __call__(self, p: Any, m: Any) -> Any:
        state, total = self.begin(p, m), 0.0
        for x in self.xs.tolist():
            state, added = self.step(p, m, state, x)
            total = total + added
        return total

    def in_jax(self, p: Any, m: Any) -> Any:
        from jax.lax import scan

        def step(carry: Any, x: Any) -> Any:
            state, total = carry
            state, added = self.step(p, m, state, x)
            return (tuple(map(m.asarray, state)), total + added), None

        first = tuple(m.asarray(x, float) for x in self.begin(p, m)), m.asarray(0.0)
        return scan(step, first, m.asarray(self.xs))[0][1]


def _garch_step(p: Any, m: Any, state: Any, x: Any) -> Any:
    [variance], [r] = state, x
    added = 0.5 * (m.log(2 * math.pi * variance) + r * r / variance)
    return (p[0] + p[1] * r * r + p[2] * variance,), added


def _kalman_step(p: Any, m: Any, state: Any, x: Any) -> Any:
    """Filter a local linear trend: predict, weigh the innovation, update."""
    level, slope, a, b, d = state
    of_level, of_slope, of_noise = m.exp(p[0]), m.exp(p[1]), m.exp(p[2])
    level, a, b, d = level + slope, a + 2 * b + d + of_level, b + d, d + of_slope
    innovation, spread = x[0] - level, a + of_noise
    added = 0.5 * (m.log(2 * math.pi * spread) + innovation**2 / spread)
    gain, other = a / spread, b / spread
    level, slope = level + gain * innovation, slope + other * innovation
    return (level, slope, a - gain * a, b - gain * b, d - other * b), added


def _pid_step(p: Any, m: Any, state: Any, x: Any) -> Any:
    """Turn a motor to a place, with a voltage that is limited, by three gains."""
    place, speed, area, before = state
    error = x[0] - place
    area = area + 0.01 * error
    voltage = p[0] * error + p[1] * area + p[2] * (error - before) / 0.01
    voltage = m.minimum(m.maximum(voltage, -12.0), 12.0)
    speed = speed + 0.01 * (4 * voltage - 2 * speed)
    return (place + 0.01 * speed, speed, area, error), 0.01 * (error * error + 1e-4 * voltage**2)


def _runge_kutta(rates: Any, state: Any, h: float) -> Any:
    """Move a state on by the classical step of Runge and Kutta."""
    a = rates(state)
    b = rates([y + h / 2 * k for y, k in zip(state, a)])
    c = rates([y + h / 2 * k for y, k in zip(state, b)])
    d = rates([y + h * k for y, k in zip(state, c)])
    return [y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4) for y, k1, k2, k3, k4 in zip(state, a, b, c, d)]


def _sir_step(p: Any, m: Any, state: Any, x: Any) -> Any:
    def rates(state: Any) -> list[Any]:
        caught, healed = p[0] * state[0] * state[1], p[1] * state[1]
        return [-caught, caught - healed, healed]

    state = _runge_kutta(rates, state, 0.25)
    return state, (state[1] - x[0]) ** 2


def _drug_step(p: Any, m: Any, state: Any, x: Any) -> Any:
    """Absorb a drug, exchange it with the tissue, and remove it by an enzyme that saturates."""

    def rates(state: Any) -> list[Any]:
        gut, blood, tissue = state
        absorbed, removed = p[0] * gut, p[1] * blood / (p[2] + blood)
        out, back = p[3] * blood, p[4] * tissue
        return [-absorbed, absorbed - removed - out + back, out - back]

    state = _runge_kutta(rates, state, 0.25)
    return state, (m.log(state[1] + 1) - x[0]) ** 2


def _bodies_step(p: Any, m: Any, state: Any, x: Any) -> Any:
    """Move three bodies in the plane by a leapfrog; what is added is their distance at the end."""
    places, speeds = list(state[:6]), list(state[6:])
    places = [q + 0.005 * v for q, v in zip(places, speeds)]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        dx, dy = places[2 * j] - places[2 * i], places[2 * j + 1] - places[2 * i + 1]
        square = dx * dx + dy * dy
        pull = 0.01 / (square * m.sqrt(square))
        for axis, d in enumerate((dx, dy)):
            speeds[2 * i + axis] = speeds[2 * i + axis] + p[12 + j] * pull * d
            speeds[2 * j + axis] = speeds[2 * j + axis] - p[12 + i] * pull * d
    places = [q + 0.005 * v for q, v in zip(places, speeds)]
    return (*places, *speeds), x[0] * (places[0] ** 2 + places[3] ** 2)


BODIES = [0.97, -0.24, -0.97, 0.24, 0.0, 0.01, 0.47, 0.43, 0.47, 0.43, -0.93, -0.86, 1.0, 1.0, 1.0]


def _atoms(p: Any, m: Any) -> Any:
    """Return the energy of atoms that attract each other, by Lennard and Jones."""
    points = [[p[i], p[i + 1], p[i + 2]] for i in range(0, 90, 3)]
    total = 0.0
    for one, other in combinations(points, 2):
        square = sum((a - b) * (a - b) for a, b in zip(one, other))
        inverse = 1 / square**3
        total = total + 4 * inverse * (inverse - 1)
    return total


def _atoms_in_jax(p: Any, m: Any) -> Any:
    points, (one, other) = p.reshape(30, 3), np.triu_indices(30, 1)
    inverse = 1 / ((points[one] - points[other]) ** 2).sum(axis=1) ** 3
    return (4 * inverse * (inverse - 1)).sum()


def _crystal() -> list[float]:
    grid = np.stack(np.meshgrid(*[np.arange(4.0)] * 3), axis=-1).reshape(-1, 3)[:30]
    atoms = 1.2 * grid + np.random.default_rng(3).uniform(-0.1, 0.1, (30, 3))
    return [float(x) for x in atoms.flat]


def _noise(n: int) -> Any:
    return np.random.default_rng(1).normal(size=n)


LOOPS: dict[str, Any] = {
    "garch": Loop(
        lambda p, m: (p[0] / (1 - p[1] - p[2]),), _garch_step, _noise(2000), [0.1, 0.1, 0.8]
    ),
    "kalman": Loop(
        lambda p, m: (0.0, 0.0, 10.0, 0.0, 10.0),
        _kalman_step,
        np.cumsum(_noise(500)),
        [-1.0, -3.0, 0.2],
    ),
    "pid": Loop(
        lambda p, m: (0.0, 0.0, 0.0, 1.0), _pid_step, [1.0] * 300 + [-1.0] * 300, [8.0, 2.0, 0.5]
    ),
    "sir": Loop(
        lambda p, m: (1 - p[2], p[2], 0.0), _sir_step, 0.2 + 0.01 * _noise(200), [0.5, 0.2, 0.01]
    ),
    "drug": Loop(
        lambda p, m: (100.0, 0.0, 0.0),
        _drug_step,
        2 + 0.1 * _noise(48),
        [1.2, 8.0, 20.0, 0.3, 0.2],
    ),
    "bodies": Loop(
        lambda p, m: tuple(p[i] for i in range(12)), _bodies_step, [0.0] * 199 + [1.0], BODIES
    ),
}

# By each library --------------------------------------------------------------------------------


def _in_micrograd() -> Any:
    import micrograd as mg

    names = ["exp", "log", "sqrt", "sin", "cos", "arctan2", "minimum", "maximum"]
    names += ["softplus", "logsumexp"]
    chosen = lambda is_near, near, away, log: near() if is_near else away(log)  # noqa: E731
    return SimpleNamespace(choose=chosen, **{name: getattr(mg, name) for name in names})


def _in_jax() -> Any:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def choose(is_near: Any, near: Any, away: Any, log: Any) -> Any:
        safe = jnp.where(is_near, 1.0, log)  # or the slope of what is not chosen is nan
        return jnp.where(is_near, near(), away(safe))

    names = ("exp", "log", "sqrt", "sin", "cos", "arctan2", "minimum", "maximum", "asarray")
    return SimpleNamespace(
        choose=choose,
        softplus=jax.nn.softplus,
        logsumexp=lambda xs: jax.scipy.special.logsumexp(jnp.stack(xs), axis=0),
        **{name: getattr(jnp, name) for name in names},
    )


def _rows_micrograd(kind: str, n: int) -> Step:
    """Take the step that a user takes: zero the grads, call, `backward()`."""
    import micrograd as mg

    formula, at = FITS[kind]
    m, parameters = _in_micrograd(), [mg.Value(x) for x in at]
    loss = mg.program(lambda row: formula(parameters, m, row))
    rows = np.stack(_rows(kind, n), axis=1)
    optimizer = mg.optim.SGD(parameters, lr=0.0)

    def step() -> Any:
        optimizer.zero_grad()
        total = loss(rows).mean()
        total.backward()
        return total.data, [p.grad for p in parameters]

    return step


def _rows_jax(kind: str, n: int) -> Step:
    import jax
    import jax.numpy as jnp

    formula, at = FITS[kind]
    m = _in_jax()
    columns = list(map(jnp.asarray, _rows(kind, n)))
    both = jax.jit(jax.value_and_grad(lambda p, *row: formula(list(p), m, row).mean()))
    p = jnp.asarray(at)
    return lambda: jax.block_until_ready(both(p, *columns))


def _once_micrograd(kind: str) -> Step:
    import micrograd as mg

    f, at = ONCE[kind]
    m = _in_micrograd()
    both = mg.value_and_grad(mg.program(lambda p: f(p, m)))
    rows = np.array([at])
    return lambda: [x.data[0] for x in both(rows)]


def _once_eager(kind: str) -> Step:
    import micrograd as mg

    f, at = ONCE[kind]
    m = _in_micrograd()
    both = mg.value_and_grad(lambda p: f(p, m))
    return lambda: both(at)


def _once_jax(kind: str) -> Step:
    import jax
    import jax.numpy as jnp

    f, at = ONCE[kind]
    m, in_jax = _in_jax(), _atoms_in_jax if f is _atoms else f.in_jax
    both = jax.jit(jax.value_and_grad(lambda p: in_jax(p, m)))
    p = jnp.asarray(at)
    return lambda: jax.block_until_ready(both(p))


def _once_casadi(kind: str) -> Step:
    import casadi

    f, at = ONCE[kind]
    m = SimpleNamespace(minimum=casadi.fmin, maximum=casadi.fmax)
    for name in ("exp", "log", "sqrt", "sin", "cos"):
        setattr(m, name, getattr(casadi, name))
    p = casadi.SX.sym("p", len(at))
    value = f([p[i] for i in range(len(at))], m)
    function = casadi.Function("f", [p], [value, casadi.gradient(value, p)])
    return lambda: function(at)


ONCE = {kind: (loop, loop.at) for kind, loop in LOOPS.items()} | {"atoms": (_atoms, _crystal())}
ROWS_BY = {"micrograd": _rows_micrograd, "jax": _rows_jax}
ONCE_BY = {
    "micrograd": _once_micrograd,
    "eager": _once_eager,
    "jax": _once_jax,
    "casadi": _once_casadi,
}


def make(name: str, work: list[str]) -> Step:
    """Make the step of a work such as "rows logistic 100000" or "once garch"."""
    if work[0] == "rows":
        return ROWS_BY[name](work[1], int(work[2]))
    return ONCE_BY[name](work[1])


def result_of(step: Step) -> list[float]:
    """Return the value that a step computes, and then its gradient."""
    return [float(x) for part in step() for x in np.asarray(part, float).flat]
