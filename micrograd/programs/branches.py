"""Which rows take which way through a function's `if`s; each way is traced and runs on its own.

A guard is a traced comparison whose truth the function asked for. The ways form a tree: at each
guard the rows part, and at its leaves stands a program without any `if`. A way is traced when the
first row takes it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from micrograd.engine import Value
from micrograd.graph.scopes import line_of, scope, scope_of
from micrograd.native.gc_pause import uncollected
from micrograd.programs.lift.groups import Lifted
from micrograd.programs.run.executor import Executable
from micrograd.programs.run.results import Call, Lease, Result, Run
from micrograd.programs.show.equations import Equations, Line
from micrograd.programs.show.names import ParameterNames
from micrograd.programs.show.notation import Style
from micrograd.programs.trace.backward import reverse
from micrograd.programs.trace.captures import Name
from micrograd.programs.trace.parameter_guards import answers
from micrograd.programs.trace.tape import ProgramError, Tape, users_line
from micrograd.value import hooks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

MOST_PATHS = 64
ATTEMPTS = 10  # to find out what a function returns that no row was given to
Truths = tuple[bool, ...]
Inputs = Mapping[str, "Array"]  # by argument: one row per scalar, one column per example


class Branch(NamedTuple):
    """A guard: the program of its condition, and the line that asked for it."""

    condition: Executable
    line: str
    varies: bool  # between examples; if not, all go the same way

    def holds(self, inputs: Inputs) -> bool:
        """Whether it holds for the first example, if it varies."""
        first = {name: columns[:, :1] for name, columns in inputs.items()} if self.varies else {}
        [[value]], state = self.condition.forward(first, 1)
        self.condition.give_back(state)
        return bool(value != 0)

    def divide(self, inputs: Inputs, n: int) -> Iterator[tuple[bool, Array | None]]:
        """The truths that occur, each with the rows that have it; None for all of them."""
        if not self.varies:
            yield self.holds(inputs), None
            return
        [values], state = self.condition.forward(inputs, n)
        self.condition.give_back(state)
        for truth in (False, True):
            rows = np.flatnonzero((values != 0) == truth)
            if len(rows):
                yield truth, None if len(rows) == n else rows


class Path(NamedTuple):
    """One way through the function, and its program."""

    program: Executable
    operands: tuple[Value, ...]  # of the node that a call makes in the graph
    tape: Tape
    outputs: list[int]
    gradients: dict[Value, int]
    width: int | None  # how many scalars it returns; None for one that is not in a list
    idle: list[Call]  # nodes on the operands that no call uses

    def node(self) -> tuple[Call, list[Call] | None]:
        """The node of a call, and where it belongs afterwards."""
        probe = Value(0.0)
        if scope_of(probe) is not None or line_of(probe) is not None:
            return self.new_node(), None  # it knows where it was made
        try:
            return self.idle.pop(), self.idle
        except IndexError:
            return self.new_node(), self.idle

    def new_node(self) -> Call:
        """A node on the parameters."""
        return Call.of(self.operands, [self.program])


class Part(NamedTuple):
    """The rows of one call that take one path; None for all of them."""

    path: Path
    rows: Array | None


class Paths:
    """The tree of paths of a function for arguments of one shape."""

    def __init__(
        self,
        trace: Callable[[Tape], Any],
        names: Mapping[Value, Name],
    ) -> None:
        self._trace = trace
        self._names = names
        self._rank = {v: i for i, v in enumerate(names)}
        self._nodes: dict[Truths, Union[Branch, Path]] = {}
        self.found: list[Path] = []
        self._lock = threading.RLock()

    def call(self, inputs: Inputs, n: int) -> Result:
        """Run every row on its path; the results are in the order of the rows."""
        only: Any = self._nodes.get(())
        if not n:
            return self._of_no_rows()
        if only.__class__ is Path:
            values, state = only.program.forward(inputs, n)
            node, idle = only.node()
            node.runs = [Run(only.program, None, state)]
            data = values[0] if only.width is None else values.T
            node.shape = data.shape
            return Result(data, Lease(node, idle))
        return self._call_parts(inputs, n)

    def _call_parts(self, inputs: Inputs, n: int) -> Result:
        with self._in_turn():
            parts = self.parts(inputs, n)
        width = parts[0].path.width
        shape = (n,) if width is None else (n, width)
        runs: list[Run] = []
        data: Array = np.empty((n, 1 if width is None else width))
        for path, rows in parts:
            if path.width != width:
                raise TypeError(
                    "the function returns a list on one path and not, or not as long, "
                    "on another: return as many scalars on each"
                )
            if rows is None:
                values, state = path.program.forward(inputs, n)
                data = values.T
            else:
                values, state = path.program.forward(select(inputs, rows), len(rows))
                data[rows] = values.T
            runs.append(Run(path.program, rows, state))
        operands = dict.fromkeys(p for part in parts for p in part.path.operands)
        node = Call.of(tuple(operands), [run.program for run in runs])
        node.runs, node.shape = runs, shape
        return Result(data.reshape(shape), Lease(node))

    def _of_no_rows(self) -> Result:
        """The results of no rows: nothing runs, but how many a row would have must be known."""
        found = self.found[-1:]
        if found:
            width = found[0].width
        else:
            with self._in_turn(), uncollected():
                width = self._width_at_random()
        # A node without operands would count as a leaf, and never be asked to pass anything on.
        node = Call.of((Value(0.0),), [])
        node.runs, node.shape = [], (0,) if width is None else (0, width)
        return Result(np.empty(node.shape), Lease(node))

    def _width_at_random(self, attempt: int = 1) -> int | None:
        """How many scalars the function returns, when no row says which path to take.

        A loop ends at some time if its guards are random. Where they lead to an error, which no row
        has met, others are tried.
        """
        try:
            return self._width(random.Random(attempt))
        except RecursionError:
            raise  # each call of itself would try again, too
        except Exception:
            if attempt == ATTEMPTS:
                raise
        return self._width_at_random(attempt + 1)

    def _width(self, truths: random.Random) -> int | None:
        def decide(tape: Tape, index: int) -> bool:
            if tape.varies[index]:
                return truths.random() < 0.5
            return self._branch(tape, index).holds({})

        return self._run_function(Tape(self._names, decide))[1]

    @contextmanager
    def _in_turn(self) -> Iterator[None]:
        """Let one thread after another trace, except one that is tracing a function already.

        That function has called a program on arrays, this one or another; if it waited, it could
        be for a thread that waits for it.
        """
        held = self._lock.acquire(blocking=hooks.tracer_here() is None)
        try:
            yield
        finally:
            if held:
                self._lock.release()

    def parts(self, inputs: Inputs, n: int) -> list[Part]:
        """Divide the rows among the paths, and trace those that are not known yet."""
        parts: list[Part] = []
        todo: list[tuple[Truths, Array | None]] = [((), None)]
        forgot = False
        while todo:
            truths, rows = todo.pop()
            some = inputs if rows is None else select(inputs, rows)
            count = n if rows is None else len(rows)
            node = self._nodes.get(truths)
            if node is None and len(self.found) >= MOST_PATHS:
                if forgot or not self._forget():
                    raise self._too_many(truths)
                parts, todo, forgot = [], [((), None)], True
                continue
            if node is None:
                self._trace_path(truths, some)
                todo.append((truths, rows))
            elif isinstance(node, Path):
                parts.append(Part(node, rows))
            else:
                for truth, chosen in node.divide(some, count):
                    if chosen is None:
                        chosen = rows
                    elif rows is not None:
                        chosen = rows[chosen]
                    todo.append(((*truths, truth), chosen))
        return parts

    def _forget(self) -> bool:
        """Forget all paths, if some may not be needed any more, since parameters chose them."""
        on_parameters = any(isinstance(x, Branch) and not x.varies for x in self._nodes.values())
        if on_parameters:
            self._nodes.clear()
            self.found.clear()
        return on_parameters

    def _too_many(self, truths: Truths) -> ProgramError:
        last = self._nodes.get(truths[:-1])
        line = last.line if isinstance(last, Branch) else ""
        return ProgramError(
            f"the function has more than {MOST_PATHS} paths; one more begins at {line}. "
            "Write micrograd.where(condition, x, y), maximum or minimum instead of the if"
        )

    def _trace_path(self, truths: Truths, inputs: Inputs) -> None:
        """Trace the path that starts with these truths and goes on as the first row does."""

        def decide(tape: Tape, index: int) -> bool:
            depth = len(tape.guards)
            if depth < len(truths):
                return truths[depth]
            branch = self._branch(tape, index)
            self._nodes[tuple(truth for _, truth in tape.guards)] = branch
            return branch.holds(inputs)

        with uncollected():
            path = self._path(Tape(self._names, decide))
        truths = tuple([truth for _, truth in path.tape.guards])
        if self._nodes.setdefault(truths, path) is path:  # the function may have called itself
            self.found.append(path)

    def _branch(self, tape: Tape, index: int) -> Branch:
        return Branch(self._executable(tape, [index], {}), users_line(), tape.varies[index])

    def _path(self, tape: Tape) -> Path:
        outputs, width = self._run_function(tape)
        seeds = [tape.input("", k) for k in range(len(outputs))]
        gradients = reverse(tape, outputs, seeds)
        program = self._executable(tape, outputs, gradients)
        tape.close()
        # A node without operands would count as a leaf, and never be asked to pass anything on.
        operands = tuple(program.parameters) or (Value(0.0),)
        return Path(program, operands, tape, outputs, gradients, width, [])

    def _run_function(self, tape: Tape) -> tuple[list[int], int | None]:
        """What the function returns, as it stands on the tape, and its width."""
        with scope("program") as tape.scope, answers(tape):
            returned = self._trace(tape)
        several = isinstance(returned, (list, tuple)) or getattr(returned, "ndim", 0) == 1
        outputs = [_output(tape, x) for x in (returned if several else [returned])]
        return outputs, len(outputs) if several else None

    def equations(self, result: str, style: Style) -> list[tuple[str, list[Line]]]:
        """The lines of every path, forward and backward, each list with a title."""
        titled: list[tuple[str, list[Line]]] = []
        for number, path in enumerate(self.found, 1):
            parameters = path.program.parameters
            patterns = self._patterns()
            lifted = Lifted(path.tape, path.outputs, path.gradients, parameters, patterns)
            names = ParameterNames(parameters, self._names)
            written = Equations(lifted, names, result, path.width is not None, style)
            heading = ""
            if len(self.found) > 1:
                heading = f"path {number} of {len(self.found)}, {self._way(path)}: "
            titled.append((f"{heading}forward", written.forward))
            if written.backward:
                titled.append(("backward", written.backward))
        return titled

    def _way(self, path: Path) -> str:
        """The lines at which a path is decided, and how."""
        truths = tuple(truth for _, truth in path.tape.guards)
        ways = []
        for i, truth in enumerate(truths):
            node = self._nodes.get(truths[:i])
            if isinstance(node, Branch):
                ways.append(f"{'true' if truth else 'false'} at {node.line}")
        return "; ".join(ways)

    def _patterns(self) -> dict[Value, str]:
        return {p: name.pattern for p, name in self._names.items()}

    def _executable(
        self, tape: Tape, outputs: Sequence[int], gradients: Mapping[Value, int]
    ) -> Executable:
        last = len(self._rank)
        parameters = sorted(tape.parameters, key=lambda p: self._rank.get(p, last))
        return Executable(tape, outputs, gradients, parameters, self._patterns())


def _output(tape: Tape, x: Any) -> int:
    index = None if x is None else tape.index_of(x)
    if index is None:
        raise TypeError(
            f"the function of a program returns a scalar, or a list or tuple of scalars; "
            f"got {x!r}{': does it end with a return?' if x is None else ''}"
        )
    return index


def select(inputs: Inputs, rows: Array) -> Inputs:
    """These examples of the inputs."""
    return {name: columns[:, rows] for name, columns in inputs.items()}
