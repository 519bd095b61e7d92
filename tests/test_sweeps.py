"""Derivatives in numbers: the sweeps in C and in Python, beside each other and backward()."""

from __future__ import annotations

import gc
import math
import random
from typing import Any

import pytest

import micrograd as mg
from micrograd import Op, Value
from micrograd.derivatives import sweeps
from micrograd.graph.steps import backward_steps
from micrograd.native import takeover

CUBE = Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
UNARY: list[Any] = [abs, CUBE, mg.tanh, mg.sin, mg.exp, mg.relu, mg.sigmoid, mg.stop_gradient]
BINARY = [mg.add, mg.multiply, mg.subtract, mg.maximum, mg.hypot, mg.logaddexp, mg.arctan2]


class Own(Value):
    """A subclass, which the C core leaves to Python, with an equality by value."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and self.data == other.data

    __hash__ = None  # type: ignore[assignment]


def graph(seed: int) -> tuple[list[Any], list[Value]]:
    """Return outputs and variables of a random graph: leaves, nodes, twice the same, numbers."""
    chance = random.Random(seed)
    values: list[Any] = [
        (Own if chance.random() < 0.2 else Value)(chance.uniform(-1, 1)) for _ in range(4)
    ]
    for _ in range(chance.randint(1, 25)):
        x, y, z = (chance.choice(values) for _ in range(3))
        kind = chance.randrange(5)
        if kind == 0:
            new = mg.where(x > 0, y, z)
        elif kind == 1:
            new = x ** chance.choice([2, 3])
        elif kind == 2:
            new = Value.node(x.data - y.data * 2, (x, y), (1.0, -2.0))
        else:
            new = chance.choice(UNARY)(x) if kind == 3 else chance.choice(BINARY)(x, y)
        values.append(new if abs(new.data) < 1e3 else mg.tanh(x))
    outputs: list[Any] = [chance.choice(values[4:]) for _ in range(chance.randint(1, 4))]
    if chance.random() < 0.3:
        outputs.append(2.0)
    return outputs, [chance.choice(values) for _ in range(chance.randint(1, 5))]


def in_python(monkeypatch: pytest.MonkeyPatch, sweep: Any, *arguments: Any) -> Any:
    with monkeypatch.context() as without_c:
        without_c.setattr(takeover, "c_core", None)
        return sweep(*arguments)


def same(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)


@pytest.mark.parametrize("start", range(0, 400, 100))
def test_sweeps_agree(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for seed in range(start, start + 100):
        outputs, variables = graph(seed)
        down = sweeps.adjoints(outputs, variables)
        up = sweeps.tangents(outputs, variables)
        assert down is not None
        assert up is not None
        assert down == in_python(monkeypatch, sweeps.adjoints, outputs, variables)
        assert up == in_python(monkeypatch, sweeps.tangents, outputs, variables)
        for row, column in zip(down, zip(*up)):
            assert all(map(same, row, column)), seed
        for y, row in zip(outputs, down):
            if isinstance(y, Value):
                for v in mg.toposort(y):
                    v.grad = 0.0
                for x in variables:
                    x.grad = 0.0
                y.backward()
                assert all(same(x.grad, slope) for x, slope in zip(variables, row)), seed
        directions = [[random.random() for _ in variables] for _ in range(3)]
        rates = sweeps.tangents(outputs, variables, directions)
        assert rates == in_python(monkeypatch, sweeps.tangents, outputs, variables, directions)


def test_a_sweep_in_turns_gives_what_one_gives() -> None:
    x = Value(0.5)
    y = x
    for _ in range(50_000):
        y = y.sin() + x
    outputs = [y * i for i in range(100)]  # more numbers than one storage holds
    rows = sweeps.adjoints(outputs, [x])
    assert rows is not None
    [one] = sweeps.adjoints([y], [x]) or []
    assert [row[0] for row in rows] == pytest.approx([one[0] * i for i in range(100)], rel=1e-12)


def test_graphs_may_be_deeper_than_the_stack() -> None:
    x = Value(1.0)
    y = x
    for _ in range(100_000):
        y = y + x
    assert sweeps.adjoints([y], [x]) == [[100_001.0]]
    assert sweeps.tangents([y], [x]) == [[100_001.0]]


@pytest.mark.parametrize("sweep", [sweeps.adjoints, sweeps.tangents])
def test_what_a_rule_raises_is_raised_and_nothing_leaks(sweep: Any) -> None:
    def fail(x: Any, out: Any) -> Any:
        raise RuntimeError("no")

    x = Value(2.0)
    wrong = Op("wrong", lambda x: x, fail)
    y = wrong(x * 3) * x
    with pytest.raises(RuntimeError, match="no"):
        sweep([y], [x])
    with pytest.raises(ZeroDivisionError, match=r"derivative of sqrt\(0.0\)"):
        sweep([mg.sqrt(x - 2.0)], [x])
    gc.collect()
    assert x.grad == 0.0


def test_a_graph_may_be_differentiated_within_a_rule() -> None:
    x = Value(2.0)
    inner = x * x

    def rule(v: Any, out: Any) -> Any:
        [[slope]] = sweeps.adjoints([inner], [x]) or [[0.0]]  # another walk through the same nodes
        inner.backward()
        return slope

    y = Op("nested", lambda v: v, rule)(inner) + inner
    assert sweeps.adjoints([y, inner], [x]) == [[20.0], [4.0]]
    assert sweeps.tangents([y, inner], [x]) == [[20.0, 4.0]]


@pytest.mark.parametrize("n", [1, 2, 5, 255, 256, 257, 300])
def test_many_sweeps_at_once_are_those_of_each(n: int) -> None:
    """Rows are found some hundred at a time, in storage that is used again and again."""
    xs = [Value(0.1 + 0.01 * i) for i in range(n)]
    w = Value(0.0)
    ys = [(x * x + w * x).tanh() * (x + w) for x in xs]
    rows = sweeps.adjoints([*ys, w.sqrt() * 0 + xs[0]], [*xs, w, w])
    assert rows is not None
    for i, (y, row) in enumerate(zip(ys, rows)):
        assert [row] == sweeps.adjoints([y], [*xs, w, w])
        assert sum(map(bool, row)) == 3
        assert row[i]
    columns = sweeps.tangents(ys, xs)
    assert columns is not None
    assert [columns[i][i] for i in range(n)] == pytest.approx([rows[i][i] for i in range(n)])


# What does not count is not moved by nan ---------------------------------------------------------

FLAT: dict[str, Any] = {  # exponents of a negative base, by which the power has the slope nan
    "round": lambda x, y: mg.ops.TABLE["round"](y),
    "floor": lambda x, y: mg.ops.TABLE["floor"](y + 1),
    "sign": lambda x, y: 1 + mg.ops.sign(y),
    "where": lambda x, y: mg.where(x < 0, 2.0, y),
    "maximum": lambda x, y: mg.maximum(y, 2.0),
    "minimum": lambda x, y: mg.minimum(2.0, y + 3),
    "max": lambda x, y: mg.max([y, 1.0, 2.0]),
    "take": lambda x, y: mg.take([2.0, y], 0),
    "of itself": lambda x, y: mg.ops.TABLE["round"](-x),
}


@pytest.mark.parametrize("name", FLAT)
def test_an_exponent_that_does_not_move_passes_nothing_on(name: str) -> None:
    def f(x: Any, y: Any) -> Any:
        return x ** FLAT[name](x, y)

    at, slopes, bends = [-2.3, 1.7], [-4.6, 0.0], [[2.0, 0.0], [0.0, 0.0]]
    x, y = map(Value, at)
    out = f(x, y)
    out.backward()
    assert [x.grad, y.grad] == slopes
    assert [g.data for g in mg.grad(out, [x, y])] == slopes
    assert [s.total for s in backward_steps(out) if s.operand is x][-1] == -4.6
    assert all(s.product == 0.0 for s in backward_steps(out) if s.operand is y)
    assert mg.jvp(out, [x, y], [1.0, 5.0]).data == -4.6
    of_list: Any = lambda v: f(*v)  # noqa: E731
    assert mg.grad(of_list)(at).tolist() == slopes
    assert mg.jacobian(lambda v: [f(*v)] * 3)(at)[2].tolist() == slopes
    assert mg.hvp(of_list)(at, [1.0, 3.0]).tolist() == [2.0, 0.0]
    assert mg.hessian(of_list)(at).tolist() == bends
    traced = mg.program(of_list)
    assert mg.grad(traced)([at, [2.0, 2.5]]).data[0].tolist() == slopes
    assert mg.hessian(traced)([at]).data[0].tolist() == bends
    v, w = map(Value, at)
    mg.program(lambda k: f(v * k, w * k))([1.0]).sum().backward()
    assert [v.grad, w.grad] == slopes


@pytest.mark.parametrize("missing", [math.nan, math.inf, -math.inf])
def test_what_was_not_chosen_is_not_moved_by_what_is_missing(missing: float) -> None:
    def f(x: Any, y: Any, z: Any) -> Any:
        chosen = mg.where(x > 0, x, z) + mg.maximum(y, 0.5 * z) + mg.min([x, y, 3 + z * z])
        return chosen * missing + mg.take([y, z], 0)

    at = [1.0, 2.0, 0.5]
    values = [Value(v) for v in at]
    f(*values).backward()
    found = [v.grad for v in values]
    assert found[2] == 0.0
    assert not any(map(math.isfinite, found[:2]))
    by_rows = mg.grad(mg.program(lambda v: f(*v)))([at]).data[0]
    for other in (
        mg.grad(lambda v: f(*v))(at),
        mg.jacobian(lambda v: [f(*v)] * 4)(at)[0],
        [g.data for g in mg.grad(f(*values), values)],
        by_rows,
    ):
        assert bits(other) == bits(found)


def bits(numbers: Any) -> list[str]:
    return [repr(float(x)) for x in numbers]
