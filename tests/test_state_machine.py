"""Random sequences of all that people do with Values, against plain floats with dual numbers.

Graphs, derivatives, programs, threads, optimisers, subclasses, nodes made by hand, changed data,
no_grad, strict, copies and pickles take turns. At the end of the file, faults are planted that the
machine has to find. It runs on the core in use; HYPOTHESIS_PROFILE=long runs it for longer.
"""

from __future__ import annotations

import copy
import math
import pickle
import threading
import time
from collections.abc import Callable, Container, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import dual_numbers as dual
import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import micrograd as mg
from micrograd import Op, Value, optim, toposort
from micrograd.graph import modes, strict
from micrograd.graph.steps import totals
from micrograd.value import copying, custom_nodes

# What is computed, with Values and with plain numbers --------------------------------------------


class Equal(Value):
    """A subclass whose Values are equal if their data is."""

    def __eq__(self, other: object) -> Any:
        return self.data == other.data if isinstance(other, Value) else super().__eq__(other)

    def __hash__(self) -> int:
        return hash(self.data)


class Slotted(Value):
    """A subclass with a slot of its own."""

    __slots__ = ("note",)

    def __init__(self, data: float) -> None:
        super().__init__(data)
        self.note = data


def cubed(x: Any) -> Any:
    return x * x * x


def cubed_slope(x: Any, out: Any) -> Any:
    return 3.0 * x * x


CUBE = Op("cube", cubed, cubed_slope)


def product_slopes(x: Any, y: Any, out: Any) -> tuple[Any, Any]:
    return y, x


def by_function(x: Any, y: Any) -> Any:
    return Value.node(x.data * y.data, (x, y), product_slopes)


def by_numbers(x: Any, y: Any) -> Any:
    slopes: Any = (y.data, x.data)
    return Value(x.data * y.data, (x, y), slopes)


def by_hand(x: Any, y: Any) -> Any:
    out = Value(x.data * y.data, (x, y), "*")

    def pass_on() -> None:
        x.grad += y.data * out.grad
        y.grad += x.data * out.grad

    out._backward = pass_on
    return out


class Operation(NamedTuple):
    on_values: Callable[[Any, Any], Any]
    on_numbers: Callable[[Any, Any], Any]


def both(f: Callable[[Any, Any], Any]) -> Operation:
    return Operation(f, f)


def product(x: Any, y: Any) -> Any:
    return x * y


OPERATIONS = {
    "add": both(lambda x, y: x + y),
    "subtract": both(lambda x, y: x - y * 0.5),
    "multiply": both(product),
    "divide": both(lambda x, y: x / (1.0 + y * y)),
    "number": both(lambda x, y: 2.0 - x),
    "square": Operation(lambda x, y: x**2 + y, lambda x, y: x * x + y),
    "tanh": Operation(lambda x, y: mg.tanh(x), lambda x, y: dual.tanh(x)),
    "exp": Operation(lambda x, y: (x * 0.25).exp(), lambda x, y: dual.exp(x * 0.25)),
    "sin": Operation(lambda x, y: np.sin(x) * y, lambda x, y: dual.sin(x) * y),
    "maximum": Operation(mg.maximum, dual.largest),
    "max": Operation(
        lambda x, y: mg.max([x, y, y * 0.5]),
        lambda x, y: dual.largest(x, y, y * 0.5),
    ),
    "zero": Operation(lambda x, y: mg.sqrt(y * y) * 0.0 + x, lambda x, y: x),
    "own": Operation(lambda x, y: CUBE(mg.tanh(x)), lambda x, y: cubed(dual.tanh(x))),
    # A choice by numbers, which a graph does not remember.
    "branch": Operation(
        lambda x, y: x * 2.0 if x > y else y * x,
        lambda x, y: x * 2.0 if dual.number(x) > dual.number(y) else y * x,
    ),
    "equals": Operation(
        lambda x, y: x * 2.0 if x == 1.0 else x * y,
        lambda x, y: x * 2.0 if dual.number(x) == 1.0 else x * y,
    ),
    # Nodes that no operation made.
    "by function": Operation(by_function, product),
    "by numbers": Operation(by_numbers, product),
    "by hand": Operation(by_hand, product),
}
MADE_BY_HAND = {"by function", "by numbers", "by hand"}
CHOICES = {"branch", "equals"}
HAVE_KINKS = {"maximum", "max"}
LARGEST = 20.0  # larger numbers are left out: nothing is to be learnt from rounding


class Leaf:
    """A leaf, and what its numbers should be."""

    def __init__(self, value: Value) -> None:
        self.value = value
        self.number, self.grad = value.data, 0.0


class Node:
    """A node, and how it was made of leaves and nodes; without an operation, a constant."""

    def __init__(self, value: Value, operation: str, operands: Sequence[Leaf | Node]) -> None:
        self.value = value
        self.number = value.data
        self.operation = operation
        self.operands = operands
        self.leaves: set[Leaf] = set()
        self.uses = {operation}
        for x in operands:
            self.leaves |= {x} if isinstance(x, Leaf) else x.leaves
            self.uses |= set() if isinstance(x, Leaf) else x.uses
        self.stale = False  # data of its leaves has changed since


def compute(target: Leaf | Node, leaves: dict[Leaf, Any], with_values: bool) -> Any:
    """Compute a node again from other leaves, Values or plain numbers."""
    known: dict[int, Any] = {id(leaf): x for leaf, x in leaves.items()}

    def of(x: Leaf | Node) -> Any:
        if id(x) not in known:
            assert isinstance(x, Node)
            if not x.operation:
                known[id(x)] = x.value if with_values else x.number
            else:
                operation = OPERATIONS[x.operation]
                f = operation.on_values if with_values else operation.on_numbers
                known[id(x)] = f(*map(of, x.operands))
        return known[id(x)]

    return of(target)


# The machine -------------------------------------------------------------------------------------

numbers = st.sampled_from([0.5, 1.0, -1.0, 2.0, 0.0, -0.25]) | st.floats(-2, 2)
indices = st.integers(0, 10**6)
some = st.lists(indices, min_size=1, max_size=3)


def near(expected: Any) -> Any:
    return pytest.approx(expected, rel=1e-7, abs=1e-7)


class Everything(RuleBasedStateMachine):
    """Leaves and nodes, with the numbers that they should have."""

    def __init__(self) -> None:
        super().__init__()
        self.leaves: list[Leaf] = []
        self.nodes: list[Node] = []
        self.originals: list[tuple[Value, float, float]] = []  # of which copies were made
        self.suspended: list[Generator[Value]] = []
        self.constants: list[Value] = []
        self.optimizer: Any = None
        self.memory: dict[Leaf, float] = {}

    @initialize(xs=st.lists(numbers, min_size=2, max_size=3))
    def start(self, xs: list[float]) -> None:
        self.leaves = [Leaf(kind(x)) for kind, x in zip((Value, Equal, Slotted), xs)]

    def teardown(self) -> None:
        mg.strict(False)
        for generator in self.suspended:
            generator.close()

    # Choosing, and what should be

    def pick(self, at: int) -> Leaf | Node:
        known: list[Leaf | Node] = [*self.leaves, *[n for n in self.nodes if not n.stale]]
        return known[-1 - at % len(known)]

    def node(self, at: int, without: Container[str] = ()) -> Node | None:
        """Choose a node that is no constant, and does not use some operations."""
        found = [
            node
            for node in self.nodes
            if node.operation and not node.stale and not any(use in without for use in node.uses)
        ]
        return found[-1 - at % len(found)] if found else None

    def function(self, node: Leaf | Node) -> Callable[[Sequence[Any]], Any]:
        """Return a node as a function of plain numbers, one for each leaf."""
        return lambda xs: compute(node, dict(zip(self.leaves, xs)), with_values=False)

    def of_values(self, node: Leaf | Node) -> Callable[[Sequence[Any]], Any]:
        return lambda xs: compute(node, dict(zip(self.leaves, xs)), with_values=True)

    def gradient(self, node: Leaf | Node) -> list[float]:
        return dual.gradient(self.function(node), [leaf.number for leaf in self.leaves])

    def change(self, leaf: Leaf, x: float) -> None:
        leaf.number = x
        for node in self.nodes:
            node.stale |= leaf in node.leaves

    def keep(self, value: Value, operation: str, operands: Sequence[Leaf | Node]) -> None:
        node = Node(value, operation, operands)
        expected = self.function(node)([leaf.number for leaf in self.leaves])
        assert value.data == pytest.approx(dual.number(expected), rel=1e-12, abs=1e-12)
        slopes = self.gradient(node)
        if abs(value.data) < LARGEST and all(abs(slope) < LARGEST**2 for slope in slopes):
            self.nodes.append(node)

    # Graphs

    @rule(x=numbers, kind=st.sampled_from([Value, Equal, Slotted]))
    def leaf(self, x: float, kind: Any) -> None:
        if len(self.leaves) < 5:
            self.leaves.append(Leaf(kind(x)))

    @rule(name=st.sampled_from(sorted(OPERATIONS)), i=indices, j=indices)
    def compute(self, name: str, i: int, j: int) -> None:
        operands = self.pick(i), self.pick(j)
        value = OPERATIONS[name].on_values(*[x.value for x in operands])
        self.keep(value, name, operands)

    @rule(at=indices)
    def go_back(self, at: int) -> None:
        x = self.pick(at)
        if isinstance(x, Node) and not x.operation:
            with pytest.raises(RuntimeError, match="computed within no_grad"):
                x.value.backward()
            return
        slopes = self.gradient(x)
        x.value.backward()
        for leaf, slope in zip(self.leaves, slopes):
            leaf.grad += slope

    @rule(at=indices)
    def zero(self, at: int) -> None:
        leaf = self.leaves[at % len(self.leaves)]
        leaf.value.grad = leaf.grad = 0.0

    @rule(at=indices, x=numbers)
    def set_data(self, at: int, x: float) -> None:
        leaf = self.leaves[at % len(self.leaves)]
        leaf.value.data = x
        self.change(leaf, x)

    @precondition(lambda self: self.nodes)
    @rule(at=indices)
    def drop(self, at: int) -> None:
        del self.nodes[at % len(self.nodes)]

    def start_anew(self) -> None:
        """Set all gradients to 0 that a user can get hold of."""
        for leaf in self.leaves:
            leaf.value.grad = leaf.grad = 0.0
        for v in self.constants:
            v.grad = 0.0

    @rule(at=indices)
    def go_back_strictly(self, at: int) -> None:
        node = self.node(at)
        if node is not None:
            self.start_anew()
            with mg.strict():
                node.value.backward()
            for leaf, slope in zip(self.leaves, self.gradient(node)):
                leaf.grad = slope

    @precondition(lambda self: any(node.stale for node in self.nodes))
    @rule(at=indices)
    def go_back_through_changed_data(self, at: int) -> None:
        """In strict mode that raises, unless the numbers are those of the graph all the same."""
        stale = [n for n in self.nodes if n.stale and not n.uses & (MADE_BY_HAND | CHOICES)]
        if not stale:
            return
        node = stale[at % len(stale)]
        self.start_anew()
        with mg.strict():
            try:
                node.value.backward()
            except RuntimeError as error:
                if "data was set after it had been used" not in str(error):
                    raise
                return
        for leaf, slope in zip(self.leaves, self.gradient(node)):
            leaf.grad = slope

    @rule(name=st.sampled_from(sorted(set(OPERATIONS))), i=indices, j=indices, turn=st.booleans())
    def forget(self, name: str, i: int, j: int, turn: bool) -> None:
        """Compute a constant, in a block or in a generator that is left waiting within it."""
        operands = self.pick(i), self.pick(j)

        def generator() -> Generator[Value]:
            with mg.no_grad():
                yield OPERATIONS[name].on_values(*[x.value for x in operands])

        running = generator()
        value = next(running)
        if turn:
            self.suspended.append(running)
        else:
            running.close()
        assert not value.parents
        if abs(value.data) < LARGEST:
            self.nodes.append(Node(value, "", ()))
            self.constants.append(value)

    # Derivatives

    @rule(at=indices)
    def differentiate_the_graph(self, at: int) -> None:
        node = self.node(at, {"by hand"})
        if node is None:
            return
        slopes = self.gradient(node)
        values = [leaf.value for leaf in self.leaves]
        assert [v.data for v in mg.grad(node.value, values)] == near(slopes)
        rate = mg.jvp(node.value, values, [1.0] * len(values))
        assert rate.data == near(sum(slopes))
        by_step = totals(node.value)
        for leaf, slope in zip(self.leaves, slopes):
            assert by_step.get(leaf.value, 0.0) == near(slope)

    @rule(at=indices)
    def differentiate_the_function(self, at: int) -> None:
        node = self.node(at)
        if node is not None:
            at_numbers = [leaf.number for leaf in self.leaves]
            f = self.of_values(node)
            assert mg.grad(f)(at_numbers).tolist() == near(self.gradient(node))

    @rule(at=indices)
    def differentiate_twice(self, at: int) -> None:
        node = self.node(at, {"by hand", "by numbers", "zero"})
        if node is None:
            return
        at_numbers = [leaf.number for leaf in self.leaves]
        expected = dual.hessian(self.function(node), at_numbers)
        try:
            found = mg.hessian(self.of_values(node))(at_numbers)
            along = mg.hvp(
                node.value, [leaf.value for leaf in self.leaves], [1.0] * len(at_numbers)
            )
        except TypeError as error:
            if not node.uses & HAVE_KINKS or "has a kink" not in str(error):
                raise
            return
        assert found.tolist() == [near(row) for row in expected]
        assert [v.data for v in along] == near([sum(row) for row in expected])

    @rule(at=indices, k=indices, steps=st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=4))
    def run_as_a_program(self, at: int, k: int, steps: list[float]) -> None:
        """Take one of the leaves as an argument, and the others as parameters."""
        node = self.node(at, MADE_BY_HAND)
        if node is None:
            return
        leaf = self.leaves[k % len(self.leaves)]
        xs = [leaf.number + step for step in steps]
        env = {other: other.value for other in self.leaves}
        run = mg.program(lambda x: compute(node, {**env, leaf: x}, with_values=True) + x * 0.0)
        result = run(xs)
        rows = [[x if other is leaf else other.number for other in self.leaves] for x in xs]
        f = self.function(node)
        assert result.data.tolist() == near([dual.number(f(row)) for row in rows])
        result.sum().backward()
        for row in rows:
            for other, slope in zip(self.leaves, dual.gradient(f, row)):
                other.grad += slope if other is not leaf else 0.0

    @rule(at=indices, other=indices)
    def work_in_threads(self, at: int, other: int) -> None:
        node, second = self.node(at), self.node(other, {"by hand"})
        if node is None or second is None:
            return
        slopes, others = self.gradient(node), self.gradient(second)
        at_numbers = [leaf.number for leaf in self.leaves]
        f = self.of_values(second)
        inside, done = threading.Event(), threading.Event()

        def waiting(xs: Any) -> Any:
            inside.set()
            done.wait(5)
            # The parameters of this function are shared with the graph that goes back meanwhile.
            return f(xs) + sum(leaf.value for leaf in self.leaves) * xs[0]

        with ThreadPoolExecutor(1) as pool:
            derivative = pool.submit(mg.grad(waiting), at_numbers)
            inside.wait(5)
            node.value.backward()
            done.set()
            found = derivative.result()
        others[0] += sum(at_numbers)
        assert found.tolist() == near(others)
        for leaf, slope in zip(self.leaves, slopes):
            leaf.grad += slope

    # Optimisers

    def some_leaves(self, at: list[int]) -> list[Leaf]:
        return list(dict.fromkeys(self.leaves[i % len(self.leaves)] for i in at))

    @rule(at=some, momentum=st.sampled_from([0.9, 0.0]))
    def optimize(self, at: list[int], momentum: float) -> None:
        chosen = self.some_leaves([0, 1, *at])
        self.optimizer = optim.SGD([leaf.value for leaf in chosen], lr=0.1, momentum=momentum)
        self.memory = dict.fromkeys(chosen, 0.0)
        for i, leaf in enumerate(chosen):
            leaf.value.grad = leaf.grad = 1.0 + i
        self.step(zero=False)

    @precondition(lambda self: self.optimizer is not None)
    @rule(at=some, others=st.booleans())
    def change_the_parameters(self, at: list[int], others: bool) -> None:
        """Put them in another order, with or without some others."""
        first, *rest = self.memory
        chosen = [*rest, first, *self.some_leaves(at)] if others else [*rest, first]
        chosen = list(dict.fromkeys(chosen))[-3:]
        self.optimizer.parameters = [leaf.value for leaf in chosen]
        self.memory = {leaf: self.memory.get(leaf, 0.0) for leaf in chosen}
        self.step(zero=False)

    @precondition(lambda self: self.optimizer is not None)
    @rule(zero=st.booleans())
    def step(self, zero: bool) -> None:
        self.optimizer.step()
        for leaf, velocity in self.memory.items():
            self.memory[leaf] = velocity = self.optimizer.momentum * velocity + leaf.grad
            expected = leaf.number - 0.1 * velocity
            assert leaf.value.data == near(expected)
            self.change(leaf, leaf.value.data)
            if abs(leaf.number) > LARGEST / 4:
                leaf.value.data = leaf.number = 1.0
        if zero:
            self.optimizer.zero_grad()
            for leaf in self.memory:
                leaf.grad = 0.0

    # Copies

    @rule(deep=st.booleans())
    def go_on_with_copies(self, deep: bool) -> None:
        def duplicate(x: Any) -> Any:
            return copy.deepcopy(x) if deep else pickle.loads(pickle.dumps(x))

        hand = [node for node in self.nodes if "by hand" in node.uses]
        if hand:
            with pytest.raises(TypeError, match="assigned by hand"):
                duplicate([hand[-1].value])
            self.nodes = [node for node in self.nodes if node not in hand]
        everything: list[Any] = [*self.leaves, *self.nodes]
        before = [x.value for x in everything]
        self.originals += [(v, v.data, v.grad) for v in before[: len(self.leaves)]]
        copies, self.optimizer = duplicate((before, self.optimizer))
        for x, v in zip(everything, copies):
            assert type(v) is type(x.value)
            assert getattr(v, "note", None) == getattr(x.value, "note", None)
            x.value = v
        self.constants = [v for v in toposort(*copies) if v._forgot]
        if self.optimizer is not None:
            assert all(p is leaf.value for p, leaf in zip(self.optimizer.parameters, self.memory))
        assert not {id(v) for v in toposort(*copies)} & {id(v) for v in toposort(*before)}
        for node in self.nodes:
            made_of = {id(v) for v in toposort(node.value)}
            first = node.operands[:1]  # the second one may not be used
            assert all(id(x.value) in made_of for x in first if x in everything)

    @invariant()
    def the_leaves_have_their_numbers(self) -> None:
        for leaf in self.leaves:
            assert leaf.value.data == leaf.number
            assert leaf.value.grad == near(leaf.grad)
            assert math.isfinite(leaf.grad)
            leaf.grad = leaf.value.grad  # so that rounding does not add up
        for v, data, grad in self.originals:
            assert (v.data, v.grad) == (data, grad)
        assert len((Value(1.0) * 2).parents) == 2  # nobody has switched off recording


TestEverything = Everything.TestCase
TestEverything.settings = settings(
    max_examples=2 * settings().max_examples, stateful_step_count=40, deadline=None
)


# Faults that it has to find ----------------------------------------------------------------------


def gradients_start_afresh(patch: pytest.MonkeyPatch) -> None:
    backward = Value.backward

    def lost(self: Value) -> None:
        for v in toposort(self):
            v.grad = 0.0
        backward(self)

    patch.setattr(Value, "backward", lost)


def equal_values_are_confused(patch: pytest.MonkeyPatch) -> None:
    grad = mg.grad

    def confused(output: Any, inputs: Any = None) -> Any:
        if inputs is None:
            return grad(output)
        found = grad(output, inputs)
        return [found[[u.data for u in inputs].index(v.data)] for v in inputs]

    patch.setattr(mg, "grad", confused)


def derivatives_touch_grads(patch: pytest.MonkeyPatch) -> None:
    hvp = mg.hvp

    def touching(output: Any, *others: Any) -> Any:
        output.backward()
        return hvp(output, *others)

    patch.setattr(mg, "hvp", touching)


def derivatives_pass_through_shared_grads(patch: pytest.MonkeyPatch) -> None:
    grad = mg.grad

    def leaky(output: Any, inputs: Any = None) -> Any:
        if inputs is not None:
            return grad(output, inputs)

        def of(x: Any) -> Any:
            xs = [Value(number) for number in x]
            out = output(xs)
            before = [(v, v.grad) for v in toposort(out) if not v.parents]
            out.backward()
            time.sleep(0.001)
            for v, number in before:
                if v not in xs:
                    v.grad = number
            return np.array([v.grad for v in xs])

        return of

    patch.setattr(mg, "grad", leaky)


def memories_stay_in_place(patch: pytest.MonkeyPatch) -> None:
    def assign(self: Any, parameters: Any) -> None:
        self._parameters = tuple(parameters)
        for name in self._memories:
            memory = list(vars(self).get(name, ()))
            setattr(self, name, (memory + [0.0] * len(self._parameters))[: len(self._parameters)])

    whole = property(lambda self: self._parameters, assign)
    patch.setattr(optim.Optimizer, "parameters", whole)


def pickles_repeat_what_is_shared(patch: pytest.MonkeyPatch) -> None:
    class Forgetful(dict):  # type: ignore[type-arg]
        def get(self, *_: Any) -> None:
            return None

        def __contains__(self, _: object) -> bool:
            return False

    patch.setattr(copying._groups, "of_node", Forgetful())


def copies_lose_slots(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(copying, "_attributes", lambda v: dict(v._attributes))


def generators_leak_no_grad(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(modes, "generator_frame", lambda: None)


def strict_checks_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(strict, "_check_nodes", lambda nodes, what: None)


def slopes_of_own_nodes_are_exchanged(patch: pytest.MonkeyPatch) -> None:
    given = custom_nodes.given_derivatives
    patch.setattr(custom_nodes, "given_derivatives", lambda node: given(node)[::-1])


def programs_lose_their_parameters(patch: pytest.MonkeyPatch) -> None:
    program = mg.program
    patch.setattr(mg, "program", lambda f: program(lambda x: mg.stop_gradient(f(x))))


FAULTS = [
    gradients_start_afresh,
    equal_values_are_confused,
    derivatives_touch_grads,
    derivatives_pass_through_shared_grads,
    memories_stay_in_place,
    pickles_repeat_what_is_shared,
    copies_lose_slots,
    generators_leak_no_grad,
    strict_checks_nothing,
    slopes_of_own_nodes_are_exchanged,
    programs_lose_their_parameters,
]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.long
def test_the_machine_finds(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fault(monkeypatch)
    quick = settings(
        max_examples=1000,
        stateful_step_count=40,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Everything, settings=quick)
