"""Programs as their users meet them: arguments, results, parameters, paths, errors."""

from __future__ import annotations

import math
import pickle
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, program
from micrograd.graph import steps
from micrograd.nn import MLP
from micrograd.programs import ProgramError, Result
from micrograd.programs.run.executable import BLOCK

X = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]])
SCALE = 2.0
GLOBAL_W = Value(3.0)


@program
def in_module(x: Any) -> Any:
    return GLOBAL_W * x * SCALE


# Results ---------------------------------------------------------------------------------------


def test_results_have_one_row_per_example() -> None:
    w = Value(2.0)
    assert program(lambda x: w * x[0])(X).data.tolist() == [2.0, 6.0, 1.0]
    several = program(lambda x: (w * x[0], x[1]))(X)
    assert several.data.tolist() == [[2.0, 2.0], [6.0, -1.0], [1.0, 0.25]]
    assert several.shape == (3, 2)
    assert len(several) == 3
    assert np.array_equal(np.asarray(several), several.data)
    assert program(lambda x: [w * x[0]])(X).shape == (3, 1)


def test_reductions_and_elements_are_values_in_the_ordinary_graph() -> None:
    w = Value(2.0)
    result = program(lambda x: (w * x[0], w * w * x[1]))(X)
    column = result[:, 0]
    assert isinstance(column, Result)
    total = column.sum() + 10 * result[2, 1] + result.mean() - w
    assert isinstance(total, Value)
    total.backward()
    assert total.data == pytest.approx(9 + 10 * 4 * 0.25 + (9 + 4 * 1.25) / 6 - 2)
    assert w.grad == pytest.approx(4.5 + 10 * 2 * 2 * 0.25 + (4.5 + 4 * 1.25) / 6 - 1)
    rows = result[[0, 0, 1]]
    assert isinstance(rows, Result)
    w.grad = 0.0
    first = rows[:, 0]
    assert isinstance(first, Result)
    first.sum().backward()
    assert w.grad == 1.0 + 1.0 + 3.0


def test_backward_adds_to_the_grads_and_may_be_called_again() -> None:
    w = Value(2.0)
    total = program(lambda x: w * x)([1.0, 2.0]).sum()
    total.backward()
    total.backward()
    assert w.grad == 6.0


def test_live_results_own_their_numbers() -> None:
    w = Value(2.0)
    square = program(lambda x: w * w * x)
    first, second = square([1.0]), square([10.0])
    (first.mean() + second.mean()).backward()
    assert w.grad == pytest.approx(2 * 2.0 * 11)
    w.grad = 0.0
    before = square([1.0]).sum()
    w.data = 100.0
    square([1.0])
    before.backward()
    assert w.grad == 4.0  # the parameter as it was at the call


def test_results_are_read_only_since_reductions_are_taken_of_them_later() -> None:
    w = Value(2.0)
    given = np.array([1.0, 2.0, 3.0])
    result = program(lambda x: w * x)(given)
    for part in (result, result[1:], result[[0, 2]], result[result.data > 2]):
        with pytest.raises(ValueError, match="read-only"):
            part.data[0] = 7.0
        with pytest.raises(ValueError, match="read-only"):
            np.asarray(part)[0] = 7.0
    given[0] = 7.0
    copy = result.data.copy()
    copy[0] = 7.0
    assert result.sum().data == 12.0
    assert program(lambda x: x)(given).data is not given
    given[0] = 1.0  # it is the caller's, as before


def test_parameters_are_read_at_every_call() -> None:
    w = Value(2.0)
    scaled = program(lambda x: w * x)
    assert scaled([1.0]).data[0] == 2.0
    w.data = 5.0
    assert scaled([1.0]).data[0] == 5.0


def test_an_interior_value_passes_the_gradient_on() -> None:
    w = Value(2.0)
    square = w * w
    total = program(lambda x: square * x)([3.0]).sum()
    total.backward()
    assert (square.grad, w.grad) == (3.0, 12.0)


def test_arithmetic_on_parameters_in_the_function_is_part_of_it() -> None:
    w = Value(2.0)
    scaled = program(lambda x: (w * 0.0 + w.exp()) * x)
    scaled([1.0])
    w.data = 0.0
    total = scaled([1.0, 2.0]).sum()
    total.backward()
    assert (total.data, w.grad) == (3.0, 3.0)


def test_many_blocks_give_what_one_gives() -> None:
    w = Value(0.5)
    wave = program(lambda x: (w * x).sin())
    x = np.linspace(-3, 3, 2 * BLOCK + 5)
    result = wave(x)
    result.sum().backward()
    assert np.allclose(result.data, np.sin(0.5 * x), rtol=1e-14)
    assert w.grad == pytest.approx(float((x * np.cos(0.5 * x)).sum()), rel=1e-11, abs=1e-9)


def test_derivatives_within_a_program() -> None:
    def slopes(x: Any) -> Any:
        y = x**3
        slope = mg.grad(y, x)
        return y, slope, mg.grad(slope, x)

    assert program(slopes)([2.0]).data.tolist() == [[8.0, 12.0, 12.0]]


def test_what_a_program_contributes_is_seen_step_by_step() -> None:
    w = Value(2.0)
    interior = w * 3
    total = program(lambda x: w * x + interior)([1.0, 2.0]).mean() + w * w
    assert steps.totals(total)[w] == 1.5 + 3.0 + 4.0
    assert w.grad == 0.0
    total.backward()
    assert w.grad == 8.5


def test_two_reductions_of_one_call_are_seen_step_by_step() -> None:
    w = Value(2.0)
    result = program(lambda x: w * x * x)([1.0, 2.0])
    total = result.mean() + result.sum() + result[1]
    assert steps.totals(total)[w] == 2.5 + 5.0 + 4.0
    total.backward()
    assert w.grad == 2.5 + 5.0 + 4.0
    assert steps.totals(total)[w] == w.grad


def test_what_a_program_gives_to_leaves_and_nodes_adds_up_with_what_others_give() -> None:
    w, v = Value(2.0), Value(3.0)
    square = v * v
    total = program(lambda x: w * x + square * w)([1.0]).sum() + w
    total.backward()
    assert (w.grad, v.grad) == (1.0 + 9.0 + 1.0, 2 * 3.0 * 2.0)
    w.grad = 0.0
    program(lambda x: w * x + GLOBAL_W)([1.0]).sum().backward()
    assert w.grad == 1.0


def test_each_of_thousands_of_parameters_is_seen_step_by_step() -> None:
    weights = [Value(float(i)) for i in range(20_000)]
    total = program(lambda x: x * sum(weights))([1.0, 2.0]).sum()
    found = steps.totals(total)
    assert {found[w] for w in weights} == {3.0}


def test_a_failing_derivative_elsewhere_leaves_the_grads_as_they_were() -> None:
    w, zero = Value(2.0), Value(0.0)
    total = zero.sqrt() + program(lambda x: w * x)([1.0]).sum()
    with pytest.raises(ZeroDivisionError):
        total.backward()
    assert w.grad == 0.0


def test_a_derivative_through_what_no_operation_made_is_refused() -> None:
    w = Value(2.0)
    total = program(lambda x: w * x)([1.0]).sum()
    assert mg.grad(total * 2, w).data == 2.0
    made = Value.node(total.data, (total,), (1.0,))
    with pytest.raises(TypeError, match=r"the result of a program.*within the program"):
        mg.grad(made, w)


def test_a_result_is_not_pickled_but_its_numbers_are() -> None:
    w = Value(2.0)
    result = program(lambda x: w * x)([1.0])
    for x in (result, result.sum(), result.sum() + w):
        with pytest.raises(TypeError, match=r"the result of a program.*\.data"):
            pickle.dumps(x)


def test_numpys_mean_and_sum_of_a_result_are_values() -> None:
    w = Value(2.0)
    result = program(lambda x: w * x)([1.0, 2.0])
    (np.mean(result) + np.sum(result)).backward()
    assert w.grad == 1.5 + 3.0
    with pytest.raises(TypeError, match=r"axis=0.*result\[:, 0\]"):
        np.mean(result, axis=0)
    with pytest.raises(TypeError, match="float64"):
        np.sum(result, dtype=int)


@pytest.mark.parametrize(
    "use",
    [
        lambda r: r.backward(),
        lambda r: r + 1,
        lambda r: 2 * r,
        lambda r: -r,
        lambda r: r**2,
        lambda r: 2**r,
        lambda r: abs(r),
        lambda r: r - Value(1.0),
        lambda r: Value(1.0) / r,
        lambda r: np.ones(2) + r,
        lambda r: r < 3,
        lambda r: r >= r,
        lambda r: r.tanh(),
        lambda r: r.maximum(0),
        lambda r: np.exp(r),
        lambda r: mg.exp(r),
    ],
)
def test_arithmetic_on_results_says_where_it_belongs(use: Any) -> None:
    w = Value(2.0)
    result = program(lambda x: w * x)([1.0, 2.0])
    with pytest.raises(TypeError, match=r"mean\(\) or sum\(\).*\.data") as caught:
        use(result)
    assert "result of a program" in str(caught.value)


def test_a_subclass_of_value_is_a_parameter_on_either_side() -> None:
    class Weight(Value):
        pass

    s = Weight(4.0)
    functions: list[Any] = [lambda x: s * x, lambda x: x * s, lambda x: s.exp() * x - s / x]
    for function in functions:
        s.grad = 0.0
        expected: Any = sum(function(Value(x)) for x in (1.0, 2.0))
        expected.backward()
        slope, s.grad = s.grad, 0.0
        result: Any = program(function)([1.0, 2.0]).sum()
        result.backward()
        assert (result.data, s.grad) == (pytest.approx(expected.data), pytest.approx(slope))
    assert program(lambda x: mg.less(s, x))([1.0, 5.0]).data.tolist() == [0.0, 1.0]
    with pytest.raises(TypeError):
        program(lambda x: s * [x])([1.0])


def test_a_program_within_a_program_is_inlined() -> None:
    w = Value(2.0)
    inner = program(lambda x: w * x)
    assert program(lambda x: inner(x) + inner(x))([3.0]).data.tolist() == [12.0]


def test_a_change_in_an_inner_program_is_seen() -> None:
    weights = Value(2.0)
    inner = program(lambda x: weights * x)

    def outer(x: Any) -> Any:
        return inner(x) + 1

    traced = program(outer)
    assert traced([3.0]).data.tolist() == [7.0]
    weights = Value(5.0)
    assert traced([3.0]).data.tolist() == [16.0]


# Arguments -------------------------------------------------------------------------------------


def test_arguments_by_name_by_default_and_nested() -> None:
    def function(x: Any, y: Any, *more: Any, scale: Any = 2.0) -> Any:
        return x[0][1] * y * scale + sum(more)

    traced = program(function)
    x = np.arange(8.0).reshape(2, 2, 2)
    assert traced(x, [1, 2]).data.tolist() == [2.0, 20.0]
    assert traced(x, y=[1, 2], scale=[1.0, 3.0]).data.tolist() == [1.0, 30.0]
    assert traced(x, [1, 2], [5, 5], [1, 1]).data.tolist() == [8.0, 26.0]


def test_a_module_is_a_program_too() -> None:
    model = MLP(2, [3, 1])
    predict = program(model)
    assert predict(X).data[1] == pytest.approx(model(X[1].tolist()).data)


def test_no_examples_give_no_results() -> None:
    w = Value(1.0)
    result = program(lambda x: (w * x[0], x[1]) if x[0] > 0 else (w, w))(np.empty((0, 2)))
    assert result.shape == (0, 2)
    total = result.sum()
    total.backward()
    assert (total.data, w.grad) == (0.0, 0.0)
    assert math.isnan(result.mean().data)


@pytest.mark.parametrize(
    ("function", "shape"),
    [
        (lambda x: [mg.tanh(v) for v in x[1:]], (2,)),
        (lambda x: sum(x), ()),
        (MLP(3, [4, 2]), (2,)),
        (lambda x: GLOBAL_W, ()),
        (lambda x: [1.0], (1,)),
    ],
)
def test_no_examples_of_any_function(function: Any, shape: Any) -> None:
    traced = program(function)
    for rows in (0, 2, 0):
        result = traced(np.ones((rows, 3)))
        assert result.shape == (rows, *shape)
        result.sum().backward()
        assert result[:0].shape == (0, *shape)


def test_no_examples_of_an_image() -> None:
    k = [[Value(0.5), Value(-1.0)], [Value(2.0), Value(1.5)]]

    def convolved(x: Any) -> Any:
        return [
            sum(k[i][j] * x[p + i][q + j] for i in range(2) for j in range(2))
            for p in range(3)
            for q in range(2)
        ]

    total = program(convolved)(np.empty((0, 4, 3))).sum()
    total.backward()
    assert (total.data, k[0][0].grad) == (0.0, 0.0)


def test_a_function_may_depend_on_nothing() -> None:
    result = program(lambda x: 3.0)(X)
    assert result.data.tolist() == [3.0, 3.0, 3.0]
    result.mean().backward()
    w = Value(2.0)
    total = program(lambda x: w * w)(X).sum()  # only on a parameter
    total.backward()
    assert (total.data, w.grad) == (12.0, 12.0)


def test_nan_flows_through() -> None:
    w = Value(2.0)
    result = program(lambda x: (w * x).relu())([1.0, math.nan])
    assert result.data[0] == 2.0
    assert math.isnan(result.data[1])
    result.sum().backward()
    assert math.isnan(w.grad)


def test_arrays_follow_ieee() -> None:
    w = Value(1.0)
    assert program(lambda x: w / x)([0.0, 2.0]).data.tolist() == [math.inf, 0.5]


@pytest.mark.parametrize("dtype", [np.float32, np.int64, bool])
def test_numbers_of_any_kind_become_float64(dtype: Any) -> None:
    x = np.ones((3, 2), dtype)
    assert program(lambda x: x[0] + x[1])(x).data.dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X, [1.0, 2.0]), ValueError, "x has 3 examples, y has 2"),
        (([[1.0], 2.0], [1.0, 2.0]), ValueError, "rows of unlike depth"),
        ((X, ["a", "b", "c"]), TypeError, "real numbers, got dtype <U1"),
        ((X, X[:, 0] * 1j), TypeError, "real numbers, got dtype complex128"),
        ((X, [Value(1.0)] * 3), TypeError, "Values belong into the function's closure"),
        ((X, 1.0), TypeError, "y is one number"),
        ((X,), TypeError, "missing a required argument: 'y'"),
        ((X, None), TypeError, "y is None"),
        ((X, [None, 1.0, 2.0]), TypeError, "must hold real numbers.*None"),
        ((X, [Value(1.0)] * 3), TypeError, "closure"),
        ((X, np.ma.masked_greater([1.0, 2.0, 3.0], 2)), ValueError, "1 masked.*compressed"),
    ],
)
def test_arguments_that_do_not_fit(arguments: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        program(lambda x, y: x[0] * y)(*arguments)


def test_what_is_no_function_and_no_result() -> None:
    with pytest.raises(TypeError, match="made of a function"):
        program(3)  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="does it end with a return"):
        program(lambda x: None)(X)
    with pytest.raises(TypeError, match="a scalar, or a list or tuple of scalars"):
        program(lambda x: "a")(X)
    with pytest.raises(TypeError, match="at least one argument"):
        program(lambda: 1.0)()
    inner = program(lambda x: x[0])
    with pytest.raises(TypeError, match="is the result of a program"):
        program(lambda x: x)(inner(X))


# When it is traced -----------------------------------------------------------------------------


def test_the_function_runs_while_tracing_only() -> None:
    calls = []
    w = Value(1.0)

    @program
    def function(x: Any) -> Any:
        calls.append(1)
        return w * x

    for _ in range(3):
        function([1.0, 2.0])
    assert len(calls) == 1
    function([[1.0], [2.0]][0])  # the same shape of one example
    assert len(calls) == 1
    with pytest.raises(TypeError):
        function(X)  # a list times a Value: another shape is traced again
    assert len(calls) == 2


def test_a_changed_closure_is_traced_anew() -> None:
    w, factor = Value(1.0), 2.0
    scaled = program(lambda x: w * x * factor)
    assert scaled([1.0]).data[0] == 2.0
    factor = 3.0
    assert scaled([1.0]).data[0] == 3.0
    w = Value(10.0)
    assert scaled([1.0]).data[0] == 30.0


def test_a_changed_global_is_traced_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_module([1.0]).data[0] == 6.0
    monkeypatch.setitem(globals(), "SCALE", 5.0)
    assert in_module([1.0]).data[0] == 15.0


def test_a_change_within_an_object_needs_retrace() -> None:
    weights = [Value(1.0)]
    total = program(lambda x: x * sum(weights))
    assert total([1.0]).data[0] == 1.0
    weights.append(Value(1.0))
    assert total([1.0]).data[0] == 1.0
    total.retrace()
    assert total([1.0]).data[0] == 2.0


def test_programs_pickle() -> None:
    again = pickle.loads(pickle.dumps(in_module))
    assert again is in_module
    alone = pickle.loads(pickle.dumps(program(plain)))
    assert alone([2.0]).data[0] == 4.0
    model = program(MLP(2, [2, 1]))
    model(X)
    assert np.array_equal(pickle.loads(pickle.dumps(model))(X).data, model(X).data)


def plain(x: Any) -> Any:
    return x * x


def test_threads_may_share_a_program() -> None:
    model = MLP(2, [8, 1], activation="tanh")
    predict = program(lambda x: model(x))
    inputs = [np.random.default_rng(i).normal(size=(50, 2)) for i in range(4)]
    expected = [program(model)(x).data for x in inputs]
    found: dict[int, bool] = {}

    def work(i: int) -> None:
        found[i] = all(np.array_equal(predict(inputs[i]).data, expected[i]) for _ in range(30))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[i] for i in range(4))


# Paths -----------------------------------------------------------------------------------------


def zigzag(x: Any, y: Any, w: Any) -> Any:
    if x > 1:
        return w * x
    if x < -1 or y > 0.5:
        return w * w * y if y >= 0 else -x
    return max(x, y) + w


def test_each_row_takes_its_own_path() -> None:
    w = Value(1.5)
    x, y = np.random.default_rng(0).normal(size=(2, 200)) * 1.5
    result = program(lambda x, y: zigzag(x, y, w))(x, y)
    assert result.data.tolist() == [zigzag(a, b, 1.5) for a, b in zip(x.tolist(), y.tolist())]
    result.mean().backward()
    gradient, w.grad = w.grad, 0.0
    total = sum(zigzag(Value(a), Value(b), w) for a, b in zip(x, y))
    total = total / 200
    total.backward()
    assert gradient == pytest.approx(w.grad, rel=1e-12)


def test_a_guard_protects_what_follows_it() -> None:
    def function(x: Any) -> Any:
        if x > 0:
            return 1.0 if mg.log(x) > 0 else mg.log(x)
        return x

    assert program(function)([-1.0, 1.0, 5.0]).data.tolist() == [-1.0, 0.0, 1.0]


def test_a_guard_follows_the_parameters_in_it() -> None:
    w = Value(1.0)
    function = program(lambda x: x if x < w else -x)
    assert function([2.0]).data[0] == -2.0
    w.data = 3.0
    assert function([2.0]).data[0] == 2.0


def test_too_many_paths_name_the_line() -> None:
    def function(x: Any) -> Any:
        return sum(v if v > 0 else -v for v in x)

    rows = np.random.default_rng(0).normal(size=(300, 8))
    with pytest.raises(ProgramError, match=r"more than 64 paths.*v if v > 0 else -v"):
        program(function)(rows)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.data, r"\.data needs the number.*stop_gradient"),
        (lambda x: float(x), r"float\(v\).*v.exp\(\)"),
        (lambda x: math.exp(x), r"float\(v\)"),
        (lambda x: [1.0, 2.0][int(x)], r"int\(v\)"),
        (lambda x: [1.0, 2.0][x], r"micrograd.take\(table, v\) for table\[v\]"),
        (lambda x: round(x), r"round\(v\)"),
        (lambda x: f"{x:.2f}", r"a text with the number of one row"),
    ],
)
def test_asking_for_the_number_names_the_line(function: Any, message: str) -> None:
    with pytest.raises(ProgramError, match=message) as caught:
        program(function)([1.0])
    assert f"{__file__}, line" in str(caught.value)


def test_a_value_kept_from_a_trace_is_refused() -> None:
    kept: list[Any] = []

    @program
    def keep(x: Any) -> Any:
        kept.append(x)
        return kept[0] * x

    keep([1.0])
    keep.retrace()
    with pytest.raises(ProgramError, match="kept from an earlier trace"):
        keep([1.0])


# Random functions ------------------------------------------------------------------------------

UNARY = ["tanh", "sigmoid", "sin", "relu", "softplus", "abs", "arctan", "negative", "stop_gradient"]
BINARY = ["add", "subtract", "multiply", "maximum", "minimum", "hypot", "less"]
Recipe = list[tuple[str, int, int]]
recipes = st.lists(
    st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=25,
)


def follow(recipe: Recipe, leaves: list[Any]) -> Any:
    """Build the function that a recipe describes: each step takes results of earlier ones."""
    made = list(leaves)
    for name, i, j in recipe:
        row = mg.ops.TABLE[name]
        operands = [made[i % len(made)], made[j % len(made)]]
        made.append(row(*operands[: len(row.derivatives)]))
    return made[-1] + sum(made[-4:])


@settings(max_examples=60)
@given(recipe=recipes, seed=st.integers(0, 1000))
def test_random_functions_agree_with_the_loop(recipe: Recipe, seed: int) -> None:
    generator = np.random.default_rng(seed)
    parameters = [Value(p) for p in generator.normal(size=3)]
    rows = generator.normal(size=(4, 2))
    result = program(lambda x: follow(recipe, [*parameters, *x, 0.5]))(rows)
    result.sum().backward()
    found = [p.grad for p in parameters]
    for p in parameters:
        p.grad = 0.0
    totals = [follow(recipe, [*parameters, *map(Value, row), Value(0.5)]) for row in rows]
    sum(totals, Value(0.0)).backward()
    scale = max(1.0, *(abs(p.grad) for p in parameters))
    assert np.allclose(result.data, [t.data for t in totals], rtol=1e-12, atol=1e-12)
    assert np.allclose(found, [p.grad for p in parameters], rtol=1e-12, atol=1e-12 * scale)


def test_backward_twice_gives_twice_the_gradient() -> None:
    model = mg.nn.MLP(3, [5, 4, 2])
    x = np.random.default_rng(0).normal(size=(7, 3))
    total = program(lambda x: [z.tanh() * z for z in model(x)])(x).mean()
    total.backward()
    once = [p.grad for p in model.parameters()]
    total.backward()
    assert [p.grad for p in model.parameters()] == [2 * grad for grad in once]


# On Values, and with options ---------------------------------------------------------------------


def test_a_program_of_one_example_of_values_is_its_function() -> None:
    w = Value(2.0)
    cube = program(lambda x: w * x**3)
    line = program(lambda x, t: x[0] * t + w * x[1])
    assert mg.grad(lambda x: cube(x))(2.0) == 24.0
    assert mg.hvp(lambda x: cube(x))(2.0, 3.0) == 72.0
    assert mg.grad(lambda x: mg.grad(cube)(x))(2.0) == 24.0
    assert mg.grad(lambda t: line([2.0, 1.0], t))(5.0) == 2.0
    assert mg.grad(lambda x: line(x, 5.0))([2.0, 1.0]).tolist() == [5.0, 2.0]
    y: Any = cube(Value(2.0))
    y.backward()
    assert (y.data, w.grad) == (16.0, 8.0)


def test_values_that_may_be_rows_are_refused() -> None:
    total = program(lambda x: x[0] * x[1])
    for derivative in (mg.grad, mg.jacobian):
        with pytest.raises(TypeError, match="they are for the plain function, its __wrapped__"):
            derivative(lambda x: total(x))([1.0, 2.0])
    assert mg.grad(lambda x: total.__wrapped__(x))([1.0, 2.0]).tolist() == [2.0, 1.0]


def test_a_decorator_takes_options() -> None:
    w = Value(2.0)

    @program(threads=np.int64(2))
    def scaled(x: Any) -> Any:
        return w * x

    class Model:
        @program(threads=1)
        def loss(self, x: Any) -> Any:
            return w * x + 1

    assert (scaled([1.0, 2.0]).data.tolist(), repr(scaled)) == ([2.0, 4.0], "<program scaled>")
    assert Model().loss([1.0]).data.tolist() == [3.0]
    with pytest.raises(ValueError, match="threads is a whole number"):
        program(threads=0)
    with pytest.raises(TypeError, match="client"):
        program(client=3)
