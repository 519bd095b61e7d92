"""Functions that equations define: roots and fixed points, and how they move with parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from micrograd.derivatives import chain_rule, sweeps
from micrograd.derivatives.equations.linear import number_of, solve
from micrograd.derivatives.errors import name_of
from micrograd.derivatives.fresh_inputs import Call
from micrograd.derivatives.sweeps import identity
from micrograd.derivatives.trees import Nested, array_of, map_values
from micrograd.engine import Value
from micrograd.graph.modes import enable_grad, ieee
from micrograd.value import hooks
from micrograd.value.numbers import to_float

_MOST_STEPS = 100  # of Newton's method
_MOST_ITERATIONS = 100_000  # of a fixed point


def implicit_root(f: Callable[..., Any], x0: Any, *args: Any) -> Any:
    """Return the x near x0 for which `f(x, *args)` is zero, as a function of the Values in `args`.

    x0 is a number, or a sequence or an array of numbers; `f` returns as many results. The root is
    found in floats, by Newton's method with steps that are halved where they do not help; give a
    root that you have as x0. Its derivatives, of any order, are those of the implicit function
    theorem: no step of the search is recorded. `args` are numbers, Values, or nestings of them.
    The result is a Value or an array of them, or floats if there are no Values. What `f` takes
    from elsewhere counts as a constant, and raises ValueError if it is a Value. Raises ValueError
    where no root is found, and where the derivative by x is singular.

    >>> from micrograd import grad
    >>> a = Value(2.0)
    >>> x = implicit_root(lambda x, a: x * x - a, 1.0, a)  # the square root of a
    >>> slope = grad(x, a)
    >>> print(f"{x:.6f} {slope:.6f} {grad(slope, a).data:.6f}")
    1.414214 0.353553 -0.088388
    """
    return _Equations(f, f, x0, args, "implicit_root").solution(_newton)


def fixed_point(g: Callable[..., Any], x0: Any, *args: Any) -> Any:
    """Return the x that `x = g(x, *args)` leads to from x0, as a function of the Values in `args`.

    It is iterated in floats until it stands still; derivatives, arguments and result are as for
    `implicit_root`. Raises ValueError where it does not converge.

    >>> from micrograd import cos, grad
    >>> a = Value(1.0)
    >>> x = fixed_point(lambda x, a: cos(a * x), 0.5, a)
    >>> print(f"{x:.6f} {grad(x, a).data:.6f}")
    0.739085 -0.297474
    """

    def residuals(x: Any, *args: Any) -> Any:
        found = g(x, *args)
        if isinstance(found, (list, tuple)):
            return [y - z for y, z in zip(x, found)]
        return x - found

    return _Equations(residuals, g, x0, args, "fixed_point").solution(_iterate)


class _Equations:
    """The equations f(x, *args) = 0, with the Values that are in args."""

    def __init__(
        self, f: Callable[..., Any], given: Callable[..., Any], x0: Any, args: Any, name: str
    ) -> None:
        tracer = hooks.tracer_here()
        if tracer is not None:
            raise tracer.error(
                f"{name} in a program would search for one row and take its steps for all: solve "
                "for each row outside of the program"
            )
        self.f, self.given, self.args, self.name = f, given, args, name
        call = Call(lambda x: x, (x0,), {})  # which knows what x may be
        if call.at_values:
            raise TypeError(f"{name}: x0 is where the search begins, numbers and no Values")
        if isinstance(call.shape, Nested):
            raise TypeError(f"{name}: x0 is a number or an array of numbers, got {x0!r}")
        self.shape = call.shape
        self.start = [float(x) for x in call.originals]
        self.numbers = map_values(lambda v: v._number, args)
        self.values: list[Value] = []
        map_values(self.values.append, args)

    def shaped(self, entries: Sequence[Any], kind: type = object) -> Any:
        """Return x in the form that x0 has."""
        return entries[0] if self.shape is None else array_of(list(entries), self.shape, kind)

    def residuals(self, xs: Sequence[Any], args: Any) -> list[Any]:
        """Call the function, and check that it returns one result for each unknown."""
        found = self.f(self.shaped(xs), *args)
        if hasattr(found, "ravel"):
            found = found.ravel().tolist()
        results = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(results) != len(xs):
            raise ValueError(
                f"{self.name}: {name_of(self.given)} returned {len(results)} results for "
                f"{len(xs)} unknowns; there must be one for each"
            )
        return [y if isinstance(y, Value) else to_float(y, "a result") for y in results]

    @enable_grad()
    def linearized(self, xs: list[float]) -> tuple[list[float], list[list[float]]]:
        """Return the residuals in numbers, and their derivatives by x."""
        variables = [Value(x) for x in xs]
        results = self.residuals(variables, self.numbers)
        slopes = chain_rule.jacobian(results, variables)
        numbers = [number_of(y) for y in results]
        return numbers, [[number_of(s) for s in row] for row in slopes]

    @enable_grad()
    def refuse_others(self) -> None:
        """Raise ValueError where the function uses a Value that it was not given."""
        twice = []
        for _ in range(2):
            with ieee():
                results = self.residuals([Value(x) for x in self.start], self.numbers)
            twice.append({id(v): v for v in sweeps.nodes_behind(results)})
        for key, v in twice[0].items():
            if key in twice[1]:
                raise ValueError(
                    f"{self.name}: {name_of(self.given)} uses {v!r}, which is not among its "
                    "arguments, so that the result would not depend on it: give it as an argument "
                    f"of {self.name}, or use its number, .data"
                )

    def solution(self, search: Callable[[_Equations], list[float]]) -> Any:
        """Find x in numbers, and record how it depends on the Values."""
        self.refuse_others()
        found = search(self)
        if not self.values:
            return self.shaped(found, float)
        xs: list[Value] = []
        slopes = _Slopes(self, found, xs)
        xs += [Value.node(x, self.values, _Rise(slopes, i), self.name) for i, x in enumerate(found)]
        return self.shaped(xs)


class _Slopes:
    """The derivatives of the solution by each Value in args, in numbers or as Values."""

    def __init__(self, equations: _Equations, found: list[float], xs: list[Value]) -> None:
        self.equations, self.found, self.xs = equations, found, xs
        self.in_numbers: list[list[float]] = []
        self.as_values: list[list[Any]] = []

    def of(self, i: int, in_values: bool) -> list[Any]:
        """Return the slopes of the i-th unknown."""
        if in_values:
            self.as_values = self.as_values or self.computed(self.xs, self.equations.values)
            return self.as_values[i]
        if not self.in_numbers:
            values = [Value(v._number) for v in self.equations.values]
            computed = self.computed([Value(x) for x in self.found], values)
            self.in_numbers = [[number_of(s) for s in row] for row in computed]
        return self.in_numbers[i]

    @enable_grad()
    def computed(self, xs: Sequence[Value], values: Sequence[Value]) -> list[list[Any]]:
        """Return -(df/dx)^-1 df/da, with x and a as nodes of their own for the while."""
        e = self.equations
        unknowns, parameters = [identity(x) for x in xs], [identity(v) for v in values]
        left = iter(parameters)
        results = e.residuals(unknowns, map_values(lambda _: next(left), e.args))
        by_x = chain_rule.jacobian(results, unknowns)
        by_parameters = chain_rule.jacobian(results, parameters)
        try:
            slopes = solve(by_x, [[-s for s in row] for row in by_parameters])
        except ValueError as error:
            raise ValueError(
                f"{e.name}: {self.found} has no derivative, since that of {name_of(e.given)} by x "
                f"cannot be inverted there ({error})"
            ) from None
        return [list(row) for row in slopes.tolist()]


class _Rise:
    """The slopes of one unknown by each Value in args."""

    def __init__(self, slopes: _Slopes, i: int) -> None:
        self.slopes, self.i = slopes, i

    def __call__(self, *operands: Any) -> list[Any]:
        return self.slopes.of(self.i, isinstance(operands[0], Value))


def _newton(e: _Equations) -> list[float]:
    """Find a root by Newton's method, with steps that are halved until they help."""
    with ieee(), suppress(ValueError):  # of a singular matrix
        x = e.start
        residuals, slopes = e.linearized(x)
        size, scale = _norm(residuals), _norm(x)
        for _ in range(_MOST_STEPS):
            if size == 0:
                return x
            step = [float(s) for s in solve(slopes, [-r for r in residuals])]
            scale = max(scale, _norm(x), _norm(step))
            at, residuals, slopes = _halved(e, x, step, size)
            if not _norm(residuals) < size:  # rounding is all that is left, or the search is stuck
                if _norm(step) <= 1e-9 * scale:
                    return x
                break
            x, size = at, _norm(residuals)
            if _norm(step) <= 1e-12 * _norm(x):
                return x
    raise ValueError(
        f"{e.name}: no root of {name_of(e.given)} was found from {e.start}: the search ended at "
        f"{x}. Start nearer to a root, at one that scipy.optimize.brentq found, say"
    )


def _halved(
    e: _Equations, x: list[float], step: list[float], size: float
) -> tuple[list[float], list[float], list[list[float]]]:
    """Return the first of the step, its half, its quarter ... where the residuals are smaller."""
    part = 1.0
    while True:
        at = [a + part * b for a, b in zip(x, step)]
        residuals, slopes = e.linearized(at)
        if _norm(residuals) < size or part < 1e-10:
            return at, residuals, slopes
        part /= 2


def _iterate(e: _Equations) -> list[float]:
    """Repeat x = g(x) until it stands still, or only rounding moves it."""
    x, best, waited = e.start, math.inf, 0
    for _ in range(_MOST_ITERATIONS):
        residuals = [number_of(r) for r in e.residuals(x, e.numbers)]
        moved = max(abs(r) / max(abs(a), 1.0) for r, a in zip(residuals, x))
        if not math.isfinite(moved):
            break
        x = [a - r for a, r in zip(x, residuals)]
        waited = 0 if moved < best else waited + 1
        best = min(best, moved)
        if moved == 0 or (best < 1e-13 and waited > 10):
            return x
    raise ValueError(
        f"{e.name}: {name_of(e.given)} leads to no fixed point from {e.start}: it is at {x}. "
        "Start nearer to one, or find it with implicit_root, as the root of x - g(x)"
    )


def _norm(residuals: Sequence[float]) -> float:
    return math.hypot(*residuals)
