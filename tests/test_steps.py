"""The steps of a backward pass: what they add up to, their order, their formulas."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Op, Value, ops, toposort
from micrograd.graph.steps import backward_steps, local_formula, totals
from micrograd.nn import MLP
from micrograd.symbolic.formula import operand_names

BINARY = ["add", "subtract", "multiply", "maximum", "hypot", "arctan2"]
UNARY = ["tanh", "relu", "sigmoid", "sin", "softplus", "negative"]
choices = st.lists(
    st.tuples(st.sampled_from(BINARY + UNARY), st.integers(0, 99), st.integers(0, 99)),
    min_size=1,
    max_size=30,
)


def built(choices: list[tuple[str, int, int]]) -> Value:
    """Build a graph that shares nodes, from three leaves and a list of choices."""
    values = [Value(0.5), Value(-1.25), Value(2.0)]
    for name, i, j in choices:
        row = ops.TABLE[name]
        operands = values[i % len(values)], values[j % len(values)]
        values.append(row(*operands[: len(row.derivatives)]))
    return values[-1]


@given(choices)
def test_totals_are_the_gradients_of_backward_to_the_bit(
    choices: list[tuple[str, int, int]],
) -> None:
    root = built(choices)
    found = totals(root)
    root.backward()
    assert list(found) == toposort(root)
    for v, total in found.items():
        assert struct.pack("d", total) == struct.pack("d", v.grad)


@given(choices)
def test_every_step_is_a_product_and_totals_run(choices: list[tuple[str, int, int]]) -> None:
    root = built(choices)
    running = {root: 1.0}
    for step in backward_steps(root):
        assert step.operand is step.consumer.parents[step.position]
        assert step.local is not None
        assert step.upstream == running.get(step.consumer, 0.0)
        assert step.product == step.local * step.upstream
        running[step.operand] = running.get(step.operand, 0.0) + step.product
        assert step.total == running[step.operand]


def test_an_operand_that_stands_twice_has_two_steps() -> None:
    a = Value(3.0)
    assert [(s.position, s.total) for s in backward_steps(a + a)] == [(0, 1.0), (1, 2.0)]


def test_looking_changes_no_grad() -> None:
    model = MLP(2, [3, 1])
    loss = model([1.0, -2.0])
    loss.backward()
    loss.backward()
    before = [v.grad for v in toposort(loss)]
    backward_steps(loss)
    assert [v.grad for v in toposort(loss)] == before


def test_where_no_derivative_is_nothing_is_added() -> None:
    x, y = Value(1.0), Value(2.0)
    assert [s.operand for s in backward_steps(ops.where(x < y, x, y.stop_gradient()))] != []
    assert backward_steps(x.stop_gradient()) == []
    assert totals(x.stop_gradient() + y)[x] == 0.0


def test_a_leaf_has_no_steps_and_total_one() -> None:
    x = Value(2.0)
    assert backward_steps(x) == []
    assert totals(x) == {x: 1.0}


def test_a_number_exponent_receives_nothing() -> None:
    x = Value(3.0)
    assert [(s.operand, s.local) for s in backward_steps(x**2)] == [(x, 6.0)]


def test_a_rule_assigned_by_hand_is_run_and_taken_back() -> None:
    a, b = Value(3.0), Value(4.0)
    out = Value(a.data * b.data, (a, b), "mul")

    def pass_on() -> None:
        a.grad += b.data * out.grad
        b.grad += a.data * out.grad

    out._backward = pass_on
    a.grad = 7.0
    steps = backward_steps(out * 2)
    assert [(s.local, s.product) for s in steps if s.consumer is out] == [(None, 8.0), (None, 6.0)]
    assert (a.grad, b.grad, out.grad) == (7.0, 0.0, 0.0)
    assert local_formula(out, 0) is None


def test_an_exception_in_a_rule_by_hand_leaves_the_grads() -> None:
    a = Value(3.0)
    out = Value(1.0, (a,))

    def fail() -> None:
        a.grad += 1.0
        raise RuntimeError("no")

    out._backward = fail
    a.grad = 7.0
    with pytest.raises(RuntimeError, match="no"):
        backward_steps(out)
    assert a.grad == 7.0


def test_local_grads_given_to_node() -> None:
    x, y = Value(3.0), Value(4.0)
    assert [s.local for s in backward_steps(Value.node(5.0, (x, y), (0.6, 0.8)))] == [0.6, 0.8]


def test_what_backward_raises() -> None:
    with pytest.raises(ZeroDivisionError, match="sqrt"):
        backward_steps(Value(0.0).sqrt())


@pytest.mark.parametrize(
    ("build", "position", "text"),
    [
        (lambda x, y: x * y, 0, "y"),
        (lambda x, y: x / y, 1, "-out / y"),
        (lambda x, y: x**3, 0, "3 * x ** 2"),
        (lambda x, y: x**1, 0, "1"),
        (lambda x, y: x**-1.5, 0, "-1.5 * x ** -2.5"),
        (lambda x, y: x**y, 0, "y * x ** (y - 1)"),
        (lambda x, y: ops.hypot(x, y), 1, "sin(arctan2(y, x))"),
        (lambda x, y: ops.where(x > y, x, y), 1, "1"),
        (lambda x, y: x * Value(2.0), 0, "y"),
        (lambda x, y: y * Value(2.0), 0, "y"),
        (lambda x, y: x.tanh(), 0, "1 - out * out"),
    ],
)
def test_formulas_of_local_derivatives(build: object, position: int, text: str) -> None:
    x, y = Value(3.0, label="x"), Value(2.0, label="y")
    assert callable(build)
    found = local_formula(build(x, y), position)
    assert found is not None
    assert found.text() == text


def test_names_stand_for_labels_and_any_label_can_be_written() -> None:
    w, x = Value(3.0, label="w, the <weight>"), Value(2.0)
    found = local_formula(w * x, 1, names={x: "a1[2]"})
    assert found is not None
    assert found.text() == "(w, the <weight>)"
    found = local_formula(w * x, 0, names={x: "a1[2]"})
    assert found is not None
    assert found.text() == "a1[2]"


def test_the_formula_gives_the_local_derivative() -> None:
    x, y = Value(0.3, label="x"), Value(0.6, label="y")
    for name, row in ops.TABLE.items():
        if name in ("arccosh", "polygamma") or not any(row.derivatives):
            continue  # not defined at these operands
        node = row(*[x, y, x][: len(row.derivatives)])
        for step in backward_steps(node):
            found = local_formula(node, step.position)
            assert found is not None
            point = {"x": 0.3, "y": 0.6, "out": node.data}
            value = eval(found.python(), {**ops.TABLE, "nan": math.nan}, point)
            assert step.local == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("choose", [mg.max, mg.min, mg.logsumexp])
@pytest.mark.parametrize("third", [0.1, 0.3, 0.6, 2.0])
def test_the_formula_of_an_operation_on_any_number_of_operands(
    choose: Callable[[list[Value]], Value], third: float
) -> None:
    values = [Value(0.3, label="u"), Value(0.6, label="v"), Value(third, label="w")]
    for node in toposort(choose(values)):
        for step in [s for s in backward_steps(node) if s.consumer is node]:
            found = local_formula(node, step.position)
            assert found is not None
            assert node.op is not None
            point = dict(zip(operand_names(node.op), [x.data for x in node.parents]))
            point.update({x.label: x.data for x in values}, out=node.data)
            value = eval(found.python(), {**ops.TABLE, "nan": math.nan}, point)
            assert step.local == pytest.approx(value, rel=1e-14)


def test_a_row_of_a_users_own() -> None:
    cube = Op("cube", lambda x: x * x * x, lambda x, out: 3 * x * x)
    node = cube(Value(2.0, label="t"))
    assert backward_steps(node)[0].local == 12.0
    found = local_formula(node, 0)
    assert found is not None
    assert found.text() == "3 * t * t"
