"""Grade the Value that a student wrote, on graphs that reveal well-known mistakes."""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from micrograd import ops
from micrograd.engine import Value
from micrograd.explain.known_mistakes.time_limit import TimeIsUp, time_limit
from micrograd.explain.known_mistakes.wrong_passes import (
    KNOWN_MISTAKES,
    MANY_VISITS,
    NO_ZERO_GRAD,
    NOT_VISITED,
    OLD_DATA,
    Grads,
    KnownMistake,
    Pass,
    edges_of,
    visits_of,
)
from micrograd.explain.report import Cell, Table
from micrograd.value.errors import ARITHMETIC_ERRORS

# The graphs --------------------------------------------------------------------------------------
# Each is Python code: statements, then the output. A graph is run if all its operations were asked
# for. `{f}` stands for each operation that is a method without arguments: relu, tanh ...


class _Test(NamedTuple):
    code: str
    how: str = ""  # what is done besides one backward pass from fresh leaves
    leaves: tuple[float, ...] = (-2.0, 3.0, 0.5)  # a, b, c


AGAIN = "twice, leaves zeroed"
ADDED = "a pass each, added up"
UPDATED = "again after an update"

_TESTS = [
    _Test("a + b"),
    _Test("a + 1"),
    _Test("1 + a"),
    _Test("a * b"),
    _Test("a * 3"),
    _Test("3 * a"),
    _Test("a - b"),
    _Test("a - 1"),
    _Test("1 - a"),
    _Test("-a"),
    _Test("a / b"),
    _Test("a / 4"),
    _Test("4 / a"),
    _Test("a ** 3"),
    _Test("b ** 0.5"),
    _Test("c.{f}()"),
    _Test("b.{f}()", leaves=(2.0, 1.5, 0.5)),
    _Test("a.relu()"),
    _Test("a + a"),
    _Test("a * a"),
    _Test("a * b + c"),
    _Test("a * b + a"),
    _Test("a * b - a * c"),
    _Test("d = a - b; d * d"),
    _Test("d = a + a; d + d"),
    _Test("d = a + a; d * d"),
    _Test("d = a * b; e = a + b; d * e"),
    _Test("d = a * a; e = d * b; d + e"),
    _Test("d = a * a; e = d * b; e + d"),
    _Test("d = a + b; e = d * d; f = e * d; d * e + f"),
    _Test("d = a * b; e = (d + c).{f}(); e * d + e * e"),
    _Test("d = (a * b).{f}(); e = (a * c + b).{f}(); f = (d * e + c).{f}(); f + d * f"),
    _Test("d = a * a; d * a", AGAIN),
    _Test("d = a + b; e = d * d; e + d", AGAIN),
    _Test("a * a * b", ADDED),
    _Test("d = a * a; d * b + a", UPDATED),
    _Test("d = a\nfor _ in range(50): d = d * c + a\nd"),
    _Test("d = a\nfor _ in range(30): d = d + d\nd"),
]
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.Pow: "**",
    ast.USub: "-",
}
_METHODS = [name for name, op in ops.TABLE.items() if len(op.derivatives) == 1]


def _tests(operations: list[str]) -> list[_Test]:
    """List the graphs that need no other operations than these."""
    methods = [name for name in operations if name not in _OPERATORS.values()]
    written = [
        test._replace(code=test.code.replace("{f}", name))
        for test in _TESTS
        for name in (methods if "{f}" in test.code else [""])
    ]
    distinct = dict.fromkeys(written)
    return [test for test in distinct if _needed(test.code).issubset(operations)]


def _needed(code: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(code)))
    operators = {_OPERATORS[type(x.op)] for x in nodes if isinstance(x, (ast.BinOp, ast.UnaryOp))}
    return operators | {x.attr for x in nodes if isinstance(x, ast.Attribute)}


# Running them ------------------------------------------------------------------------------------

Numbers = dict[str, float]  # "output", "a.grad" ...
_TOO_LONG = "no answer within"


def _run(
    test: _Test,
    make: Callable[[float], Any],
    backward: Callable[[Any], object] = lambda output: output.backward(),
    zeroing: bool = True,
    updating: bool = True,
    recording_again: bool = True,
) -> Numbers:
    """Record the graph of a test, run its passes, and read the output and the leaves' grads."""
    used = {x.id for x in ast.walk(ast.parse(test.code)) if isinstance(x, ast.Name)}
    leaves = {name: make(x) for name, x in zip("abc", test.leaves) if name in used}
    output = _record(test.code, leaves)
    backward(output)
    if test.how:
        for leaf in leaves.values():
            if test.how != ADDED and zeroing:
                leaf.grad = 0.0
            if test.how == UPDATED and updating:
                leaf.data = leaf.data + 0.25
        if test.how == ADDED or (test.how == UPDATED and recording_again):
            output = _record(test.code, leaves)
        backward(output)
    grads = {f"{name}.grad": _number(leaf.grad, f"{name}.grad") for name, leaf in leaves.items()}
    return {"output": _number(output.data, "the data of the output"), **grads}


def _record(code: str, leaves: dict[str, Any]) -> Any:
    *statements, output = ast.parse(code).body
    assert isinstance(output, ast.Expr)
    names = dict(leaves)
    exec(compile(ast.Module(statements, []), "<graph>", "exec"), names)
    return eval(compile(ast.Expression(output.value), "<graph>", "eval"), names)


def _number(x: Any, what: str) -> float:
    try:
        return float(x)
    except (TypeError, ValueError):
        raise TypeError(f"{what} is {x!r}, which is not a number") from None


def _imitating(wrong_pass: Pass) -> Callable[[Value], None]:
    """Make a backward() from a wrong pass."""

    def backward(root: Value) -> None:
        edges = edges_of(root)
        if wrong_pass in NOT_VISITED.passes and sum(visits_of(root, edges).values()) > MANY_VISITS:
            raise TimeIsUp
        grad = Grads(float, {v: v.grad for v in edges})
        wrong_pass(root, edges, grad)
        for v in edges:
            v.grad = grad[v]

    return backward


class _Suspect(NamedTuple):
    """A known mistake as it is written in one way: what differs in a run."""

    known: KnownMistake
    change: dict[str, Any]

    def numbers(self, test: _Test) -> Numbers | None:
        """Return what a class with this mistake computes; None if that takes too long."""
        try:
            return _run(test, Value, **self.change)
        except TimeIsUp:
            return None


_SUSPECTS = [
    *(
        _Suspect(m, {"backward": _imitating(wrong_pass)})
        for m in KNOWN_MISTAKES
        for wrong_pass in m.passes
        if m not in (NO_ZERO_GRAD, OLD_DATA)
    ),
    _Suspect(NO_ZERO_GRAD, {"zeroing": False}),
    _Suspect(OLD_DATA, {"recording_again": False}),  # its rules read the data when they run
    _Suspect(OLD_DATA, {"updating": False}),  # it keeps all numbers
]


class Graded(NamedTuple):
    """One test: a graph, whether all its numbers are right, and the first that is not."""

    test: str
    passed: bool
    number: str = ""  # "a.grad", say
    expected: float | None = None
    got: float | None = None
    mistake: str = ""  # the known mistake that gives these numbers
    error: str = ""  # what was raised, or that time was up

    @property
    def points(self) -> int:
        """1 for a test that passed, else 0."""
        return int(self.passed)


class Grade:
    """The result of `grade`: `.data`, a Graded for each test; `.points` of `.out_of`; `.passed`."""

    def __init__(self, name: str, data: list[Graded]) -> None:
        self.name, self.data = name, data
        self.points = sum(row.points for row in data)
        self.out_of = len(data)
        self.passed = self.points == self.out_of

    def table(self) -> Table:
        """Lay out the tests, with the known mistakes explained below."""
        rows: list[list[Cell]] = []
        for row in self.data:
            numbers = [row.number, _cell(row.expected), _cell(row.got)]
            result = "pass" if row.passed else "FAIL"
            rows.append([row.test, result, *numbers, row.mistake or row.error])
        made = {row.mistake for row in self.data}
        about = {"node": "a Value", "shares": "several", "visits": "many", "nodes": "few"}
        return Table(
            f"{self.name}: {self.points} of {self.out_of} points",
            ["graph", "result", "number", "expected", "got", "known mistake, or error"],
            rows,
            "\n".join(
                f"{m.name}: {m.why.format(**about)}" for m in KNOWN_MISTAKES if m.name in made
            ),
        )

    def __str__(self) -> str:
        return self.table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


def grade(
    StudentValue: Callable[[float], Any],  # noqa: N803 (a class)
    operations: str = "+ * relu",
    seconds: float = 1.0,
) -> Grade:
    """Grade a class that a student wrote: one point for each graph whose numbers are all right.

    A Value is made by `StudentValue(number)` and has `data`, `grad` and `backward()`; leaves add
    up their grads over passes. `operations` are those that it can do, among + - * / ** (with a
    number as the exponent) and the methods without arguments of this package's Value. A test
    that takes more than `seconds` fails; see `time_limit`. Whatever the class raises is a failed
    test too. Raises ValueError for an operation that is not known, TypeError for what is no class.

    In pytest, and in otter's tests, `report = grade(Value); assert report.passed, report` shows
    the table; in nbgrader, `grade(Value).points` as the last line of a cell gives part of the
    points.

    >>> grade(Value, "+ * - tanh").passed
    True
    """
    if not callable(StudentValue):
        raise TypeError(f"grade: give the class itself, as in grade(Value), not {StudentValue!r}")
    asked = operations.split()
    unknown = sorted(set(asked).difference(_OPERATORS.values(), _METHODS))
    if unknown or not asked:
        raise ValueError(
            f"grade: the operations {unknown or operations!r} are not known. Give some of "
            f"{' '.join(dict.fromkeys(_OPERATORS.values()))} and of {' '.join(_METHODS)}, "
            'with blanks between them, as in "+ * relu"'
        )
    results = []
    for test in _tests(asked):
        try:
            expected = _run(test, Value)
        except ARITHMETIC_ERRORS:
            continue  # outside the domain of this operation
        results.append(_Result(test, expected, *_attempt(test, StudentValue, seconds)))
    known = _known_mistakes([] if all(result.right for result in results) else results)
    rows = [_graded(result, known.get(result.test, "")) for result in results]
    return Grade(getattr(StudentValue, "__name__", "Value"), rows)


class _Result(NamedTuple):
    test: _Test
    expected: Numbers
    got: Numbers | None
    error: str  # why there are no numbers

    @property
    def right(self) -> bool:
        return _same(self.expected, self.got)


def _attempt(
    test: _Test, make: Callable[[float], Any], seconds: float
) -> tuple[Numbers | None, str]:
    try:
        with time_limit(seconds):
            return _run(test, make), ""
    except TimeIsUp:
        return None, f"{_TOO_LONG} {seconds:g} s"
    except (Exception, SystemExit) as error:
        return None, f"{type(error).__name__}: {error}"


def _known_mistakes(results: list[_Result]) -> dict[_Test, str]:
    """Find the known mistake behind each failed test: of those that fit, the commonest."""
    fits = []
    for suspect in _SUSPECTS:
        predicted = [suspect.numbers(result.test) for result in results]
        tests = {r.test for r, numbers in zip(results, predicted) if _fits(numbers, r)}
        fits.append((suspect.known.name, tests))
    fits.sort(key=lambda fit: -len(fit[1]))
    return {
        result.test: next((name for name, tests in fits if result.test in tests), "")
        for result in results
        if not result.right
    }


def _fits(predicted: Numbers | None, result: _Result) -> bool:
    if predicted is None:
        return result.error.startswith(_TOO_LONG)
    return _same(predicted, result.got)


def _graded(result: _Result, mistake: str) -> Graded:
    test, expected, got, error = result
    name = "; ".join(test.code.splitlines()) + (f" ({test.how})" if test.how else "")
    if got is None or result.right:
        return Graded(name, result.right, mistake=mistake, error=error)
    wrong = next(x for x in expected if not _same({x: expected[x]}, got))
    return Graded(name, False, wrong, expected[wrong], got[wrong], mistake)


def _same(expected: Numbers, got: Numbers | None) -> bool:
    """Tell whether all numbers are as expected, up to different formulas of tanh and exp."""
    return got is not None and all(
        math.isclose(number, got[name], rel_tol=1e-6, abs_tol=1e-9)
        for name, number in expected.items()
    )


def _cell(number: float | None) -> Cell:
    return "" if number is None else number
