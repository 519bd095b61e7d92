"""Programs in which each step needs the one before: planned number by number."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree
from random_cases import failures

import micrograd as mg
from micrograd import Value, nn, program
from micrograd.ops import Op
from micrograd.programs.lower.plan import Plan
from micrograd.programs.run import instructions
from micrograd.programs.run.executor import Workspace
from micrograd.programs.run.instructions import Instructions
from micrograd.programs.straight import plan as straight_plan
from micrograd.programs.straight.line import StraightLine
from micrograd.programs.straight.plan import StraightPlan

SEED = 20261128


def plan_of(function: Callable[..., Any], width: int) -> Plan:
    traced = program(function)
    traced(np.full((1, width), 0.3))
    assert traced._known.version is not None
    [paths] = traced._known.version.paths.values()
    [path] = paths.found
    return path.program.plan


def chain(steps: int, w: list[Value]) -> Callable[[Any], Any]:
    """Make a chain with weights, one or as many as there are steps, shared and computed ones."""

    def function(x: Any) -> Any:
        s, c = x[0], x[1]
        scale = mg.exp(-w[0] * w[0])  # the same for all rows
        for k in range(steps):
            c = mg.maximum(c * scale - s / 3.0, -w[k % len(w)])
            s = mg.sin(s - c * w[k % len(w)]) + 0.1 * s**2
        return [s * scale, c - s, w[1] * 2.0]

    return function


# Which programs -------------------------------------------------------------------------------


def test_chains_are_planned_so_and_no_networks() -> None:
    random = np.random.default_rng(1)
    w = [Value(x) for x in random.uniform(0.1, 0.9, 300)]
    model = nn.MLP(40, [20, 10])
    assert isinstance(plan_of(chain(60, w), 2), StraightPlan)
    assert not isinstance(plan_of(chain(5, w), 2), StraightPlan)
    assert not isinstance(plan_of(lambda x: sum(model(x)), 40), StraightPlan)
    # A long sum is one step, though each addition needs the one before.
    linear = plan_of(lambda x: mg.sigmoid(sum(a * b for a, b in zip(w, x))), 300)
    assert not isinstance(linear, StraightPlan)


def test_many_parameters_do_not_hide_a_long_chain() -> None:
    w = [Value(0.001 * k) for k in range(3000)]

    def function(x: Any) -> Any:
        s = x[0]
        for p in w:
            s = s * p + 0.1
        return s

    assert isinstance(plan_of(function, 1), StraightPlan)


def test_a_wide_beginning_does_not_hide_a_long_chain() -> None:
    w = [Value(0.4 + 0.001 * k) for k in range(40)]

    def function(x: Any) -> Any:
        s = sum(a * b for a in w[:30] for b in x)
        for k in range(2000):
            s = mg.tanh(s * w[k % 40] + x[0])
        return s

    assert isinstance(plan_of(function, 2), StraightPlan)


# What they compute ----------------------------------------------------------------------------


@pytest.mark.parametrize("rows", [1, 3, 230])
@pytest.mark.parametrize("weights", [2, 60])
def test_chains_agree(rows: int, weights: int) -> None:
    random = np.random.default_rng(2)
    w = [Value(x) for x in random.uniform(-0.9, 0.9, weights)]
    x = random.normal(size=(rows, 2))
    assert_agree(chain(60, w), [x], [w])


def test_guards_and_operations_of_the_user_agree() -> None:
    cube = Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
    w = [Value(0.3), Value(-0.6), Value(0.9), Value(1.0)]

    def function(x: Any) -> Any:
        s, low = w[3], 0.0
        for _ in range(90):
            s = cube(0.5 * s) + mg.stop_gradient(x[0]) * w[1]
            s = s - 0.1 if s > x[1] else mg.max([s, x[0], w[2] * s])
            low = mg.where(s < low, s, low)
        return [s, low]

    assert isinstance(plan_of(function, 2), StraightPlan)
    assert_agree(function, [np.random.default_rng(3).normal(size=(5, 2))], [w])


def test_a_gradient_of_zero_passes_nothing_on() -> None:
    w = Value(0.0)

    def function(x: Any) -> Any:
        s = x[0] * w
        for _ in range(300):
            s = mg.where(s > 0.0, mg.log(s), 0.5 * s) * 1.0 + 0.0 * mg.sqrt(s * s)
        return s

    program(function)([[1.0], [2.0]]).sum().backward()
    assert w.grad == pytest.approx(3 * 0.5**300, rel=1e-12)


def test_a_backward_pass_may_come_again_and_later() -> None:
    w = [Value(0.3), Value(0.5)]
    traced = program(chain(60, w))
    first = traced(np.full((2, 2), 0.1)).sum()
    first.backward()
    once = [p.grad for p in w]
    traced(np.full((2, 2), 0.7)).sum().backward()
    for p in w:
        p.grad = 0.0
    first.backward()
    assert [p.grad for p in w] == once


def test_a_pickle_computes_the_same() -> None:
    w = [Value(0.3), Value(0.5)]
    traced = program(chain(60, w))
    x = np.full((2, 2), 0.1)
    found = traced(x).data
    assert pickle.loads(pickle.dumps(traced))(x).data.tobytes() == found.tobytes()


@pytest.fixture
def straight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plan each program so."""
    monkeypatch.setattr(straight_plan, "is_straight", lambda tape, roots: True)


@pytest.mark.usefixtures("straight")
def test_random_programs_agree() -> None:
    assert [found for i in range(20) if (found := failures.failure(SEED, i))] == []


FAULTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "a sign": ("_plus", lambda plus: lambda self, x, y, v: plus(self, x, ~y if y < 0 else y, v)),
    "what arrives twice": ("_add", lambda add: lambda self, i, x: self._arrived.update({i: x})),
    "a copy": ("_finish", lambda finish: lambda self, x: (self._passed.clear(), finish(self, x))),
}


@pytest.mark.usefixtures("straight")
@pytest.mark.parametrize("what", FAULTS)
def test_random_programs_find_a_fault(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, change = FAULTS[what]
    own: Any = straight_plan._Written
    monkeypatch.setattr(own, name, change(getattr(own, name)))
    assert any(failures.failure(SEED, i) is not None for i in range(20))


# Where numbers stand --------------------------------------------------------------------------


def _registers(line: StraightLine) -> Iterator[tuple[list[int], list[int]]]:
    """Yield what each operation reads and writes."""
    for k in range(len(line)):
        reads = line.operands[line.starts[k] : line.starts[k + 1]].tolist()
        first = line.results.item(k)
        count = len(reads) if line.ops[line.kinds[k]] is None else 1
        yield reads, [*range(first, first + count)]


@pytest.mark.parametrize("weights", [2, 60])
def test_each_number_is_still_there_when_it_is_read(weights: int) -> None:
    plan: Any = plan_of(chain(60, [Value(0.1) for _ in range(weights)]), 2)
    forward, backward = plan.forward, plan.backward
    stands = [*zip(forward.storages.tolist(), forward.rows.tolist())]
    assert all(0 <= row < plan.storages[s].rows for s, row in stands if s >= 0)
    written = {x for line in (forward, backward) for _, out in _registers(line) for x in out}
    there = {stands[x]: x for x in range(len(stands)) if x not in written}
    for line in (forward, backward, backward, forward, backward):
        for reads, results in _registers(line):
            assert [there[stands[x]] for x in reads] == reads
            there.update({stands[x]: x for x in results})
        if line is forward:
            assert {there[place] for place in plan.outputs} <= written
    rows = sum(storage.rows for storage in plan.storages if storage.kind == "computed")
    assert rows < len(forward) + len(backward)  # many were used again


@pytest.mark.skipif(instructions.executor is None, reason="the C executor was not built")
@pytest.mark.parametrize("n", [1, 3, 4, 5, 6, 300])
def test_words_are_those_of_each_step_by_itself(n: int) -> None:
    w = [Value(0.1 * k) for k in range(1, 9)]
    plan: Any = plan_of(chain(60, w), 2)
    workspace = Workspace(plan, n)
    numbers = np.zeros(sum(buffer.size for buffer in workspace.buffers))
    ends = np.cumsum([buffer.size for buffer in workspace.buffers])
    buffers = [
        part.reshape(buffer.shape)
        for part, buffer in zip(np.split(numbers, ends[:-1]), workspace.buffers)
    ]
    for line in (plan.forward, plan.backward):
        at_once, alone = (Instructions(numbers, buffers, n) for _ in range(2))
        left = [step for step in at_once.unwritten(line) if not at_once.write(step)]
        assert left == [step for step in line if not alone.write(step)]
        assert at_once._words == alone._words
