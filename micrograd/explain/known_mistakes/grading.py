"""Grade the Value that a student wrote, on graphs that reveal well-known mistakes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from micrograd.engine import Value
from micrograd.explain.known_mistakes.graphs import (
    ADDED,
    AGAIN,
    METHODS,
    ONE,
    OPERATORS,
    Graph,
    Numbers,
    graphs_of,
    run,
)
from micrograd.explain.known_mistakes.suspects import OF_ONE_OPERATION, SUSPECTS, Suspect
from micrograd.explain.known_mistakes.time_limit import TimeIsUp, time_limit
from micrograd.graph.strict import strict
from micrograd.value.errors import ARITHMETIC_ERRORS
from micrograd.value.words.calls import called_as
from micrograd.value.words.tables import Cell, Table

_TOO_LONG = "no answer within"


class Graded(NamedTuple):
    """One graph: whether all its numbers are right, and the first that is not."""

    test: str
    passed: bool
    number: str = ""  # "a.grad", say
    expected: float | None = None
    got: float | None = None
    mistake: str = ""  # the known mistake that gives these numbers
    error: str = ""  # what was raised, or that time was up
    concept: str = ""
    optional: bool = False  # a remark: it takes no points
    waits_for: str = ""  # the graph of one operation to mend first
    why: str = ""  # what is wrong about the mistake

    @property
    def points(self) -> int:
        """1 for a graph that passed, 0 if it failed or is optional."""
        return int(self.passed and not self.optional)


class Grade:
    """The result of `grade`: `.data`, a Graded for each graph; `.points` of `.out_of`; `.passed`.

    `concepts` has the points, and how many there are, for each concept.
    """

    data: list[Graded]
    name: str

    def __init__(self, name: str, data: list[Graded]) -> None:
        self.name, self.data = name, data
        counting = [row for row in data if not row.optional]
        self.points: int = sum(row.points for row in data)
        self.out_of: int = len(counting)
        self.passed: bool = self.points == self.out_of
        self.concepts: dict[str, tuple[int, int]] = {}
        for row in counting:
            points, out_of = self.concepts.get(row.concept, (0, 0))
            self.concepts[row.concept] = points + row.points, out_of + 1

    def table(self) -> Table:
        """Lay out the graphs, those that wait for another folded, with reasons and points below."""
        rows: list[list[Cell]] = []
        for row in self.data:
            if row.waits_for:
                continue
            failed = "remark" if row.optional else "FAIL"
            numbers = [row.number, _cell(row.expected), _cell(row.got)]
            result = "pass" if row.passed else failed
            rows.append([row.test, result, *numbers, row.mistake or row.error])
        return Table(
            f"{self.name}: {self.points} of {self.out_of} points",
            ["graph", "result", "number", "expected", "got", "known mistake, or error"],
            rows,
            "\n".join(self._notes()),
        )

    def _notes(self) -> Iterable[str]:
        reasons = {(row.mistake, row.why): None for row in self.data if row.why}
        yield from (f"{mistake}: {why}" for mistake, why in reasons)
        waiting: dict[str, int] = {}
        for row in self.data:
            if row.waits_for:
                waiting[row.waits_for] = waiting.get(row.waits_for, 0) + 1
        for first, count in waiting.items():
            more = "graph fails" if count == 1 else "graphs fail"
            yield f"Fix {first} first: {count} more {more} that need it"
        if any(row.optional and not row.passed for row in self.data):
            yield (
                "Remarks take no points: a second backward() over the same graph starts afresh in "
                "the middle here; the lecture's own class does not, either"
            )
        if not self.passed and len(self.concepts) > 1:
            points = (f"{name} {p} of {n}" for name, (p, n) in self.concepts.items())
            yield f"Points: {'; '.join(points)}"

    def __str__(self) -> str:
        return self.table().text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.table().html()


@called_as("grade(Value), for a class of your own")
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
    points. Micrograd's own Values are in strict mode meanwhile.

    >>> grade(Value, "+ * - tanh").passed
    True
    """
    if not callable(StudentValue):
        raise TypeError(f"grade: give the class itself, as in grade(Value), not {StudentValue!r}")
    asked = operations.split()
    unknown = sorted(set(asked).difference(OPERATORS.values(), METHODS))
    if unknown or not asked:
        raise ValueError(
            f"grade: the operations {unknown or operations!r} are not known. Give some of "
            f"{' '.join(dict.fromkeys(OPERATORS.values()))} and of {' '.join(METHODS)}, "
            'with blanks between them, as in "+ * relu"'
        )
    results = []
    for graph in graphs_of(asked):
        try:
            expected = _run(graph, Value)
        except ARITHMETIC_ERRORS:
            continue  # outside the domain of this operation
        results.append(_Result(graph, expected, *_attempt(graph, StudentValue, seconds)))
    with strict(False):  # mistakes are made on purpose here
        known = _known_mistakes([] if all(result.right for result in results) else results)
    return Grade(getattr(StudentValue, "__name__", "Value"), _graded(results, known))


class _Result(NamedTuple):
    graph: Graph
    expected: Numbers
    got: Numbers | None
    error: str  # why there are no numbers

    @property
    def right(self) -> bool:
        return _same(self.expected, self.got)


def _attempt(
    graph: Graph, make: Callable[[float], Any], seconds: float
) -> tuple[Numbers | None, str]:
    try:
        with time_limit(seconds):
            return _run(graph, make), ""
    except TimeIsUp:
        return None, f"{_TOO_LONG} {seconds:g} s"
    except (Exception, SystemExit) as error:
        return None, f"{type(error).__name__}: {error}"


def _run(graph: Graph, make: Callable[[float], Any]) -> Numbers:
    """Run a graph, in strict mode where it does not add up grads over passes on purpose."""
    with strict(graph.how not in (AGAIN, ADDED)):
        return run(graph, make)


Known = tuple[str, str]  # a mistake and why


class _Fit(NamedTuple):
    """How a known mistake agrees with what the class computes."""

    known: Known
    graphs: set[Graph]  # those where it gives the numbers of the class
    against: int  # graphs where it gives wrong numbers, and the class gives others


def _known_mistakes(results: list[_Result]) -> dict[Graph, Known]:
    """Name the mistake behind each failed graph: the fewest that explain them, the widest first.

    A mistake is taken if it explains more graphs than speak against it.
    """
    failed = [result.graph for result in results if not result.right]
    evidence = _evidence(results)
    unexplained = {result.graph for result in evidence if not result.right}
    fits = [_fit(known, ways, results, evidence) for known, ways in _ways().items() if failed]
    chosen: list[_Fit] = []
    while unexplained:
        best = max(fits, key=lambda fit: len(fit.graphs & unexplained) - fit.against)
        if len(best.graphs & unexplained) <= best.against:
            break
        chosen.append(best)
        unexplained -= best.graphs
    return {
        graph: next((fit.known for fit in chosen if graph in fit.graphs), ("", ""))
        for graph in failed
    }


def _ways() -> dict[Known, list[Suspect]]:
    """Group the suspects that are one mistake, written in several ways."""
    about = {"node": "a Value", "shares": "several", "visits": "many", "nodes": "few"}
    ways: dict[Known, list[Suspect]] = {}
    for suspect in SUSPECTS:
        ways.setdefault((suspect.name, suspect.why.format(**about)), []).append(suspect)
    return ways


def _evidence(results: list[_Result]) -> list[_Result]:
    """Leave out the graphs that fail with an operation that fails alone, whatever else is wrong."""
    broken = _broken(results)
    return [r for r in results if r.right or r.graph.concept == ONE or not _needed(r.graph, broken)]


def _fit(
    known: Known, ways: list[Suspect], results: list[_Result], evidence: list[_Result]
) -> _Fit:
    graphs, against = set(), 0
    for result in results:
        graph, expected = result.graph, result.expected
        numbers = [way.numbers(graph) if way.concerns(graph) else expected for way in ways]
        if any(_fits(found, result) for found in numbers):
            graphs.add(result.graph)
        elif result in evidence and not result.graph.optional and not _raised(result):
            against += not any(_same(result.expected, found) for found in numbers)
    if known[0].startswith(OF_ONE_OPERATION):  # its rule is wrong in one way: all that fail fit
        alike = [graph.operations for graph in graphs if graph.concept == ONE]
        against += sum(
            not (result.right or _raised(result) or result.graph in graphs)
            for result in results
            if result.graph.concept == ONE and result.graph.operations in alike
        )
    return _Fit(known, graphs, against)


def _raised(result: _Result) -> bool:
    return bool(result.error) and not result.error.startswith(_TOO_LONG)


def _fits(found: Numbers | None, result: _Result) -> bool:
    if found is None:
        return result.error.startswith(_TOO_LONG)
    return _same(found, result.got)


def _graded(results: list[_Result], known: dict[Graph, Known]) -> list[Graded]:
    """Turn results into rows; one that fails because of a single operation waits for that."""
    broken = _broken(results)
    rows = []
    for result in results:
        graph, expected, got, error = result
        mistake, why = known.get(graph, ("", ""))
        needed = _needed(graph, broken)
        waits = bool(needed and graph not in needed and _local(known[needed[0]][0], mistake))
        row = Graded(
            graph.name,
            result.right,
            mistake=mistake,
            error=error,
            concept=graph.concept,
            optional=graph.optional,
            waits_for=needed[0].name if waits and not result.right else "",
            why=why,
        )
        if got is not None and not result.right:
            wrong = next(x for x in expected if not _same({x: expected[x]}, got))
            row = row._replace(number=wrong, expected=expected[wrong], got=got[wrong])
        rows.append(row)
    return rows


def _broken(results: list[_Result]) -> dict[str, Graph]:
    """Find the operations that fail alone, each with the first graph that shows it."""
    broken: dict[str, Graph] = {}
    for result in results:
        graph = result.graph
        if graph.concept == ONE and len(graph.operations) == 1 and not result.right:
            broken.setdefault(min(graph.operations), graph)
    return broken


def _needed(graph: Graph, broken: dict[str, Graph]) -> list[Graph]:
    """List what is to be mended before a graph."""
    return [broken[name] for name in sorted(graph.operations) if name in broken]


def _local(first: str, mistake: str) -> bool:
    """Tell whether a failure comes from the operation alone, not from another mistake."""
    return mistake in ("", first) and (not first or first.startswith(OF_ONE_OPERATION))


def _same(expected: Numbers, got: Numbers | None) -> bool:
    """Tell whether all numbers are as expected, up to different formulas of tanh and exp."""
    return got is not None and all(
        math.isclose(number, got[name], rel_tol=1e-6, abs_tol=1e-9)
        for name, number in expected.items()
    )


def _cell(number: float | None) -> Cell:
    return "" if number is None else number
