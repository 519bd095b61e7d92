"""Tokens and sequences: arguments that are indices, rows of unlike lengths, largest values."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from eager_loop import close, gradients, values
from hypothesis import given, settings
from hypothesis import strategies as st
from test_programs_lifting import executable

import micrograd as mg
from micrograd import Value, program
from micrograd.programs import ProgramError
from micrograd.value.selection import Chosen


def assert_documents(function: Any, documents: Sequence[Any], parameters: Sequence[Any]) -> None:
    """Check a program of one document against the loop over them, which uses plain integers."""
    result = program(function)(documents)
    weights = [1.0 + i for i in range(len(documents))]
    looped = [function(document) for document in documents]
    assert result.data == close(np.array([v.data for v in looped]))
    total: Any = sum(w * v for w, v in zip(weights, looped))
    expected = gradients(total, parameters)
    found = gradients(sum(w * result[i] for i, w in enumerate(weights)), parameters)
    for ran, loop in zip(found, expected):
        assert ran == close(loop)


# Tables ------------------------------------------------------------------------------------------


def test_what_is_looked_up_is_no_variable_of_an_inner_derivative() -> None:
    """Look-ups of one entry are one Value in the loop, where the slope counts both."""
    table = values([0.5, 1.5])

    def slope(pair: Any, own: bool) -> Any:
        v, u = (mg.take(table, i) * 1.0 if own else mg.take(table, i) for i in pair)
        return mg.grad(mg.sin(v * u), v)

    assert slope([1, 1], own=False).data == pytest.approx(2 * slope([1, 1], own=True).data)
    pairs = [[0, 1], [1, 1], [0, 0]]
    for derivative in (lambda v, u: mg.grad(v * u, v), lambda v, u: mg.hvp(v * u, [u], [1.0])[0],
                       lambda v, u: mg.jvp([v * u], [v], [1.0])[0]):  # fmt: skip
        with pytest.raises(ProgramError, match=r"write v = take\(table, i\) \* 1.0"):
            program(lambda pair, d=derivative: d(*(mg.take(table, i) for i in pair)))(pairs)
    assert_documents(lambda pair: slope(pair, own=True), pairs, table)


def test_a_table_is_indexed_by_an_argument() -> None:
    attack, defence = values([1.0, 2.0, 3.0]), values([0.5, -0.5, 0.25])

    def rate(home: Any, away: Any) -> Any:
        return mg.exp(mg.take(attack, home) - mg.take(defence, away))

    home, away = [0, 2, -1, 1], [1, 1, 0, -3]
    result = program(rate)(home, away)
    looped = [rate(i, j) for i, j in zip(home, away)]
    assert result.data == close(np.array([v.data for v in looped]))
    expected = gradients(sum(looped), [attack, defence])
    assert gradients(result.sum(), [attack, defence]) == [close(e) for e in expected]


@pytest.mark.parametrize(
    "integers",
    [
        np.array([2, 0, 1]),
        np.array([2, 0, 1], np.uint8),
        np.array([2, 0, 1], object),
        (2, 0, 1),
        [np.int64(2), 0, 1],
    ],
)
def test_integers_of_any_kind(integers: Any) -> None:
    table = values([1.0, 2.0, 3.0])
    assert program(lambda i: mg.take(table, i) + i)(integers).data.tolist() == [5.0, 1.0, 3.0]


def test_tables_of_rows_of_numbers_and_of_computed_values() -> None:
    rows = values(np.arange(12.0).reshape(4, 3) / 7)
    fixed = [0.5, -1.0, 2.0]

    def loss(tokens: Any) -> Any:
        taken = [mg.take(rows, i) for i in tokens]
        hidden = [mg.tanh(sum(column)) for column in zip(*taken)]
        powers = [mg.exp(h) for h in hidden]
        probs = [p / sum(powers) for p in powers]
        first = tokens[0] % 3 if isinstance(tokens[0], int) else tokens[0]
        return mg.take(probs, first) * mg.take(fixed, first) * len(tokens)

    assert_documents(loss, [[0, 3], [1, 2, 3], [2], [1, 0]], [rows])
    array = np.array(rows)
    assert program(lambda i: mg.take(array, i)[1])([1, 3]).data == close(np.array([4, 10]) / 7)


def test_an_index_is_a_number_too_and_decides() -> None:
    w = values([1.0, 2.0, 3.0, 4.0])

    def mixed(tokens: Any) -> Any:
        total = Value(0.0)
        for position, i in enumerate(tokens):
            total = total + mg.take(w, i) * position
            if i == 2:
                total = total * 3
            elif i < 1:
                total = total - i * w[0]
        return total

    assert_documents(mixed, [[0, 1, 2], [3, 2], [2, 2, 0, 1], [1]], [w])


def test_what_another_path_would_take_is_not_out_of_range() -> None:
    small, large = values([1.0, 2.0]), values([10.0, 20.0, 30.0, 40.0])

    def chosen(i: Any) -> Any:
        return mg.take(small, i) if i < 2 else mg.take(large, i)

    traced = program(chosen)
    assert traced([0, 3, 1, 2]).data.tolist() == [1.0, 40.0, 2.0, 30.0]
    with pytest.raises(IndexError, match=r"index 4 in row 2 of i, .*table of 4"):
        traced([0, 3, 4])


def test_a_truth_is_an_index_as_in_a_list() -> None:
    table = values([1.0, 2.0])
    assert program(lambda i: mg.take(table, i))([True, False]).data.tolist() == [2.0, 1.0]


@pytest.mark.parametrize(
    ("argument", "error", "message"),
    [
        ([0, 3, 1], IndexError, r"index 3 in row 1 of i, position 0, is out of range.*table of 3"),
        ([0, -4, 1], IndexError, r"index -4 in row 1"),
        ([0.0, 1.0], ProgramError, r"holds integers.*i holds other numbers.*take\(table, i\)"),
        (["a"], TypeError, "real numbers"),
        ([[0], [1, "b"]], TypeError, "real numbers.*'b'"),
    ],
)
def test_what_is_no_index(argument: Any, error: Any, message: str) -> None:
    table = values([1.0, 2.0, 3.0])
    traced = program(lambda i: mg.take(table, i))
    traced([1])
    with pytest.raises(error, match=message):
        traced(argument)
    assert traced([1]).data.tolist() == [2.0]


def test_what_is_no_table_and_no_argument() -> None:
    table = values([1.0, 2.0, 3.0])
    with pytest.raises(ProgramError, match=r"a table is a list"):
        program(lambda i: mg.take({0: table[0]}, i))([0])
    with pytest.raises(ProgramError, match=r"as it was given; it was computed"):
        program(lambda i: mg.take(table, i + 1))([0])
    with pytest.raises(ProgramError, match=r"micrograd\.take\(table, v\)"):
        program(lambda i: table[i])([0])
    with pytest.raises(ValueError, match="one length"):
        program(lambda i: mg.take([[table[0]], table], i)[0])([0])
    with pytest.raises(TypeError, match="an integer argument of a program"):
        mg.take(table, Value(1.0))
    with pytest.raises(IndexError):
        mg.take(table, 3)
    assert mg.take(table, -1) is table[-1]


TABLE = values(np.arange(12.0).reshape(6, 2) - 5)


@pytest.mark.parametrize(
    "table",
    [
        *(TABLE, TABLE[::-1], TABLE[::2], [TABLE[0], TABLE[3], TABLE[1]], TABLE[:1]),
        [[1.0, 2.0], [3.0, 4.0]],
        [TABLE[2], [3.0, 4.0], TABLE[0][::-1]],
    ],
)
def test_a_table_may_lie_in_memory_in_any_way(table: Any) -> None:
    w = Value(0.5)

    def product(i: Any) -> Any:
        first, second = mg.take(table, i)
        return w * first * mg.tanh(second) + mg.take([w * second, first, -second][:2], 0)

    last = len(table) - 1
    assert_documents(product, [0, -1, last, last // 2, -last - 1], [TABLE, [w]])


# Sequences ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 16, 17])
def test_lookups_at_several_places_agree_with_the_loop(n: int) -> None:
    table = [values(row) for row in np.linspace(-1.0, 1.0, 35).reshape(7, 5).tolist()]
    mix = [values(row) for row in np.linspace(0.5, -0.5, 20).reshape(4, 5).tolist()]

    def loss(tokens: Sequence[Any]) -> Any:
        total: Any = 3.0 * mg.take(table, tokens[0])[4]  # 3 is the place of no row in order
        for token, following in itertools.pairwise(tokens):
            x = mg.take(table, token)
            scores = [sum(w * e for w, e in zip(row, x)) for row in mix]
            total = total - mg.take(scores, following) / 5.0
        return total * total

    rows = np.random.default_rng(n).integers(-4, 4, (n, 6)).tolist()
    parameters = [p for row in (*table, *mix) for p in row]
    assert_documents(loss, rows, parameters)


def test_the_gradient_of_a_table_of_rows_is_one_product_of_marks() -> None:
    table = [values([1.0 * k, 2.0 * k]) for k in range(9)]

    @program
    def loss(tokens: Sequence[Any]) -> Any:
        return sum(mg.take(table, t)[0] * mg.take(table, t)[1] / 6.0 for t in tokens) ** 2.0

    loss([[1, 2, 8]]).sum().backward()
    steps = executable(loss).plan.backward
    marks = [step.out for step in steps if isinstance(step.detail, Chosen)]
    assert marks
    assert not [s for s in steps if s.kind == "take" and s.operands[0].storage == marks[0].storage]


@pytest.mark.parametrize("documents", [[[0, 1], [2, -4]], [[0, 1, 2], [1, 3], [0, 1]]])
def test_the_row_of_an_index_out_of_range_is_named_among_others(documents: Any) -> None:
    table = values([1.0, 2.0, 3.0])
    loss = program(lambda tokens: sum(mg.take(table, t) for t in tokens))
    loss([[0, 1], [2, -3]])
    with pytest.raises(IndexError, match=r"index (3|-4) in row 1 of tokens, position 1,"):
        loss(documents)


def test_rows_of_unlike_lengths_come_back_in_their_order() -> None:
    w = values([0.5, -1.0])

    def mean(x: Any) -> Any:
        return w[0] * sum(x) / len(x) + w[1] * x[-1]

    rows = [[1.0], [2.0, 3.0, 4.0], [5.0, 6.0], [7.0], [8.0, 9.0, 10.0]]
    assert_documents(mean, rows, [w])
    result = program(mean)(rows)
    assert result[1:3].sum().data == pytest.approx(sum(mean(row).data for row in rows[1:3]))


def test_ragged_beside_rectangular_and_along_any_axis() -> None:
    w = Value(2.0)

    def total(sentences: Any, weight: Any) -> Any:
        return sum(w * sum(sentence) * len(sentence) for sentence in sentences) * weight

    documents = [[[1.0], [2.0, 3.0]], [[4.0, 5.0]], [[1.0], [2.0, 2.0]], [[], [6.0]]]
    weights = [1.0, 10.0, 100.0, 1000.0]
    result = program(total)(documents, weights)
    assert result.data.tolist() == [
        total(document, weight).data for document, weight in zip(documents, weights)
    ]
    with pytest.raises(ValueError, match="has 4 examples, weight has 3"):
        program(total)(documents, weights[:3])


def test_two_ragged_arguments() -> None:
    def dot(x: Any, y: Any) -> Any:
        return sum(a * b for a, b in zip(x, y)) + len(x) - len(y)

    x, y = [[1.0], [1.0, 2.0], [3.0], [1.0, 1.0]], [[2.0], [3.0], [1.0, 1.0], [2.0, 5.0]]
    assert program(dot)(x, y).data.tolist() == [dot(a, b) for a, b in zip(x, y)]


@settings(max_examples=20)
@given(st.lists(st.lists(st.integers(0, 4), min_size=1, max_size=5), min_size=1, max_size=6))
def test_random_documents_agree_with_the_loop(documents: list[list[int]]) -> None:
    table, out = values(np.linspace(-1, 1, 10).reshape(5, 2)), values([0.3, -0.7])

    def loss(tokens: Any) -> Any:
        state: list[Any] = [0.1, -0.2]
        for i in tokens:
            state = [mg.tanh(s + e) for s, e in zip(state, mg.take(table, i))]
        return mg.max([a * b for a, b in zip(state, out)]) + mg.take(state, 0)

    assert_documents(loss, documents, [table, out])


# The largest of several --------------------------------------------------------------------------


def test_max_and_min_are_one_operation_of_any_number() -> None:
    v = values([1.0, 5.0, -2.0, 5.0])
    largest = mg.max(v)
    assert len(largest.parents) == 4
    (largest + 10 * mg.min(iter(v))).backward()
    assert [x.grad for x in v] == [0.0, 0.5, 10.0, 0.5]
    assert mg.max([1.0, 3.0]) == 3.0
    assert np.isnan(mg.max([1.0, float("nan"), 3.0]))
    assert mg.max([v[0]]).data == 1.0
    with pytest.raises(ValueError, match="at least one"):
        mg.max([])


def test_max_after_its_data_was_set_has_slopes_of_the_numbers_as_they_are() -> None:
    x, y = Value(3.0), Value(1.0)
    largest = mg.max([x, y, 2.0])
    x.data = y.data = 2.5
    largest.backward()
    assert (x.grad, y.grad) == (0.5, 0.5)


def test_max_in_a_program_parts_nothing_and_shares_ties() -> None:
    w = values([1.0, 2.0])

    def spread(x: Any) -> Any:
        scaled = [w[0] * a for a in x]
        return mg.max(scaled) * w[1] - mg.min(scaled)

    assert_documents(spread, [[1.0, 3.0, 2.0], [2.0, 2.0, 2.0], [0.0, -1.0, 0.0], [4.0]], [w])
    assert "max(" in str(program_after(spread, [[1.0, 2.0, 3.0]]))


def program_after(function: Any, rows: Any) -> Any:
    traced = program(function)
    traced(rows)
    return traced


def test_graphs_with_max_pickle() -> None:
    x = Value(2.0)
    again = pickle.loads(pickle.dumps(mg.max([x, 1.0]) * 2))
    again.backward()
    assert again.data == 4.0


# Printed -----------------------------------------------------------------------------------------


def test_layers_in_a_dict_are_told_apart() -> None:
    weights = {f"layer{i}.w": values([[0.1, 0.2], [0.3, 0.4]]) for i in range(2)}
    weights["wte"], weights["wpe"] = values(np.ones((5, 2))), values(np.ones((5, 2)))

    def loss(tokens: Any) -> Any:
        x = [a + b for a, b in zip(mg.take(weights["wte"], tokens[0]), weights["wpe"][0])]
        for i in range(2):
            x = [sum(w * e for w, e in zip(row, x)) for row in weights[f"layer{i}.w"]]
        return x[0]

    text = str(program_after(loss, [[1], [2]]))
    assert "wte[tokens] + wpe[0, :]" in text
    assert "layer0_W t1" in text
    assert "layer1_w[0, :]" in text
    assert "Delta_wte" in text
