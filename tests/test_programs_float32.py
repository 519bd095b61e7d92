"""Programs of float32: as near to those of float64 as it allows; what it lacks raises."""

from __future__ import annotations

import copy
import math
import operator
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, nn
from micrograd.losses import cross_entropy
from micrograd.programs import Program
from micrograd.programs.run import executable

SINGLE = np.dtype(np.float32)


def grads(values: list[Value]) -> list[float]:
    found = [v.grad for v in values]
    for v in values:
        v.grad = 0.0
    return found


def both(function: Callable[..., Any], values: list[Value], *rows: Any) -> list[tuple[Any, ...]]:
    """Return results, mean and gradients of a function's programs, of float64 and of float32."""
    found = []
    for dtype in (None, "float32"):
        result = mg.program(function, dtype=dtype)(*rows)
        mean = result.mean()
        mean.backward()
        found.append((result.data, mean.data, np.array(grads(values))))
    return found


def agree(found: list[tuple[Any, ...]], digits: float = 1e-5) -> None:
    (data, mean, slopes), (data32, mean32, slopes32) = found
    assert data32.dtype == SINGLE
    assert data32 == pytest.approx(data, rel=digits, abs=digits * abs(data).max())
    assert mean32 == pytest.approx(mean, rel=digits)
    assert slopes32 == pytest.approx(slopes, rel=digits, abs=digits * abs(slopes).max())


@pytest.mark.parametrize("rows", [1, 7, 300, 9000])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_networks_agree_to_five_digits(activation: str, rows: int) -> None:
    random.seed(3)
    model = nn.MLP(6, [9, 5, 3], activation=activation)
    rng = np.random.default_rng(rows)
    labels = np.eye(3)[rng.integers(3, size=rows)]
    numbers = rng.normal(size=(rows, 6))
    agree(both(lambda x, y: cross_entropy(model(x), y), model.parameters(), numbers, labels))


def test_sequences_of_unlike_lengths_agree() -> None:
    rng = np.random.default_rng(1)
    table = [[Value(x) for x in row] for row in rng.normal(size=(11, 4))]

    def score(tokens: Any) -> Any:
        columns = [*zip(*[mg.take(table, i) for i in tokens])]
        powers = [mg.exp(x) for x in columns[0]]
        return sum(p * x for p, x in zip(powers, columns[1])) / sum(powers) + mg.logsumexp(
            columns[2]
        )

    rows = [rng.integers(11, size=k).tolist() for k in (1, 4, 2, 4, 4, 7)]
    agree(both(score, [v for row in table for v in row], rows))


def test_each_operation_agrees() -> None:
    w = [Value(0.7), Value(-1.3)]
    points = np.random.default_rng(2).uniform(0.05, 0.95, (40, 2))
    skipped = {"polygamma"}  # its order is a whole number
    for name, op in mg.ops.TABLE.items():
        if name in skipped:
            continue
        count = len(op.derivatives)

        def function(x: Any, op: Any = op, count: int = count) -> Any:
            return w[0] * op(*[x[0], x[1], 0.5 * x[0]][:count]) + w[1]

        agree(both(function, w, points + (name == "arccosh")), 3e-5)


def test_a_long_loop_agrees() -> None:
    rate = Value(0.5)

    def logistic(p: Any) -> Any:
        for _ in range(300):
            p = p + 0.05 * rate * p * (1 - p)
        return p

    agree(both(logistic, [rate], [0.1, 0.4, 0.002]), 1e-4)
    agree(both(logistic, [rate], np.linspace(0.1, 0.9, 50)), 1e-4)


def test_what_it_takes_and_gives() -> None:
    w = Value(0.1)
    for dtype in ("float32", np.float32, SINGLE):
        traced = mg.program(lambda x: w * x, dtype=dtype)
        for rows in ([1.0, 2.0], np.ones(3, np.float16), np.ones(3, np.float32), [1, 2]):
            assert traced(rows).data.dtype == SINGLE
        assert traced([]).data.dtype == traced(np.empty(0)).data.dtype == SINGLE
        assert np.asarray(traced([1.0])).dtype == SINGLE
    assert mg.program(lambda x: w * x, dtype="float64")([1.0]).data.dtype == np.float64
    assert mg.program(lambda x: w * x)(np.ones(2, np.float32)).data.dtype == np.float64
    decorated = mg.program(dtype="float32")(lambda x: w * x)
    assert decorated([1.0]).data.dtype == SINGLE
    assert (w.data, type(w.grad)) == (0.1, float)


@pytest.mark.parametrize("dtype", ["float16", np.float16, "int32", "f8 please", 3, ">f4", object])
def test_other_dtypes_are_refused(dtype: Any) -> None:
    with pytest.raises(ValueError, match=r"dtype='float64' or.*'float32', not in"):
        mg.program(lambda x: x, dtype=dtype)
    with pytest.raises(ValueError, match="arrays of float16 may be given to either"):
        mg.program(dtype="float16")


def test_sums_are_added_up_in_float64() -> None:
    traced = mg.program(lambda x: x, dtype="float32")
    numbers = np.full(30_000, 16777.217, np.float32)
    assert traced(numbers).sum().data == math.fsum(numbers.tolist())
    assert traced(numbers)[5].data == float(numbers[5])


@pytest.mark.parametrize("rows", [3, 9000])
def test_weights_that_float32_lacks_arrive(rows: int) -> None:
    """What is multiplied outside of the program may be far beyond its numbers."""
    w = Value(0.25)
    result = mg.program(lambda x: w * x, dtype="float32")(np.ones(rows))
    for scale in (1e-70, -1e60, 0.0):
        (scale * result.sum()).backward()
        (scale * result[:2].sum()).backward()
        assert grads([w])[0] == pytest.approx(scale * (rows + 2), rel=1e-6)


@pytest.mark.parametrize("rows", [3, 9000, 40_000])
def test_weights_of_any_ratio_arrive(rows: int) -> None:
    a, b, c = (Value(1.0) for _ in range(3))
    traced = mg.program(lambda x: (a * x, b * x, c * x), dtype="float32")
    for weights in ([1.0, 1e-50, 1e-44], [1e30, 0.0, 1e-20], [1e300, 1e-320, -1.0]):
        with np.errstate(all="raise"):
            result = traced(np.ones(rows))
            sum(w * result[:, k].sum() for k, w in enumerate(weights)).backward()
        expected = [w * rows for w in weights]
        assert grads([a, b, c]) == pytest.approx(expected, rel=1e-4, abs=0.0)
    result = traced(np.ones(rows))
    (math.inf * result[:, 0].sum() + 1e-50 * result[:, 1].sum()).backward()
    assert grads([a, b, c]) == pytest.approx([math.inf, 1e-50 * rows, 0.0], rel=1e-4, abs=0.0)


def test_weights_of_zero_pass_nothing_on_and_large_ones_make_inf() -> None:
    w = Value(0.0)
    result = mg.program(lambda x: mg.sqrt(w * x), dtype="float32")([1.0, 2.0])
    with np.errstate(all="raise"):
        (0.0 * result.sum()).backward()
        (0.0 * result[:1].sum()).backward()
        assert grads([w]) == [0.0]
        w.data = 1.0
        result = mg.program(lambda x: mg.sqrt(w * x) * 8, dtype="float32")([1.0, 2.0])
        (1e308 * result.sum()).backward()
        assert grads([w]) == [math.inf]


def test_slopes_beyond_its_range_are_computed_in_float64() -> None:
    w = Value(1e-30)
    result = mg.program(lambda x: mg.sqrt(w * x) * mg.sqrt(w), dtype="float32")([1e-30, 4.0])
    result[1:].sum().backward()
    assert grads([w])[0] == pytest.approx(2.0, rel=1e-6)
    steep = mg.program(lambda x: 1e30 * (1e30 * (w * x)), dtype="float32")([1.0])
    assert steep.data[0] == pytest.approx(1e30, rel=1e-6)
    steep.sum().backward()
    assert grads([w])[0] == pytest.approx(1e60, rel=1e-6)


def test_numbers_beyond_its_range_raise() -> None:
    w = Value(1.0)
    traced = mg.program(lambda x: w * x, dtype="float32")
    inf = float("inf")
    assert traced([inf, -inf, 3e38]).data.tolist() == [inf, -inf, float(np.float32(3e38))]
    for _ in range(2):  # at first, and when the arguments are as before
        with pytest.raises(OverflowError, match=r"x holds -1e\+39, which is beyond"):
            traced(np.array([1.0, -1e39]))
        traced(np.array([1.0, 2.0]))
    with pytest.raises(OverflowError, match=r"argument x holds 1e\+39"):
        mg.program(lambda x: w * sum(x), dtype="float32")([[1.0], [1e39, 2.0]])
    for rows in (2, 9000):
        w.data = 1e300
        with pytest.raises(OverflowError, match=r"a parameter holds 1e\+300"):
            traced(np.ones(rows))
        w.data = 1.0
        assert traced(np.ones(rows)).data[0] == 1.0
    with pytest.raises(OverflowError, match=r"a program holds 1e\+200"):
        mg.program(lambda x: x * 1e200 * w, dtype="float32")([1.0])
    for tiny in (1e-300, 1e-40):
        with pytest.raises(ValueError, match=f"the constant {tiny:g} of a program is too small"):
            mg.program(lambda x, tiny=tiny: mg.log(x + tiny), dtype="float32")([1.0])


def test_what_would_be_zero_raises() -> None:
    w = Value(1.0)
    traced = mg.program(lambda x: w * x, dtype="float32")
    assert traced([0.0, 1e-38]).data[0] == 0.0
    for rows in (np.array([0.0, 1e-50]), [1e-50, 0.0]):
        with pytest.raises(ValueError, match="x holds 1e-50, which is 0 in float32"):
            traced(rows)
    w.data = 1e-60
    for logarithm in (lambda x: mg.log(w) * x, lambda x: x if x < w else mg.log(w)):
        with pytest.raises(ValueError, match="a parameter holds 1e-60, which is 0"):
            mg.program(logarithm, dtype="float32")([1.0, 2.0])
    w.data = 0.0
    assert traced([1.0]).data[0] == 0.0


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x**16777217,
        lambda x: x**16777217.0,
        lambda x: mg.equal(x, 16777217),
        lambda x: 1.0 if x < 16777217 else 0.0,
        lambda x: 1.0 if x == np.int64(16777217) else 0.0,
        lambda x: mg.where(x > 2**53 + 1, x, 1.0),
        lambda i: mg.take([1, 16777217], i),
    ],
)
def test_integers_among_constants_are_exact_or_raise(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match=r"\d, (which|is none)|\d of a program is none of float32"):
        mg.program(function, dtype="float32")([0])


def test_constants_that_may_be_rounded_are() -> None:
    def function(x: Any) -> Any:
        return x * 1e12 + 123456789 + x**2 * 1e30 if x < 2**30 else x**16777218 * 1e-12

    assert mg.program(function, dtype="float32")([2.0]).data[0] == pytest.approx(4e30)


def test_integers_beyond_those_of_float64_are_looked_up_exactly() -> None:
    plain = mg.program(lambda i: i + 0.0, dtype="float32")
    odd = [2**53 + 1, 2**63 - 1, -(2**63) + 1, 2**64 - 1, 2**63 + 2**39, 2**64 + 1]
    for x in odd:
        with pytest.raises(ValueError, match=f"the integer {x}, which is none of float32"):
            plain([x])
        with pytest.raises(ValueError, match=f"the integer {x}, which is none of float32"):
            mg.program(lambda i: sum(i), dtype="float32")([[1], [2, x]])
    for x in (-(2**63), 2**63, 2**63 + 2**40, 2**64, 2**100):
        assert plain([x]).data[0] == float(x)
    with pytest.raises(OverflowError, match="beyond the range"):
        plain([1, 10**40])


def test_large_integers_are_found_in_sets_and_dicts() -> None:
    known = {2**30: 1.0, 3: 2.0, 2**24: 3.0, -(2**31): 4.0, 0: 5.0}
    traced = mg.program(lambda i: known.get(i, -1.0), dtype="float32")
    rows = [2**30, 3, 2**24, 5, 2**30 + 128, -(2**31), -(2**31) + 256, 0, 2**62]
    expected = [known.get(x, -1.0) for x in rows]
    assert traced(rows).data.tolist() == expected
    assert traced(rows[::-1]).data.tolist() == expected[::-1]


def test_integers_are_exact_or_raise() -> None:
    table = [Value(0.5 * k) for k in range(300)]
    traced = mg.program(lambda i: mg.take(table, i) * 1.0, dtype="float32")
    places = np.array([0, 299, -1, -300, 17])
    assert traced(places).data.tolist() == [0.0, 149.5, 149.5, 0.0, 8.5]
    with pytest.raises(IndexError, match="300"):
        traced(np.array([0, 300]))
    plain = mg.program(lambda i: i + 0.0, dtype="float32")
    assert plain(np.array([2**24, -(2**24), 2**30])).data.tolist() == [2.0**24, -(2.0**24), 2.0**30]
    for rows in (np.array([1, 2**24 + 1]), [1, 2**24 + 1]):
        with pytest.raises(ValueError, match="the integer 16777217, which is none of float32"):
            plain(rows)
    for kind in (bool, np.uint8, np.int8, np.uint16, np.int32, np.uint64):
        assert plain(np.array([1, 0], kind)).data.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="the integer 16777217"):
        mg.program(lambda i: sum(i), dtype="float32")([[1], [2, 2**24 + 1]])
    with pytest.raises(OverflowError, match="beyond the range"):
        mg.program(lambda i: sum(i), dtype="float32")([[1], [2, 10**40]])
    assert mg.program(lambda i: sum(i))([[1], [2, 10**40]]).data[1] == 1e40


# Ways ------------------------------------------------------------------------------------------


def test_a_row_goes_the_way_that_its_own_numbers_say() -> None:
    def steps(x: Any) -> Any:
        y = x * 0.1 + x * 0.2
        return y if y <= x * 0.3 else -y

    rows = np.random.default_rng(5).normal(size=500)
    found = mg.program(steps, dtype="float32")(rows).data
    assert abs(found) == pytest.approx(abs(0.3 * rows), rel=1e-6)
    # The same, whoever else is in the call, and once more.
    assert mg.program(steps, dtype="float32")(rows).data.tolist() == found.tolist()


def test_ties_are_those_of_float32() -> None:
    w, low = Value(1.0), Value(0.7)
    for rows in ([0.0, 0.1], [0.1, 0.0]):
        asked = mg.program(lambda x: w * x if x > 0.1 else -2 * w * x, dtype="float32")
        for row in rows:
            asked([row])
            result = asked([0.1]).sum()
            result.backward()
            slopes = [grads([w])[0], mg.grad(result, [w])[0].data, mg.grad(asked)([0.1]).data[0]]
            assert [result.data, *slopes] == pytest.approx([-0.2, -0.2, -0.2, -2.0])

    def clip(x: Any) -> Any:
        return low * 3 if x < low else 2 * x

    clipped = mg.program(clip, dtype="float32")
    for _ in range(2):
        assert clipped([0.7, 0.2, 0.9]).data == pytest.approx([1.4, 2.1, 1.8])
    fresh = mg.program(clip, dtype="float32")([0.7, 0.2, 0.9]).sum()
    assert mg.grad(fresh, [low])[0].data == pytest.approx(3.0)
    for member in (lambda x: x == 0.1, lambda x: x in (0.2, 0.1)):
        found = mg.program(lambda x, m=member: 1.0 if m(x) else 0.0, dtype="float32")([0.1, 0.3])
        assert found.data.tolist() == [1.0, 0.0]


def test_gradients_computed_again_are_of_the_same_side() -> None:
    w = Value(1.0)

    def function(x: Any) -> Any:
        choice = mg.where(x > 0.1, w * x, -2 * w * x)
        return choice + mg.maximum(x, 0.1) * w + mg.where(x > 0, mg.sqrt(w * x), 0.0)

    found = []
    for rows in ([0.1], [0.1, 0.0]):  # where one has an infinite slope
        mg.program(function, dtype="float32")(rows)[:1].sum().backward()
        found += grads([w])
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_ties_do_not_depend_on_what_was_called_before() -> None:
    """Of arguments, parameters and constants; on each way of comparing."""
    rng = random.Random(8)
    numbers = [0.1, 0.2, 0.3, 0.7, 1.1, -0.1, -0.7, 1.0, 0.5]
    orders = [operator.lt, operator.le, operator.gt, operator.ge]
    for _ in range(12):
        first, second = rng.choice([*orders, operator.eq, operator.ne]), rng.choice(orders)
        w, edge, constant = Value(1.5), Value(rng.choice(numbers)), rng.choice(numbers)
        given = (w, edge, constant, first, second)

        def chosen(x: Any, y: Any, w: Any, edge: Any, c: Any, first: Any, second: Any) -> Any:
            total = w * x if first(x, c) else -2 * w * y
            return total * (3 if second(edge, y) else w)

        def function(x: Any, y: Any, given: Any = given) -> Any:
            return chosen(x, y, *given)

        def expected(x: float, y: float, given: Any = given) -> Any:
            return chosen(*map(np.float32, (x, y, 1.5, given[1].data, given[2])), *given[3:])

        used = mg.program(function, dtype="float32")
        for _ in range(5):
            rows = [[rng.choice(numbers) for _ in range(rng.choice([1, 2, 40]))] for _ in "xy"]
            rows[1] = [rng.choice(numbers) for _ in rows[0]]
            right = [expected(x, y) for x, y in zip(*rows)]
            result, fresh = used(*rows), mg.program(function, dtype="float32")(*rows)
            assert result.data == pytest.approx(right, rel=1e-6)
            assert fresh.data == pytest.approx(right, rel=1e-6)
            total = result.sum()
            total.backward()
            [slope] = grads([w])
            assert mg.grad(total, [w])[0].data == pytest.approx(slope, rel=1e-5, abs=1e-5)


def test_rows_done_one_by_one_overflow_in_silence() -> None:
    def function(x: Any) -> Any:
        y = x * 0.1 + x * 0.2
        return y * 1e30 * 1e20 if y <= x * 0.3 else -y * 1e30 * 1e20

    rows = np.random.default_rng(0).normal(size=200)
    with np.errstate(all="raise"):
        assert np.isinf(mg.program(function, dtype="float32")(rows).data).all()
        assert np.isinf(mg.program(function, dtype="float32")(rows[:1]).data).all()


def test_a_loop_until_float64_converges_ends() -> None:
    w = Value(2.0)

    def root(x: Any) -> Any:
        y, change = x, 1.0
        while abs(change) > 1e-13:  # which float32 may never reach
            change = (y * y - w * x) / (2 * y)
            y = y - change
        return y

    rows = np.linspace(0.3, 9.0, 30)
    result = mg.program(root, dtype="float32")(rows)
    assert result.data == pytest.approx(np.sqrt(2 * rows), rel=1e-6)
    result.sum().backward()
    assert grads([w])[0] == pytest.approx((np.sqrt(rows / 2) / 2).sum(), rel=1e-5)


# Among other things ----------------------------------------------------------------------------

weight = Value(1.5)


@mg.program(dtype="float32")
def scaled(x: Any) -> Any:
    return weight * x * x


class Model:
    def __init__(self) -> None:
        self.w = Value(2.0)

    @mg.program(dtype="float32")
    def loss(self, x: Any) -> Any:
        return self.w * x


def is_single(traced: Any) -> bool:
    return bool(traced([1.0, 2.0]).data.dtype == SINGLE)


def test_copies_methods_and_derivatives_compute_in_it_too() -> None:
    w = Value(3.0)
    traced = mg.program(lambda x: w * x * x, dtype="float32")
    assert is_single(copy.deepcopy(traced))
    assert is_single(traced)
    assert is_single(copy.copy(traced))
    assert is_single(copy.deepcopy(traced))
    assert is_single(Model().loss)
    assert is_single(mg.grad(Model().loss))
    slope, curve = mg.grad(traced), mg.hessian(traced)
    assert slope([1.0, 2.0]).data.tolist() == [6.0, 12.0]
    assert curve([1.0]).data.tolist() == [6.0]
    assert is_single(slope)
    assert is_single(curve)
    [again] = mg.grad(traced([1.0, 3.0]).mean(), [w])
    assert again.data == pytest.approx(5.0)
    assert mg.program(lambda x: traced(x), dtype="float32")([2.0]).data.tolist() == [12.0]


def test_pickles_compute_in_it_too() -> None:
    w = Value(3.0)
    traced = mg.program(lambda x: w * x if x < 5 else -x, dtype="float32")
    traced([1.0])
    for program in (traced, mg.grad(traced)):
        program([1.0])
        assert is_single(pickle.loads(pickle.dumps(program)))
    assert pickle.loads(pickle.dumps(scaled)) is scaled
    assert is_single(pickle.loads(pickle.dumps(mg.program(plain_function, dtype="float32"))))
    both_paths = pickle.loads(pickle.dumps(traced))
    traced([1.0, 7.0])
    both_paths = pickle.loads(pickle.dumps(traced))  # the second path was planned, or was not
    assert both_paths([1.0, 7.0]).data.tolist() == [3.0, -7.0]
    assert is_single(both_paths)


def plain_function(x: Any) -> Any:
    return 2 * x


def test_objectives_are_of_float64_numbers() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    a, b = Value(1.0), Value(0.0)
    misfit = mg.program(lambda x, y: a * x + b - y, dtype="float32")
    line = misfit.objective([a, b], [0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    assert {line.residuals(line.x0).dtype, line.jacobian(line.x0).dtype} == {np.dtype(float)}
    found = optimize.least_squares(line.residuals, line.x0, jac=line.jacobian)
    assert found.x == pytest.approx([2.0, 1.0], abs=1e-5)


def test_training_moves_float64_parameters() -> None:
    random.seed(2)
    model = nn.MLP(2, [8, 1], activation="tanh")
    rng = np.random.default_rng(4)
    x = rng.normal(size=(200, 2)).astype(np.float32)
    y = np.sin(x[:, 0] + x[:, 1])
    loss = mg.program(lambda x, y: (model(x) - y) ** 2, dtype="float32")
    optimizer = mg.optim.AdamW(model.parameters(), 0.02)
    first = loss(x, y).mean().data
    for _ in range(150):
        optimizer.zero_grad()
        loss(x, y).mean().backward()
        optimizer.step()
    assert loss(x, y).mean().data < 0.05 * first
    assert any(p.data != float(np.float32(p.data)) for p in model.parameters())


def test_the_same_bits_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executable, "BLOCK", 256)
    random.seed(6)
    model = nn.MLP(20, [30, 4], activation="tanh")
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(4000, 20)), np.eye(4)[rng.integers(4, size=4000)]
    found = []
    for threads in (1, 3):
        loss: Program = mg.program(
            lambda x, y: cross_entropy(model(x), y), threads=threads, dtype="float32"
        )
        result = loss(x, y)
        result.mean().backward()
        found.append((result.data.tobytes(), grads(model.parameters())))
    assert found[0] == found[1]


def test_dask_arrays_give_float32() -> None:
    da = pytest.importorskip("dask.array")
    w = Value(2.0)
    traced = mg.program(lambda x: w * x, dtype="float32")
    given = da.from_array(np.linspace(0.0, 1.0, 50), chunks=20)
    result: Any = traced(given)
    assert result.data.dtype == SINGLE
    assert result.data.compute(scheduler="synchronous").dtype == SINGLE
    total = result.sum()
    total.backward()
    assert total.data == pytest.approx(50.0)
    assert grads([w])[0] == pytest.approx(25.0)
    wide: Any = mg.program(lambda x: w * x)
    assert wide(given).data.compute(scheduler="synchronous").dtype == np.float64


def test_arrays_of_other_libraries_keep_their_dtype() -> None:
    torch = pytest.importorskip("torch")
    w = Value(2.0)
    traced = mg.program(lambda x: w * x, dtype="float32")
    for dtype in (torch.float64, torch.float32):
        assert traced(torch.ones(3, dtype=dtype)).data.dtype == dtype


def test_it_prints_and_is_a_function_of_arrays() -> None:
    traced = mg.program(lambda x: weight * x * x, dtype="float32")
    other = mg.program(lambda x: weight * x * x)
    traced([1.0])
    other([1.0])
    assert str(traced) == str(other)
    results, _ = traced.function(np)(np.array([1.5]), np.array([2.0]))
    assert results.dtype == np.float64
