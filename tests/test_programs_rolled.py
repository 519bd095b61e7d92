"""Loops are printed once: steps of an integrator, of a recurrent network, equal layers."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program
from micrograd.programs.loops.find import Loop, find_loop
from micrograd.programs.loops.parts import Part, Parts
from micrograd.programs.run import executor, rolled

random.seed(2)


def draw(*shape: int) -> Any:
    if not shape:
        return Value(random.gauss(0, 0.5))
    return [draw(*shape[1:]) for _ in range(shape[0])]


def called(function: Callable[..., Any], *arguments: Any) -> Any:
    traced = program(function)
    traced(*arguments)
    return traced


def lines(traced: Any) -> list[str]:
    return [" ".join(line.split()) for line in str(traced).splitlines()]


def times(matrix: Any, x: Any) -> list[Any]:
    return [sum(w * e for w, e in zip(row, x)) for row in matrix]


ka, ke, w = Value(1.2), Value(0.3), Value(0.9)
U, W, b, head = draw(4, 3), draw(4, 4), draw(4), draw(4)
LAYERS = draw(10, 3, 3)


def concentration(steps: int) -> Callable[[Any], Any]:
    """Return the model of a dose that is absorbed and eliminated, solved by RK4."""

    def function(dose: Any) -> Any:
        h, gut, blood = 0.25, dose, 0.0

        def slope(g: Any, c: Any) -> tuple[Any, Any]:
            return -ka * g, ka * g - ke * c

        for _ in range(steps):
            k1 = slope(gut, blood)
            k2 = slope(gut + h / 2 * k1[0], blood + h / 2 * k1[1])
            k3 = slope(gut + h / 2 * k2[0], blood + h / 2 * k2[1])
            k4 = slope(gut + h * k3[0], blood + h * k3[1])
            gut = gut + h / 6 * (k1[0] + 2 * k2[0] + 2 * k3[0] + k4[0])
            blood = blood + h / 6 * (k1[1] + 2 * k2[1] + 2 * k3[1] + k4[1])
        return blood

    return function


def recurrent(x: Any) -> Any:
    h = [0.0] * 4
    for row in x:
        h = [mg.tanh(u + v + c) for u, v, c in zip(times(U, row), times(W, h), b)]
    return sum(a * c for a, c in zip(head, h))


def recurrent_loss(x: Any, y: Any) -> Any:
    h, total = [0.0] * 4, 0.0
    for row, target in zip(x, y):
        h = [mg.tanh(u + v + c) for u, v, c in zip(times(U, row), times(W, h), b)]
        total = total + (sum(a * c for a, c in zip(head, h)) - target) ** 2
    return total


def layers(x: Any) -> Any:
    for matrix in LAYERS:
        x = [mg.tanh(e) for e in times(matrix, x)]
    return sum(x)


def trajectory(x: Any) -> list[Any]:
    places = []
    for k in range(12):
        x = x + 0.1 * mg.sin(w * x) * k
        places.append(x * x)
    return places


def spring(x: Any) -> tuple[Any, Any]:
    speed, stiffness = 0.0, mg.exp(x * w)
    for _ in range(30):
        speed = speed - 0.1 * w * x * stiffness
        x = x + 0.1 * speed
    return x, speed


def two_back(x: Any) -> Any:
    before, now = x, w * x
    for _ in range(20):
        before, now = now, mg.tanh(before + w * now)
    return now


def chain(x: Any) -> Any:
    h = x
    for _ in range(20):
        h = mg.tanh(w * h + x)
    return h


def test_an_integrator_is_printed_as_one_step() -> None:
    traced = called(concentration(48), [100.0, 50.0])
    text = lines(traced)
    assert len(text) <= 30
    assert text[:5] == [
        "forward",
        "s1 <- 0 1 x n",
        "s2 <- dose 1 x n",
        "for t = 1 .. 48",
        "z2 = ka s2 - ke s1 1 x n",
    ]
    assert "for t = 48 .. 1" in text
    assert any(line.startswith("Delta_ka += ") for line in text)
    assert r"\leftarrow" in traced.latex()


def test_more_steps_are_no_more_lines() -> None:
    longer = lines(called(concentration(200), [100.0]))
    shorter = lines(called(concentration(48), [100.0]))
    assert [line.replace("200", "48") for line in longer] == shorter


def test_a_recurrent_network_reads_as_the_textbook() -> None:
    traced = called(recurrent, np.ones((2, 12, 3)))
    assert str(traced) == (
        "forward\n"
        "  s          <- 0                          4 x n\n"
        "for t = 1 .. 12\n"
        "  z2          = W s + U x[t] + b           4 x n\n"
        "  s          <- tanh(z2)                   4 x n\n"
        "then\n"
        "  z2          = head' s                    1 x n\n"
        "  recurrent   = z2                         1 x n\n"
        "backward\n"
        "  Delta_head := sum(s)                     4\n"
        "  d_s        <- head seed                  4 x n\n"
        "for t = 12 .. 1\n"
        "  delta2      = (1 - tanh(z2).^2) .* d_s   4 x n\n"
        "  Delta_U    += delta2 x[t]'               4 x 3\n"
        "  Delta_W    += delta2 s'                  4 x 4\n"
        "  Delta_b    += sum(delta2)                4\n"
        "  d_s        <- W' delta2                  4 x n"
    )


def test_equal_layers_are_one_with_an_index() -> None:
    text = lines(called(layers, np.ones((2, 3))))
    assert "z2 = LAYERS[t, :, :] s 3 x n" in text, text
    assert "Delta_LAYERS[t, :, :] += delta2 s' 3 x 3" in text
    assert len(text) < 20


CASES: list[tuple[Callable[..., Any], tuple[Any, ...], int]] = [
    (concentration(12), (100.0,), 12),
    (recurrent, (np.linspace(-1, 1, 36).reshape(12, 3),), 12),
    (recurrent_loss, (np.linspace(-1, 1, 36).reshape(12, 3), np.linspace(0, 1, 12)), 12),
    (layers, (np.array([0.5, -1.0, 0.25]),), 10),
    (trajectory, (0.7,), 10),
    (spring, (0.7,), 30),
    (two_back, (0.7,), 10),
    (chain, (0.7,), 20),
]


@pytest.mark.parametrize(("function", "arguments", "count"), CASES)
def test_the_parts_compute_what_the_function_does(
    function: Callable[..., Any], arguments: tuple[Any, ...], count: int
) -> None:
    traced = called(function, *[np.array([x]) for x in arguments])
    [paths] = traced._known.version.paths.values()
    [path] = paths.found
    loop = find_loop(path.tape, path.outputs)
    assert loop is not None
    assert loop.count == count
    found = run(Parts(path.tape, path.outputs, loop, set()), loop, path.tape, arguments, traced)
    expected = function(*[np.asarray(x).tolist() for x in arguments])
    several = isinstance(expected, (list, tuple))
    numbers = [v.data for v in (expected if several else [expected])]
    assert found == pytest.approx(numbers, rel=1e-12)


@pytest.mark.parametrize(("function", "arguments", "_"), CASES)
def test_a_loop_runs_step_by_step(
    function: Callable[..., Any], arguments: tuple[Any, ...], _: int, monkeypatch: Any
) -> None:
    monkeypatch.setattr(rolled, "LONG", 0)
    rng = np.random.default_rng(1)
    rows = [[x * rng.normal(1, 0.1, size=np.shape(x)) for x in arguments] for _ in range(3)]
    traced = assert_like_the_loop(function, rows)
    assert isinstance(program_of(traced), rolled.Rolled)


@pytest.mark.parametrize("seed", range(30))
def test_random_loops_run_step_by_step(seed: int, monkeypatch: Any) -> None:
    monkeypatch.setattr(rolled, "LONG", 0)
    rng = random.Random(seed)
    function = random_loop(rng)
    rows = [[rng.gauss(0, 1), [rng.gauss(0, 1) for _ in range(30)]] for _ in range(3)]
    assert_like_the_loop(function, rows)


def test_a_gradient_that_is_not_finite_is_that_of_the_loop(monkeypatch: Any) -> None:
    monkeypatch.setattr(rolled, "LONG", 0)
    root = Value(0.25)

    def function(x: Any) -> Any:
        for _ in range(12):
            x = mg.where(x > 0, mg.sqrt(x * x * root + 1), mg.log(x * root))
        return x

    traced = program(function)
    result = traced([1.0, 2.0])
    assert isinstance(program_of(traced), rolled.Rolled)
    result.sum().backward()
    found, root.grad = root.grad, 0.0
    (function(1.0 + 0 * root) + function(2.0 + 0 * root)).backward()
    assert found == pytest.approx(root.grad, rel=1e-12)


def test_thousands_of_rows_run_in_blocks(monkeypatch: Any) -> None:
    monkeypatch.setattr(rolled, "LONG", 0)
    monkeypatch.setattr(executor, "BLOCK", 2)
    assert_like_the_loop(recurrent_loss, [[np.ones((12, 3)) * k, np.ones(12)] for k in range(5)])


def test_all_steps_are_planned_when_it_is_called_often(monkeypatch: Any) -> None:
    monkeypatch.setattr(rolled, "LONG", 0)
    traced = program(chain)
    w.grad = 0.0
    first = traced([0.5, 1.0]).sum()
    monkeypatch.setattr(program_of(traced), "_often", 2)
    kept = [traced([0.5, 1.0]).sum() for _ in range(3)]
    assert [v.data for v in kept] == pytest.approx([first.data] * 3, rel=1e-12)
    grads = []
    for v in (kept[2], first, kept[0], kept[1]):
        w.grad = 0.0
        v.backward()
        grads.append(w.grad)
    w.grad = 0.0
    assert grads == pytest.approx([grads[0]] * 4, rel=1e-12)
    assert "_whole" in vars(program_of(traced))


def test_a_loop_is_pickled_and_planned_as_a_whole_for_others(monkeypatch: Any) -> None:
    monkeypatch.setattr(rolled, "LONG", 0)
    traced = program(module_loop)
    before = traced([0.5, 1.0]).data
    kept = pickle.loads(pickle.dumps(program_of(traced)))
    out, state, _ = kept.forward({"x": np.array([[0.5, 1.0]])}, 2)
    assert out[0].tolist() == before.tolist()
    assert kept.backward(state, 1.0) == pytest.approx(
        program_of(traced).backward(
            program_of(traced).forward({"x": np.array([[0.5, 1.0]])}, 2)[1], 1.0
        )
    )
    assert len(program_of(traced).plan.forward) > 20


def module_loop(x: Any) -> Any:
    return chain(x)


def program_of(traced: Any) -> Any:
    assert traced._known.version is not None
    [paths] = traced._known.version.paths.values()
    return paths.found[0].program


def assert_like_the_loop(function: Callable[..., Any], rows: list[list[Any]]) -> Any:
    """Compare a program with the loop over the rows: values, and gradients of two backwards."""
    traced = program(function)
    result = traced(*[np.array(column) for column in zip(*rows)])
    seeds = np.linspace(0.5, 1.5, result.data.size).reshape(result.shape)
    looped = [function(*[np.asarray(x).tolist() for x in row]) for row in rows]
    flat = [v for out in looped for v in (out if isinstance(out, (list, tuple)) else [out])]
    assert result.data.reshape(-1) == pytest.approx([*map(number, flat)], rel=1e-12)
    assert traced._known.version is not None
    [paths] = traced._known.version.paths.values()
    parameters = paths.found[0].parameters
    grads = []
    for _ in range(2):
        for p in parameters:
            p.grad = 0.0
        elements = [
            result[k] if result.ndim == 1 else result[k, j]
            for k, j in np.ndindex(len(rows), result.data.size // len(rows))
        ]
        sum((e * s for e, s in zip(elements, seeds.reshape(-1))), Value(0.0)).backward()
        grads.append([p.grad for p in parameters])
    for p in parameters:
        p.grad = 0.0
    sum((v * s for v, s in zip(flat, seeds.reshape(-1))), Value(0.0)).backward()
    expected = [p.grad for p in parameters]
    for p in parameters:
        p.grad = 0.0
    largest = max(map(abs, expected), default=1.0)
    assert grads[0] == pytest.approx(expected, rel=1e-12, abs=1e-12 * max(largest, 1e-3))
    assert grads[1] == grads[0]
    return traced


@pytest.mark.parametrize("seed", range(25))
def test_random_loops_are_parted_right(seed: int) -> None:
    rng = random.Random(seed)
    function = random_loop(rng)
    x, inputs = rng.gauss(0, 1), [rng.gauss(0, 1) for _ in range(30)]
    traced = called(function, np.array([x]), np.array([inputs]))
    assert str(traced)
    assert traced.latex()
    [paths] = traced._known.version.paths.values()
    [path] = paths.found
    loop = find_loop(path.tape, path.outputs)
    if loop is None:
        return
    parts = Parts(path.tape, path.outputs, loop, set())
    found = run(parts, loop, path.tape, (x, inputs), traced)
    assert found == pytest.approx([*map(number, function(x, inputs))], rel=1e-11)


def random_loop(rng: random.Random) -> Callable[[Any, Any], list[Any]]:
    """Return a function with a loop of random steps, which begins and ends in many ways."""
    steps, size = rng.randint(8, 24), rng.randint(1, 3)
    weights = [Value(rng.gauss(0, 0.5)) for _ in range(3)]
    of_step = [Value(rng.gauss(0, 0.5)) for _ in range(steps)]
    recipe = [
        (rng.choice(("add", "multiply", "subtract", "tanh", "sin")), rng.random(), rng.random())
        for _ in range(rng.randint(2, 8))
    ]
    begins = [rng.choice(("x", "number", "weight", "computed")) for _ in range(size)]
    gives = rng.choice(("last", "all", "some", "sum", "state"))
    other, reads = rng.random() < 0.1, rng.choice(("nothing", "inputs", "weights", "both"))

    def function(x: Any, inputs: Any) -> list[Any]:
        first = {"x": x, "number": 0.5, "weight": weights[0], "computed": mg.sin(x) * weights[1]}
        state, results, total = [first[kind] for kind in begins], [], 0.0
        fixed = mg.tanh(x * weights[2])
        for k in range(steps):
            values = [*state, x, fixed, *weights, 0.25]
            values += [inputs[k]] * (reads in ("inputs", "both"))
            values += [of_step[k]] * (reads in ("weights", "both"))
            for name, a, b in recipe:
                y, z = values[int(a * len(values))], values[int(b * len(values))]
                values.append(
                    getattr(mg, name)(y) if name in ("tanh", "sin") else combined(name, y, z)
                )
            fresh = [*values[-size:], *state][:size]
            state = [mg.tanh(v + weights[0] * old) for v, old in zip(fresh, state)]
            if other and k == steps // 2:
                state[0] = state[0] + 1
            total = total + state[0] * state[-1]
            results.append(state[-1])
        return {
            "last": [results[-1]],
            "all": results,
            "some": [results[2], results[-1], x],
            "sum": [total],
            "state": state,
        }[gives]

    return function


def number(x: Any) -> float:
    return float(x.data if isinstance(x, Value) else x)


def combined(name: str, y: Any, z: Any) -> Any:
    if name in ("tanh", "sin"):
        return getattr(mg, name)(y)
    return y + z if name == "add" else y * z if name == "multiply" else y - z


def run(
    parts: Parts, loop: Loop, tape: Any, arguments: tuple[Any, ...], traced: Any
) -> list[float]:
    """Run the steps one after another, in numbers."""
    given: dict[str, Any] = {
        name: np.asarray(x, float).reshape(-1) for name, x in zip(traced._known.names, arguments)
    }
    given |= of_part(parts.first, given)
    results: list[Any] = []
    for own in loop.own:
        numbers = {leaf: of_leaf(tape, i, given) for leaf, i in zip(parts.own_leaves, own)}
        given |= of_part(parts.body, given, numbers)
        results.append(given.get("r", []))
    places = parts.collected_places
    given["r"] = [results[step][places.index(place)] for step, place in parts.collected]
    found: list[float] = of_part(parts.last, given)[""]
    return found


def of_leaf(tape: Any, i: int, given: dict[str, Any]) -> float:
    if i in tape.constants:
        return float(tape.constants[i])
    if i in tape.inputs:
        name, column = tape.inputs[i]
        return float(given[name][column])
    return number(next(v for v, at in tape.parameters.items() if at == i))


def of_part(part: Part, given: dict[str, Any], numbers: dict[int, float] | None = None) -> Any:
    tape = part.tape
    values = {**(numbers or {})}
    for i, op in enumerate(tape.ops):
        if op is not None:
            values[i] = op(*[values[x] for x in tape.operands[i]])
        elif i not in values:
            values[i] = of_leaf(tape, i, given)
    return {name: [values[i] for i in nodes] for name, nodes in part.gives.items()}
