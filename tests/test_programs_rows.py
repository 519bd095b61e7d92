"""Rows of the table as calls on NumPy arrays, however these lie in memory."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_agree, values

import micrograd as mg
from micrograd import ops, program
from micrograd.ops import Op
from micrograd.programs.lower.buffers import is_one_call
from micrograd.programs.run import kernels as rows

STRIDES = range(1, 18)
LENGTH = 19  # a few times what the processor takes in one go, and a rest


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def strided(numbers: Any, stride: int) -> Any:
    """Lay these numbers out with this distance between them."""
    apart = np.full((len(numbers), stride), 0.5)
    apart[:, 0] = numbers
    return apart.reshape(-1)[::stride]


def computed(op: Op, operands: list[Any], out: Any) -> Any:
    with np.errstate(all="ignore"):
        for call, arguments in rows.calls(op, operands, out):
            call(*arguments)
    return out


@pytest.mark.parametrize("op", ops.TABLE.values(), ids=lambda op: op.name)
def test_a_row_gives_the_same_however_arrays_lie(op: Op, rng: np.random.Generator) -> None:
    numbers = rng.normal(size=(len(op.derivatives), LENGTH))
    expected = pytest.approx(
        computed(op, list(numbers), np.empty(LENGTH)), rel=1e-13, abs=0, nan_ok=True
    )
    for stride in STRIDES:
        for of_out in STRIDES:
            operands = [strided(x, stride) for x in numbers]
            assert computed(op, operands, strided(numbers[0], of_out)) == expected
        one_strided = [strided(numbers[0], stride), *numbers[1:]]
        assert computed(op, one_strided, np.empty(LENGTH)) == expected


@pytest.mark.parametrize("op", ops.TABLE.values(), ids=lambda op: op.name)
def test_a_row_may_write_over_its_operands_if_one_call_computes_it(op: Op) -> None:
    operands = [np.ones(1) for _ in op.derivatives]
    assert is_one_call(op) == (len(rows.calls(op, operands, np.ones(1))) == 1)


@pytest.mark.parametrize(
    "op", [op for op in ops.TABLE.values() if is_one_call(op)], ids=lambda op: op.name
)
def test_a_row_gives_the_same_in_place(op: Op, rng: np.random.Generator) -> None:
    numbers = rng.normal(size=(len(op.derivatives), LENGTH))
    expected = pytest.approx(
        computed(op, list(numbers), np.empty(LENGTH)), rel=1e-13, abs=0, nan_ok=True
    )
    for stride in STRIDES:
        for over in range(len(numbers)):
            for others in (1, stride):
                operands = [strided(x, others) for x in numbers]
                operands[over] = strided(numbers[over], stride)
                assert computed(op, operands, operands[over]) == expected


@pytest.mark.parametrize("reduction", [np.add, np.multiply, np.maximum, np.minimum])
def test_a_reduction_gives_the_same_however_arrays_lie(
    reduction: Any, rng: np.random.Generator
) -> None:
    numbers = rng.normal(size=(LENGTH, 5))
    for stride in STRIDES:
        apart = strided(numbers.reshape(-1), stride).reshape(-1)
        array = np.lib.stride_tricks.as_strided(
            apart, numbers.shape, (5 * apart.strides[0], apart.strides[0])
        )
        for axes in ((0,), (1,), (0, 1)):
            expected = reduction.reduce(numbers, axes)
            out = strided(np.atleast_1d(np.zeros_like(expected)), stride)
            out = out[0, ...] if expected.ndim == 0 else out
            reduction.reduce(array, axes, None, out)
            assert out == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("apart", STRIDES)
def test_subtracted_parameters_that_lie_apart(apart: int, rng: np.random.Generator) -> None:
    w = values(rng.normal(size=(6, apart)))

    def function(x: Any) -> Any:
        added = sum(mg.tanh(p * x[0]) for row in w for p in row[:-1])
        return added - sum(row[-1] * e for row, e in zip(w, x))

    assert_agree(function, [rng.normal(size=(3, 6))], w)


def test_arrays_of_one_number_go_with_the_batch_size() -> None:
    squashed = program(lambda x: mg.sigmoid(x[0]) + mg.softplus(x[1]))
    for size in range(1000, 1010):
        squashed(np.ones((size, 2)))
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for size in range(2000, 2100):
        squashed(np.ones((size, 2)))
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 2_000_000  # one array for each size would be more
