"""A call after others: what is checked anew, and what is not, when the arguments are as before."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from eager_loop import assert_same, values

import micrograd as mg
from micrograd import Value, program

ROW = np.array([0.5, -1.0, 2.0])


def test_arrays_of_the_same_shapes_are_read_anew() -> None:
    w = values([2.0, -0.5])
    traced = program(lambda x, y: w[0] * x[0] * x[1] + w[1] * y)
    for scale in (1.0, -2.0, 3.0):
        for rows in (
            np.outer(ROW, [1.0, 2.0]),
            np.outer([2.0, 1.0], ROW).T.copy(),
            ROW[:, None] + [0, 1],
        ):
            assert_same(traced, [scale * rows, scale * ROW], [w])
            assert_same(traced, [scale * rows[::-1], (scale * ROW)[::-1]], [w])


def test_another_type_or_length_after_arrays_is_checked_as_if_it_came_first() -> None:
    w = Value(2.0)
    traced = program(lambda x, y: w * x + y)
    for _ in range(2):
        assert traced(ROW, ROW).data.tolist() == (3 * ROW).tolist()
    assert traced(ROW, [1, 2, 3]).data.tolist() == [2.0, 0.0, 7.0]
    assert traced(ROW, y=ROW).data.tolist() == (3 * ROW).tolist()
    assert traced(ROW.astype(np.float32), ROW.astype(">f8")).data.tolist() == (3 * ROW).tolist()
    assert traced(ROW > 0, ROW.astype(int)).data.tolist() == [2.0, -1.0, 4.0]
    assert traced(ROW[:0], ROW[:0]).data.shape == (0,)
    with pytest.raises(ValueError, match="has 3 examples, y has 2"):
        traced(ROW, ROW[:2])
    with pytest.raises(ValueError, match="masked"):
        traced(ROW, np.ma.masked_array(ROW, ROW < 0))
    with pytest.raises(TypeError, match="real numbers"):
        traced(ROW, np.array(["1", "2", "3"]))
    with pytest.raises(TypeError, match="one number"):
        traced(np.array(1.0), np.array(1.0))
    with pytest.raises(TypeError, match="missing a required argument"):
        traced(ROW)
    assert traced(ROW, ROW).data.tolist() == (3 * ROW).tolist()


def test_objects_are_looked_at_each_time() -> None:
    traced = program(lambda x: x + 1)
    numbers = np.array([1, 2], object)
    assert traced(numbers).data.tolist() == [2.0, 3.0]
    numbers[1] = "2"
    with pytest.raises(TypeError, match="real numbers"):
        traced(numbers)


def test_floats_are_no_indices_though_integers_of_their_shape_were() -> None:
    table = values([1.0, 10.0, 100.0])
    traced = program(lambda i: mg.take(table, i))
    for _ in range(2):
        assert traced(np.array([0, 2])).data.tolist() == [1.0, 100.0]
    with pytest.raises(TypeError, match="holds integers"):
        traced(np.array([0.0, 2.0]))
    with pytest.raises(IndexError):
        traced(np.array([0, 3]))
    assert traced(np.array([2, 0])).data.tolist() == [100.0, 1.0]


@pytest.mark.parametrize("wrong", [3, -4])
def test_an_index_of_two_tables_fits_the_smaller(wrong: int) -> None:
    large, small = values(np.arange(5.0)), values([1.0, 10.0, 100.0])
    traced = program(lambda x: mg.take(large, x[2]) * mg.take(small, x[2]) + mg.take(large, x[0]))
    assert traced(np.array([[4, 9, 2], [3, 9, -3]])).data.tolist() == [204.0, 5.0]
    with pytest.raises(IndexError, match=f"index {wrong} in row 1 of x, position 2.* table of 3"):
        traced(np.array([[4, 9, 2], [3, 9, wrong]]))


def test_names_that_refer_to_others_are_noticed() -> None:
    w, factor = Value(1.0), 2.0
    traced = program(lambda x: w * x * factor)
    for factor in (2.0, 3.0, 3.0, 5.0):
        assert traced(ROW).data.tolist() == (factor * ROW).tolist()
    before, w = w, Value(-1.0)
    traced(ROW).sum().backward()
    assert [before.grad, w.grad] == pytest.approx([0.0, 5 * ROW.sum()])
    traced.retrace()
    assert traced(ROW).data.tolist() == (-5 * ROW).tolist()


def test_a_derivative_notices_that_its_function_was_retraced() -> None:
    weights = [Value(2.0)]
    traced = program(lambda x: sum(w * x * x for w in weights))
    slope = mg.grad(traced)
    assert slope(ROW).data.tolist() == (4 * ROW).tolist()
    weights.append(Value(1.0))
    traced.retrace()
    assert slope(ROW).data.tolist() == (6 * ROW).tolist()


@pytest.mark.parametrize("n", [1, 3, 9000])
def test_results_that_lie_in_pieces_come_in_their_order(n: int) -> None:
    w = values([0.5, -1.5, 2.0])
    examples = np.linspace(-1.0, 1.0, 3 * n).reshape(n, 3)

    def mixed(x: Any) -> Any:
        layer = [(v * y).tanh() for v, y in zip(w, x)]
        return [*layer, x[1], layer[1], w[2], *layer[::-1], x[0], x[1], w[0] * w[1]]

    found = program(mixed)(examples).data
    rows = range(0, n, max(1, n // 3))
    expected = [[v.data for v in mixed(values(row))] for row in examples[rows].tolist()]
    assert found[rows] == pytest.approx(np.array(expected))


def test_a_sum_of_one_result_is_a_sum() -> None:
    assert str(program(lambda x: -x)(np.array([0.0])).sum().data) == "0.0"
    assert program(lambda x: x * 2)(np.array([1.5])).mean().data == 3.0


@pytest.mark.parametrize("rows", [slice(0, 2), slice(0, None), slice(2, 3)])
def test_logsumexp_of_rows_is_the_loops_with_and_without_infinities(rows: slice) -> None:
    w = values([0.5, -1.0])
    traced = program(lambda x: mg.logsumexp([x[0], w[0], x[1] * w[1], x[0]]) * mg.logsumexp(w))
    given = np.array([[1.0, 2.0], [1000.0, -999.0], [np.inf, 1.0], [-np.inf, 3.0]])[rows]
    assert_same(traced, [given], [w])


def test_a_call_that_ends_after_names_changed_does_not_decide_how_the_next_one_runs() -> None:
    """Another thread changes a name while this one traces, and traces anew."""
    w, elsewhere = Value(2.0), list[float]()

    def change() -> None:
        nonlocal w
        w = Value(10.0)
        elsewhere.append(scaled(ROW).data[0])

    @program
    def scaled(x: Any) -> Any:
        old = w
        if not elsewhere:
            elsewhere.append(0.0)
            other = threading.Thread(target=change)
            other.start()
            other.join()
        return old * x

    scaled(ROW)
    assert elsewhere[1] == 5.0
    assert scaled(ROW).data.tolist() == (10 * ROW).tolist()
