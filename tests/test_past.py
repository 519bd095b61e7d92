"""What derivatives leave behind: no gradient is lost there, and loops of them are linear."""

from __future__ import annotations

import copy
import gc
import math
import pickle
import random
from collections.abc import Callable
from typing import Any, cast

import pytest

import micrograd as mg
from micrograd import Value
from micrograd.derivatives import surroundings
from micrograd.graph import past

UNARY: list[Any] = [mg.tanh, mg.sin, mg.sigmoid, mg.stop_gradient, mg.negative]
BINARY: list[Any] = [mg.add, mg.multiply, mg.subtract, mg.logaddexp]


def steep(*_: Any) -> tuple[float, float]:
    return 1.0, -2.0


class History:
    """Values of which each is made of some before it, whatever was set by hand."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.values = [Value(self.chance.uniform(-1, 1)) for _ in range(3)]

    def some(self, end: int | None = None) -> Value:
        """Return a Value, most often one of the last few."""
        end = len(self.values) if end is None else end
        start = max(0, end - 6) if self.chance.random() < 0.7 else 0
        return self.values[self.chance.randrange(start, end)]

    def made(self, x: Value, y: Value, z: Value) -> Value:
        kind = self.chance.randrange(4)
        if kind == 0:
            return mg.where(x > 0, y, z)
        if kind == 1:
            return Value.node(x.data - 2 * y.data, (x, y), steep)
        made: Value = (
            self.chance.choice(UNARY)(x) if kind == 2 else self.chance.choice(BINARY)(x, y)
        )
        return made

    def record(self) -> None:
        self.values.append(mg.tanh(self.made(self.some(), self.some(), self.some())))

    def rewire(self) -> None:
        """Set operands by hand, of a leaf or a node; the data stays."""
        i = self.chance.randrange(3, len(self.values))
        v, kind = self.values[i], self.chance.randrange(3)
        constant = [v for v in self.values if v.op is mg.stop_gradient]
        if constant and self.chance.random() < 0.5:
            self.chance.choice(constant).op = mg.sin
        if kind == 0:
            v.args = tuple([self.some(i) for _ in v.args])
        elif kind == 1:
            v.op, v.args = mg.multiply, (self.some(i), self.some(i))
        else:
            leaf = Value(0.5)
            self.values.append(leaf)
            self.values.append(leaf * self.some())
            leaf.op, leaf.args = mg.sin, (self.some(i),)

    def copy(self) -> None:
        """Put copies of a graph in the place of what they were copied from."""
        kept = self.values[-4:]
        copied: list[Value] = (
            copy.deepcopy(kept) if self.chance.random() < 0.5 else pickle.loads(pickle.dumps(kept))
        )
        self.values[-4:] = copied

    def pass_back(self) -> None:
        self.some().backward()

    def of_graph(self) -> None:
        y, xs = self.some(), [self.some() for _ in range(self.chance.randint(1, 3))]
        right = slopes_by_hand(y, xs)
        slopes = mg.grad(y, xs)
        assert [s.data for s in slopes] == pytest.approx(right, rel=1e-9, abs=1e-12)
        if self.chance.random() < 0.5:
            self.values.append(mg.tanh(slopes[0] + xs[0]))
        if self.chance.random() < 0.3:
            rates = [self.chance.uniform(-1, 1) for _ in xs]
            [rate] = mg.jvp([y], xs, rates)
            expected = sum(right[xs.index(x)] * r for x, r in zip(xs, rates))
            assert rate.data == pytest.approx(expected, rel=1e-9, abs=1e-12)

    def of_function(self) -> None:
        old, state = self.some(), self.chance.getstate()

        def f(u: Any) -> Any:
            self.chance.setstate(state)
            return mg.tanh(self.made(u, old, self.made(old, u, old)) * u)

        x: Any = self.some() if self.chance.random() < 0.5 else 0.25
        slope = mg.grad(f)(x)
        leaf = Value(x.data if isinstance(x, Value) else x)
        [right] = slopes_by_hand(f(leaf), [leaf])
        number = slope.data if isinstance(slope, Value) else slope
        assert number == pytest.approx(right, rel=1e-9, abs=1e-12)
        if isinstance(slope, Value):
            self.values.append(mg.tanh(slope))

    def of_functions(self) -> None:
        """Differentiate at a Value what takes derivatives that use the variable, or that Value."""
        x, r = self.some(), self.some()
        which = [self.chance.random() < 0.5 for _ in range(3)]

        def f(u: Any) -> Any:
            for is_variable in which:
                used = u if is_variable else x
                u = mg.grad(lambda v, used=used: mg.sin(v) * used)(r if is_variable else 0.3) + u
            return mg.tanh(u)

        def by_formula(u: Any) -> Any:
            for is_variable in which:
                rate = mg.cos(r if is_variable else Value(0.3))
                u = rate * (u if is_variable else x) + u
            return mg.tanh(u)

        slope = mg.grad(f)(x)
        leaf = Value(x.data)
        [right] = slopes_by_hand(by_formula(leaf), [leaf])
        assert slope.data == pytest.approx(right, rel=1e-9, abs=1e-12)
        self.values.append(mg.tanh(slope))

    def act(self) -> None:
        actions: list[tuple[Callable[[], Any], int]] = [
            (self.record, 8), (self.of_graph, 4), (self.of_function, 2), (self.rewire, 1),
            (self.of_functions, 2),
            (self.copy, 1), (self.pass_back, 1), (gc.collect, 0),
        ]  # fmt: skip
        [action] = self.chance.choices(*zip(*actions))
        action()


def slopes_by_hand(y: Value, xs: list[Value]) -> list[float]:
    """Return what backward() gives, without a walk of the core, which would leave its numbers."""
    order, _ = past.walk([y], lambda _: False)
    grads = {id(v): 0.0 for v in [*order, *xs]}
    grads[id(y)] = 1.0
    for v in reversed(order):
        for x, slope in zip(v.args, v._local_derivatives()):
            if slope is not None:
                grads[id(x)] += slope * grads[id(v)]
    return [grads[id(x)] for x in xs]


@pytest.mark.parametrize("start", range(0, 200, 50))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_no_gradient_is_lost(start: int) -> None:
    for seed in range(start, start + 50):
        history = History(seed)
        for _ in range(5):
            history.record()
        for _ in range(40):
            history.act()


def nested(seed: int, inner: Callable[..., Any]) -> Callable[[Any], Any]:
    """Return a random function with derivatives inside, taken by `inner(s, r, x, depends)`."""

    def f(t: Any) -> Any:
        chance = random.Random(seed)
        values: list[tuple[Any, bool]] = [(t, True), (Value(0.7), False), (t * 0.5, True)]
        for _ in range(25):
            (s, by_s), (r, by_r), (x, by_x) = (chance.choice(values[-5:]) for _ in range(3))
            kind = chance.randrange(5)
            if kind == 0:
                values.append((mg.tanh(s * r), by_s or by_r))
            elif kind == 1:
                values.append((mg.sin(Value(0.3) + s.data), False))
            else:
                by_x, x = (by_x, x) if kind == 2 else (False, 0.4)
                slope = inner(s, r, x, by_s or by_r or by_x)
                values.append((mg.tanh(Value(0.0) + slope), by_s or by_r or by_x))
        return sum(v for v, _ in values)

    return f


def by_grad(s: Any, r: Any, x: Any, depends: bool) -> Any:
    slope = mg.grad(lambda u: u * u * s + mg.sin(u) * r)(x)
    assert isinstance(slope, Value) == (depends or isinstance(x, Value))
    return slope


def by_formula(s: Any, r: Any, x: Any, _: bool) -> Any:
    return 2 * x * s + (mg.cos(x) if isinstance(x, Value) else float(mg.cos(x))) * r


@pytest.mark.parametrize("start", range(0, 60, 30))
def test_inner_derivatives_depend_on_what_is_around_them(start: int) -> None:
    for seed in range(start, start + 30):
        slope, right = (mg.grad(nested(seed, inner))(0.6) for inner in (by_grad, by_formula))
        assert slope == pytest.approx(right, rel=1e-9, abs=1e-12), seed
        outer = Value(0.6)
        [twice] = mg.grad(mg.grad(nested(seed, by_grad))(outer), [outer])
        assert twice.data == pytest.approx(
            mg.grad(mg.grad(nested(seed, by_formula)))(0.6), rel=1e-9, abs=1e-12
        )


def test_an_operation_set_by_hand_lets_a_gradient_through() -> None:
    x, z = Value(0.5), Value(2.0)
    n = mg.stop_gradient(x)
    y = n * z
    assert [s.data for s in mg.grad(y, [x, z])] == [0.0, 0.5]
    n.op = mg.sin
    assert mg.grad(y, x).data == 2 * mg.cos(0.5)


@pytest.mark.parametrize(("at", "times_t"), [(0.3, False), (Value(0.3), False), (Value(0.3), True)])
def test_what_an_inner_call_has_left_is_not_taken_for_a_constant(at: Any, times_t: bool) -> None:
    kept: list[Any] = []

    def f(u: Any) -> Any:
        kept.append(u * u)
        return u * kept[0]

    def outer(t: Any) -> Any:
        factor = t if times_t else 1.0
        return t * sum(mg.grad(lambda u: f(u) * factor)(at * 1.0) for _ in range(3))

    with pytest.raises(ValueError, match="an earlier call"):
        mg.grad(outer)(2.0)


def by_function(x: Any, y: Any, t: Any, old: Any) -> list[Any]:
    def energy(u: Any, v: Any) -> Any:
        return (u * v - t) * u + (v - old) ** 2

    return [mg.grad(lambda u: energy(u, y))(x), mg.grad(lambda v: energy(x, v))(y)]


def by_graph(x: Any, y: Any, t: Any, old: Any) -> list[Any]:
    energy = (x * y - t) * x + (y - old) ** 2
    slopes: list[Any] = [mg.grad(energy, x), mg.grad(energy, y)]
    curvatures = [mg.grad(slopes[0], x), mg.grad(slopes[0], y), mg.grad(slopes[1], y)]
    return [slopes[0] + 0.01 * curvatures[0] * curvatures[1], slopes[1] + 0.01 * curvatures[2]]


def at_a_number(x: Any, y: Any, t: Any, old: Any) -> list[Any]:
    return [mg.grad(lambda u: (u * y - t) * x)(0.5), mg.grad(lambda u: u * u * old)(0.5)]


def at_three_levels(x: Any, y: Any, t: Any, old: Any) -> list[Any]:
    def slope(u: Any) -> Any:
        return mg.grad(lambda v: mg.sin(v) * x * u)(y)

    third = mg.grad(lambda u: mg.grad(lambda v: v**3 * y)(u) * old)(x)
    return [mg.grad(lambda u: slope(u) * u)(x) + third, mg.grad(slope)(t)]


def nodes_walked(counted: list[int]) -> int:
    """Return a number that rises with each node that a derivative visits.

    A list counts those of walks in Python; the numbers that past Values get those in C.
    """
    x, other = Value(1.0), cast(Any, Value(1.0))
    mg.grad(x * other, x)
    return len(counted) + (int(other._past) if mg.core == "c" else 0)


@pytest.mark.parametrize("step", [by_function, by_graph, at_a_number, at_three_levels])
def test_a_loop_of_inner_derivatives_is_linear(
    step: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    walk, counted, counts = past.walk, list[int](), list[int]()

    def counting(roots: Any, stops: Any) -> Any:
        order, stopped = walk(roots, stops)
        counted.extend(map(id, order))
        return order, stopped

    def f(t: Any) -> Any:
        x, y, old = t * 0.5, t * 0.25, t
        for _ in range(60):
            by_x, by_y = step(x, y, t, old)
            old, x, y = x, x - 0.01 * by_x, y - 0.01 * by_y
            counts.append(nodes_walked(counted))
        return x

    monkeypatch.setattr(past, "walk", counting)
    mg.grad(f)(0.5)
    assert counts[59] - counts[49] < 1.2 * (counts[20] - counts[10])


def nested_derivatives(seed: int) -> Any:
    """Return the outcome of derivatives within derivatives that use Values of all levels."""
    rng = random.Random(seed)
    kept: list[Any] = []

    def level(depth: int, seen: list[Any]) -> Callable[[Any], Any]:
        def f(x: Any) -> Any:
            values = [*seen, x]
            for _ in range(rng.randint(1, 4)):
                a, b = rng.choice(values), rng.choice(values)
                which = rng.randrange(8)
                if which < 3 and depth < 3:
                    derive: Any = rng.choice([mg.grad, mg.grad, mg.hessian])
                    values.append(derive(level(depth + 1, values))(a))
                elif which == 3:
                    kept.append(a)
                elif which == 4 and kept and rng.random() < 0.3:
                    values.append(a * rng.choice(kept))
                else:
                    values.append([a * b, mg.sin(a) + b, a - 0.5 * b, a**2][which % 4])
            return values[-1] * values[-2] if len(values) > 1 else values[-1]

        return f

    start: Any = level(0, [])
    try:
        return mg.grad(start)(0.7)
    except ValueError as error:
        return str(error)


def test_what_is_noted_for_calls_within_is_what_a_walk_would_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = [nested_derivatives(seed) for seed in range(150)]
    monkeypatch.setattr(surroundings.Surroundings, "note", lambda *_: None)
    assert found == [nested_derivatives(seed) for seed in range(150)]
    assert 5 < sum("an earlier call" in str(one) for one in found) < 100


def test_operands_that_are_past_later_let_a_gradient_through() -> None:
    first, later, other = mg.sin(Value(0.5)), mg.cos(Value(0.3)), Value(1.0)
    out = first * 2.0
    mg.grad(out * other, other)
    mg.grad(later * other, other)
    first.args = (later,)
    assert mg.grad(out * 1.0, later).data == pytest.approx(2 * math.cos(later.data))
