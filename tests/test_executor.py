"""The C executor does what NumPy's does: by steps of random programs, by rows at edges."""

from __future__ import annotations

import itertools
import random
from array import array
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import mpmath
import numpy as np
import pytest
from problems import science
from random_cases.failures import failure

import micrograd as mg
from micrograd import Value, ops
from micrograd.ops import Op
from micrograd.programs import Program
from micrograd.programs.lower import buffers, chunks, plan
from micrograd.programs.lower.strides import Step
from micrograd.programs.run import executor, instructions, kernels
from micrograd.programs.run.executor import Workspace
from micrograd.programs.run.instructions import Instructions

C: Any = instructions.executor
pytestmark = pytest.mark.skipif(C is None, reason="the C executor was not built, or not wanted")

SEED = 20261128


# Step by step ----------------------------------------------------------------------------------


class Both:
    """Binds each step twice, and compares what it leaves in all of the memory."""

    def __init__(self) -> None:
        self.in_c: set[str] = set()
        self.left_to_numpy: set[str] = set()
        self._alone = Workspace._bind

    def bind(self, workspace: Workspace, steps: Sequence[Step]) -> list[Any]:
        """Take the place of `Workspace._bind`."""
        return [(self._compare, (workspace, step, *self._ways(workspace, step))) for step in steps]

    def _ways(self, workspace: Workspace, step: Step) -> tuple[list[Any], list[Any]]:
        in_c = Instructions(workspace._memory, workspace.buffers, workspace.n)
        by_numpy = getattr(workspace, f"_{step.kind}")(step)
        written = in_c.write(step)
        names = {step.kind, getattr(step.detail, "name", step.kind)}
        (self.in_c if written else self.left_to_numpy).update(names)
        return (in_c.as_calls() if written else by_numpy), by_numpy

    def _compare(self, workspace: Workspace, step: Step, *ways: Sequence[Any]) -> None:
        memory = workspace._memory
        before, found = memory.copy(), []
        for calls in ways:
            memory[:] = before
            for call, arguments in calls:
                call(*arguments)
            found.append(memory.copy())
        if found[0].tobytes() != found[1].tobytes():
            relative, absolute = (1e-9, 1e-12) if memory.dtype == np.float64 else (1e-4, 1e-5)
            assert np.isclose(found[0], found[1], relative, absolute, True).all(), step


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> Both:
    made = Both()
    monkeypatch.setattr(Workspace, "_bind", lambda self, steps: made.bind(self, steps))
    monkeypatch.setattr(Workspace, "_bind_in_chunks", lambda *_: False)
    return made


def test_each_step_of_random_programs_is_numpys(both: Both) -> None:
    assert [found for i in range(15) if (found := failure(SEED, i))] == []
    assert both.in_c >= {"row", "product", "outer", "einsum", "sum", "take", "put"}


@pytest.mark.parametrize("function", science.AT)
def test_science_runs_in_one_piece(function: science.Program) -> None:
    p = [Value(x) for x in science.AT[function]]
    expected = function(p, mg.math)
    expected.backward()
    wanted = [v.grad for v in p]
    for v in p:
        v.grad = 0.0
    traced = mg.program(lambda scale: scale * function(p, mg.math))
    total = traced([1.0]).sum()
    total.backward()
    assert total.data == pytest.approx(expected.data, rel=1e-12)
    assert [v.grad for v in p] == pytest.approx(wanted, rel=1e-9)
    for workspace in workspaces(traced, total):
        assert len(workspace._forward) == len(workspace._backward) == 1


def workspaces(traced: Program, total: Value) -> list[Workspace]:
    """Return those that a call has used, when it is done."""
    del total
    assert traced._known.version is not None
    [paths] = traced._known.version.paths.values()
    return [workspace for path in paths.found for workspace in path.program._idle]


def test_sums_of_unlike_lengths(both: Both) -> None:
    w = [Value(0.1 * i - 0.3) for i in range(9)]
    rng = np.random.default_rng(1)
    # At place t, a sum over all before it; and sums of single numbers, weighted.
    running = mg.program(lambda x: [sum(x[: t + 1]) * w[t] for t in range(9)])
    weighted = mg.program(lambda x: [sum(a * b for a, b in zip(x[:t], w)) for t in (2, 5, 3, 7)])
    some = mg.program(lambda x: sum(mg.tanh(sum(w[i] for i in own)) * x[0] for own in SETS))
    for function in (running, weighted, some):
        for rows in (1, 4):
            function(rng.normal(size=(rows, 9))).sum().backward()
    assert {"running", "segments", "clear", "take"} & both.in_c


def test_logs_of_sums_are_written_in_pairs(both: Both) -> None:
    w = [Value(0.3 * k - 0.7) for k in range(4)]
    rng = np.random.default_rng(2)
    far = [np.inf, -np.inf, 800.0, -800.0, np.nan]
    X = np.concatenate([rng.normal(size=(9, 4)), rng.choice(far, (40, 4))])  # noqa: N806
    for count in (1, 2, 4):  # the last operand is the result's memory, or each of them twice
        terms = [count * [0, 1, 2, 3], [0, 0, 1, 1, 0]]
        for own in terms:
            traced = mg.program(lambda x, own=own: mg.logsumexp(w[k] * mg.exp(x[k]) for k in own))
            assert np.isfinite(traced(X[:9]).data).all()
            with np.errstate(all="ignore"):
                traced(X)
    assert "logsumexp" in both.in_c


def test_slopes_that_are_a_choice_are_copied(both: Both) -> None:
    p, q = Value(1.5), Value(0.5)

    def slopes(x: Any) -> Any:
        return sum(mg.grad(mg.arctan2(p, 2.0 + mg.cos(q * x)) ** q * abs(x), [p, q]))

    traced = mg.program(slopes)
    for rows in ([0.7], [0.7, -1.2]):
        p.grad = q.grad = 0.0
        total = traced(rows).sum()
        total.backward()
        expected = sum(slopes(x) for x in rows)
        assert total.data == pytest.approx(expected.data, rel=1e-12)
        assert [p.grad, q.grad] == pytest.approx([g.data for g in mg.grad(expected, [p, q])])


SETS = [[0, 3, 1], [5], [2, 4, 8, 6], [7, 1], [3, 3, 0], [8, 2, 5, 1, 0]]


# Row by row ------------------------------------------------------------------------------------

EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.5, 3.0, 1e-9, 710.0, -745.5, 1e308, 5e-324]
EDGES += [float("inf"), -float("inf"), float("nan")]


SHARED = {"first shared": 0, "last shared": -1}


def laid_out(operands: Sequence[Any], layout: str) -> Iterator[Any]:
    """Yield the operands without gaps, as every second number, or one of them as one number."""
    for k, x in enumerate(operands):
        if layout == "gaps":
            yield np.repeat(x, 2)[::2]
        elif layout in SHARED and k == SHARED[layout] % len(operands):
            yield np.full_like(x, x[len(x) // 3])
        else:
            yield x


@pytest.fixture(params=[2, 4, 8])
def lanes(request: pytest.FixtureRequest) -> Iterator[int]:
    """Use vectors of so many numbers, or of fewer where the processor has no such."""
    C.limit_vectors(request.param)
    yield request.param
    C.limit_vectors(8)


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("layout", ["plain", "gaps", *SHARED])
@pytest.mark.parametrize("name", sorted(set(ops.TABLE) & set(C.codes)) if C else [])
def test_each_row_is_numpys(name: str, layout: str) -> None:
    op = ops.TABLE[name]
    count = len(op.derivatives)
    grid = np.array(list(itertools.product(EDGES, repeat=min(count, 2)))).T
    operands = list(laid_out([*grid, grid[0, ::-1]][:count], layout))
    expected = np.empty(grid.shape[1])
    with np.errstate(all="ignore"):
        for call, arguments in kernels.calls(op, operands, expected):
            call(*arguments)
    found = in_c(op, operands, layout)
    assert np.isclose(found, expected, rtol=1e-14, atol=0, equal_nan=True).all(), [
        (*own, a, b) for *own, a, b in zip(*operands, found, expected) if not same(a, b)
    ]


def same(x: float, y: float) -> bool:
    return bool(np.isclose(x, y, rtol=1e-14, atol=0, equal_nan=True))


def in_c(op: Op, operands: Sequence[Any], layout: str) -> Any:
    """Compute a row of the table in one loop, and number by number; both must agree."""
    n = len(operands[0])
    step = 2 if layout == "gaps" else 1
    spans = [2 * n * k for k in range(len(operands) + 1)]
    steps = [step] * (len(operands) + 1)
    numbers = np.full(2 * n * len(spans), 7.0)
    for place, x in zip(spans[1:], operands):
        numbers[place : place + step * n : step] = x
    if layout in SHARED:
        steps[1 + SHARED[layout] % len(operands)] = 0
    views = [word for view in zip(spans, steps) for word in view]
    run([C.codes["LOOP"], C.codes[op.name], 1, n, *views], numbers)
    found = numbers[: step * n : step].copy()
    for i in range(n):
        run([C.codes[op.name], *[p + i * s for p, s in zip(spans, steps)]], numbers)
    # A product that is added may be rounded once in the one, and twice in the other.
    assert np.allclose(numbers[: step * n : step], found, rtol=1e-14, atol=0, equal_nan=True)
    return found


RNG = np.random.default_rng(8)
POINTS: dict[str, list[Any]] = {
    "exp": [RNG.uniform(-745, 709.7, 300), RNG.uniform(-1, 1, 300), RNG.uniform(-745, -708, 99)],
    "log": [
        10 ** RNG.uniform(-323, 308, 300),
        RNG.uniform(0.5, 2, 400),
        1 + RNG.normal(size=99) / 1e4,
    ],
    "log1p": [
        RNG.uniform(-1, 1, 300),
        10 ** RNG.uniform(-20, 300, 200),
        -(10 ** RNG.uniform(-20, 0, 99)),
    ],
    "tanh": [RNG.uniform(-20, 20, 300), RNG.uniform(-1, 1, 400), 10 ** RNG.uniform(-300, 0, 99)],
    "expm1": [RNG.uniform(-50, 709.7, 300), RNG.normal(size=400), 10 ** RNG.uniform(-323, 0, 99)],
    "erf": [RNG.uniform(-6.5, 6.5, 400), RNG.normal(size=400), -(10 ** RNG.uniform(-323, 2, 99))],
    "sin": [RNG.uniform(-9, 9, 400), RNG.uniform(-1e6, 1e6, 300), 10 ** RNG.uniform(-323, 22, 99)],
    "cos": [RNG.uniform(-9, 9, 400), RNG.uniform(-1e6, 1e6, 300), 10 ** RNG.uniform(-20, 300, 99)],
    "erfc": [RNG.uniform(-6, 27.3, 400), RNG.uniform(-1, 3, 300), 10 ** RNG.uniform(-323, 2, 99)],
    "arctan": [RNG.uniform(-3, 3, 400), 10 ** RNG.uniform(-20, 20, 99)],
    "arcsin": [RNG.uniform(-1, 1, 400), 1 - 10 ** RNG.uniform(-16, 0, 99)],
    "arccos": [RNG.uniform(-1, 1, 400), 1 - 10 ** RNG.uniform(-16, 0, 99)],
    "hypot": [RNG.normal(size=400), 10 ** RNG.uniform(-139, 139, 99), RNG.uniform(0, 1e-150, 99)],
    "arctan2": [RNG.normal(size=400), 10 ** RNG.uniform(-300, 300, 99), np.zeros(9)],
}
POINTS["sin"].append(np.arange(-150, 150) * np.pi)  # almost 0 there
POINTS["cos"].append((np.arange(-150, 150) + 0.5) * np.pi)
for name in ("arctan", "arcsin"):
    POINTS[name].append(-(10 ** RNG.uniform(-323, 0, 99)))
IN_MPMATH = {"arctan": "atan", "arcsin": "asin", "arccos": "acos", "arctan2": "atan2"}


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("name", POINTS)
def test_functions_are_within_two_units_in_the_last_place(name: str) -> None:
    x, rng = np.concatenate(POINTS[name]), np.random.default_rng(7)
    n, count = len(x), len(ops.TABLE[name].derivatives)
    operands = [x, x[rng.permutation(n)] * rng.choice([-1.0, 1.0], n)][:count]
    function = getattr(mpmath, IN_MPMATH.get(name, name))
    numbers = np.concatenate([np.zeros(n), *operands])
    views = [word for k in range(count + 1) for word in (k * n, 1)]
    run([C.codes["LOOP"], C.codes[name], 1, n, *views], numbers)
    with mpmath.workprec(120):
        for found, *given in zip(numbers.tolist(), *[x.tolist() for x in operands]):
            right = function(*map(mpmath.mpf, given))
            assert abs(mpmath.mpf(found) - right) <= 2 * np.spacing(abs(float(right))), given


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("is_shared", [False, True])
def test_powers_are_within_two_units_in_the_last_place(is_shared: bool) -> None:
    rng = np.random.default_rng(9)
    x = np.concatenate([10 ** rng.uniform(-308, 308, 256), rng.uniform(0.5, 2, 512)])
    y = rng.uniform(-1, 1, len(x)) * 700 / np.maximum(abs(np.log(x)), 0.5)
    whole = np.arange(-128, 128)
    x, y = np.concatenate([x, -rng.uniform(0.9, 1.1, 256)]), np.concatenate([y, whole])
    n, many = len(x), [2.0, 0.5, -1.0, 3.0, -2.5, 0.0] if is_shared else [None]
    for shared in many:
        numbers = np.concatenate([np.zeros(n), x, y if shared is None else [shared]])
        run([C.codes["LOOP"], C.codes["power"], 1, n, 0, 1, n, 1, 2 * n, shared is None], numbers)
        with mpmath.workprec(160):
            for i, found in enumerate(numbers[:n].tolist()):
                exponent = float(y[i]) if shared is None else shared
                right = mpmath.mpf(float(x[i])) ** mpmath.mpf(exponent)
                if isinstance(right, mpmath.mpc):
                    assert np.isnan(found)
                elif float(abs(right)) < np.inf:
                    near = 2 * np.spacing(abs(float(right)))
                    assert abs(mpmath.mpf(found) - right) <= near, (x[i], exponent)


def run(words: Sequence[int], numbers: Any) -> None:
    C.Instructions(numbers, array("i", words)).run()


def test_a_result_may_lie_where_an_operand_does() -> None:
    numbers = np.arange(40.0)
    run([C.codes["LOOP"], C.codes["multiply"], 1, 40, 0, 1, 0, 1, 0, 1], numbers)
    assert (numbers == np.arange(40.0) ** 2).all()


# Sums ------------------------------------------------------------------------------------------

SIZES = [(1, 1, 3), (2, 5, 7), (5, 13, 4), (4, 8, 16), (9, 3, 40), (3, 1, 100), (1, 30, 9)]


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("orders", list(itertools.product(["C", "F"], repeat=3)))
def test_matrix_products(size: tuple[int, int, int], orders: tuple[str, ...]) -> None:
    i, j, k = size
    rng = np.random.default_rng(0)
    shapes = [(i, j), (i, k), (k, j)]
    numbers = rng.normal(size=sum(a * b for a, b in shapes))
    parts, place = [], 0
    for (a, b), order in zip(shapes, orders):
        part = numbers[place : place + a * b]
        parts.append((place, part.reshape((a, b) if order == "C" else (b, a))))
        place += a * b
    views = [x if order == "C" else x.T for (_, x), order in zip(parts, orders)]
    expected = views[1] @ views[2]
    oi, oj = (s // 8 for s in views[0].strides)
    xi, xk = (s // 8 for s in views[1].strides)
    yk, yj = (s // 8 for s in views[2].strides)
    places = [place for place, _ in parts]
    head = [C.codes["SUM"], instructions.PRODUCTS, 0, 0, i, j, 1, k]
    run([*head, places[0], oi, oj, places[1], xi, 0, 0, xk, places[2], 0, yj, 0, yk], numbers)
    assert views[0] == pytest.approx(expected, rel=1e-13, abs=1e-14)


@pytest.mark.usefixtures("lanes")
@pytest.mark.parametrize("n", [1, 5, 8, 9, 100])
@pytest.mark.parametrize("bad", [None, float("nan"), float("inf"), -float("inf")])
def test_sums_and_extremes_of_rows(n: int, bad: float | None) -> None:
    table = np.random.default_rng(n).normal(size=(n, 20))
    if bad is not None:
        table[n // 2, 3] = bad
    for kind, reduce in (
        (instructions.NUMBERS, np.add.reduce),
        (instructions.LARGEST, np.maximum.reduce),
        (instructions.SMALLEST, np.minimum.reduce),
    ):
        for axis, (step, k) in enumerate([(1, 20), (20, 1)]):
            kept = table.shape[1 - axis]
            numbers = np.concatenate([np.zeros(kept), table.reshape(-1)])
            head = [C.codes["SUM"], kind, 0, 0, 1, kept, 1, table.shape[axis]]
            run([*head, 0, 0, 1, kept, 0, step, 0, k], numbers)
            expected = reduce(table, axis)
            assert numbers[:kept] == pytest.approx(expected, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("largest", [mg.max, mg.min])
def test_of_the_zeros_the_last_is_the_larger_as_in_the_loop(
    largest: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    for n in (2, 3, 9, 16, 40):
        weights = [Value(float(x)) for x in rng.choice([0.0, -0.0], n)]
        rows = rng.choice([0.0, -0.0], (7, n))

        def f(x: Any, w: list[Value] = weights) -> Any:
            return (
                largest(list(x)),
                largest(w) * 1.0 + x[0] * 0.0 - 0.0,
                largest([p * v for p, v in zip(w, x)]),
            )

        loop = [[np.copysign(1.0, v.data) for v in f([Value(x) for x in row])] for row in rows]
        for in_c in (True, False):
            with monkeypatch.context() as patch:
                if not in_c:
                    patch.setattr(executor, "can_write", lambda _: False)
                assert np.copysign(1.0, mg.program(f)(rows).data).tolist() == loop


def test_the_same_bits_in_every_run() -> None:
    rng = np.random.default_rng(3)
    w = [Value(x) for x in rng.normal(size=50)]
    traced = mg.program(lambda x: mg.tanh(sum(a * b for a, b in zip(w, x))))
    X = rng.normal(size=(777, 50))  # noqa: N806

    bits = set()
    for _ in range(5):
        for v in w:
            v.grad = 0.0
        total = traced(X).sum()
        total.backward()
        bits.add((total.data, *[v.grad for v in w]))
    assert len(bits) == 1


# Bounds ----------------------------------------------------------------------------------------


def collected(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, list[int]]]:
    """Return the memories and the instructions of some programs."""
    found: list[tuple[Any, list[int]]] = []
    own = Instructions.as_calls

    def as_calls(self: Instructions) -> list[Any]:
        if self._words:
            found.append((self._numbers, self._words.tolist()))
        return own(self)

    monkeypatch.setattr(Instructions, "as_calls", as_calls)
    for i in range(25):
        assert failure(SEED, i) is None
    return found


def test_no_instruction_reaches_outside_of_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(5)
    refused = ran = 0
    for numbers, words in collected(monkeypatch):
        if len(words) > 3000 or numbers.size > 100_000:
            continue
        for _ in range(12):
            changed = words[:]
            for _ in range(draw.randint(1, 2)):
                place = draw.randrange(len(words))
                # Not much larger: an axis along which nothing moves may be of any length.
                changed[place] = draw.choice([0, -1, 1, 3000, -(2**31), words[place] + 1])
            guarded = np.full(numbers.size + 64, 3.5)
            guarded[32:-32] = 0.25
            try:
                run(changed, guarded[32:-32])
                ran += 1
            except ValueError as error:
                assert "does not fit the numbers" in str(error)  # noqa: PT017
                refused += 1
            assert (guarded[:32] == 3.5).all()
            assert (guarded[-32:] == 3.5).all()
    assert refused > 100
    assert ran > 100


@pytest.mark.parametrize(
    "words",
    [
        ["exp", 0],  # cut short
        ["exp", 0, 10],  # behind the end
        ["exp", -1, 1],  # before the start
        [10_000, 0, 0, 0],
        [-1, 0, 0, 0],
    ],
)
def test_what_does_not_fit_is_refused(words: list[Any]) -> None:
    with pytest.raises(ValueError, match="the instruction at word 0 does not fit"):
        run([C.codes.get(word, word) for word in words], np.zeros(10))


def test_moves_are_checked_at_every_time() -> None:
    words = [C.codes["LOOP"], C.codes["exp"], 1, 4, 0, 1, 4, 1]
    moves = array("i", [0, 0, 0, 0, 8, 0, 8, 0])
    numbers = np.zeros(32)
    C.Instructions(numbers, array("i", words), moves, 4).run()
    assert numbers.tolist() == 4 * [*[1.0] * 4, *[0.0] * 4]
    with pytest.raises(ValueError, match="does not fit"):
        C.Instructions(numbers, array("i", words), moves, 5)
    moves[1] = C.codes["add"] - C.codes["exp"]
    with pytest.raises(ValueError, match="does not fit"):
        C.Instructions(numbers, array("i", words), moves, 2)
    with pytest.raises(ValueError, match="each word moves"):
        C.Instructions(numbers, array("i", words), moves[1:], 2)
    with pytest.raises(TypeError, match="int32"):
        C.Instructions(numbers, array("i", words), array("d", moves), 2)


def test_other_arrays_are_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        C.Instructions(np.zeros(10, np.float32), array("i", [0, 0, 1, 2]))
    with pytest.raises(TypeError, match="int32"):
        C.Instructions(np.zeros(10), array("d", [0.0]))
    frozen = np.zeros(10)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        C.Instructions(frozen, array("i", [0, 0, 1, 2]))


# Around it -------------------------------------------------------------------------------------


def test_faults_in_chunks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def found() -> bool:
        return any(failure(SEED, i) for i in range(40))

    with monkeypatch.context() as patch:  # sums that begin anew with each chunk
        patch.setattr(instructions, "ADDS", 0)
        assert found()
    share = buffers.share
    with monkeypatch.context() as patch:  # nothing is kept for the other pass

        def forgetful(storages: Any, *given: Any) -> list[int]:
            memories = share(storages, *given)
            for storage in storages:
                storage.temporary = storage.memory is not None
            return memories

        patch.setattr(plan, "share", forgetful)
        assert found()
    with monkeypatch.context() as patch:  # what is made of sums is computed too early

        def early(steps: Any) -> Any:
            passes = chunks.in_chunks(steps)
            return passes and passes._replace(before=passes.before + passes.after, after=[])

        patch.setattr(plan, "in_chunks", early)
        assert found()


@pytest.mark.parametrize("rows", [200, 203, 20_000])
def test_chunks_compute_what_the_whole_does(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mg.nn.MLP(3, [8, 2])
    weights = model.parameters()
    loss = mg.program(lambda x: sum(v * v for v in model(x)) + 0.1 * sum(p * p for p in weights))
    X = np.random.default_rng(rows).normal(size=(rows, 3))  # noqa: N806

    def computed() -> tuple[Any, list[float]]:
        loss.retrace()
        model.zero_grad()
        total = loss(X)
        (0.5 * total.mean() + total[1] + total[rows - 1]).backward()
        return total.data, [p.grad for p in weights]

    with monkeypatch.context() as patch:
        patch.setattr(chunks, "CACHE", 10_000)
        results, gradients = computed()
        assert computed()[1] == gradients
        [path] = loss._known.version.paths.values()  # type: ignore[union-attr]
        assert len(path.found[0].program._workspace(rows)._forward) > 1
    monkeypatch.setattr(chunks, "CACHE", 2**40)
    whole = computed()
    assert results == pytest.approx(whole[0], rel=1e-13)
    assert gradients == pytest.approx(whole[1], rel=1e-11)


def test_threads_run_one_program_at_once() -> None:
    p = [Value(x) for x in science.AT[science.epidemic]]
    traced = mg.program(lambda scale: scale * science.epidemic(p, mg.math))
    expected = traced([1.0, 2.0]).data
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: traced([1.0, 2.0]).data, range(200)):
            assert (found == expected).all()


def test_a_users_operation_runs_between_instructions() -> None:
    def halved(x: float) -> float:
        return x / 2

    half: Callable[..., Any] = Op("half", halved, lambda x, out: 0.5)
    w = Value(3.0)
    traced = mg.program(lambda x: mg.exp(half(w * x)) * w)
    total = traced([1.0, -1.0]).sum()
    total.backward()
    loop = sum(mg.exp(half(w * x)) * w for x in (1.0, -1.0))
    assert total.data == pytest.approx(loop.data)
    assert w.grad == pytest.approx(mg.grad(loop, w).data)
