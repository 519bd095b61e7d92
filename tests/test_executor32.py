"""The executor of float32: each operation and each step does what NumPy does in float64."""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from random_cases import cases, single

from micrograd import ops
from micrograd.ops import Op
from micrograd.programs.lower.precision import DOUBLE
from micrograd.programs.lower.strides import Step
from micrograd.programs.run import executor, instructions, kernels
from micrograd.programs.run.executor import Workspace
from micrograd.programs.run.instructions import Instructions

C: Any = instructions.executors[4]
pytestmark = pytest.mark.skipif(C is None, reason="the C executor was not built, or not wanted")

SEED = 20261128
INF, NAN = float("inf"), float("nan")
EDGES = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    -2.5,
    3.0,
    1e-9,
    88.7,
    88.73,
    -103.9,
    3e38,
    1e-45,
    INF,
    -INF,
    NAN,
]
CLOSE = 3.5e-7  # relative: three units in the last place
# What is near 0 and has cancelled, or has a multiple of its operand within a function.
CONDITIONED = {"logaddexp": 3e-7, "ndtr": 2e-7, "log_ndtr": 2e-6, "sinc": 1e-6}


@pytest.fixture(params=[2, 4, 8])
def lanes(request: pytest.FixtureRequest) -> Iterator[None]:
    C.limit_vectors(request.param)  # as many doubles, and twice as many floats
    yield
    C.limit_vectors(8)


def in_c(name: str, operands: Sequence[Any], gaps: int) -> Any:
    """Compute a row of the table, each number so far from the next."""
    size, count = len(operands[0]), len(operands)
    numbers = np.zeros(((count + 1) * size, gaps), np.float32)
    words = [C.codes["LOOP"], C.codes[name], 1, size, 0, gaps]
    for k, x in enumerate(operands, 1):
        numbers[k * size : (k + 1) * size, 0] = x
        words += [k * size * gaps, gaps]
    C.Instructions(numbers.reshape(-1), array("i", words)).run()
    return numbers[:size, 0]


def one_by_one(name: str, operands: Sequence[Any]) -> Any:
    numbers = np.empty(len(operands) + 1, np.float32)
    alone = C.Instructions(numbers, array("i", [C.codes[name], *range(len(numbers))]))
    found = []
    for row in zip(*operands):
        numbers[1:] = row
        alone.run()
        found.append(numbers[0])
    return np.array(found)


def by_numpy(op: Op, operands: Sequence[Any]) -> Any:
    out = np.empty(len(operands[0]))
    with np.errstate(all="ignore"):
        for call, arguments in kernels.calls(op, [x.astype(float) for x in operands], out):
            call(*arguments)
        return out.astype(np.float32)


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("name", sorted(set(ops.TABLE) & set(C.codes)) if C else [])
def test_each_row_is_that_of_float64(name: str) -> None:
    op = ops.TABLE[name]
    count = len(op.derivatives)
    rng = np.random.default_rng(1)
    edges = np.array(list(itertools.product(EDGES, repeat=min(count, 2)))).T
    if name == "sinc":
        edges = edges[:, abs(edges[0]) < 1e6]  # beyond, pi x has lost its digits
    drawn = rng.uniform(-4, 4, 500), rng.uniform(0, 1, 500), rng.uniform(-90, 90, 203)
    some = np.concatenate(drawn)
    columns = [some, rng.permutation(some), some[::-1]]
    if name == "power":
        columns[0] = abs(columns[0])
    rows = [*edges, edges[0, ::-1]][:count]
    operands = [np.concatenate(pair).astype(np.float32) for pair in zip(rows, columns)]
    expected = by_numpy(op, operands)
    ways = {"vectors": in_c(name, operands, 1), "gaps": in_c(name, operands, 3)}
    ways["alone"] = one_by_one(name, operands)
    for way, found in ways.items():
        close = np.isclose(
            found, expected, rtol=CLOSE, atol=CONDITIONED.get(name, 1e-44), equal_nan=True
        )
        if name in ("sinc", "erfinv", "ndtri", "log_ndtr", "logit"):  # of several steps
            close |= np.isclose(found, expected, rtol=3e-6, atol=1e-6)
        wrong = np.flatnonzero(~close)
        assert not wrong.size, (
            way,
            [(*(x[i] for x in operands), found[i], expected[i]) for i in wrong],
        )


def test_it_is_for_float32_alone() -> None:
    words = array("i", [C.codes["add"], 0, 1, 2])
    with pytest.raises(TypeError, match="bound to float32"):
        C.Instructions(np.zeros(3), words)
    with pytest.raises(TypeError, match="bound to float64"):
        instructions.executor.Instructions(np.zeros(3, np.float32), words)
    with pytest.raises(ValueError, match="does not fit"):
        C.Instructions(np.zeros(2, np.float32), words)
    assert C.codes == instructions.executor.codes
    assert C.Instructions.__module__ == "micrograd.native._executor32"


# Step by step ----------------------------------------------------------------------------------

SUMS = ("product", "outer", "einsum", "sum", "segments", "running")


class Steps:
    """Runs each step in float64 on what is in memory, in float32 on NumPy, and in C."""

    def __init__(self) -> None:
        self.in_c: set[str] = set()

    def bind(self, workspace: Workspace, steps: Sequence[Step]) -> list[Any]:
        """Take the place of `Workspace._bind`."""
        if workspace._dtype == DOUBLE:
            return bind(workspace, steps)
        wide = in_float64(workspace)
        return [
            (self._compare, (workspace, wide, step, *self._ways(workspace, step))) for step in steps
        ]

    def _ways(self, workspace: Workspace, step: Step) -> list[Any]:
        in_c = Instructions(workspace._memory, workspace.buffers, workspace.n)
        by_numpy = getattr(workspace, f"_{step.kind}")(step)
        if not in_c.write(step):
            return [by_numpy]
        self.in_c.add(step.kind)
        return [by_numpy, in_c.as_calls()]

    def _compare(self, workspace: Workspace, wide: Workspace, step: Step, *ways: Any) -> None:
        memory = workspace._memory
        before = memory.copy()
        right, scale = (self._right(wide, step, x) for x in (before, abs(before)))
        for calls in ways:
            memory[:] = before
            for call, arguments in calls:
                call(*arguments)
            tolerance = 2e-5 * abs(right) + 1e-30  # of functions in several steps
            if step.kind in SUMS:
                tolerance = 4e-6 * abs(scale)
            elif step.kind == "row":
                tolerance += 3e-6 * (abs(right) < 1) + 1e-5 * (abs(right) > 1e3) * abs(right)
            wrong = ~((abs(memory - right) <= tolerance) | (np.isnan(memory) & np.isnan(right)))
            wrong &= np.isfinite(right) & (abs(right) < 1e38)
            places = np.flatnonzero(wrong)
            assert not places.size, (step, places[:5], memory[places[:5]], right[places[:5]])

    def _right(self, wide: Workspace, step: Step, before: Any) -> Any:
        wide._memory[:] = before
        with np.errstate(all="ignore"):
            for call, arguments in getattr(wide, f"_{step.kind}")(step):
                call(*arguments)
        return wide._memory.copy()


bind = Workspace._bind


def in_float64(workspace: Workspace) -> Any:
    """Return the same buffers at the same places of a memory of float64."""
    memory = workspace._memory
    wide: Any = Workspace.__new__(Workspace)
    wide.n, wide._dtype, wide._memory = workspace.n, DOUBLE, np.zeros(memory.size)
    first = memory.__array_interface__["data"][0]

    def same(x: Any) -> Any:
        place = 2 * (x.__array_interface__["data"][0] - first)
        return np.ndarray(x.shape, float, wide._memory, place, [2 * step for step in x.strides])

    wide._lying = [same(x) for x in workspace._lying]
    wide.buffers = [same(x) for x in workspace.buffers]
    wide._numbers = executor._Numbers(wide.buffers)
    return wide


@pytest.mark.usefixtures("lanes")
def test_each_step_of_random_programs_is_that_of_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps()
    monkeypatch.setattr(Workspace, "_bind", lambda self, own: steps.bind(self, own))
    monkeypatch.setattr(Workspace, "_bind_in_chunks", lambda *_: False)
    for number in range(12):
        case = cases.draw(SEED, number)
        with np.errstate(all="ignore"):
            single.check(case)
    assert steps.in_c >= {"row", "product", "outer", "einsum", "sum", "take", "put"}
