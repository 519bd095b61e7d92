"""The result of a program, differentiated again as a graph: as the loop over the rows is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import micrograd as mg
from micrograd import Value, program
from micrograd.draw import graph
from micrograd.programs.run.careful import NodeByNode

w, b = Value(0.7), Value(-0.2)
X = np.array([0.5, -1.0, 2.0, -0.25])
Y = np.array([1.0, 0.0, 0.5, 2.0])


def error(x: Any, y: Any) -> Any:
    z = w * x + b
    if x > 0:
        return (mg.tanh(z) - y) ** 2
    return mg.exp(z) * w


def both(x: Any, y: Any) -> Any:
    return [error(x, y), mg.sin(w * b * x)]


of_one, of_both = program(error), program(both)


def rows(f: Callable[..., Any]) -> Any:
    return np.array([f(x, y) for x, y in zip(X.tolist(), Y.tolist())])


# Each with what it is in the loop.
GRAPHS: dict[str, tuple[Callable[[], Value], Callable[[], Any]]] = {
    "mean": (lambda: of_one(X, Y).mean(), lambda: rows(error).sum() / 4),
    "within": (
        lambda: mg.sin(of_one(X, Y).mean() * w) + b * w**2,
        lambda: mg.sin(rows(error).sum() / 4 * w) + b * w**2,
    ),
    "two": (
        lambda: of_both(X, Y)[:, 0].sum() * of_both(X, Y)[:, 1].mean(),
        lambda: rows(both)[:, 0].sum() * rows(both)[:, 1].sum() / 4,
    ),
    "part": (
        lambda: of_both(X, Y)[X > 0].sum() + of_both(X, Y)[3, 1] * w,
        lambda: rows(both)[X > 0].sum() + rows(both)[3, 1] * w,
    ),
    "pair": (
        lambda: mg.value_and_grad(of_one)(X, Y)[1].sum(),
        lambda: sum(mg.grad(error)(Value(x), y) for x, y in zip(X.tolist(), Y.tolist())),
    ),
}


def numbers(values: Any) -> Any:
    return [v.data for v in values]


@pytest.mark.parametrize(("graph", "loop"), GRAPHS.values(), ids=GRAPHS)
def test_derivatives_of_any_order_are_those_of_the_loop(graph: Any, loop: Any) -> None:
    out, wanted = graph(), loop()
    for _ in range(3):
        assert out.data == pytest.approx(wanted.data, rel=1e-12)
        slopes, expected = mg.grad(out, [w, b]), mg.grad(wanted, [w, b])
        np.testing.assert_allclose(numbers(slopes), numbers(expected), rtol=1e-11)
        out, wanted = slopes[0] + 2 * slopes[1], expected[0] + 2 * expected[1]
    w.grad = b.grad = 0.0
    out.backward()
    found, w.grad, b.grad = (w.grad, b.grad), 0.0, 0.0
    wanted.backward()
    assert found == pytest.approx((w.grad, b.grad), rel=1e-10)
    w.grad = b.grad = 0.0


@pytest.mark.parametrize(("graph", "loop"), GRAPHS.values(), ids=GRAPHS)
def test_along_a_direction(graph: Any, loop: Any) -> None:
    out, wanted = graph(), loop()
    direction = [1.0, -2.0]
    rate = mg.jvp(out, [w, b], direction)
    assert rate.data == pytest.approx(mg.jvp(wanted, [w, b], direction).data, rel=1e-12)
    found, expected = (numbers(mg.hvp(y, [w, b], direction)) for y in (out, wanted))
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    assert (w.grad, b.grad) == (0.0, 0.0)


def test_what_was_computed_outside_passes_on() -> None:
    doubled = 2 * w * w
    out = program(lambda x: doubled**2 * x)([1.0, 3.0]).sum()
    slope = mg.grad(out, w)
    assert slope.data == pytest.approx(4 * 16 * 0.7**3)
    assert mg.grad(slope, w).data == pytest.approx(4 * 48 * 0.7**2)


def test_a_result_of_other_parameters_is_refused() -> None:
    out = of_one(X, Y).mean()
    w.data = 1.0
    try:
        with pytest.raises(ValueError, match=r"have changed since it was called.*Call it again"):
            mg.grad(out, w)
    finally:
        w.data = 0.7
    assert mg.grad(out, b).data == pytest.approx(mg.grad(rows(error).sum() / 4, b).data)


MANY = np.full(20_000, 0.5)
# A function, its examples, and what changes them, or returns another number for w.
CHANGES: dict[str, tuple[Callable[..., Any], list[Any], Callable[[list[Any]], Any]]] = {
    "tiny": (lambda x: w * w * x, [np.full(2, 1e-9)], lambda _: 0.7000001),
    "at a minimum": (lambda x: (w - x) ** 2 + 1, [np.full(2, 0.7)], lambda _: 0.701),
    "turned": (lambda x: w * x * x, [np.array([1.0, 2.0])], lambda a: a[0].__imul__(-1.0)),
    "permuted": (lambda x: w * x, [np.array([1.0, 2.0])], lambda a: a[0].put([0, 1], [2, 1])),
    "the second": (lambda x, y: w * x * y, [[1.0], np.array([2.0])], lambda a: a[1].fill(3.0)),
    "sign of zero": (lambda x: w * x, [np.array([0.0, 2.0])], lambda a: a[0].__setitem__(0, -0.0)),
    "a list": (lambda x: w * x * x, [[1.0, 2.0]], lambda a: a[0].reverse()),
    "longer": (lambda x: w * x, [[1.0, 0.0]], lambda a: a[0].append(0.0)),
    "ragged": (lambda x: w * sum(x), [[[1.0], [1.0, 2.0]]], lambda a: a[0].reverse()),
    "longer rows": (lambda x: w * sum(x), [[[1.0], [1.0, 2.0]]], lambda a: a[0][0].append(0.0)),
    "ways": (
        lambda x: w * x if x > 0 else 0.0,
        [np.array([1.0, -1.0])],
        lambda a: a[0].put(1, 0.0),
    ),
    "many": (lambda x: w * w * x, [MANY.copy()], lambda a: a[0].put([3, 4], [0.4, 0.6])),
    "many ways": (
        lambda x: w * x if x > 0.7 else x * 0.0,
        [np.concatenate([MANY, MANY + 1])],
        lambda a: a[0].put(3, 0.6),
    ),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("f", "examples", "change"), CHANGES.values(), ids=CHANGES)
def test_whatever_has_changed_is_seen(f: Any, examples: Any, change: Any, dtype: str) -> None:
    p, examples = program(f, dtype=dtype), copy.deepcopy(examples)
    for _ in range(2):  # traced, and run again
        out = p(*examples).mean()
        assert mg.grad(out, w).data == pytest.approx(mg.grad(p(*examples).mean(), w).data)
    try:
        number = change(examples)
        w.data = number if isinstance(number, float) else w.data
        with pytest.raises(ValueError, match="have changed since it was called"):
            mg.grad(out, w)
    finally:
        w.data = 0.7


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_of_rows_that_run_node_by_node(dtype: str) -> None:
    def each_its_way(x: Any) -> Any:
        y = Value(1.0)
        for k in range(40):
            if x > k:
                y = w * y + b
        return y

    p = program(each_its_way, dtype=dtype)
    out = p(np.arange(40.0)).mean()
    assert any(isinstance(run.program, NodeByNode) for run in out.call.node.runs)  # type: ignore[attr-defined]
    found = numbers(mg.grad(out, [w, b]))
    out.backward()
    assert (w.grad, b.grad) == pytest.approx(found, rel=1e-5)
    w.grad = b.grad = 0.0
    b.data = -0.2000001
    try:
        with pytest.raises(ValueError, match="have changed"):
            mg.grad(out, w)
    finally:
        b.data = -0.2


def test_what_the_function_refers_to_has_changed() -> None:
    power = 1

    def f(x: Any) -> Any:
        return (w * x) ** power

    p = program(f)
    out = p([1 / 0.7]).sum()
    power = 2
    with pytest.raises(ValueError, match="or what its function refers to"):
        mg.grad(out, w)


def test_arguments_given_by_name_are_compared() -> None:
    p, y = program(lambda x, *, y: w * x * y), np.array([2.0])
    out = p([1.0], y=y).sum()
    assert mg.grad(out, w).data == 2.0
    y[:] = 3.0
    with pytest.raises(ValueError, match="have changed"):
        mg.grad(out, w)


def test_a_row_may_take_another_way_by_then() -> None:
    p = program(lambda x: w * x if x > 0.1 else -2 * w * x, dtype="float32")
    out = p([0.1]).sum()  # computed node by node, while there is one way
    p([0.0])
    assert mg.grad(out, w).data * w.data == pytest.approx(out.data)


def test_a_diagram_says_what_was_called() -> None:
    out = of_one(X, Y).mean()
    assert [v._op for v in out.parents] == ["error"]
    assert "<title>error, rows 4</title>" in graph(out).svg


def test_no_rows_and_nan() -> None:
    assert mg.grad(of_one(X[:0], Y[:0]).sum(), w).data == 0.0
    x = np.array([1.0, np.nan])
    assert np.isnan(mg.grad(program(lambda x: w * w * x)(x).sum(), w).data)
