"""Steps on single numbers in C: where one reads what the last one gave, they run as one."""

from __future__ import annotations

import math
import operator
import platform
import random
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value
from micrograd.programs.run import instructions

C: Any = instructions.executor
pytestmark = pytest.mark.skipif(C is None, reason="the C executor was not built, or not wanted")

ROWS: dict[str, Callable[..., float]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": lambda x, y: float(np.divide(x, y)),
    "negative": operator.neg,
    "where": lambda c, x, y: x if c else y,
    "less": lambda x, y: float(x < y),
    "abs": abs,
}
OPERANDS = {"negative": 1, "abs": 1, "where": 3}
# Elsewhere a product that is added may be rounded once.
NEAR = 0.0 if platform.machine() in ("x86_64", "AMD64") else 1e-9
PLACES = 6  # so few that a step often reads what the last one gave, or writes over it


def random_steps(draw: random.Random, count: int) -> list[tuple[str, list[int]]]:
    steps: list[tuple[str, list[int]]] = []
    for _ in range(count):
        name = draw.choice([*ROWS, *["add", "subtract", "multiply", "divide", "negative"] * 3])
        places = [draw.randrange(PLACES) for _ in range(1 + OPERANDS.get(name, 2))]
        if steps and draw.random() < 0.6:
            places[draw.randrange(1, len(places))] = steps[-1][1][0]
        steps.append((name, places))
    return steps


def one_by_one(steps: list[tuple[str, list[int]]], numbers: list[float]) -> None:
    for name, (out, *operands) in steps:
        numbers[out] = ROWS[name](*[numbers[x] for x in operands])


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_steps_that_read_each_other_give_what_they_give_one_by_one(seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(20):
        steps = random_steps(draw, draw.choice([1, 2, 3, 5, 30]))
        numbers = [draw.uniform(-2, 2) for _ in range(PLACES)]
        memory = np.array(numbers)
        words = array("i", [w for name, places in steps for w in (C.codes[name], *places)])
        C.Instructions(memory, words).run()
        one_by_one(steps, numbers)
        assert memory.tolist() == pytest.approx(numbers, rel=NEAR, abs=NEAR, nan_ok=True), steps


def test_what_is_no_single_number_ends_what_follows() -> None:
    memory = np.array([1.0, 2.0, 4.0, 0.0, 0.0])
    loop = [C.codes["LOOP"], C.codes["multiply"], 1, 2, 0, 1, 0, 1, 0, 1]  # squares the first two
    words = [C.codes["negative"], 0, 2, *loop, C.codes["add"], 3, 0, 1, C.codes["add"], 4, 3, 3]
    C.Instructions(memory, array("i", words)).run()
    assert memory.tolist() == [16.0, 4.0, 4.0, 20.0, 40.0]


def test_the_codes_that_are_made_are_not_read() -> None:
    most = max(C.codes.values())
    for code in range(most + 1, most + 120):
        with pytest.raises(ValueError, match="does not fit"):
            C.Instructions(np.zeros(8), array("i", [code, 0, 1, 2, 3, 4, 5]))


def test_nan_and_infinities_go_through() -> None:
    memory = np.array([math.inf, 0.0, 1.0, 0.0, 0.0])
    multiply, add = C.codes["multiply"], C.codes["add"]
    C.Instructions(memory, array("i", [multiply, 3, 0, 1, add, 4, 2, 3])).run()
    assert np.isnan(memory[3:]).all()


@pytest.mark.parametrize("rows", [1, 2, 4, 5])
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_few_numbers_are_taken_one_by_one(rows: int, count: int) -> None:
    w = [Value(0.1 * k - 0.2) for k in range(count)]

    @mg.program
    def f(x: Any) -> Any:
        products = [a * b for a, b in zip(w, x)]
        return [sum(products), mg.max(products), mg.min(products), sum(map(mg.exp, w))]

    x = np.random.default_rng(rows).normal(size=(rows, count))
    result = f(x)
    result.sum().backward()
    products = x * [v.data for v in w]
    exps = np.full(rows, sum(math.exp(v.data) for v in w))
    wanted = np.stack([products.sum(1), products.max(1), products.min(1), exps], axis=1)
    assert result.data == pytest.approx(wanted, rel=1e-14)
    slopes = x.sum(0) + [rows * math.exp(v.data) for v in w]
    for row, own in zip(x, products):
        for k in (own.argmax(), own.argmin()):
            slopes[k] += row[k]
    assert [v.grad for v in w] == pytest.approx(slopes.tolist(), rel=1e-12)


@pytest.mark.parametrize("rows", [1, 2, 4, 5])
def test_steps_of_a_few_rows_are_taken_row_by_row(rows: int) -> None:
    v, w = Value(0.3), Value(-0.7)

    def f(x: Any) -> Any:
        return mg.sin(v * mg.exp(w * x)) / (1.5 + mg.cos(v - x))

    x = [0.1, -0.4, 0.8, 1.3, -2.0][:rows]
    result = mg.program(f)(x)
    result.sum().backward()
    slopes = [v.grad, w.grad]
    each = [f(xi) for xi in x]
    assert result.data == pytest.approx([y.data for y in each], rel=1e-14)
    assert slopes == pytest.approx([g.data for g in mg.grad(sum(each), [v, w])], rel=1e-12)
