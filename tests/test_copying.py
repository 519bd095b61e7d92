"""Copies and pickles: what they keep, and what they reject."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from micrograd import Op, Value, ops, toposort


def pickled(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


both_ways = pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])


def example() -> tuple[Any, Any]:
    x: Any = Value(2.0, label="x")
    x.momentum = 0.25
    out = (x**3 + 2 * x).tanh() / x
    out.label = "out"
    out.backward()
    return x, out


@both_ways
def test_a_copy_computes_the_same_and_is_its_own(duplicate: Any) -> None:
    x, out = example()
    again = duplicate(out)
    nodes, copies = toposort(out), toposort(again)
    assert [(v.data, v.grad, v.op, v.label, v._op) for v in nodes] == [
        (v.data, v.grad, v.op, v.label, v._op) for v in copies
    ]
    assert not set(nodes) & set(copies)
    copied_x: Any
    (copied_x,) = (v for v in copies if v.label == "x")
    assert copied_x.momentum == 0.25
    grad = x.grad
    again.backward()
    assert (x.grad, copied_x.grad) == (grad, 2 * grad)


@both_ways
def test_leaves_keep_their_identity_within_one_copy(duplicate: Any) -> None:
    x, out = example()
    copied_x, again, list_again = duplicate([x, out, [x]])
    assert copied_x in toposort(again)
    assert list_again[0] is copied_x


def test_deepcopy_keeps_the_identity_of_interior_values_too() -> None:
    x = Value(2.0)
    square = x * x
    copied_square, copied_root = copy.deepcopy([square, square + 1])
    assert copied_root.parents[0] is copied_square


def test_a_shallow_copy_shares_its_operands() -> None:
    x, out = example()
    again = copy.copy(out)
    assert again is not out
    assert (again.data, again.label, again.args) == (out.data, "out", out.args)
    leaf = copy.copy(x)
    assert (leaf.data, leaf.momentum, leaf.label) == (2.0, 0.25, "x")


@both_ways
def test_attributes_may_refer_to_the_value_itself(duplicate: Any) -> None:
    for v in example():
        v.me = v
        again = duplicate(v)
        assert again.me is again


class Named(Value):
    """A subclass whose constructor takes more than Value's."""

    def __init__(self, data: float, name: str) -> None:
        super().__init__(data)
        self.name = name


@both_ways
def test_subclasses_keep_their_class(duplicate: Any) -> None:
    out = Named(2.0, "w") * 3
    again = duplicate(out)
    (leaf,) = (v for v in toposort(again) if isinstance(v, Named))
    assert (leaf.name, leaf.data) == ("w", 2.0)


def double_slope(x: Any, out: Any) -> tuple[Any, ...]:
    return (2 * x,)


def square(x: Any) -> Any:
    return x * x


def square_slope(x: Any, out: Any) -> Any:
    return 2 * x


@both_ways
@pytest.mark.parametrize("slopes", [[6.0], double_slope])
def test_nodes_of_ones_own_are_copied_with_their_local_grads(duplicate: Any, slopes: Any) -> None:
    again = duplicate(Value.node(9.0, (Value(3.0),), slopes))
    again.backward()
    assert again.parents[0].grad == 6.0


@both_ways
def test_rows_of_ones_own_are_copied(duplicate: Any) -> None:
    again = duplicate(Op("square", square, square_slope, symbol="^2")(Value(3.0)))
    again.backward()
    assert (again._op, again.parents[0].grad) == ("^2", 6.0)
    assert duplicate(ops.tanh(Value(1.0))).op is ops.tanh


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_a_closure_is_refused_since_it_would_feed_the_original(duplicate: Any) -> None:
    out = Value(1.0) + 1
    out._backward = lambda: None
    with pytest.raises(TypeError, match=r"_backward was assigned by hand.*Value.node"):
        duplicate(out)
