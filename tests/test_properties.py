"""Random graphs, shared nodes and constants included, against dual numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from micrograd import Value, ops, toposort


@dataclass
class Dual:
    """A number with its derivative along one input: the independent reference."""

    x: Any
    d: Any

    def then(self, value: Any, slope: Any) -> Dual:
        return Dual(value, slope * self.d)

    def __add__(self, o: Dual) -> Dual:
        return Dual(self.x + o.x, self.d + o.d)

    def __sub__(self, o: Dual) -> Dual:
        return Dual(self.x - o.x, self.d - o.d)

    def __mul__(self, o: Dual) -> Dual:
        return Dual(self.x * o.x, self.x * o.d + o.x * self.d)

    def __truediv__(self, o: Dual) -> Dual:
        return Dual(self.x / o.x, self.d / o.x - self.x * o.d / o.x / o.x)


Step = tuple[str, int, int]
Run = Callable[[Any, Any], Any]

EXACT: dict[str, tuple[Run, Run]] = {  # on Values, and on dual numbers
    "add": (lambda a, b: a + b, lambda a, b: a + b),
    "subtract": (lambda a, b: a - b, lambda a, b: a - b),
    "multiply": (lambda a, b: a * b, lambda a, b: a * b),
    "double": (lambda a, b: 2 * a, lambda a, b: Dual(2, 0) * a),
    "square": (lambda a, b: a**2, lambda a, b: a * a),
    "negative": (lambda a, b: -a, lambda a, b: a.then(-a.x, -1)),
    "relu": (lambda a, b: a.relu(), lambda a, b: a.then(max(a.x, 0), int(a.x > 0))),
    "abs": (lambda a, b: abs(a), lambda a, b: a.then(abs(a.x), (a.x > 0) - (a.x < 0))),
    "where": (lambda a, b: ops.where(a > b, a, b), lambda a, b: a if a.x > b.x else b),
    "detach": (lambda a, b: a + b.stop_gradient(), lambda a, b: a + Dual(b.x, 0)),
}

SMOOTH: dict[str, tuple[Run, Run]] = {
    **{name: EXACT[name] for name in ("add", "subtract", "multiply", "square", "double")},
    "divide": (lambda a, b: a / (b * b + 1), lambda a, b: a / (b * b + Dual(1.0, 0.0))),
    "tanh": (lambda a, b: a.tanh(), lambda a, b: a.then(math.tanh(a.x), math.cosh(a.x) ** -2)),
    "sin": (lambda a, b: ops.sin(a), lambda a, b: a.then(math.sin(a.x), math.cos(a.x))),
    "arctan": (lambda a, b: a.arctan(), lambda a, b: a.then(math.atan(a.x), 1 / (1 + a.x**2))),
    "exp": (
        lambda a, b: (a.tanh()).exp(),
        lambda a, b: a.then(
            math.exp(math.tanh(a.x)), math.exp(math.tanh(a.x)) * math.cosh(a.x) ** -2
        ),
    ),
}


def programs(names: Any, numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw inputs, and steps that each apply an operation to two earlier results."""
    step = st.tuples(st.sampled_from(sorted(names)), st.integers(0, 10**6), st.integers(0, 10**6))
    return st.tuples(
        st.lists(numbers, min_size=1, max_size=4), st.lists(step, min_size=1, max_size=12)
    )


def run(program: list[Step], inputs: list[Any], table: Any, which: int) -> Any:
    pool = list(inputs)
    for name, i, j in program:
        pool.append(table[name][which](pool[i % len(pool)], pool[j % len(pool)]))
    return pool


@given(programs(EXACT, st.integers(-5, 5)))
def test_integer_graphs_are_exact(example: tuple[list[int], list[Step]]) -> None:
    numbers, program = example
    leaves = [Value(n) for n in numbers]
    root = run(program, leaves, EXACT, 0)[-1]
    references = []
    for i in range(len(numbers)):
        duals = [Dual(Fraction(n), Fraction(int(j == i))) for j, n in enumerate(numbers)]
        results = run(program, duals, EXACT, 1)
        assume(all(abs(r.x) < 2**50 and abs(r.d) < 2**50 for r in results))
        references.append(results[-1])
    assume(all(abs(v.data) < 2**50 for v in toposort(root)))
    root.backward()
    assume(all(abs(v.grad) < 2**50 for v in toposort(root)))  # beyond, floats round
    assert [root.data] * len(numbers) == [r.x for r in references]
    assert [leaf.grad for leaf in leaves if leaf is not root] == [
        r.d for leaf, r in zip(leaves, references) if leaf is not root
    ]


@given(programs(SMOOTH, st.floats(-2, 2)))
def test_smooth_graphs_agree_with_dual_numbers(example: tuple[list[float], list[Step]]) -> None:
    numbers, program = example
    leaves = [Value(n) for n in numbers]
    values = run(program, leaves, SMOOTH, 0)
    assume(all(abs(v.data) < 50 for v in values))
    values[-1].backward()
    for i, leaf in enumerate(leaves):
        duals = [Dual(n, float(j == i)) for j, n in enumerate(numbers)]
        reference = run(program, duals, SMOOTH, 1)[-1]
        assert values[-1].data == pytest.approx(reference.x, rel=1e-9, abs=1e-9)
        assert leaf.grad == pytest.approx(reference.d, rel=1e-7, abs=1e-7)


@given(programs(SMOOTH, st.floats(-2, 2)))
def test_operands_come_before_their_consumers(example: tuple[list[float], list[Step]]) -> None:
    numbers, program = example
    root = run(program, [Value(n) for n in numbers], SMOOTH, 0)[-1]
    order = toposort(root)
    position = {v: i for i, v in enumerate(order)}
    assert len(position) == len(order)
    assert order[-1] is root
    assert all(position[p] < position[v] for v in order for p in v.parents)


@given(programs(SMOOTH, st.floats(-2, 2)))
def test_a_second_pass_doubles_the_leaves_and_nothing_else(
    example: tuple[list[float], list[Step]],
) -> None:
    numbers, program = example
    root = run(program, [Value(n) for n in numbers], SMOOTH, 0)[-1]
    assume(all(abs(v.data) < 50 for v in toposort(root)))
    root.backward()
    first = {v: v.grad for v in toposort(root)}
    root.backward()
    for v, grad in first.items():
        times = 1 if v.parents or v is root else 2
        assert v.grad == pytest.approx(times * grad, rel=1e-12)
