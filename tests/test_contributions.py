"""contributions: everything that is added up in a gradient, and where it comes from."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_properties import EXACT, SMOOTH, Step, programs, run
from test_tables import Tags

from micrograd import Op, Value, examples, exp, log, toposort
from micrograd.explain import contributions
from micrograd.explain.contribution_table import MANY
from micrograd.graph.scopes import scope
from micrograd.nn import MLP, Neuron

# Sums -------------------------------------------------------------------------------------------


@given(programs({**EXACT, **SMOOTH}, st.floats(-2, 2)))
def test_contributions_sum_to_the_gradient(example: tuple[list[float], list[Step]]) -> None:
    numbers, program = example
    root = run(program, [Value(n) for n in numbers], {**EXACT, **SMOOTH}, 0)[-1]
    assume(all(abs(v.data) < 50 for v in toposort(root)))
    root.backward()
    assume(all(math.isfinite(v.grad) for v in toposort(root)))
    for v in toposort(root)[:-1]:
        found = contributions(root, v)
        assert found.total == v.grad
        assert found.remainder == 0
        products = [row.product for row in found.data]
        assert sum(products) == pytest.approx(v.grad, rel=1e-9, abs=1e-9)
        for row in found.data:
            assert row.local is not None
            assert row.consumer.parents[row.position] is v
            assert row.local * row.upstream == row.product
            assert row.upstream == row.consumer.grad
        assert sum(found.by_example().values()) == pytest.approx(v.grad, rel=1e-9, abs=1e-9)


def paths_one_by_one(root: Value, v: Value) -> int:
    """Count the paths by walking them all."""
    return int(root is v) + sum(paths_one_by_one(x, v) for x in root.parents)


@given(programs(SMOOTH, st.floats(-2, 2)))
def test_paths_are_as_many_as_a_walk_finds(example: tuple[list[float], list[Step]]) -> None:
    numbers, program = example
    root = run(program, [Value(n) for n in numbers], SMOOTH, 0)[-1]
    assume(paths_one_by_one(root, root.parents[0]) < 10_000)
    for v in toposort(root):
        assert contributions(root, v).paths == paths_one_by_one(root, v)


def test_looking_changes_nothing() -> None:
    w = Value(0.5)
    w.grad = 7.0
    out = (w * 3).tanh()
    contributions(out, w)
    assert [v.grad for v in toposort(out)] == [0.0 if v is not w else 7.0 for v in toposort(out)]


def test_what_came_from_other_passes_is_the_remainder() -> None:
    w = Value(3.0, label="w")
    out = w * w
    assert "w.grad is 0 now: backward() has not run" in str(contributions(out, w))
    out.backward()
    assert "now" not in str(contributions(out, w))
    (w * 5).backward()
    found = contributions(out, w)
    assert found.remainder == 5
    assert "w.grad is 11 now: 5 came from other passes." in str(found)


# Published figures --------------------------------------------------------------------------------


def course_costs(example: examples.Example) -> list[Any]:
    return [
        -sum(log(h if k == label else 1 - h) for k, h in enumerate(example.model(x), start=1))
        for x, label in zip(example.X, example.y)
    ]


def six(number: float) -> float:
    return float(f"{number:.6g}")


def test_ng_the_first_delta_is_two_factors_that_cancel() -> None:
    cost = course_costs(examples.ng_ex4())[0]
    a3 = next(v for v in toposort(cost) if v._op == "sigmoid" and v.data > 0.88)
    (row,) = contributions(cost, a3.parents[0]).data
    assert f"{row.upstream:.2f} * {row.local:.4f} = {row.product:.4f}" == "8.98 * 0.0989 = 0.8887"
    assert row.product == pytest.approx(a3.data, rel=1e-14)  # output minus label, which is 0
    assert str(row.formula) == "out * (1 - out)"


def test_ng_a_weight_gets_delta_times_input() -> None:
    example = examples.ng_ex4()
    weight = example.model.layers[0].neurons[0].w[0]
    (row,) = contributions(course_costs(example)[0], weight).data
    assert f"{row.upstream:.4f} * {row.local:.4f} = {row.product:.4f}" == "0.7939 * 0.5403 = 0.4290"


def test_ng_the_accumulator_adds_up_three_examples() -> None:
    example = examples.ng_ex4()
    weight = example.model.layers[0].neurons[0].w[0]
    found = contributions(sum(course_costs(example)), weight)
    assert [round(row.product, 3) for row in found.data] == [0.429, -0.729, 0.218]
    assert [row.example for row in found.data] == [1, 2, 3]
    assert math.trunc(found.total * 1000) / 1000 == example.published["Delta"][1][0][1] == -0.082
    averaged = contributions(sum(course_costs(example)) / 3, weight)
    assert round(averaged.total, 6) == example.published["D"][0][1][0][1] == -0.02754
    assert averaged.paths == 3 * 4  # in each example, through each of the four outputs


def test_ng_a_hidden_unit_gets_one_contribution_from_each_output() -> None:
    cost = course_costs(examples.ng_ex4())[0]
    a2 = next(v for v in toposort(cost) if v._op == "sigmoid")
    found = contributions(cost, a2)
    assert [round(row.product, 3) for row in found.data] == [0.978, 1.089, 1.200, -0.089]
    assert round(found.total, 3) == 3.178
    (row,) = contributions(cost, a2.parents[0]).data
    assert f"{row.upstream:.3f} * {row.local:.4f} = {row.product:.4f}" == "3.178 * 0.2498 = 0.7939"


def test_mazur_delta_and_the_derivative_by_w5() -> None:
    example = examples.mazur()
    outputs = example.model(example.X[0])
    error = example.loss(outputs, example.y[0])
    (row,) = contributions(error, outputs[0].parents[0]).data
    assert f"{row.upstream:.4f} * {row.local:.4f} = {row.product:.4f}" == "0.7414 * 0.1868 = 0.1385"
    w5 = example.model.layers[1].neurons[0].w[0]
    assert round(contributions(error, w5).total, 9) == example.published["dE_dw5"]


# Examples ---------------------------------------------------------------------------------------


def test_examples_are_told_apart_and_from_the_penalty() -> None:
    random.seed(0)
    model = MLP(2, [3, 1])
    rows = [[random.random(), random.random()] for _ in range(5)]
    costs = [(1 - model(x)).relu() for x in rows]
    penalty = 0.01 * sum(p * p for p in model.parameters())
    for weight in model.parameters():
        found = contributions(sum(costs, Value(0.0)) / 5 + penalty, weight)
        sums = found.by_example()
        assert list(sums) == [1, 2, 3, 4, 5, None]
        for number, cost in enumerate(costs, start=1):
            own = contributions(cost, weight).total / 5
            assert sums[number] == pytest.approx(own, rel=1e-12, abs=1e-15)
        assert sums[None] == pytest.approx(0.02 * weight.data)


def test_many_contributions_are_cut_to_the_largest_and_grouped() -> None:
    w = Value(1.0, label="w")
    costs: Any = sum((w * x + w) ** 2 for x in range(1, 31))
    found = contributions(costs, w)
    assert len(found.data) == 60
    one_by_one, by_example = found.tables()
    assert len(one_by_one.rows) == MANY + 2
    assert one_by_one.rows[-2][0] == "48 smaller ones"
    for table in (one_by_one, by_example):
        *parts, total = [row[-1] for row in table.rows]
        assert math.fsum(float(part) for part in parts) == pytest.approx(found.total)
        assert total == found.total


# Modules ------------------------------------------------------------------------------------------


def test_modules_are_named_by_their_paths() -> None:
    random.seed(0)
    model, x = MLP(1, [16, 16, 1]), Value(0.5)
    found = contributions(model(x), x)
    names = [f"MLP.layers[0].neurons[{i}]" for i in range(16)]
    assert [row.module for row in found.data] == names
    assert found.by_module() == {row.module: row.product for row in found.data}
    other = MLP(1, [2, 1])
    two = contributions(model(x) + other(x) + x, x).by_module()
    assert list(two) == [
        *(f"MLP1.layers[0].neurons[{i}]" for i in range(16)),
        "MLP2.layers[0].neurons[0]",
        "MLP2.layers[0].neurons[1]",
        "",
    ]


def test_a_named_scope_stands_for_a_module() -> None:
    w = Value(2.0)
    with scope("penalty"), scope("l2"):
        penalty = w * w
    assert contributions(penalty + 1, w).by_module() == {"penalty/l2": 4.0}


def test_many_contributions_are_grouped_by_module_too() -> None:
    neuron = Neuron(1, activation="tanh")
    w = neuron.w[0]
    costs: Any = sum(neuron(0.1 * i) for i in range(20))
    tables = contributions(costs + 0.5 * (w * w), w).tables()
    assert [table.header[0] for table in tables] == ["example", "example", "module"]
    assert [row[0] for row in tables[2].rows] == ["Neuron", "no module", "sum"]


# Output -------------------------------------------------------------------------------------------


def test_text_html_and_latex_of_a_small_graph() -> None:
    a, b = Value(2.0, label="a"), Value(-3.0, label="b")
    out = a * b + a
    out.label = "L"
    out.backward()
    found = contributions(out, a)
    assert str(found).splitlines() == [
        "Contributions of L to a.grad",
        "through  local derivative  its value  gradient that arrived  product",
        "--------------------------------------------------------------------",
        "a * b    b                        -3                      1       -3",
        "x + a    1                         1                      1        1",
        "sum                                                               -2",
        "2 paths from a to the output.",
    ]
    assert found._repr_latex_() == (
        r"$$ \frac{\partial\,L}{\partial\,a} = \left(-3\right) \cdot 1 + 1 \cdot 1 = -2 $$"
    )
    assert "a * b" in Tags(found._repr_html_()).texts


def test_labels_need_not_be_names() -> None:
    w, x = Value(2.0, label="Theta1(1,0)"), Value(3.0, label="a(1)")
    found = contributions(w * x, w)
    assert found.data[0].formula is not None
    assert found.data[0].formula.text() == "a(1)"
    assert "Theta1(1,0) * a(1)" in str(found)
    assert "Theta1" in found._repr_latex_()


def test_operands_without_labels_have_names_of_their_own() -> None:
    total = Op("total", lambda *x: sum(x), *[lambda *x: 1.0] * 5)
    x = Value(1.0, label="x")
    row = "total(y, x, v, x3, x4)"
    values = [Value(2.0), x, Value(3.0), Value(4.0), Value(5.0)]
    assert row in str(contributions(total(*values), values[2]))


def test_a_function_assigned_by_hand_has_a_product_and_no_local_derivative() -> None:
    x = Value(3.0)
    out = Value(9.0, (x,), "square")

    def add() -> None:
        x.grad += 2 * x.data * out.grad

    out._backward = add
    found = contributions(out, x)
    (row,) = found.data
    assert (row.local, row.formula, row.product, found.paths) == (None, None, 6.0, 1)
    assert "square" in str(found)
    assert " = 6 = 6 " in found._repr_latex_()


def test_a_node_with_given_local_derivatives() -> None:
    x = Value(3.0)
    (row,) = contributions(Value.node(6.0, (x,), (2.0,)), x).data
    assert (row.local, row.formula, row.product) == (2.0, None, 2.0)


def test_the_output_itself_rises_by_one() -> None:
    x = Value(3.0)
    found = contributions(x, x)
    assert (found.total, found.data, found.paths) == (1.0, [], 1)
    assert "its derivative with respect to itself is 1" in str(found)


def test_what_the_output_does_not_depend_on_gets_nothing() -> None:
    x, y = Value(3.0), Value(4.0)
    for out in (x * 2, x * 2 + y.stop_gradient()):
        found = contributions(out, y)
        assert (found.total, found.data, found.paths) == (0.0, [], 0)
        assert "does not depend on v, or no derivative is passed on" in str(found)
        assert found._repr_latex_().endswith("= 0 = 0 $$")


def test_arguments_the_wrong_way_round_are_told() -> None:
    x = Value(3.0, label="x")
    assert "It is the other way round: ask for contributions(v, output)" in str(
        contributions(x, x * x)
    )
    assert "other way" not in str(contributions(x * x, Value(1.0)))


def test_a_parameter_is_called_by_its_path() -> None:
    model = MLP(2, [2, 1])
    out = model([1.0, 2.0])
    found = str(contributions(out, model.layers[0].neurons[1].w[0]))
    assert "to v.grad, v = layers[0].neurons[1].w[0]" in found
    assert "v =" not in str(contributions(out, model.layers[0].neurons[0].w[0] * 1))


@pytest.mark.parametrize("arguments", [(1.0, Value(1.0)), (Value(1.0), "w")])
def test_what_is_no_value_is_refused(arguments: Any) -> None:
    with pytest.raises(TypeError, match=r"contributions: (output|v) must be a Value"):
        contributions(*arguments)


# Large graphs -------------------------------------------------------------------------------------


def chain(v: Any, step: Callable[[Any], Any], length: int) -> Any:
    for _ in range(length):
        v = step(v)
    return v


def test_graphs_that_are_deep_or_wide() -> None:
    a = Value(1.0)
    deep = chain(a, lambda v: v * 1.0, 20_000)
    assert contributions(deep, a).total == 1.0
    wide: Any = sum(a * 0.5 for _ in range(10_000))
    found = contributions(wide, a)
    assert (found.total, found.paths, len(found.data)) == (5_000.0, 10_000, 10_000)
    assert "9988 smaller ones" in str(found)


def test_the_number_of_paths_is_exact_however_large() -> None:
    a = Value(1e-300)
    doubled = chain(a, lambda v: v + v, 1000)
    found = contributions(doubled, a)
    assert found.paths == 2**1000
    assert "about 10**301 paths" in str(found)
    assert contributions(exp(a), a).paths == 1
