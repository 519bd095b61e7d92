"""Loops are printed once: steps of an integrator, of a recurrent network, equal layers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from test_programs_printed import called, lines

import micrograd as mg
from micrograd import Value
from micrograd.programs.loops.find import find_loop
from micrograd.programs.loops.loop import OUTSIDE, OWN, SAME, STATE, Loop
from micrograd.programs.loops.parts import Part, Parts

random.seed(2)


def draw(*shape: int) -> Any:
    if not shape:
        return Value(random.gauss(0, 0.5))
    return [draw(*shape[1:]) for _ in range(shape[0])]


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
        "for t = 0 .. 11\n"
        "  z2          = W s + U x[t] + b           4 x n\n"
        "  s          <- tanh(z2)                   4 x n\n"
        "then\n"
        "  z2          = head' s                    1 x n\n"
        "  recurrent   = z2                         1 x n\n"
        "backward\n"
        "  Delta_head := sum(s)                     4\n"
        "  d_s        <- head seed                  4 x n\n"
        "for t = 11 .. 0\n"
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
    assert expanded(loop, path.tape) == nodes_of(loop, path.tape)
    found = run(Parts(path.tape, path.outputs, loop, set()), loop, path.tape, arguments, traced)
    expected = function(*[np.asarray(x).tolist() for x in arguments])
    several = isinstance(expected, (list, tuple))
    numbers = [v.data for v in (expected if several else [expected])]
    assert found == pytest.approx(numbers, rel=1e-12)


def test_what_is_found_is_each_node_of_each_step() -> None:
    for inputs, hidden, outputs in ((400, 25, 10), (300, 25, 10), (100, 5, 3), (30, 17, 1)):
        traced = called(network(inputs, hidden, outputs), np.ones((2, inputs)))
        tape, loop = loop_of(traced)
        assert loop is None or expanded(loop, tape) == nodes_of(loop, tape)
        assert "for t" not in str(traced)


def test_a_pattern_that_only_two_steps_have_is_no_loop() -> None:
    many = draw(12)

    def function(x: Any) -> Any:
        for k in range(12):
            x = mg.tanh(many[k] * x) + many[k if k < 5 else k - 1] * x
        return x

    traced = called(function, [0.7])
    assert loop_of(traced)[1] is None
    assert "for t" not in str(traced)


def network(inputs: int, hidden: int, outputs: int) -> Callable[[Any], Any]:
    first, second = draw(hidden, inputs + 1), draw(outputs, hidden + 1)

    def function(x: Any) -> Any:
        for layer in (first, second):
            x = [sum((w * e for w, e in zip(row[1:], x)), row[0]) for row in layer]
        return sum(mg.softplus(e) for e in x)

    return function


def with_index(read: Callable[[Any, int], Any]) -> Callable[[Any], Any]:
    def function(x: Any) -> Any:
        h = 0.0
        for k in range(12):
            h = mg.tanh(h * w + read(x, k))
        return h

    return function


LIST = draw(14)


@pytest.mark.parametrize(
    ("read", "title"),
    [
        (lambda x, k: x[0][0], "for t = 1 .. 12"),
        (lambda x, k: x[k][0] * x[k][1], "for t = 0 .. 11"),
        (lambda x, k: x[k + 1][0] * x[k + 1][1], "for t = 1 .. 12"),
        (lambda x, k: x[k][0] * x[k][1] * LIST[k], "for t = 0 .. 11"),
        (lambda x, k: x[0][0] * LIST[k + 2], "for t = 2 .. 13"),
        (lambda x, k: x[k][0] * x[k][1] * LIST[k + 1], None),
        (lambda x, k: LIST[k] * x[0][0] * LIST[k + 1], None),
        (lambda x, k: x[0][0] * LIST[13 - k], None),
        (lambda x, k: x[0][0] * LIST[k * 5 % 12], None),
        (lambda x, k: x[13 - k][0] * x[13 - k][1], None),
        (lambda x, k: x[k][0], None),
        (lambda x, k: x[k][0] * x[k + 1][1], None),
    ],
)
def test_an_index_is_that_of_the_step_or_all_steps_are_printed(
    read: Callable[[Any, int], Any], title: str | None
) -> None:
    text = lines(called(with_index(read), np.ones((2, 14, 2))))
    assert [line for line in text if line.startswith("for t")][:1] == ([title] if title else [])


def test_what_each_step_gives_is_printed_of_each_step() -> None:
    assert "for t" not in str(called(trajectory, [0.7]))


def test_what_arrives_outside_a_loop_is_added_up() -> None:
    text = lines(called(spring, [0.7]))
    assert [line for line in text if line.startswith("d_u")] == [
        "d_u += -0.1 s2 .* w .* (d_s1 + 0.1 d_s2) 1 x n"
    ]


def test_a_state_at_which_nothing_arrives_at_first_is_given_a_zero() -> None:
    text = lines(called(recurrent_loss, np.ones((2, 12, 3)), np.ones((2, 12))))
    behind = text[text.index("backward") : text.index("for t = 11 .. 0")]
    assert behind == ["backward", "d_s2 <- seed 1 x n", "d_s1 <- 0 4 x n"]


def test_where_a_part_of_a_state_alone_is_used_all_steps_are_printed() -> None:
    def function(x: Any) -> Any:
        h = [0.0] * 4
        for row in x:
            h = [mg.tanh(u + v + c) for u, v, c in zip(times(U, row), times(W, h), b)]
        return h[0]

    assert "for t" not in str(called(function, np.ones((2, 12, 3))))


def test_names_of_the_function_are_not_those_of_the_loop() -> None:
    s, d_u = draw(2, 2), Value(0.5)

    def function(x: Any) -> Any:
        h, fixed = [x, x], mg.exp(x * w)
        for _ in range(12):
            h = [mg.tanh(e) * fixed * d_u for e in times(s, h)]
        return sum(h)

    text = lines(called(function, [0.7]))
    assert "z2 = s (d_u (s_ .* u_)) 2 x n" in text
    assert "u_ <- exp(w x) 1 x n" in text

    def of_time(t: Any) -> Any:
        return with_index(lambda t, _: t)(t)

    assert "for t" not in str(called(of_time, [0.7]))


def loop_of(traced: Any) -> tuple[Any, Loop | None]:
    [paths] = traced._known.version.paths.values()
    [path] = paths.found
    return path.tape, find_loop(path.tape, path.outputs)


def nodes_of(loop: Loop, tape: Any) -> dict[int, Any]:
    return {i: (tape.ops[i], list(tape.operands[i])) for i in loop.of_node}


def expanded(loop: Loop, tape: Any) -> dict[int, Any]:
    """Write down each step's nodes from the pattern."""
    node = {at: i for i, at in loop.of_node.items()}
    found = {}
    for (step, place), i in node.items():
        before = [node.get((step - 1, p)) for p in loop.state] if step else loop.before
        sources = {
            SAME: lambda p, step=step: node[step, p],
            STATE: before.__getitem__,
            OUTSIDE: int,
            OWN: loop.own[step].__getitem__,
        }
        operands = [sources[kind](p) for kind, p in loop.operands[place]]
        found[i] = (loop.ops[place], operands)
    return found


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
    assert expanded(loop, path.tape) == nodes_of(loop, path.tape)
    parts = Parts(path.tape, path.outputs, loop, set())
    if not parts.are_clear:
        return
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
    for own in loop.own:
        numbers = {leaf: of_leaf(tape, i, given) for leaf, i in zip(parts.own_leaves, own)}
        given |= of_part(parts.body, given, numbers)
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
