"""Nodes and leaves that users make: microgpt's signature, closures, what lacks a rule."""

from __future__ import annotations

import copy
import pickle
import warnings
from typing import Any

import pytest

import micrograd as mg
from micrograd import toposort

Value: Any = mg.Value

# A leaf is what has no parents ------------------------------------------------------------------


def leaf_with_rule(data: float = 2.0) -> Any:
    p = Value(data)
    p._backward = lambda: None
    return p


def test_a_leaf_with_a_rule_accumulates_like_any_leaf() -> None:
    p = leaf_with_rule()
    (p * 3).backward()
    (p * 5).backward()
    assert p.grad == 8.0


def test_a_subclass_may_set_a_rule_in_init() -> None:
    class Own(mg.Value):
        def __init__(self, data: Any, _children: Any = (), _op: str = "") -> None:
            super().__init__(data, _children, _op)
            self._backward = lambda: None

    p: Any = Own(2.0)
    (p * 3).backward()
    (p * 5).backward()
    assert p.grad == 8.0


def test_the_rule_of_a_leaf_is_called_once_its_gradient_is_there() -> None:
    seen: list[float] = []
    p = Value(2.0)
    p._backward = lambda: seen.append(p.grad)
    (p * 3 + p).backward()
    assert seen == [4.0]


def test_a_failing_rule_of_a_leaf_leaves_grads_as_they_were() -> None:
    def fail() -> None:
        raise KeyError("mine")

    p, q = Value(2.0), Value(3.0)
    p._backward = fail
    p.grad = q.grad = 1.0
    with pytest.raises(KeyError):
        (p * q).backward()
    assert (p.grad, q.grad) == (1.0, 1.0)


def test_derivatives_and_copies_take_leaves_with_a_rule() -> None:
    p = leaf_with_rule()
    y = p * p * p
    assert mg.grad(y, p).data == 12.0
    assert mg.hvp(y, [p], [1.0])[0].data == 12.0
    for again in (copy.copy(p), copy.deepcopy(p), pickle.loads(pickle.dumps(p))):
        assert again.data == 2.0
        again._backward()  # its own, which does nothing
        (again * 3).backward()
        assert again.grad == 3.0 + p.grad
    assert copy.deepcopy(y).data == pickle.loads(pickle.dumps(y)).data == 8.0


# The signature of microgpt ----------------------------------------------------------------------


def test_a_sequence_of_numbers_is_local_gradients() -> None:
    a, b = Value(2.0), Value(3.0)
    for out in (
        Value(6.0, (a, b), (3.0, 2.0)),
        Value(6.0, [a, b], [3, 2]),
        Value(6.0, children=(a, b), local_grads=(3.0, 2.0)),
        Value(6.0, (a, b), local_grads=(3.0, 2.0)),
        Value(6.0, (a, b), "*", local_grads=(3.0, 2.0)),
        Value(6.0, (a, b), "*", local_grads=lambda a, b, out: (b, a)),
    ):
        a.grad = b.grad = 0.0
        (out * 2).backward()
        assert (a.grad, b.grad) == (6.0, 4.0)
        assert out._op in ("", "*")
        assert (out._children, out._local_grads) == ((a, b), (3.0, 2.0))
    assert Value(6.0, (), ()).parents == ()


def test_children_and_local_gradients_of_every_node_can_be_read() -> None:
    a, b = Value(2.0), Value(3.0)
    assert (a._children, a._local_grads) == ((), ())
    assert ((a * b)._children, (a * b)._local_grads) == ((a, b), (3.0, 2.0))
    assert ((a * a)._children, (a * a)._local_grads) == ((a, a), (2.0, 2.0))
    assert ((a**3)._children, (a**3)._local_grads) == ((a,), (12.0,))
    where = mg.where(a > 1, a, b)
    assert where._local_grads == (0.0, 1.0, 0.0)  # the condition has none
    assert mg.stop_gradient(a)._local_grads == (0.0,)
    closed = Value(4.0, (a,))
    closed._backward = lambda: None
    with pytest.raises(AttributeError, match="assigned by hand"):
        closed._local_grads  # noqa: B018


def test_local_gradients_may_be_given_later_and_are_checked() -> None:
    a, b = Value(2.0), Value(3.0)
    v = Value(6.0, (a, b))
    cases: list[tuple[Any, str]] = [
        ((1.0,), "one local derivative per parent: got 1 for 2"),
        (("a", "b"), "must be a real number, got 'a'"),
        ((a, b), "must be a real number, got Value"),
        ("ab", "a sequence of numbers, one per child, or a function that returns one; got 'ab'"),
        (3.0, "a sequence of numbers, one per child, or a function that returns one; got 3.0"),
    ]
    for wrong, message in cases:
        with pytest.raises((TypeError, ValueError), match=message):
            v._local_grads = wrong
        with pytest.raises((TypeError, ValueError), match=message):
            Value(6.0, (a, b), local_grads=wrong)
    v._local_grads = (3, 2)
    v.backward()
    assert (a.grad, b.grad) == (3.0, 2.0)
    v._local_grads = lambda a, b, out: (b, a)
    v.backward()
    assert (a.grad, b.grad) == (6.0, 4.0)
    with pytest.raises(TypeError, match="those of its operation, multiply"):
        (a * b)._local_grads = (1.0, 1.0)


def test_the_backward_of_microgpt_agrees() -> None:
    def backward(root: Any) -> None:
        topo: list[Any] = []
        visited = set()

        def build(v: Any) -> None:
            if v not in visited:
                visited.add(v)
                for child in v._children:
                    build(child)
                topo.append(v)

        build(root)
        root.grad = 1
        for v in reversed(topo):
            for child, local_grad in zip(v._children, v._local_grads):
                child.grad += local_grad * v.grad

    grads = []
    for run in (backward, lambda root: root.backward()):
        a, b = Value(0.5), Value(-2.0)
        c: Any = Value(a.data * b.data, (a, b), (b.data, a.data))
        run((c + a).tanh() * c**2)
        grads.append((a.grad, b.grad))
    assert grads[0] == grads[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda a: Value(2.0, "x"), r"label='x'"),
        (lambda a: Value(2.0, "x", "y"), r"label='x'"),
        (lambda a: Value(2.0, a), r"\(v,\)"),
        (lambda a: Value(2.0, 3.0), "children"),
        (lambda a: Value(2.0, (3.0,)), r"wrap it in Value\(\)"),
        (lambda a: Value(2.0, (a,), 3.0), "local gradients"),
        (lambda a: Value(2.0, (a,), ("+",)), "local derivative must be a real number"),
        (lambda a: Value(2.0, (a,), (a,)), "local derivative must be a real number"),
        (lambda a: int(a), r"v\.data"),
        (lambda a: round(a), r"v\.data"),
        (lambda a: setattr(a, "grad", None), r"v\.grad = 0"),
    ],
)
def test_messages_say_what_to_write(make: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make(Value(1.0))


@pytest.mark.parametrize("slopes", [(1.0,), (1.0, 2.0, 3.0)])
def test_there_is_one_local_gradient_per_child(slopes: Any) -> None:
    with pytest.raises(ValueError, match=r"one local derivative per parent: got \d for 2"):
        Value(6.0, (Value(2.0), Value(3.0)), slopes)


# Without a rule ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "around", [lambda v: v, lambda v: v * 2, lambda v: (3 - v).tanh() + 1, lambda v: v / 4]
)
def test_a_backward_that_reaches_no_leaf_raises_and_names_node_and_line(around: Any) -> None:
    x = Value(3.0)
    square = Value(x.data**2, (x,), "square")  # this line
    out = around(square)
    with pytest.raises(TypeError, match=r"square.*test_custom_nodes\.py, line \d+.*# this line"):
        out.backward()
    assert x.grad == 0.0


def test_where_other_leaves_are_reached_it_warns_of_the_users_line() -> None:
    x, w = Value(3.0), Value(2.0)
    detached = Value(x.data, (x,), "detach")  # made here
    with pytest.warns(RuntimeWarning, match="detach.*# made here") as caught:
        (detached * w).backward()
    assert caught[0].filename == __file__
    assert (x.grad, w.grad) == (0.0, 3.0)


def test_a_leaf_that_is_reached_beside_it_counts() -> None:
    x = Value(3.0)
    with pytest.warns(RuntimeWarning, match="no gradient passes"):
        (Value(3.0, (x,), "detach") * x).backward()
    assert x.grad == 3.0


def test_closures_and_nodes_with_rules_pass_without_a_word() -> None:
    x = Value(3.0)
    square = Value(9.0, (x,), "square")

    def rule() -> None:
        x.grad += 6.0 * square.grad

    square._backward = rule
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (square * 2).backward()
        Value.node(9.0, (x,), (6.0,)).backward()
    assert x.grad == 18.0


# The operands as a set --------------------------------------------------------------------------


def test_prev_is_a_set_in_order() -> None:
    a, b = Value(1.0), Value(2.0)
    prev = (a - b)._prev
    assert list(prev) == [a, b]
    assert (prev[0], prev[1], prev[-1]) == (a, b, b)
    assert prev == {b, a}
    assert {b, a} == prev
    assert prev != {a}
    assert len((a * a)._prev) == 1
    assert a in prev
    assert 1.0 not in prev
    assert prev | {a} == {a, b}
    assert prev - {a} == {b}
    assert prev.union([a]) == {a, b}
    assert prev.issubset({a, b})
    assert list(reversed((b - a)._prev)) == [a, b]
    assert repr((a + a)._prev) == "{Value(data=1.0, grad=0.0)}"
    assert Value(1.0)._prev == set()
    assert [v._prev for v in toposort(a + b)][:2] == [set(), set()]


@pytest.mark.parametrize("change", ["add", "remove", "discard", "update"])
def test_prev_cannot_be_changed(change: str) -> None:
    with pytest.raises(AttributeError, match="operands of a Value"):
        getattr((Value(1.0) + 1)._prev, change)
