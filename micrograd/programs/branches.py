"""Which rows take which way through a function's `if`s; each way is traced and runs on its own.

The truths of the comparisons that a function asks for, its guards, tell the ways apart. They form a
tree, which forks where two ways differ for the first time. A call runs one way on all its rows, and
looks at the guards; rows that differ go on to a way that shares their truths so far. Where there is
none, the first of these rows is traced.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from micrograd.engine import Value
from micrograd.native.gc_pause import uncollected
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.limits import count_branches, estimate, too_many
from micrograd.programs.paths import Fork, Inputs, Part, Path, joined
from micrograd.programs.run.careful import NodeByNode
from micrograd.programs.run.executable import Executable, Way
from micrograd.programs.run.forms import outputs_of, shaped
from micrograd.programs.run.results import Call, Lease, Run
from micrograd.programs.show.layout import Line
from micrograd.programs.show.notation import Style
from micrograd.programs.show.rolled import Printer, Titled
from micrograd.programs.straight.plan import planned
from micrograd.programs.trace.captures import Name
from micrograd.programs.trace.no_rows import run_without_rows
from micrograd.programs.trace.recording import Recording, recorded
from micrograd.programs.trace.sourceless import Sourceless
from micrograd.programs.trace.tape import Tape
from micrograd.value import hooks
from micrograd.value.errors import described
from micrograd.value.identity import IdentityDict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_BRANCHES = 64  # ways that differ by more than where a loop ends
MOST_PATHS = 1000
SURVEYED = 8  # traced paths of one call, after which the others are counted first
ENOUGH = 256  # rows that are looked at then
LARGE = 2**22  # numbers of all rows and nodes, which are not kept all at once
FEW = 32  # rows of one path among many, which run node by node: to plan it takes longer
WORTH = 32  # calls, after which it has taken as long


Todo = tuple[Union[Path, None], "Array"]  # rows, and the path to try; None if there is none yet


class Paths:
    """The tree of paths of a function for arguments of one shape."""

    def __init__(
        self,
        function: Callable[[Callable[[str, int], Value]], Any],
        names: Mapping[Value, Name],
        integers: Container[str] = (),
        shapes: Mapping[str, tuple[Any, ...]] | None = None,
        way: Way | None = None,
    ) -> None:
        self._function = function
        self._names = names
        self.integers = integers  # the arguments that may be indices
        self._shapes = shapes or {}  # of one row of each argument
        self._rank = IdentityDict((v, i) for i, v in enumerate(names))
        self._root = Fork()
        self._first: Path | None = None  # to be tried first
        self.found: list[Path] = []
        self.elsewhere: dict[str, Any] = {}  # what computes them, by array library
        self._lock = threading.RLock()
        self.way: Way = way or Way()

    def call(self, inputs: Inputs, n: int) -> Any:
        """Run every row on its path; the results are in the order of the rows."""
        if not n:
            return self._of_no_rows()
        path = self._first
        if path is None or path.divides:
            return joined(self.parts(inputs, n), n, self.way.dtype)
        values, state, differs = path.program.forward(inputs, n)
        if differs is not None:
            path.program.give_back(state)
            return joined(self.parts(inputs, n), n, self.way.dtype)
        if path.indices:
            path.check_indices(inputs)
        node, idle = path.node()
        node.runs = [Run(path.program, None, state)]
        data = values.T
        node.shape = data.shape
        return shaped(data, path.form, Lease(node, idle))

    @property
    def tree(self) -> tuple[Fork, list[Path]]:
        """The root of the tree, and the paths in it."""
        return self._root, self.found

    def parts(self, inputs: Inputs, n: int, numbers: Array | None = None) -> list[Part]:
        """Divide the rows among the paths, and run each on its own.

        `numbers` are what errors call the rows, if not by their places here.
        """
        with self._in_turn():
            return self._divide(inputs, np.arange(n) if numbers is None else numbers)

    def _of_no_rows(self) -> Any:
        """Return the results of no rows: nothing runs, but their width must be known."""
        with self._in_turn(), uncollected():
            if isinstance(self._function, Sourceless):
                width, form = len(self.found[0].outputs), self.found[0].form
            else:
                returned = run_without_rows(self._function, self._names, self.integers)
                outputs, form = outputs_of(returned)
                width = len(outputs)
        # A node without operands would count as a leaf, and never be asked to pass anything on.
        node = Call.of((Value(0.0),), [])
        node.runs, node.shape = [], (0, width)
        return shaped(np.empty(node.shape, self.way.dtype), form, Lease(node))

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Make threads trace one after another, except one that is tracing a function already.

        That function has called a program on arrays, this one or another; if it waited, it could
        be for a thread that waits for it.
        """
        held = self._lock.acquire(blocking=hooks.tracer_here() is None)
        try:
            yield
        finally:
            if held:
                self._lock.release()

    # Dividing the rows -----------------------------------------------------------------------

    def _divide(self, inputs: Inputs, numbers: Array) -> list[Part]:
        """Run each row on the path on which all its guards hold; trace what is not known.

        A comparison of numbers that differ by rounding may come out otherwise on each of two
        paths, which compute in different orders. Such rows run node by node, as in the loop.
        """
        with uncollected():
            parts, left = self._share_out(inputs, np.arange(len(numbers)), numbers, exact=False)
            if len(left):
                parts += self._share_out(inputs, left, numbers, exact=True)[0]
        biggest = max(parts, key=lambda part: len(numbers) if part.rows is None else len(part.rows))
        if self._first is None or self._first not in [part.path for part in parts]:
            self._first = biggest.path
        return parts

    def _share_out(
        self, inputs: Inputs, everything: Array, numbers: Array, exact: bool
    ) -> tuple[list[Part], Array]:
        """Run some rows, each on its path; return those for which each path is the other's."""
        n = len(numbers)
        parts: list[Part] = []
        todo: list[Todo] = [(self._first, everything)]
        tried: dict[Path, Array] = {}
        left = np.zeros(n, bool)
        forgot, traced = False, 0
        while todo:
            path, rows = todo.pop()
            if path is None:
                if isinstance(self._function, Sourceless):
                    number = int(numbers[rows[0]])
                    raise self._function.error(f"row {number} takes another path", number)
                traced += 1
                if traced == SURVEYED:
                    self._survey(inputs, numbers)
                if self._is_full():
                    if forgot or not self._forget():
                        full = len(self.found) >= MOST_PATHS
                        raise too_many(self._lines(), MOST_PATHS if full else MOST_BRANCHES)
                    parts, todo, rows, forgot = [], [], everything, True
                    left[:] = False
                path = self._trace(inputs, int(rows[0]), int(numbers[rows[0]]))
            is_new = path not in tried
            before = tried.setdefault(path, np.zeros(n, bool))
            if not exact and not is_new:
                left[rows[before[rows]]] = True
                rows = rows[~before[rows]]
            if len(rows):
                part, others = self._run(path, inputs, rows, before, numbers, exact)
                before[rows] = True
                parts += part
                todo += others
        return parts, np.flatnonzero(left)

    def _run(
        self, path: Path, inputs: Inputs, rows: Array, tried: Array, numbers: Array, exact: bool
    ) -> tuple[list[Part], list[Todo]]:
        """Run a path on those of the rows that take it; give the others with the path to try.

        A row for which the path was `tried` before stays.
        """
        others: list[Todo] = []
        n = len(tried)
        program: Any = self._first_program(path, len(rows), exact)
        while True:
            some = inputs if len(rows) == n else _select(inputs, rows)
            values, state, differs = program.forward(some, len(rows))
            if differs is not None:
                if tried.any():
                    differs[tried[rows]] = len(path.truths)
                if (differs == len(path.truths)).all():
                    differs = None
            if differs is not None:
                path.divides = len(rows) > 1
                held = differs == len(path.truths)
                others += self._others(path, rows, differs)
                rows = rows[held]
                if not len(rows):
                    program.give_back(state)
                    return [], others
            best = self._program(path, len(rows), exact)
            by_node = isinstance(program, NodeByNode)
            if program is best and (differs is None or by_node):
                if differs is not None:
                    values, state = values[:, held], state.of(held)
                path.exact_runs += by_node
                path.check_indices(inputs, rows, numbers)
                part = Part(path, None if len(rows) == n else rows, values, program, state)
                return [part], others
            if differs is None:
                path.divides = False
            program.give_back(state)
            program = best

    def _program(self, path: Path, rows: int, exact: bool) -> Executable | NodeByNode:
        """Return what a path runs by: node by node, if to plan it would take longer."""
        if exact or (self._are_many(path) and rows < FEW):
            return path.exact
        return path.program

    def _first_program(self, path: Path, rows: int, exact: bool) -> Executable | NodeByNode:
        """Return what asks the guards of a path, when it is not known how many rows take it."""
        if exact or (self._are_many(path) and rows * len(path.tape.ops) < LARGE):
            return path.exact
        return path.conditions if path.divides else path.program

    def _are_many(self, path: Path) -> bool:
        new = not path.is_planned and path.exact_runs < WORTH
        return new and len(self.found) > SURVEYED

    def _others(self, path: Path, rows: Array, differs: Array) -> list[Todo]:
        """Group the rows that leave a path by the path that shares their truths up to there."""
        others: list[Todo] = []
        for guard in np.flatnonzero(np.bincount(differs)[: len(path.truths)]):
            fork = path.forks[guard].next.get(not path.truths[guard])
            nearest = None if fork is None else fork.longest
            others.append((nearest, rows[differs == guard]))
        return others

    def _trace(self, inputs: Inputs, row: int, number: int) -> Path:
        """Trace the path of one row, and put it into the tree."""
        path = self._record(inputs, row, number)
        path.example = {name: columns[:, row].copy() for name, columns in inputs.items()}
        return self.plant(path)

    def plant(self, path: Path) -> Path:
        """Put a path into the tree; return the one that is there already, if there is."""
        path.executable = self._executable
        if path.is_planned:  # for another program, of which this one is a copy
            path.program.threads = self.way.threads
        forks = [self._root]
        for truth in path.truths:
            forks.append(forks[-1].next.setdefault(truth, Fork()))
        known = forks[-1].longest
        if known is not None and len(known.truths) == len(path.truths):
            return known  # the function may have called itself, and found it before
        path.forks = forks[:-1]
        for fork in forks:
            if fork.longest is None or len(fork.longest.truths) < len(path.truths):
                fork.longest = path
        self.found.append(path)
        self._first = self._root.longest
        return path

    def _run_row(self, inputs: Inputs, row: int, number: int) -> tuple[Recording, Any]:
        """Run the function on one row, and record what it does."""
        recording = Recording(self._names, number, self.way.dtype.char)

        def leaf(name: str, column: int) -> Value:
            x = float(inputs[name][column, row])
            return recording.input(name, column, x, name in self.integers)

        with recorded(recording):
            return recording, self._function(leaf)

    def _record(self, inputs: Inputs, row: int, number: int) -> Path:
        recording, returned = self._run_row(inputs, row, number)
        outputs, form = outputs_of(returned)
        del returned
        tape, places = recording.tape(outputs)
        last = len(self._rank)
        parameters = sorted(tape.parameters, key=lambda p: self._rank.get(p, last))
        return Path(tape, places, form, recording.indices, parameters)

    def _survey(self, inputs: Inputs, numbers: Array) -> None:
        """Record some rows, and raise if they take too many paths: to trace these takes longer."""
        root, lines, ends = Fork(), Counter[str](), Counter[int]()
        some = np.unique(np.linspace(0, len(numbers) - 1, ENOUGH).astype(int))
        for count, row in enumerate(some.tolist(), 1):
            recording, _ = self._run_row(inputs, row, int(numbers[row]))
            fork = root
            for comparison, place in recording.guards:
                if fork.next and comparison.truth not in fork.next:
                    lines[described(*place)] += 1
                fork = fork.next.setdefault(comparison.truth, Fork())
            ends[id(fork)] += 1
            if count % (ENOUGH // 8) == 0 and count_branches(root) > MOST_BRANCHES:
                raise too_many(lines, MOST_BRANCHES)
        if min(estimate(ends), len(numbers)) > MOST_PATHS:
            raise too_many(lines, MOST_PATHS)

    # Too many --------------------------------------------------------------------------------

    def _is_full(self) -> bool:
        loops = 0
        for path in self.found:
            if path.forks and path.forks[-1].longest is not path:
                end = path.forks[-1].next[path.truths[-1]]
                loops += not end.next
        return len(self.found) >= MOST_PATHS or len(self.found) - loops >= MOST_BRANCHES

    def _forget(self) -> bool:
        """Forget all paths, if some may not be needed any more, since parameters chose them."""
        if not any(not p.tape.varies[guard] for p in self.found for guard in p.tape.guards):
            return False
        self._root, self._first = Fork(), None
        self.found = []
        return True

    def _lines(self) -> Counter[str]:
        """Count how often the paths part at each line."""
        parting = {
            id(fork): line
            for path in self.found
            for line, fork in zip(path.tape.lines, path.forks)
            if len(fork.next) > 1
        }
        return Counter(parting.values())

    # Printing --------------------------------------------------------------------------------

    def equations(self, result: str, style: Style) -> list[tuple[str, list[Line]]]:
        """Return the lines of every path, forward and backward, each list with a title."""
        titled: Titled = []
        printer = Printer(self._names, self._shapes, result, style)
        for number, path in enumerate(self.found, 1):
            [(title, lines), *others] = printer.lines(
                path.tape,
                path.outputs,
                partial(getattr, path, "slopes"),
                path.parameters,
                path.form != (),
            )
            heading = ""
            if len(self.found) > 1:
                heading = f"path {number} of {len(self.found)}, {self._way(path)}: "
            titled += [(f"{heading}{title}", lines), *others]
        return titled

    def _way(self, path: Path) -> str:
        """Return the lines at which a path is decided, and how."""
        ways = [f"{str(t).lower()} at {line}" for t, line in zip(path.truths, path.tape.lines)]
        return "; ".join(ways)

    def _patterns(self) -> IdentityDict[Value, str]:
        return IdentityDict((p, name.pattern) for p, name in self._names.items())

    def _executable(
        self,
        tape: Tape,
        outputs: list[int],
        slopes: Slopes,
        guards: Mapping[int, bool],
    ) -> Executable:
        last = len(self._rank)
        parameters = sorted(tape.parameters, key=lambda p: self._rank.get(p, last))
        plan = planned(tape, outputs, guards, slopes, parameters, self._patterns())
        return Executable(plan, tape, outputs, parameters, self.way)


def _select(inputs: Inputs, rows: Array) -> Inputs:
    """Select some examples of the inputs, which lie as they did."""
    return {
        name: columns.T.take(rows, 0).T if columns.flags.f_contiguous else columns.take(rows, 1)
        for name, columns in inputs.items()
    }
