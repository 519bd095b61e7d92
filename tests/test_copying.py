"""Copies and pickles: what they keep, and what they reject."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import pytest

from micrograd import Op, Value, no_grad, ops, toposort


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


@both_ways
@pytest.mark.parametrize("reverse", [False, True])
def test_interior_values_keep_their_identity_too(duplicate: Any, reverse: bool) -> None:
    x = Value(2.0)
    square = x * x
    root = square + 1
    if reverse:
        copied_root, copied_square = duplicate([root, square])
    else:
        copied_square, copied_root = duplicate([square, root])
    assert copied_root.parents[0] is copied_square
    assert len(set(copied_square.parents)) == 1


@both_ways
def test_graphs_that_share_a_part_share_its_copy(duplicate: Any) -> None:
    x = Value(2.0)
    shared = x * x
    copied_x, left, right = duplicate([x, shared + 1, shared * 3])
    assert left.parents[0] is right.parents[0]
    assert left.parents[0].parents == (copied_x, copied_x)
    (left + right).backward()
    assert copied_x.grad == 16.0  # of 4 x^2 + 1


def chain(n: int) -> list[Value]:
    values = [Value(1.0)]
    for _ in range(n):
        values.append(values[-1] + 1)
    return values


def test_a_list_of_all_nodes_is_stored_once() -> None:
    sizes = [len(pickle.dumps(chain(n))) for n in (500, 1000, 2000)]
    assert sizes[2] - sizes[1] < 2.1 * (sizes[1] - sizes[0])
    assert [v.data for v in pickled(chain(2000))] == [v.data for v in chain(2000)]
    assert len(toposort(*copy.deepcopy(chain(2000)))) == 4001


def test_a_pickle_holds_what_a_value_is_made_of_and_no_consumers() -> None:
    values = chain(100)
    alone = len(pickle.dumps(values[1]))
    pickle.dumps(values[::-1])
    assert len(pickle.dumps(values[1])) == alone


def test_a_pickler_that_goes_on_keeps_identity_from_one_dump_to_the_next() -> None:
    stream = io.BytesIO()
    pickler = pickle.Pickler(stream)
    x = Value(2.0)
    square = x * x
    for v in (square + 1, square, x):
        pickler.dump(v)
    stream.seek(0)
    unpickler = pickle.Unpickler(stream)
    root, copied_square, copied_x = (unpickler.load() for _ in range(3))
    assert root.parents[0] is copied_square
    assert copied_square.parents == (copied_x, copied_x)


@both_ways
def test_a_leaf_may_refer_to_what_is_computed_from_it(duplicate: Any) -> None:
    x: Any = Value(2.0)
    out = x * x
    x.used_in = [out]
    again = duplicate(out)
    assert again.parents[0].used_in[0] is again
    assert duplicate(x).used_in[0].parents[0].used_in


class Slotted(Value):
    __slots__ = ("__private", "note", "unset")

    def __init__(self, data: float, note: Any) -> None:
        super().__init__(data)
        self.note = note
        self.__private = "own"

    def private(self) -> str:
        return self.__private


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickled])
def test_slots_of_subclasses_are_kept(duplicate: Any) -> None:
    v = Slotted(2.0, ["n"])
    again = duplicate(v)
    assert (again.note, again.private(), hasattr(again, "unset")) == (["n"], "own", False)
    (leaf,) = (p for p in toposort(duplicate(v * 3)) if isinstance(p, Slotted))
    assert leaf.note == ["n"]


@both_ways
def test_a_copy_within_no_grad_knows_that_it_forgot(duplicate: Any) -> None:
    with no_grad():
        v = Value(2.0) * 3
    with pytest.raises(RuntimeError, match="within no_grad"):
        duplicate(v).backward()


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
