"""The graph and the backward pass: the grads that backward() leaves, and how it fails."""

from __future__ import annotations

import gc
import math
import weakref
from typing import Any

import numpy as np
import pytest
from processes import environment, printed

import micrograd as mg
from micrograd import Value, ops, toposort
from micrograd.graph.steps import backward_steps, totals

# Grads after backward() ------------------------------------------------------------------------


def test_an_operand_used_twice_gets_both_shares() -> None:
    a = Value(3.0)
    b = a + a
    b.backward()
    assert a.grad == 2.0
    assert b.parents == (a, a)


def test_a_node_waits_for_all_its_consumers() -> None:
    a = Value(1.0)
    b = a + a
    c = b + b
    c.backward()
    assert (c.data, a.grad) == (4.0, 4.0)


def test_leaves_accumulate_over_calls_and_interior_nodes_do_not() -> None:
    x = Value(3.0)
    square = x * x
    y = square * x
    y.backward()
    assert (x.grad, square.grad) == (27.0, 3.0)
    y.backward()
    assert (x.grad, square.grad) == (54.0, 3.0)
    x.grad = 0
    y.backward()
    assert x.grad == 27.0


def test_a_leaf_accumulates_as_the_root_too() -> None:
    w = Value(5.0)
    w.backward()
    w.backward()
    assert w.grad == 2.0
    out = w * 2
    out.backward()
    out.backward()
    assert (out.grad, w.grad) == (1.0, 6.0)


def test_rules_look_at_the_data_as_it_is_now() -> None:
    x, y = Value(2.0), Value(3.0)
    out = x * y
    y.data = 10.0
    out.backward()
    assert x.grad == 10.0


def test_a_number_operand_is_a_leaf_with_a_grad_of_its_own() -> None:
    x = Value(2.0)
    out = 3 * x
    three, same_x = out.parents
    assert same_x is x
    out.backward()
    assert (three.data, three.grad, three.op) == (3.0, 2.0, None)


def test_a_number_exponent_stays_a_number() -> None:
    x = Value(2.0)
    out = x**3
    assert (out.args, out.parents, out._op) == ((x, 3), (x,), "**3")
    assert (Value(2.0) ** Value(3.0))._op == "**"
    assert (2 ** Value(3.0)).data == 8.0


def test_op_args_and_parents_say_how_a_value_was_made() -> None:
    x, y = Value(1.0), Value(2.0)
    out = x / y
    assert repr(out.op) == "Op('divide')"
    assert out.args == out.parents == (x, y)
    assert (x.op, x.args, x.parents) == (None, (), ())


# The order -------------------------------------------------------------------------------------


def test_toposort_lists_operands_before_consumers_in_order_and_each_once() -> None:
    a, b, c = (Value(i, label=name) for i, name in enumerate("abc"))
    left = a * b
    root = left + c * left
    order = toposort(root)
    assert [v.label or v._op for v in order] == ["a", "b", "*", "c", "*", "+"]
    assert toposort(a) == [a]
    assert toposort(c, left, a) == [c, a, b, left]
    assert toposort(left, root) == order[:3] + order[3:]
    assert toposort() == []


PROGRAM = """
import random
from micrograd import Value
random.seed(1)
leaves = [Value(random.gauss(0, 1)) for _ in range(20)]
pool = list(leaves)
for _ in range(400):
    a, b = random.choice(pool), random.choice(pool)
    pool.append(random.choice([a + b, a * b, a - b, (a * 0.1).tanh(), a.maximum(b)]) * 0.5)
sum(pool).backward()
print([leaf.grad.hex() for leaf in leaves])
"""


def test_the_bits_are_the_same_under_every_hash_seed() -> None:
    results = {
        printed(PROGRAM, env=environment(PYTHONHASHSEED=seed)) for seed in ("0", "1", "12345")
    }
    assert len(results) == 1


# Rules by hand ---------------------------------------------------------------------------------


def test_backward_by_hand_is_the_step_of_backward() -> None:
    a, b = Value(2.0), Value(-3.0)
    product = a * b
    out = product.tanh()
    out.grad = 1.0
    for node in reversed(toposort(out)):
        node._backward()
    by_hand = a.grad, b.grad
    a.grad = b.grad = 0.0
    out.backward()
    assert (a.grad, b.grad) == by_hand


def test_an_assigned_closure_is_the_rule_of_its_node() -> None:
    x = Value(3.0)
    out = Value(x.data**2, (x,), "square")

    def rule() -> None:
        x.grad += 2 * x.data * out.grad

    out._backward = rule
    (out * 2).backward()
    assert x.grad == 12.0
    assert out._backward is rule
    with pytest.raises(TypeError, match="_backward must be a function"):
        out._backward = None  # type: ignore[assignment]


def test_a_closure_may_call_the_rule_that_it_replaces() -> None:
    x = Value(3.0)
    out = x * x
    calls: list[str] = []
    rule = out._backward

    def noted() -> None:
        calls.append("called")
        rule()

    out._backward = noted
    out.backward()
    assert (x.grad, calls) == (6.0, ["called"])


# A gradient of zero -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "build",
    [
        lambda x: mg.where(x > 0, x.sqrt(), x),
        lambda x: mg.maximum(x.sqrt(), 1e-10),
        lambda x: x + 0 * x.sqrt(),
        lambda x: x + mg.stop_gradient(x.sqrt()),
        lambda x: x + (1 / (x + 1e-200)) * 0 + x.sqrt() * 0,
    ],
)
def test_zero_passes_nothing_on_through_slopes_that_do_not_exist(build: Any) -> None:
    x = Value(0.0)
    y = build(x)
    y.backward()
    assert x.grad == (0.0 if y.op is mg.maximum else 1.0)
    assert totals(y)[x] == x.grad


def test_zero_is_listed_as_zero() -> None:
    x = Value(0.0)
    y = x.sqrt() * 0 + Value(1.0)
    steps = backward_steps(y)
    found = [(step.consumer._op, step.product) for step in steps if step.operand is x]
    assert found == [("sqrt", 0.0)]


def test_a_closure_is_called_though_nothing_arrived() -> None:
    calls: list[float] = []
    x = Value(3.0)
    node = Value(9.0, (x,), "square")
    node._backward = lambda: calls.append(node.grad)
    (node * 0).backward()
    assert calls == [0.0]


def test_infinite_slopes_times_something_stay() -> None:
    x = Value(0.0)
    with pytest.raises(ZeroDivisionError):
        (x.sqrt() * 1e-300).backward()


# Nodes of any arity -----------------------------------------------------------------------------


def test_node_takes_local_grads_as_numbers() -> None:
    values = [Value(float(i)) for i in range(5)]
    total = Value.node(10.0, values, [1.0] * 5, _op="sum")
    (total * 3).backward()
    assert [v.grad for v in values] == [3.0] * 5
    assert (total._op, total.op, total.parents) == ("sum", None, tuple(values))


def test_node_takes_local_grads_as_a_function_of_the_data_as_it_is() -> None:
    x, y = Value(2.0), Value(5.0)
    out = Value.node(10.0, (x, y), lambda x, y, out: (y, x))
    y.data = 7.0
    out.backward()
    assert (x.grad, y.grad) == (7.0, 2.0)


@pytest.mark.parametrize("local_grads", [[1.0], lambda x, y, out: [1.0, 2.0, 3.0]])
def test_node_wants_one_local_grad_per_parent(local_grads: Any) -> None:
    with pytest.raises(ValueError, match=r"one local derivative per parent: got \d for 2"):
        Value.node(1.0, (Value(1.0), Value(2.0)), local_grads).backward()


# When it cannot --------------------------------------------------------------------------------


def test_a_failing_rule_leaves_the_grads_of_leaves_as_they_were() -> None:
    x, y = Value(0.0, label="x"), Value(2.0)
    x.grad, y.grad = 5.0, 7.0
    out = y * y + x.sqrt() + y
    with pytest.raises(ZeroDivisionError, match=r"sqrt\(x=0.0\).*No leaf's grad was changed"):
        out.backward()
    assert (x.grad, y.grad) == (5.0, 7.0)
    x.data = 4.0
    out.parents[0].parents[1].data = 2.0  # the square root, by hand
    out.backward()
    assert (x.grad, y.grad) == (5.25, 12.0)


def test_a_failing_closure_leaves_the_grads_of_leaves_as_they_were() -> None:
    x = Value(1.0)
    out = x * 2

    def rule() -> None:
        x.grad += 100.0
        raise KeyboardInterrupt

    out._backward = rule
    with pytest.raises(KeyboardInterrupt):
        (out + x).backward()
    assert x.grad == 0.0


@pytest.mark.parametrize("data", ["3", b"3", 1j, None, [1.0], Value(1.0)], ids=repr)
def test_data_that_is_no_real_number_is_refused(data: Any) -> None:
    with pytest.raises(TypeError, match="data must be a real number, got"):
        Value(data)
    v = Value(1.0)
    with pytest.raises(TypeError, match="data must be a real number"):
        v.data = data
    with pytest.raises(TypeError, match="grad must be a real number"):
        v.grad = data
    assert (v.data, v.grad) == (1.0, 0.0)


def test_children_that_are_no_values_are_refused() -> None:
    with pytest.raises(TypeError, match="the children of a Value are Values, got 2"):
        Value(1.0, (2,))  # type: ignore[arg-type]


def test_a_complex_number_would_drop_the_gradient() -> None:
    with pytest.raises(TypeError, match=r"drop the gradient.*write complex\(v.data\)"):
        complex(Value(1.0))


@pytest.mark.parametrize("function", [float, math.exp, math.erf])
def test_what_would_drop_the_gradient_says_what_to_write(function: Any) -> None:
    with pytest.raises(TypeError, match=r"drop the gradient.*v.exp\(\).*v.data"):
        function(Value(1.0))


# Numbers and text ------------------------------------------------------------------------------


def test_data_and_grad_are_floats() -> None:
    v = Value(2)
    v.grad = 1
    assert repr(v) == "Value(data=2.0, grad=1.0)"
    v.data = True
    assert v.data == 1.0
    assert type(v.data) is type(v.grad) is float


def test_a_value_formats_as_its_number() -> None:
    v = Value(math.pi)
    assert f"{v:.4f}" == "3.1416"
    assert f"{v:>8.2f}|" == "    3.14|"
    assert f"{v}" == repr(v)


def test_comparisons_look_at_the_data() -> None:
    a, b = Value(1.0), Value(2.0)
    assert a < b
    assert a <= 1
    assert b > 1.5
    assert a < 3.5 <= Value(3.5)
    assert max(a, b) is b
    assert sorted([b, a]) == [a, b]
    assert Value(0.0)
    with pytest.raises(TypeError):
        a < "b"  # noqa: B015


# Depth and memory ------------------------------------------------------------------------------

DEEP = """
import copy, gc, pickle
gc.disable()
import micrograd as mg
from micrograd import Value, toposort
from micrograd.graph.steps import backward_steps, totals
x = Value(1.0)
s = x
n = 300_000 if mg.core == "c" else 100_000
for _ in range(n):
    s = s + x
s.backward()
assert (s.data, x.grad) == (n + 1, n + 1)
assert len(toposort(s)) == n + 1
for again in (copy.deepcopy(s), pickle.loads(pickle.dumps(s))):
    assert again.data == s.data and len(toposort(again)) == n + 1
    del again
del s
print("done")
"""


def test_a_chain_far_deeper_than_the_stack_goes_through_everything() -> None:
    assert printed(DEEP) == "done\n"


def test_graphs_are_freed_at_once_without_the_cyclic_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        x = Value(2.0)
        interior = x * 3
        out = (interior + x).tanh() ** 2
        out.backward()
        seen = weakref.ref(interior), weakref.ref(out)
        del interior, out
        assert [ref() for ref in seen] == [None, None]
    finally:
        gc.enable()


def test_masked_arrays_without_masked_elements_keep_gradients() -> None:
    """NumPy takes an attribute called _data for the numbers of a masked array."""
    w = Value(3.0)
    masked = np.ma.array([1.0, 2.0])
    ((masked * w).sum() + w * w).backward()
    assert w.grad == 9.0


@pytest.mark.parametrize(("op", "count"), [(mg.add, 1), (mg.tanh, 2), (mg.add, 0), (mg.where, 2)])
def test_a_wrong_number_of_operands_is_an_error(op: mg.Op, count: int) -> None:
    v = Value(2.0)
    with pytest.raises(TypeError, match="argument"):
        v._apply(op, (v,) * count)


@pytest.mark.parametrize("two", [np.longdouble(2), np.float32(2), np.uint8(2), np.array(2.0)])
def test_numbers_of_numpy_are_operands_of_every_operation(two: Any) -> None:
    """Also those that no Python number stands for."""
    for op in ops.TABLE.values():
        for i in range(len(op.derivatives)):
            if op.name == "polygamma":
                continue  # its first operand counts
            operands: list[Any] = [Value(0.5) for _ in op.derivatives]
            expected: list[Any] = list(operands)
            operands[i], expected[i] = two, 2.0
            if len(operands) > 1:
                assert op(*operands).data == op(*expected).data
    array = np.array([Value(1.0), two], dtype=object)
    assert [v.data for v in ops.add(array, two * Value(1.0))] == [3.0, 4.0]


@pytest.mark.parametrize("number", [np.complex128(2 + 1j), np.array(2 + 1j), np.clongdouble(2)])
def test_complex_numbers_of_numpy_are_refused(number: Any) -> None:
    """Their imaginary part would be lost."""
    with pytest.raises(TypeError, match="must be a real number"):
        Value(number)
    for op in (ops.add, ops.maximum, ops.power):
        with pytest.raises(TypeError):
            op(Value(1.0), number)
