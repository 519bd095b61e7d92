"""Known mistakes in the backward pass are caught, named and explained; a correct pass never is."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from micrograd import Op, Value, toposort
from micrograd.explain import deltas, grade, mistakes
from micrograd.explain.examples import ng_ex4
from micrograd.explain.known_mistakes.side_by_side import Mistake
from micrograd.explain.known_mistakes.wrong_passes import (
    KNOWN_MISTAKES,
    edges_of,
    right,
    run_pass,
)
from micrograd.graph.steps import totals
from micrograd.graph.strict import strict

NAMES = [m.name for m in KNOWN_MISTAKES]


def found(root: Value) -> dict[str, Mistake]:
    return {mistake.name: mistake for mistake in mistakes(root).data}


def format_cell(mistake: Mistake) -> tuple[str, float | None, float | None]:
    assert mistake.node is not None
    return mistake.node.label, mistake.wrong, mistake.right


def two() -> tuple[Value, Value]:
    return Value(-2.0, label="a"), Value(3.0, label="b")


# Each mistake, on the smallest graph that shows it


def test_no_topological_order() -> None:
    a, _ = two()
    b = a * a
    b.label = "b"
    # b, met first, passes on 1 of the 1 + 2b that it gets: a receives 2a, and not 2a (1 + 2b).
    mistake = found(b + b * b)["no topological order"]
    assert format_cell(mistake) == ("a", -4.0, -36.0)
    assert "before all of it had arrived" in mistake.why


def test_assigned() -> None:
    a, b = two()
    assert format_cell(found(a * b + a)["= for +="]) == ("a", 3.0, 4.0)
    assert "2 shares" in found(a * b + a)["= for +="].why


def test_operands_in_a_set() -> None:
    a, _ = two()
    assert format_cell(found(a + a)["operands in a set"]) == ("a", 1.0, 2.0)
    assert format_cell(found(a * a)["operands in a set"]) == ("a", -2.0, -4.0)


def test_no_zero_grad() -> None:
    a, b = two()
    assert format_cell(found(a * b)["no zero_grad"]) == ("a", 6.0, 3.0)


def test_interior_gradients_kept() -> None:
    a, b = two()
    c = a * b
    c.label = "c"
    mistake = found(c * 1)["interior gradients kept"]
    assert format_cell(mistake) == ("c", 2.0, 1.0)


def test_subtraction_as_addition() -> None:
    a, b = two()
    assert format_cell(found(a - b)["subtraction as addition"]) == ("b", 1.0, -1.0)


def test_old_data_after_an_update() -> None:
    a, _ = two()
    b = a * a
    b.label = "b"
    # a moves from -2 by -0.1 * (2 b 2 a) = 3.2 to 1.2; there b is 1.44, but was 4.
    mistake = found(b * b)["old data after an update"]
    assert format_cell(mistake)[:2] == ("b", 8.0)
    assert mistake.right == pytest.approx(2.88)


def test_recursion_without_a_visited_mark() -> None:
    a, _ = two()
    b = a * 3
    c = b + b
    # b has two turns: first it passes on 2 * 3, then again.
    mistake = found(c * 1)["recursion without a visited mark"]
    assert format_cell(mistake) == ("a", 12.0, 6.0)
    assert "9 visits for 6 nodes" in mistake.why


def test_a_recursion_that_would_not_end_is_cut_off() -> None:
    x = top = Value(1.0)
    for _ in range(100):
        top = top * 0.5 + top * 0.6
    mistake = found(top)["recursion without a visited mark"]
    assert mistake.node is not None
    assert mistake.wrong != mistake.right == pytest.approx(totals(top)[mistake.node])
    assert x.grad == 0.0


def test_a_graph_that_shows_none_says_why() -> None:
    report = mistakes(Value(2.0).stop_gradient())
    assert [m.node for m in report.data] == [None] * 8
    assert all(m.why.startswith("no difference here") for m in report.data)
    assert "none of them makes a difference here" in str(report)


def test_what_makes_no_difference_is_not_shown() -> None:
    a = Value(3.0, label="a")
    shown = str(mistakes(a + a))
    assert "= for +=" in shown
    assert "subtraction" not in shown
    assert len(shown.splitlines()) <= 12


@pytest.mark.parametrize("lam", [0, 4])
def test_the_mistakes_of_the_course_on_its_network(lam: float) -> None:
    example = ng_ex4()
    report = mistakes(deltas(example.model, example.X, example.y, lam))
    names = {m.name for m in report.data}
    assert {"y - a for a - y", "g' forgotten in layer 2", "1/m missing"} <= names
    assert ("lambda on the bias" in names) == bool(lam)
    (forgotten,) = (m for m in report.data if m.name == "g' forgotten in layer 2")
    assert (forgotten.weight, round(forgotten.wrong or 0, 3)) == ("Theta1(2,0)", 4.306)
    assert forgotten.right == pytest.approx(0.979897, abs=1e-6)
    shown = str(report)
    assert len(shown.splitlines()) <= 12
    assert "y - a for a - y" in shown
    with pytest.raises(ValueError, match="those of sigmoids with its own cost"):
        mistakes(deltas(example.model, example.X, [[0.0] * 4] * 3, loss=lambda a, y: a[0]))


def test_every_mistake_is_seen_in_the_network_of_the_course() -> None:
    example = ng_ex4()
    outputs = [z for x in example.X for z in example.model(x)]
    cost = sum(-z.log() - (1 - z).log() for z in outputs) * 0.5
    assert {name for name, m in found(cost).items() if m.node is None} == {"operands in a set"}


@pytest.mark.long
def test_large_graphs_are_searched_to_the_end() -> None:
    a, b = two()
    total = a + b
    for _ in range(1500):
        total = total * 0.999 + 0.001
    seen = {name: m for name, m in found(total).items() if m.node is not None}
    assert list(seen) == [
        "no zero_grad",
        "interior gradients kept",
        "old data after an update",
    ]
    assert seen["no zero_grad"].node is not None
    assert not seen["no zero_grad"].node.parents
    deep = found(total * (a * a))
    assert format_cell(deep["operands in a set"])[0] == "a"
    assert format_cell(deep["= for +="])[0] == "a"


def test_the_graph_is_not_touched() -> None:
    a, b = two()
    root = (a * b - a).tanh() * a
    root.backward()
    before = [(v.data, v.grad) for v in toposort(root)]
    mistakes(root)
    assert [(v.data, v.grad) for v in toposort(root)] == before


def test_what_cannot_be_tried_says_so() -> None:
    a, _ = two()
    by_node = Value.node(4.0, (a,), [2 * a.data])
    assert "cannot be tried here" in found(by_node)["old data after an update"].why
    tiny = Value(0.01)
    assert "cannot be tried here: log" in found(tiny.log())["old data after an update"].why
    with pytest.raises(TypeError, match="recorded Value"):
        mistakes(3.0)  # type: ignore[arg-type]


def test_a_function_assigned_by_hand() -> None:
    a, _ = two()
    out = Value(3 * a.data, (a,))

    def backward() -> None:
        a.grad += 3 * out.grad

    out._backward = backward
    assert format_cell(found(out + a)["= for +="])[1:] in [(1.0, 4.0), (3.0, 4.0)]


def test_how_mistakes_show_themselves() -> None:
    a, b = two()
    report = mistakes(a * b - a)
    assert repr(report) == str(report)
    assert [m.name for m in report.data] == NAMES
    assert report._repr_html_().count("<tr>") == 5  # what makes a difference, and the header


def random_graph(seed: int) -> Value:
    draw = random.Random(seed)
    values = [Value(draw.uniform(-2, 2)) for _ in range(3)]
    for _ in range(12):
        x, y = draw.choices(values, k=2)
        values.append(draw.choice([x + y, x * y, x - y, x.tanh()]))
    return values[-1] * values[-2] + values[-3]


@given(st.integers(0, 10**6))
def test_the_right_pass_is_the_engines(seed: int) -> None:
    root = random_graph(seed)
    grads = run_pass(right, root, edges_of(root))
    expected = totals(root)
    assert {v: grads[v] for v in expected} == pytest.approx(expected, rel=1e-12)


# grade: students of our own ----------------------------------------------------------------------


class Student:
    """A correct engine in the style of a lesson; each class below makes one mistake."""

    def __init__(self, data: float, operands: Any = ()) -> None:
        self.data, self.grad, self.operands = data, 0.0, operands
        self.pass_on: Callable[[], None] = lambda: None

    def result(self, data: float, other: Student, slopes: tuple[float, float]) -> Student:
        out: Student = type(self)(data, (self, other))
        out.pass_on = lambda: self.add(out, [(self, slopes[0]), (other, slopes[1])])
        return out

    def add(self, out: Student, shares: list[tuple[Student, float]]) -> None:
        for operand, slope in shares:
            operand.grad += slope * out.grad

    def wrap(self, other: Any) -> Student:
        return other if isinstance(other, Student) else type(self)(other)

    def __add__(self, other: Any) -> Student:
        other = self.wrap(other)
        return self.result(self.data + other.data, other, (1.0, 1.0))

    def __mul__(self, other: Any) -> Student:
        other = self.wrap(other)
        return self.result(self.data * other.data, other, (other.data, self.data))

    def __sub__(self, other: Any) -> Student:
        other = self.wrap(other)
        return self.result(self.data - other.data, other, (1.0, -1.0))

    def __rsub__(self, other: Any) -> Student:
        return self.wrap(other) - self

    def __neg__(self) -> Student:
        return self * -1

    __radd__, __rmul__ = __add__, __mul__

    def relu(self) -> Student:
        zero = type(self)(0.0)
        return self.result(max(self.data, 0.0), zero, (float(self.data > 0), 0.0))

    def order(self) -> list[Student]:
        order: list[Student] = []
        seen = set()

        def visit(v: Student) -> None:
            if v not in seen:
                seen.add(v)
                for operand in v.operands:
                    visit(operand)
                order.append(v)

        visit(self)
        return order[::-1]

    def backward(self) -> None:
        for v in self.order():
            if v.operands:
                v.grad = 0.0
        self.grad = 1.0
        for v in self.order():
            v.pass_on()


class NoOrder(Student):
    def order(self) -> list[Student]:
        met: list[Student] = [self]
        for v in met:
            met += [x for x in dict.fromkeys(v.operands) if x not in met]
        return met


class NoOrderDepthFirst(Student):
    def order(self) -> list[Student]:
        met: list[Student] = []

        def visit(v: Student) -> None:
            if v not in met:
                met.append(v)
                for operand in v.operands:
                    visit(operand)

        visit(self)
        return met


class Assigns(Student):
    def add(self, out: Student, shares: list[tuple[Student, float]]) -> None:
        for operand, slope in shares:
            operand.grad = slope * out.grad


class OperandsInASet(Student):
    def add(self, out: Student, shares: list[tuple[Student, float]]) -> None:
        for operand, slope in dict(shares[::-1]).items():
            operand.grad += slope * out.grad


class NeverZeroed(Student):
    """An engine whose grads cannot be set."""

    @property
    def grad(self) -> float:
        return self._grad

    @grad.setter
    def grad(self, number: float) -> None:
        if number != 0 or not hasattr(self, "_grad") or self.operands:
            self._grad = number


class KeepsInterior(Student):
    def backward(self) -> None:
        self.grad = 1.0
        for v in self.order():
            v.pass_on()


class AddsForSubtracting(Student):
    def __sub__(self, other: Any) -> Student:
        other = self.wrap(other)
        return self.result(self.data - other.data, other, (1.0, 1.0))


class Remembers(Student):
    """An engine that computes each operation once per operands, and returns the same node again."""

    made: dict[Any, Any] = {}  # noqa: RUF012

    def result(self, data: float, other: Student, slopes: tuple[float, float]) -> Student:
        key = (self, other, slopes == (1.0, 1.0))
        made: Student = self.made.setdefault(key, super().result(data, other, slopes))
        return made


class NoVisited(Student):
    def backward(self) -> None:
        for v in self.order():
            if v.operands:
                v.grad = 0.0
        self.grad = 1.0

        def visit(v: Student) -> None:
            v.pass_on()
            for operand in v.operands:
                visit(operand)

        visit(self)


OPERATIONS = "+ * - relu"


def test_right_engines_get_all_points() -> None:
    for right_one in (Value, Student):
        report = grade(right_one, OPERATIONS)
        assert report.passed, report
        assert report.points == report.out_of == len(report.data) - 2 == 33
        assert sum(n for _, n in report.concepts.values()) == 33
    assert grade(Value, "+ - * / ** relu tanh exp log sigmoid arccosh").passed


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        (NoOrder, "no topological order"),
        (NoOrderDepthFirst, "no topological order"),
        (Assigns, "= for +="),
        (OperandsInASet, "operands in a set"),
        (NeverZeroed, "no zero_grad"),
        (KeepsInterior, "interior gradients kept"),
        (AddsForSubtracting, "subtraction as addition"),
        (Remembers, "old data after an update"),
        (NoVisited, "recursion without a visited mark"),
    ],
)
def test_every_mistake_is_caught_and_named(wrong: type[Student], name: str) -> None:
    report = grade(wrong, OPERATIONS)
    failed = [row for row in report.data if not row.passed]
    assert failed
    assert {row.mistake for row in failed} == {name}, [r for r in failed if r.mistake != name]
    assert f"{name}: " in str(report)
    assert report.points == report.out_of - sum(not row.optional for row in failed)


def test_both_numbers_are_shown() -> None:
    row = next(row for row in grade(Assigns, "+").data if row.test == "a + a")
    assert row.points == 0
    assert row[:7] == ("a + a", False, "a.grad", 2.0, 1.0, "= for +=", "")
    assert (row.concept, row.optional, row.waits_for) == ("a Value used more than once", False, "")
    assert "FAIL" in grade(Assigns, "+")._repr_html_()


class Loops(Student):
    def relu(self) -> Student:
        while True:
            pass


class Incomplete(Student):
    def __radd__(self, other: Any) -> Any:
        return NotImplemented


class Exits(Student):
    def backward(self) -> None:
        raise SystemExit


def test_what_a_class_raises_or_never_ends_is_a_failed_test() -> None:
    rows = {row.test: row for row in grade(Loops, "+ relu", seconds=0.05).data}
    assert rows["a.relu()"].error == "no answer within 0.05 s"
    assert rows["a.relu()"].mistake == ""
    assert rows["a + b"].passed
    rows = {row.test: row for row in grade(Incomplete, "+").data}
    assert rows["1 + a"].error.startswith("TypeError: unsupported")
    assert grade(Exits, "+").points == 0
    assert grade(lambda x: object(), "+").points == 0


def test_a_grad_that_is_no_number_is_shown() -> None:
    class Texts(Student):
        def backward(self) -> None:
            for operand in self.operands:
                operand.grad = "one"

    assert grade(Texts, "+").data[0].error == "TypeError: a.grad is 'one', which is not a number"


class Lecture:
    """The class of the lecture: every grad adds up, those in the middle too."""

    def __init__(self, data: float, _children: tuple[Any, ...] = ()) -> None:
        self.data = data
        self.grad = 0.0
        self._prev = set(_children)
        self._backward: Callable[[], None] = lambda: None

    def __add__(self, other: Any) -> Lecture:
        other = other if isinstance(other, Lecture) else type(self)(other)
        out = type(self)(self.data + other.data, (self, other))

        def _backward() -> None:
            self.grad += out.grad
            other.grad += out.grad

        out._backward = _backward
        return out

    def __mul__(self, other: Any) -> Lecture:
        other = other if isinstance(other, Lecture) else type(self)(other)
        out = type(self)(self.data * other.data, (self, other))

        def _backward() -> None:
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = _backward
        return out

    def tanh(self) -> Lecture:
        t = math.tanh(self.data)
        out = type(self)(t, (self,))

        def _backward() -> None:
            self.grad += (1 - t**2) * out.grad

        out._backward = _backward
        return out

    __radd__ = __add__
    __rmul__ = __mul__

    def backward(self) -> None:
        topo: list[Lecture] = []
        visited = set()

        def build_topo(v: Lecture) -> None:
            if v not in visited:
                visited.add(v)
                for child in v._prev:
                    build_topo(child)
                topo.append(v)

        build_topo(self)
        self.grad = 1.0
        for node in reversed(topo):
            node._backward()


def test_the_lectures_own_class_passes_with_remarks() -> None:
    report = grade(Lecture, "+ * tanh")
    assert report.passed, report
    remarks = [row for row in report.data if not row.passed]
    assert {row.mistake for row in remarks} == {"interior gradients kept"}
    assert all(row.optional for row in remarks)
    assert "remark" in str(report)
    assert "the lecture's own class does not, either" in str(report)


def with_rule(name: str, slopes: Callable[..., Any]) -> type[Student]:
    """Make a class whose rule of one method is this one."""

    class Wrong(Student):
        pass

    def wrong(self: Student, *others: Any) -> Student:
        others = tuple(self.wrap(other) for other in others)
        value = getattr(Value(self.data), name)(*(other.data for other in others))
        data = float(value.data)
        numbers = [x.data for x in (self, *others)]
        other = others[0] if others else type(self)(0.0)
        given = slopes(*numbers, data)
        return self.result(data, other, (*given, 0.0)[:2])

    setattr(Wrong, name, wrong)
    if name == "__mul__":
        Wrong.__rmul__ = wrong
    return Wrong


@pytest.mark.parametrize(
    ("name", "slopes", "first", "why"),
    [
        ("__mul__", lambda x, y, out: (x, y), "a * b", "the factors are swapped"),
        ("__mul__", lambda x, y, out: (1.0, 1.0), "a * b", "the slopes are 1, as for a sum"),
        ("relu", lambda x, out: (1.0,), "a.relu()", "all is let through"),
        ("relu", lambda x, out: (out,), "c.relu()", "the slope is out: it is 1"),
        ("tanh", lambda x, out: (1 - x * x,), "c.tanh()", "the slope is taken at x"),
        ("exp", lambda x, out: (x,), "c.exp()", "the slope is x: it is out"),
        ("tanh", lambda x, out: (0.25,), "c.tanh()", ""),
    ],
)
def test_wrong_slopes_are_named_and_what_needs_them_waits(
    name: str, slopes: Any, first: str, why: str
) -> None:
    operations = "+ * -" if name == "__mul__" else f"+ * {name}"
    report = grade(with_rule(name, slopes), operations)
    failed = [row for row in report.data if not row.passed]
    assert failed[0].test == first
    assert why in failed[0].why
    assert bool(why) == bool(failed[0].mistake)
    waiting = [row for row in failed if row.waits_for]
    assert {row.waits_for for row in waiting} == {first}
    shown = str(report)
    assert f"Fix {first} first: {len(waiting)} more graph" in shown
    assert all(f"\n{row.test} " not in shown for row in waiting)
    assert f"{report.points} of {report.out_of} points" in shown
    assert f"Points: one operation {report.concepts['one operation'][0]} of" in shown


def test_a_power_that_loses_the_sign_of_its_base_is_found() -> None:
    """An odd power does not show it: at a = -2, 3 a^2 and 3 |a|^2 are alike."""

    class Wrong(Student):
        def __pow__(self, n: Any) -> Student:
            slope = n * abs(self.data) ** (n - 1)
            return self.result(self.data**n, type(self)(0.0), (slope, 0.0))

    [wrong] = [row for row in grade(Wrong, "+ * **").data if not row.passed]
    assert (wrong.test, wrong.number, wrong.expected, wrong.got) == (
        "a ** 4",
        "a.grad",
        -32.0,
        32.0,
    )
    assert "the sign of the base is lost" in wrong.why


class ForgetsUpstream(Student):
    def add(self, out: Student, shares: list[tuple[Student, float]]) -> None:
        for operand, slope in shares:
            operand.grad += slope


def test_a_forgotten_out_grad_is_named() -> None:
    report = grade(ForgetsUpstream, "+ *")
    assert {r.mistake for r in report.data if not r.passed} == {"out.grad forgotten"}
    assert not any(row.waits_for for row in report.data)


# grade: a mistake in one place is not taken for another ------------------------------------------


class AssignsInSums(Lecture):
    """The lecture's class, with = for += in the rule of + only."""

    def __add__(self, other: Any) -> Lecture:
        other = other if isinstance(other, Lecture) else type(self)(other)
        out = type(self)(self.data + other.data, (self, other))

        def _backward() -> None:
            self.grad = out.grad
            other.grad = out.grad

        out._backward = _backward
        return out

    __radd__ = __add__


class NothingStoredInSums(Lecture):
    def __add__(self, other: Any) -> Lecture:
        out = super().__add__(other)
        out._backward = lambda: None
        return out

    __radd__ = __add__


class ForgetsUpstreamInProducts(Lecture):
    def __mul__(self, other: Any) -> Lecture:
        other = other if isinstance(other, Lecture) else type(self)(other)
        out = type(self)(self.data * other.data, (self, other))

        def _backward() -> None:
            self.grad += other.data
            other.grad += self.data

        out._backward = _backward
        return out

    __rmul__ = __mul__


class Walks(Lecture):
    """The lecture's class, with another walk."""

    def walk(self, topo: list[Lecture]) -> None:
        raise NotImplementedError

    def backward(self) -> None:
        topo: list[Lecture] = []

        def build_topo(v: Lecture) -> None:
            if v not in topo:
                for child in v._prev:
                    build_topo(child)
                topo.append(v)

        build_topo(self)
        self.walk(topo)


class NotReversed(Walks):
    def walk(self, topo: list[Lecture]) -> None:
        self.grad = 1.0
        for node in topo:
            node._backward()


class NoSeed(Walks):
    def walk(self, topo: list[Lecture]) -> None:
        for node in reversed(topo):
            node._backward()


class NoVisitedOverSets(Student):
    """A recursion without a visited mark, in a class that holds each operand once."""

    def backward(self) -> None:
        def visit(v: Student) -> None:
            v.pass_on()
            for operand in dict.fromkeys(v.operands):
                visit(operand)

        self.grad = 1.0
        visit(self)


@pytest.mark.parametrize(
    ("wrong", "name", "why"),
    [
        (NoVisitedOverSets, "recursion without a visited mark", "once for each path"),
        (AssignsInSums, "= for +=", "in the rule of +,"),
        (NothingStoredInSums, "nothing passed on by +", "out._backward = _backward"),
        (ForgetsUpstreamInProducts, "out.grad forgotten", "in the rule of *,"),
        (NotReversed, "reversed() forgotten", "from the leaves to the output"),
        (NoSeed, "nothing passed on", "self.grad = 1"),
    ],
)
@pytest.mark.long
def test_a_mistake_in_one_place_is_not_taken_for_another(
    wrong: type[Student | Lecture], name: str, why: str
) -> None:
    operations = "+ * relu" if issubclass(wrong, Student) else "+ * tanh"
    failed = [r for r in grade(wrong, operations).data if not r.passed]
    named = [row for row in failed if row.mistake and not row.optional]
    assert {row.mistake for row in named} == {name}
    assert all(why in row.why for row in named)
    assert {r.mistake for r in failed if r.optional} <= {"", name, "interior gradients kept"}


class Complete(Student):
    """The correct engine, with the other operations that a lesson has."""

    def __truediv__(self, other: Any) -> Student:
        other = self.wrap(other)
        slopes = (1 / other.data, -self.data / other.data**2)
        return self.result(self.data / other.data, other, slopes)

    def __rtruediv__(self, other: Any) -> Student:
        return self.wrap(other) / self

    def __pow__(self, n: float) -> Student:
        return self.result(self.data**n, self.wrap(n), (n * self.data ** (n - 1), 0.0))

    def tanh(self) -> Student:
        t = math.tanh(self.data)
        return self.result(t, self.wrap(0.0), (1 - t * t, 0.0))

    def add(self, out: Student, shares: list[tuple[Student, float]]) -> None:
        for operand, slope in shares:
            before = 0.0 if getattr(out, "assigns", False) else operand.grad
            operand.grad = before + slope * out.grad


@pytest.mark.parametrize(
    ("method", "symbol"),
    [
        *(("__add__", "+"), ("__mul__", "*"), ("__sub__", "-"), ("__truediv__", "/")),
        *(("__pow__", "**"), ("relu", "ReLU"), ("tanh", "tanh")),
    ],
)
def test_an_operation_that_assigns_is_caught(method: str, symbol: str) -> None:
    def assigning(self: Student, *others: Any) -> Any:
        out = getattr(Complete, method)(self, *others)
        out.assigns = True
        return out

    assert grade(Complete, "+ * - / ** relu tanh").passed
    report = grade(type("Assigning", (Complete,), {method: assigning}), "+ * - / ** relu tanh")
    found = [row for row in report.data if row.mistake == "= for +="]
    assert not report.passed
    assert any(f"in the rule of {symbol}," in row.why for row in found), report


class Composed(Complete):
    """Its differences are sums with a product, as the lecture's are."""

    def __sub__(self, other: Any) -> Student:
        return self + self.wrap(other) * -1


class ComposedNotReversed(Composed):
    def order(self) -> list[Student]:
        return super().order()[::-1]


class BeginsWithMinusOne(Complete):
    def backward(self) -> None:
        for v in self.order():
            v.grad = 0.0 if v.operands else v.grad
        self.grad = -1.0
        for v in self.order():
            v.pass_on()


class BeginsWithItsData(Complete):
    def backward(self) -> None:
        self.grad = self.data
        for v in self.order():
            v.pass_on()


def spoiled(method: str, spoil: Callable[[Student, Student, float], object]) -> Any:
    """Make a class of which one operation calls `spoil(self, other, grad of out)`."""

    def operation(self: Student, other: Any) -> Student:
        other = self.wrap(other)
        out: Student = getattr(Student, method)(self, other)
        right = out.pass_on

        def pass_on() -> None:
            right()
            spoil(self, other, out.grad)

        out.pass_on = pass_on
        return out

    return type(
        "Spoiled", (Student,), {method: operation, method.replace("__", "__r", 1): operation}
    )


def unnamed(method: str, kept: int) -> Any:
    """Make a class in which the results of an operation name one of their operands."""

    def operation(self: Student, other: Any) -> Student:
        out: Student = getattr(Student, method)(self, self.wrap(other))
        out.operands = (out.operands[kept],)
        return out

    return type(
        "Unnamed", (Student,), {method: operation, method.replace("__", "__r", 1): operation}
    )


class TakesOff(Student):
    def add(self, out: Student, shares: list[tuple[Student, float]]) -> None:
        for operand, slope in shares:
            operand.grad -= slope * out.grad


def take_off(v: Student, share: float, times: float = 2.0) -> Student:
    v.grad -= times * share  # of which one has been added
    return v


@pytest.mark.long
@pytest.mark.parametrize(
    ("wrong", "name", "why"),
    [
        (BeginsWithMinusOne, "wrong seed", "begins with self.grad = 1"),
        (BeginsWithItsData, "wrong seed", "begins with self.grad = 1"),
        (TakesOff, "-= for +=", "the shares are taken off"),
        (
            spoiled("__add__", lambda x, y, g: (take_off(x, g), take_off(y, g))),
            "-= for +=",
            "in the rule of +, a share is taken off",
        ),
        (
            spoiled("__add__", lambda x, y, g: take_off(y, g)),
            "-= for +=",
            "in the rule of +, a share is taken off",
        ),
        (
            spoiled("__mul__", lambda x, y, g: take_off(x, y.data * g)),
            "-= for +=",
            "in the rule of *, a share is taken off",
        ),
        (
            spoiled("__mul__", lambda x, y, g: take_off(y, x.data * g, 1.0)),
            "wrong rule of *",
            "an operand gets nothing",
        ),
        (
            spoiled("__add__", lambda x, y, g: take_off(x, g, 1.0)),
            "wrong rule of +",
            "an operand gets nothing",
        ),
        (unnamed("__mul__", 0), "operand missing in _prev", "the result of * names both"),
        (unnamed("__add__", 1), "operand missing in _prev", "the result of + names both"),
    ],
)
def test_a_slip_in_the_seed_a_sign_or_an_operand_is_named(
    wrong: type[Student], name: str, why: str
) -> None:
    failed = [row for row in grade(wrong, "+ * relu").data if not row.passed and not row.optional]
    assert {row.mistake for row in failed} - {""} == {name}
    assert all(why in row.why for row in failed if row.mistake)
    assert len([row for row in failed if row.mistake]) >= 0.8 * len(failed)


@pytest.mark.parametrize(
    ("wrong", "names"),
    [(ComposedNotReversed, {"reversed() forgotten"}), (BeginsWithMinusOne, {"wrong seed"})],
)
def test_a_rule_that_fits_one_of_its_graphs_is_not_named(
    wrong: type[Student], names: set[str]
) -> None:
    failed = [row for row in grade(wrong, "+ * - / ** relu tanh").data if not row.passed]
    assert {row.mistake for row in failed if not row.optional} - {""} == names


@pytest.mark.long
def test_two_mistakes_are_both_named() -> None:
    class Both(NotReversed):
        def tanh(self) -> Lecture:
            out = super().tanh()

            def _backward() -> None:
                self.grad += (1 - out.data) * out.grad

            out._backward = _backward
            return out

    mistakes_named = {row.mistake for row in grade(Both, "+ * tanh").data if not row.passed}
    assert mistakes_named - {""} == {"reversed() forgotten", "wrong rule of tanh"}


@pytest.mark.long
def test_numbers_that_fit_by_chance_name_nothing() -> None:
    """A class that halves every share is like no known mistake, though a graph or two agree."""

    class Halves(Student):
        def add(self, out: Student, shares: list[tuple[Student, float]]) -> None:
            for operand, slope in shares:
                operand.grad += slope * out.grad / 2

    assert {row.mistake for row in grade(Halves, "+ *").data} == {""}


def test_operations_that_are_not_known() -> None:
    for operations in ("+ @", "swish", ""):
        with pytest.raises(ValueError, match="not known"):
            grade(Value, operations)


def test_what_is_no_class_is_not_graded() -> None:
    for no_class in ("Value", Value(3.0)):
        with pytest.raises(TypeError, match=r"grade: .* the class itself, as in grade\(Value\)"):
            grade(no_class)  # type: ignore[arg-type]


def test_a_row_of_ones_own_in_mistakes() -> None:
    square = Op("square", lambda x: x * x, lambda x, out: 2 * x)
    a, _ = two()
    assert format_cell(found(square(a) + a)["= for +="])[2] == -3.0


# strict mode --------------------------------------------------------------------------------------


def test_a_class_made_of_micrograds_may_have_attributes_and_no_silent_slips() -> None:
    class Own(Value):
        def __init__(self, data: Any) -> None:
            super().__init__(data)
            self.note = "mine"

    class Compared(Value):
        def __add__(self, other: Any) -> Any:
            return super().__add__(0.0 if self == other else other)

    assert grade(Own, "+ *").passed
    report = str(grade(Compared, "+ *"))
    assert "strict mode: v == w of two Values asks whether they are the same" in report
    assert Value(1.0) != Value(1.0)
    with strict():
        assert grade(Value, "+ * -").passed
