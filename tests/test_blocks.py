"""Blocks: however a leaf is read, it shows what was last written to it."""

from __future__ import annotations

import copy
import gc
import pickle
from array import array
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import micrograd as mg
from micrograd import Value, program
from micrograd.native import bulk
from micrograd.native.blocks import block_of

N = 4
BLOCKS = [(0, 1, 2, 3), (1, 2), (3, 0)]


class Model:
    """The specification of blocks: two lists of numbers; each change is made at once."""

    def __init__(self) -> None:
        self.data = [float(i + 1) for i in range(N)]
        self.grads = [0.0] * N
        self.waiting: list[list[tuple[int, float]]] = []

    def set_data(self, i: int, x: float) -> None:
        self.data[i] = x

    def set_grad(self, i: int, x: float) -> None:
        self.grads[i] = x

    def again(self, i: int, x: float) -> None:
        self.data[i], self.grads[i] = x, 0.0

    def move(self, b: int, x: float) -> None:
        for i in BLOCKS[b]:
            self.data[i] -= x * self.grads[i]

    def zero(self, b: int, x: float) -> None:
        for i in BLOCKS[b]:
            self.grads[i] = x

    def add(self, b: int, x: float) -> None:
        for i in BLOCKS[b]:
            self.grads[i] += x * i

    def product(self, i: int, x: float) -> float:
        j = (i + 1) % N
        self.grads[i] += x * self.data[j]
        self.grads[j] += x * self.data[i]
        return x * self.data[i] * self.data[j]

    def squares(self, i: int, x: float) -> float:
        self.grads[i] += x * 2 * self.data[i]
        return x * self.data[i] ** 2

    def compare(self, i: int, x: float) -> float:
        return float(self.data[i] > x)

    def in_bulk(self, i: int, x: float) -> float:
        self.grads[i] += x
        self.data[i] += x
        return self.data[i]

    def call(self, b: int, x: float) -> None:
        self.keep(b, x)
        self.go_back(b, x)

    def keep(self, b: int, x: float) -> None:
        self.waiting.append([(i, 2 * x * self.data[i]) for i in BLOCKS[b]])

    def go_back(self, b: int, x: float) -> None:
        for i, gradient in self.waiting.pop() if self.waiting else ():
            self.grads[i] += gradient

    def forget(self, b: int, x: float) -> None:
        pass


class Real:
    """The same, through Values and blocks."""

    def __init__(self) -> None:
        self.values = [Value(float(i + 1)) for i in range(N)]
        self.kept: dict[int, Any] = {}
        self.programs: dict[int, Any] = {}
        self.waiting: list[Value] = []

    def block(self, b: int) -> Any:
        if b not in self.kept:
            self.kept[b] = block_of([self.values[i] for i in BLOCKS[b]])
        return self.kept[b]

    def set_data(self, i: int, x: float) -> None:
        self.values[i].data = x

    def set_grad(self, i: int, x: float) -> None:
        self.values[i].grad = x

    def again(self, i: int, x: float) -> None:
        Value.__init__(self.values[i], x)

    def move(self, b: int, x: float) -> None:
        block = self.block(b)
        block.pull_data()
        block.pull_grads()
        for k in range(len(block.data)):
            block.data[k] -= x * block.grad[k]
        block.push_data()

    def zero(self, b: int, x: float) -> None:
        block = self.block(b)
        block.grad[:] = array("d", [x] * len(block.grad))
        block.push_grads()

    def add(self, b: int, x: float) -> None:
        self.block(b).add(array("d", [x * i for i in BLOCKS[b]]))

    def product(self, i: int, x: float) -> Any:
        root = x * (self.values[i] * self.values[(i + 1) % N])
        root.backward()
        return root.data

    def squares(self, i: int, x: float) -> Any:
        root = x * self.values[i] ** 2
        root.backward()
        return root.data

    def compare(self, i: int, x: float) -> float:
        return float(self.values[i] > x)

    def in_bulk(self, i: int, x: float) -> float:
        some, number = [self.values[i]], array("d", [x])
        bulk.add_grads(some, number)
        bulk.read_data(some, number)
        number[0] += x
        bulk.write_data(some, number)
        return number[0]

    def call(self, b: int, x: float) -> None:
        self.keep(b, x)
        self.go_back(b, x)

    def keep(self, b: int, x: float) -> None:
        if b not in self.programs:
            some = [self.values[i] for i in BLOCKS[b]]
            self.programs[b] = program(lambda t: t * sum(v * v for v in some))
        self.waiting.append(self.programs[b]([x]).sum())

    def go_back(self, b: int, x: float) -> None:
        if self.waiting:
            self.waiting.pop().backward()

    def forget(self, b: int, x: float) -> None:
        self.kept.pop(b, None)
        gc.collect(0)


OF_ONE = ["set_data", "set_grad", "again", "product", "squares", "compare", "in_bulk"]
OF_BLOCK = ["move", "zero", "add", "forget", "call", "keep", "go_back"]
small = st.sampled_from([-1.0, 0.5, 2.0])
steps = st.one_of(
    st.tuples(st.sampled_from(OF_ONE), st.integers(0, N - 1), small),
    st.tuples(st.sampled_from(OF_BLOCK), st.integers(0, len(BLOCKS) - 1), small),
    st.tuples(st.just("look"), st.integers(0, N - 1), small),
)


@given(st.lists(steps, max_size=12))
def test_any_order_of_changes_is_seen(changes: list[tuple[str, int, float]]) -> None:
    model, real = Model(), Real()
    for name, which, x in changes:
        if name == "look":
            v = real.values[which]
            assert (v.grad, v.data) == (model.grads[which], model.data[which])
        else:
            assert getattr(real, name)(which, x) == getattr(model, name)(which, x)
    assert [v.data for v in real.values] == model.data
    assert [v.grad for v in real.values] == model.grads


def behind() -> tuple[Any, list[Value]]:
    """Make two Values, 5 and 7 with grads 1 and 2, that their block may be ahead of."""
    values = [Value(0.0), Value(0.0)]
    block = block_of(values)
    block.data[:] = array("d", [5.0, 7.0])
    block.grad[:] = array("d", [1.0, 2.0])
    block.push_data()
    block.push_grads()
    return block, values


class Mine(Value):
    """A subclass, whose operations run in Python."""


def after_backward(x: Value) -> Any:
    x.backward()
    return x.data, x.grad


WAYS: dict[str, Callable[[Value], Any]] = {
    "+": lambda x: (x + 1).data,
    "number first": lambda x: (1 + x).data,
    "**": lambda x: (x**2).data,
    "** of a number": lambda x: (2**x).data,
    "-": lambda x: (-x).data,
    "row": lambda x: mg.exp(x).data,
    "row of a subclass": lambda x: (Mine(1.0) * x).data,
    "method": lambda x: x.maximum(2).data,
    "comparison": lambda x: (x > 4, x <= 4),
    "text": lambda x: (repr(x), f"{x:.1f}"),
    "copy": lambda x: (copy.copy(x).data, copy.deepcopy(x).grad),
    "pickle": lambda x: pickle.loads(pickle.dumps(x)).data,
    "grad first": lambda x: (x.grad, x.data),
    "backward from it": after_backward,
    "derivative": lambda x: mg.grad(x * x, x).data,
    "sum": lambda x: (x + x).data,
    "step of a node": lambda x: ((x * x)._backward(), x.grad),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_look(way: str) -> None:
    block, (x, y) = behind()
    alone = Value(5.0)
    alone.grad = 1.0
    assert WAYS[way](x) == WAYS[way](alone)
    assert (x.data, x.grad, y.data, y.grad) == (alone.data, alone.grad, 7.0, 2.0)
    assert block.leaves == (x, y)


def test_a_block_is_the_same_for_the_same_values_only() -> None:
    values = [Value(1.0), Value(2.0)]
    block = block_of(values)
    assert block is block_of(tuple(values))
    assert block is not block_of(values[::-1])
    assert block.has(values)
    assert block.has(tuple(values))  # as optimisers keep their parameters
    assert not block.has(values[::-1])
    assert not block.has([*values, values[0]])


def test_a_block_that_goes_leaves_its_numbers() -> None:
    block, values = behind()
    del block
    gc.collect()
    assert [(v.data, v.grad) for v in values] == [(5.0, 1.0), (7.0, 2.0)]


@pytest.mark.parametrize("wrong", [array("d", [1.0]), array("f", [1.0, 2.0]), "no numbers"])
def test_what_does_not_fit_is_not_added(wrong: Any) -> None:
    block, values = behind()
    with pytest.raises((TypeError, ValueError)):
        block.add(wrong)
    assert [v.grad for v in values] == [1.0, 2.0]


def test_a_leaf_of_a_block_that_gets_a_step_of_its_own_takes_it() -> None:
    """Check that from then on no leaf is hidden from a backward pass."""
    x, y = Value(3.0), Value(4.0)
    squared = program(lambda a: a * x * x)
    squared([1.0, 2.0]).sum().backward()
    assert x.grad == 18.0
    x._backward = lambda: setattr(y, "grad", y.grad + x.grad)
    total = squared([1.0, 2.0]).sum()
    total.backward()
    assert (x.grad, y.grad) == (36.0, 36.0)
    total.backward()
    assert (x.grad, y.grad) == (54.0, 90.0)


def test_a_step_that_fails_adds_nothing_to_blocks() -> None:
    w, zero = Value(2.0), Value(0.0)
    scaled = program(lambda x: w * x)
    scaled([1.0]).sum().backward()
    totals = [zero.sqrt() + scaled([1.0]).sum(), scaled([1.0]).sum() + zero.sqrt() * w]
    for total in totals:
        with pytest.raises(ZeroDivisionError):
            total.backward()
    assert (w.grad, zero.grad) == (1.0, 0.0)


def test_a_backward_pass_within_another() -> None:
    w = Value(2.0)
    scaled = program(lambda x: w * x)
    inner = scaled([3.0]).sum()
    outer = Value(1.0, (w,))

    def step() -> None:
        inner.backward()
        w.grad += 10 * outer.grad

    outer._backward = step
    (outer * 2 + scaled([1.0]).sum() + w * w).backward()
    assert w.grad == 3.0 + 20.0 + 1.0 + 4.0


def test_an_optimiser_and_a_program_share_their_block() -> None:
    model = mg.nn.MLP(2, [40, 1])
    parameters = model.parameters()
    loss = program(lambda x: model(x) ** 2)
    optimizer = mg.optim.SGD(parameters, lr=0.01)
    before = [p.data for p in parameters]
    loss([[1.0, 2.0]]).mean().backward()
    gradients = [p.grad for p in parameters]
    optimizer.zero_grad()
    loss([[1.0, 2.0]]).mean().backward()
    optimizer.step()
    assert [p.data for p in parameters] == [x - 0.01 * g for x, g in zip(before, gradients)]
    again = pickle.loads(pickle.dumps(optimizer))
    again.step()
    assert again.parameters[0].data == parameters[0].data - 0.01 * gradients[0]
    assert parameters[0].data == before[0] - 0.01 * gradients[0]


def test_an_optimiser_goes_by_the_list_that_it_has() -> None:
    values = [Value(float(i)) for i in range(40)]
    optimizer = mg.optim.SGD(values[:-1], lr=1.0)
    optimizer.zero_grad()
    optimizer.add(values[-1:])
    for v in values:
        v.grad = 1.0
    optimizer.step()
    assert [v.data for v in values] == [float(i) - 1.0 for i in range(40)]
