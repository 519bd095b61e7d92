"""The two cores are one: the same bits, the same errors, the same attributes."""

from __future__ import annotations

import copy
import importlib
import inspect
import math
import operator
import pickle
import random
import struct
import sys
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from both_cores import CORES, c, python
from hypothesis import given, settings
from hypothesis import strategies as st

EDGES = [
    0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, 1e-300, -1e-300, 5e-324, 1e16, 710.0, -745.2,
    1e154, -1e200, 1.7e308, math.pi, 1 / 3, 1 + 2**-52, 1 - 2**-53, math.inf, -math.inf, math.nan,
]  # fmt: skip
floats = st.sampled_from(EDGES) | st.floats(-4, 4) | st.floats()
rows = st.sampled_from(sorted(python.ops.TABLE))


def bits(x: float) -> str:
    """Return the bits of a float; every nan is alike."""
    return "nan" if x != x else struct.pack("d", x).hex()


def outcome(action: Callable[[], Any]) -> Any:
    """Return the result of an action, or the error that it raises and its text."""
    try:
        return action()
    except Exception as error:
        return type(error).__name__, str(error)


def on_both(action: Callable[[Any], Any]) -> Any:
    """Run an action on both cores; the outcomes must be equal."""
    ours, theirs = (outcome(partial(action, mg)) for mg in CORES.values())
    assert ours == theirs
    return ours


def apply(mg: Any, name: str, numbers: list[float], plain: int | None = None) -> Any:
    """Apply a row and go backward; return the bits of all numbers and what happened on the way."""
    arity = len(mg.ops.TABLE[name].derivatives)
    values = [mg.Value(x) for x in numbers[:arity]]
    operands: list[Any] = list(values)
    if plain is not None:
        operands[plain % arity] = numbers[plain % arity]
    if all(not isinstance(x, mg.Value) for x in operands):
        return None
    out = mg.ops.TABLE[name](*operands)
    error = outcome(out.backward)
    return bits(out.data), [bits(v.grad) for v in values], error


@pytest.mark.parametrize("name", sorted(python.ops.TABLE))
def test_every_row_gives_the_same_bits_at_the_edges(name: str) -> None:
    for x in EDGES:
        for y in EDGES:
            on_both(lambda mg: apply(mg, name, [x, y, 1.5]))


@settings(max_examples=20 * settings().max_examples)
@given(rows, st.lists(floats, min_size=3, max_size=3), st.none() | st.integers(0, 2))
def test_every_row_gives_the_same_bits_anywhere(name: str, xs: list[float], plain: Any) -> None:
    on_both(lambda mg: apply(mg, name, xs, plain))


OPERATORS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y,
    lambda x, y: x**y, lambda x, y: x < y, lambda x, y: x <= y, lambda x, y: x > y,
    lambda x, y: x >= y, lambda x, y: x.maximum(y), lambda x, y: x == y, lambda x, y: x != y,
]  # fmt: skip
FOREIGN = ["a", None, [1.0], 1j, (), 10**400, True, 2, 2**60, 0, -3, 0.5, object]


@pytest.mark.parametrize("operator", range(len(OPERATORS)))
def test_foreign_operands_give_the_same_results_and_errors(operator: int) -> None:
    def shown(mg: Any, x: Any, y: Any) -> str:
        return repr(OPERATORS[operator](x, y))

    for other in FOREIGN:
        for number in (0.0, 1.5, -2.0):
            on_both(lambda mg: shown(mg, mg.Value(number), other))
            on_both(lambda mg: shown(mg, other, mg.Value(number)))


BAD_CALLS: list[Callable[[Any], Any]] = [
    lambda mg: mg.Value(),
    lambda mg: mg.Value("a"),
    lambda mg: mg.Value(mg.Value(1.0)),
    lambda mg: mg.Value(1j),
    lambda mg: mg.Value([1.0, 2.0]),
    lambda mg: mg.Value(10**400),
    lambda mg: mg.Value(1.0, [2.0]),
    lambda mg: mg.Value(1.0, nonsense=3),
    lambda mg: mg.Value(1.0, (), "", "", 5),
    lambda mg: setattr(mg.Value(1.0), "data", "a"),
    lambda mg: setattr(mg.Value(1.0), "grad", None),
    lambda mg: setattr(mg.Value(1.0), "_backward", 3),
    lambda mg: float(mg.Value(1.0)),
    lambda mg: math.exp(mg.Value(1.0)),
    lambda mg: mg.Value.node(1.0, [mg.Value(1.0)], [1.0, 2.0]),
    lambda mg: mg.Value.node(1.0, [mg.Value(1.0)], ["a"]),
    lambda mg: mg.tanh("a"),
    lambda mg: mg.tanh(mg.Value(1.0), 2),
    lambda mg: mg.Value(1.0).nonsense,
    lambda mg: mg.Value(-8.0) ** (1 / 3),
    lambda mg: (mg.Value(0.0, label="x").sqrt()).backward(),
    lambda mg: (mg.Value(2.0) * mg.Value(0.0, label="x").sqrt() * 3).backward(),
    lambda mg: mg.toposort(3),
    lambda mg: copy.copy(closed(mg)),
    lambda mg: pickle.dumps(closed(mg)),
    lambda mg: mg.bulk.read_data([mg.Value(1.0)], array("d", [1.0, 2.0])),
    lambda mg: mg.bulk.read_data([mg.Value(1.0)], array("f", [1.0])),
    lambda mg: mg.bulk.read_data(
        [mg.Value(1.0)], memoryview(array("d", [1.0])).cast("B").cast("d", [1, 1])
    ),
    lambda mg: mg.bulk.add_grads([mg.Value(1.0)], b"12345678"),
    lambda mg: mg.bulk.read_grads([mg.Value(1.0)], memoryview(array("d", [1.0])).toreadonly()),
    lambda mg: mg.bulk.write_data([mg.Value(1.0)], array("d")),
    lambda mg: mg.bulk.write_grads(None, array("d")),
    lambda mg: mg.bulk.write_grads([mg.Value(1.0), math], array("d", [0.0, 0.0])),
    lambda mg: mg.bulk.read_data([mg.Value(1.0)]),
]


PUBLIC = ("data", "grad", "parents", "label", "_op", "_prev", "_children", "_backward", "note")


@pytest.mark.parametrize("name", PUBLIC)
@pytest.mark.parametrize("make", [lambda mg: mg.Value(1.0), lambda mg: mg.Value(2.0) * 3])
def test_attributes_are_set_and_deleted_alike(name: str, make: Any) -> None:
    for x in (None, (), 3, 2.5, "x", math.sin):

        def change(mg: Any) -> Any:
            v = make(mg)
            setattr(v, name, x)
            return repr(getattr(v, name)), repr(v)

        on_both(change)
    on_both(lambda mg: delattr(make(mg), name))
    on_both(lambda mg: getattr(make(mg), "nonsense"))  # noqa: B009


WRONG = [(), (1,), (1, 2), (1, 2, 3), ("a",), (None, None)]


def method_names(mg: Any) -> list[str]:
    names = {name for kind in mg.Value.__mro__ for name in vars(kind) if not name.startswith("__")}
    names -= {"_track", "_set_attribute"}  # not for users
    return sorted(name for name in names if callable(getattr(mg.Value, name, None)))


def call(name: str, *args: Any, **named: Any) -> str:
    *args, mg = args  # type: ignore[assignment]
    return repr(getattr(mg.Value(0.5), name)(*args, **named))


def test_methods_are_the_same_and_refuse_the_same_calls() -> None:
    names = on_both(method_names)
    assert {"exp", "backward", "maximum", "node", "_apply"} <= set(names)
    for name in names:
        for args in WRONG:
            on_both(partial(call, name, *args))
        on_both(partial(call, name, other=2.0))
        on_both(partial(call, name, nonsense=2.0))


def test_signatures_and_docstrings_are_the_same() -> None:
    """A C function cannot show annotations, nor that `self` may be passed by name."""

    def shown(mg: Any) -> Any:
        functions = {name: getattr(mg.Value, name) for name in method_names(mg)}
        functions |= {"toposort": mg.toposort, "Value": mg.Value}
        parameters = {
            name: [(p.name, p.default) for p in inspect.signature(function).parameters.values()]
            for name, function in functions.items()
        }
        docs = {name: inspect.getdoc(function) for name, function in functions.items()}
        attributes = ("data", "grad", "parents", "op", "args", *PUBLIC[4:8])
        return parameters, docs, [inspect.getdoc(vars_of(mg.Value)[name]) for name in attributes]

    def vars_of(kind: type) -> dict[str, Any]:
        return {name: x for base in reversed(kind.__mro__) for name, x in vars(base).items()}

    on_both(shown)


CALLS: list[Callable[[Any], Any]] = [
    lambda mg: pow(mg.Value(2.0), 2, 3),
    lambda mg: pow(2, mg.Value(2.0), 3),
    lambda mg: mg.toposort(a=1),
    lambda mg: mg.toposort(),
    lambda mg: mg.Value(2.0)._apply(mg.ops.add, [mg.Value(1.0), 2.0]),
    lambda mg: mg.Value(2.0)._apply(mg.ops.add, (mg.Value(1.0), "a")),
    lambda mg: mg.Value(data=2.0),
    lambda mg: mg.Value(1, 2, 3, 4, 5),
    lambda mg: mg.Value(1.0, label="x", nonsense=1),
    lambda mg: mg.Value(2.0) // 2,
    lambda mg: mg.Value(2.0) % 2,
    lambda mg: divmod(mg.Value(2.0), 2),
    lambda mg: mg.Value(2.0) @ mg.Value(2.0),
    lambda mg: mg.Value(2.0)[0],
    lambda mg: list(mg.Value(2.0)),
    lambda mg: mg.Value(2.0)(),
    lambda mg: len(mg.Value(2.0)),
    lambda mg: int(mg.Value(2.0)),
    lambda mg: complex(mg.Value(2.0)),
    lambda mg: round(mg.Value(2.0)),
    lambda mg: mg.Value(2.0) < None,
    lambda mg: mg.Value(2.0) < "a",
    lambda mg: sorted([mg.Value(2.0), "a"]),
    lambda mg: bool(mg.Value(0.0)),
    lambda mg: format(mg.Value(2.0), "nonsense"),
    lambda mg: mg.Value(6.0, (mg.Value(2.0),), "*").backward(),
    lambda mg: setattr(mg.Value(6.0, (mg.Value(2.0),)), "_local_grads", (1.0, 2.0)),
]


@pytest.mark.parametrize("call", range(len(CALLS)))
def test_calls_of_every_kind_end_the_same(call: int) -> None:
    on_both(lambda mg: repr(CALLS[call](mg)))


def subclasses(mg: Any) -> dict[str, Any]:
    class OwnBackward(mg.Value):  # type: ignore[misc]
        def _backward(self) -> None:
            for x in self.parents:
                x.grad += 100.0

    class OwnStep(mg.Value):  # type: ignore[misc]
        def _pass_on(self) -> None:
            for x in self.parents:
                x.grad += 100.0

    class OwnClosure(mg.Value):  # type: ignore[misc]
        _closure = staticmethod(lambda: None)

    class Uninitialised(mg.Value):  # type: ignore[misc]
        def __init__(self, x: float) -> None:
            self.x = x

    class OwnApply(mg.Value):  # type: ignore[misc]
        def _apply(self, op: Any, operands: Any) -> Any:
            return type(self)(super()._apply(op, operands).data)

    return {k.__name__: k for k in (OwnBackward, OwnStep, OwnClosure, Uninitialised, OwnApply)}


USES: list[Callable[[Any, Any], Any]] = [
    lambda mg, v: v.data,
    lambda mg, v: v.grad,
    lambda mg, v: (v.parents, v.args, v.op),
    lambda mg, v: v + 1,
    lambda mg, v: 1 + v,
    lambda mg, v: mg.Value(1.0) * v,
    lambda mg, v: v.exp(),
    lambda mg, v: v < 1,
    lambda mg, v: v.backward(),
    lambda mg, v: (v * v).backward() or v.grad,
    lambda mg, v: mg.toposort(v * 2)[0].data,
    lambda mg, v: [x.grad for x in (v,) if (v * 3).backward() is None],
    lambda mg, v: copy.copy(v).data,
    lambda mg, v: copy.deepcopy(v * 2).data,
]


@pytest.mark.parametrize("name", sorted(subclasses(python)))
def test_subclasses_behave_alike(name: str) -> None:
    def used(use: Any, mg: Any) -> str:
        return repr(use(mg, subclasses(mg)[name](2.0)))

    for use in USES:
        on_both(partial(used, use))
    if name == "Uninitialised":
        return

    def node(mg: Any, **more: Any) -> Any:
        a = mg.Value(2.0)
        v = subclasses(mg)[name](3.0, (a,), **more)
        (v * 2).backward()
        return a.grad, v.grad

    on_both(node)
    on_both(lambda mg: node(mg, local_grads=(5.0,)))


def test_operations_and_operands_may_be_set_anew_on_both() -> None:
    def change(mg: Any) -> Any:
        a, b = mg.Value(2.0), mg.Value(3.0)
        p = a * b
        q = p * 2
        seen = []
        for op, args in ((mg.ops.add, (a, b)), (mg.ops.tanh, (b,)), (mg.ops.power, (a, 3))):
            p.op = op
            p.args = args
            a.grad = b.grad = 0.0
            q.backward()
            seen.append((a.grad, b.grad, p.op.name, p._op, len(p.parents)))
        p.__init__(5.0)
        q.backward()
        return seen, p.parents, p.grad, p.data

    on_both(change)


def closed(mg: Any) -> Any:
    v = mg.Value(1.0) + 1
    v._backward = lambda: None
    return v


@pytest.mark.parametrize("call", range(len(BAD_CALLS)))
def test_the_same_errors_with_the_same_messages(call: int) -> None:
    result = on_both(BAD_CALLS[call])
    assert isinstance(result, tuple), "this was to raise an error"


def random_graph(mg: Any, seed: int, size: int) -> tuple[list[Any], list[Any]]:
    """Make leaves and nodes by the same random choices on both cores."""
    draw = random.Random(seed)
    leaves = [mg.Value(draw.uniform(-2, 2), label=f"x{i}") for i in range(4)]
    nodes: list[Any] = list(leaves)
    table = sorted(mg.ops.TABLE)
    while len(nodes) < size:
        op = mg.ops.TABLE[draw.choice(table)]
        operands = [draw.choice(nodes) for _ in op.derivatives]
        number = draw.choice([None, None, 2, -1.5, 0.5])
        if number is not None and len(operands) > 1:
            operands[draw.randrange(1, len(operands))] = number
        try:
            nodes.append(op(*operands))
        except ArithmeticError:
            continue
        except ValueError:
            continue
    return leaves, nodes


def graph_in_words(mg: Any, seed: int, size: int) -> Any:
    leaves, nodes = random_graph(mg, seed, size)
    position = {v: i for i, v in enumerate(nodes)}
    words: list[Any] = []
    for root in (nodes[-1], nodes[len(nodes) // 2]):
        error = outcome(root.backward)
        order = mg.toposort(root)
        words.append((error, [position.get(v, bits(v.data)) for v in order]))
        words.append([(bits(v.data), bits(v.grad), v._op, len(v.args)) for v in order])
        words.append([v.op and v.op.name for v in order])
        words.append([[bits(p.data) for p in v.parents] for v in order])
    return words, [bits(x.grad) for x in leaves]


@pytest.mark.parametrize("seed", range(200))
def test_random_graphs_give_the_same_bits_and_the_same_order(seed: int) -> None:
    on_both(lambda mg: graph_in_words(mg, seed, 60))


def test_a_network_trains_to_the_same_bits() -> None:
    def train(mg: Any) -> list[str]:
        random.seed(1)
        model = mg.nn.MLP(2, [5, 5, 1], activation="tanh")
        for step in range(5):
            total = sum((model([0.1 * i, step]) - i) ** 2 for i in range(5)) / 5
            model.zero_grad()
            total.backward()
            for p in model.parameters():
                p.data -= 0.05 * p.grad
        return [bits(p.data) for p in model.parameters()]

    on_both(train)


def test_the_attributes_are_the_same() -> None:
    def names(mg: Any) -> Any:
        x = mg.Value(2.0)
        y = x * 3 + x
        y.note = "mine"
        known = {name for name in dir(y) if not name.startswith("__")}
        known -= {"_track"}  # the C core's own
        return sorted(known), vars(y), y._attributes, x._attributes, mg.Value.__doc__, repr(y)

    on_both(names)


def test_pickles_pass_from_one_core_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def use(mg: Any) -> None:
        monkeypatch.setitem(sys.modules, "micrograd", mg)  # or pickle would import another one
        for name in ("engine", "ops", "value", "value.copying"):
            module = operator.attrgetter(name)(mg)
            monkeypatch.setitem(sys.modules, f"micrograd.{name}", module)

    for here, there in ((c, python), (python, c)):
        x = here.Value(2.0, label="x")
        y = (x * 3 + x**2).tanh()
        y.backward()
        use(here)
        stored = pickle.dumps(y)
        use(there)
        again = pickle.loads(stored)
        assert type(again) is there.Value
        assert [bits(v.grad) for v in there.toposort(again)] == [
            bits(v.grad) for v in here.toposort(y)
        ]


def test_bulk_access_does_the_same() -> None:
    def both_ways(mg: Any) -> Any:
        values = [mg.Value(1.5 * i) for i in range(5)]
        numbers = array("d", bytes(40))
        mg.bulk.read_data(values, numbers)
        mg.bulk.add_grads(tuple(values), numbers)
        mg.bulk.add_grads(values, array("d", [1.0] * 5))
        mg.bulk.read_grads(values, numbers)
        mg.bulk.write_data(values, numbers)
        mg.bulk.write_grads(values[:2], array("d", [7.0, 8.0]))
        return list(numbers), [v.data for v in values], [v.grad for v in values]

    numbers, data, grads = on_both(both_ways)
    assert numbers == data == [1.0, 2.5, 4.0, 5.5, 7.0]
    assert grads == [7.0, 8.0, 4.0, 5.5, 7.0]


def test_bulk_access_changes_nothing_where_it_fails() -> None:
    def add(mg: Any) -> Any:
        values = [mg.Value(0.1) for _ in range(3)]
        for v in values:
            v.grad = 0.1
        for change in (mg.bulk.add_grads, mg.bulk.write_grads, mg.bulk.write_data):
            with pytest.raises(TypeError, match="in bulk"):
                change([*values, "no Value"], array("d", [0.2] * 4))
        return [(v.data, v.grad) for v in values]

    assert on_both(add) == [(0.1, 0.1)] * 3


def test_the_rules_in_c_are_those_of_the_table() -> None:
    root = Path(__file__).parent.parent
    if not (root / "micrograd" / "native" / "_ops.h").is_file():
        pytest.skip("the C sources are not part of what is installed")
    sys.path.insert(0, str(root / "tools"))
    ops_header = importlib.import_module("ops_header")

    for path, text in ops_header.FILES.items():
        assert path.read_text(encoding="utf-8") == text(), (
            "the table has changed: run python tools/ops_header.py and build again"
        )
