"""One way through a function: its program, its guards, and where it stands among the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Union

import numpy as np

from micrograd.engine import Value
from micrograd.graph.scopes import line_of, scope_of
from micrograd.native.blocks import block_of
from micrograd.native.gc_pause import uncollected
from micrograd.programs.lift.slopes import Slopes, asks_nothing
from micrograd.programs.lower.precision import whole_constants
from micrograd.programs.run.careful import NodeByNode
from micrograd.programs.run.executable import Executable
from micrograd.programs.run.forms import Form, shaped
from micrograd.programs.run.results import Call, Lease, Run
from micrograd.programs.trace.recording import Index
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Runnable = Union[Executable, NodeByNode]
Inputs = Mapping[str, "Array"]  # by argument: one row per scalar, one column per example


class Fork:
    """A place in the tree: what the function asks next, and the ways on from there."""

    __slots__ = ("longest", "next")

    def __init__(self) -> None:
        self.next: dict[bool, Fork] = {}
        self.longest: Path | None = None  # of the paths from here, the one with the most guards


class Path:
    """One way through the function, and its program."""

    is_planned: bool = False
    exact_runs: int = 0  # how often it ran node by node
    example: Mapping[str, Array]  # the numbers of the row that was traced
    executable: Callable[..., Executable]  # plans a tape; set by the tree that the path is in

    def __init__(
        self,
        tape: Tape,
        outputs: list[int],
        form: Form,
        indices: list[Index],
        parameters: list[Value],
    ) -> None:
        self.tape = tape
        self.outputs = outputs
        self.form = form  # of what it returns
        self.indices: list[Index] = list(dict.fromkeys(indices))
        self._limits = _limits(self.indices)
        if tape.kind == "f":
            whole_constants(tape)
        if not all(op is None or asks_nothing(op) for op in set(tape.ops)):
            _ = self.slopes  # for a user's rule may ask something
        if tape.guards:
            tape.close()  # one of many paths, perhaps, which are planned later, or never
        self.truths: list[bool] = list(tape.guards.values())
        self.parameters = parameters
        self._begin()

    def _begin(self) -> None:
        """Set what belongs to this process."""
        self.forks: list[Fork] = []  # one before each guard
        self.divides = False  # whether the rows of the last call parted here
        self.block: Any = block_of(self.parameters)
        # A node without operands would count as a leaf, and never be asked to pass anything on.
        self.operands: tuple[Value, ...] = tuple(self.parameters) or (Value(0.0),)
        self.idle: list[Call] = []  # nodes on the operands that no call uses

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: the tape, the plan, and what a user's rules gave."""
        own = all(op is None or asks_nothing(op) for op in self.tape.ops)
        temporary = {"forks", "divides", "block", "operands", "idle", "executable"}
        temporary |= {"conditions", "exact"}
        temporary |= {"slopes"} if own else set()
        return {name: x for name, x in vars(self).items() if name not in temporary}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._begin()

    # What takes long is made when it is needed: a loop that ends anywhere has many paths.

    @cached_property
    def slopes(self) -> Slopes:
        """Write the local derivatives on the tape."""
        self.tape.open()
        slopes = Slopes(self.tape, self.outputs)
        self.tape.close()
        return slopes

    @cached_property
    def program(self) -> Executable:
        """Lift the path, and plan it."""
        self.is_planned = True
        with uncollected():
            return self.executable(self.tape, self.outputs, self.slopes, self.tape.guards)

    @cached_property
    def conditions(self) -> Executable:
        """Plan the guards alone, to tell the rows apart before anything else is computed."""
        with uncollected():
            return self.executable(self.tape, [], Slopes(self.tape, []), self.tape.guards)

    @cached_property
    def exact(self) -> NodeByNode:
        """Compute every node by itself, in the order of the function."""
        return NodeByNode(self.tape, self.outputs, self.block, self.parameters)

    def check_indices(
        self, inputs: Inputs, rows: Array | None = None, numbers: Array | None = None
    ) -> None:
        """Raise IndexError if one of these rows, or of all, has an index that is out of range."""
        for name, columns, sizes in self._limits:
            given = inputs[name][columns]
            if rows is not None:
                given = given[:, rows]
            if np.count_nonzero((given >= -sizes) & (given < sizes)) < given.size:
                self._tell_which(inputs, rows, numbers)

    def _tell_which(self, inputs: Inputs, rows: Array | None, numbers: Array | None) -> None:
        if rows is None:
            rows = np.arange(next(iter(inputs.values())).shape[1])
        for index in self.indices:
            given = inputs[index.name][index.column, rows]
            index.check(given, rows if numbers is None else numbers[rows])

    def node(self) -> tuple[Call, list[Call] | None]:
        """Return a node for a call, and the list where it belongs afterwards, if any."""
        probe = Value(0.0)
        if scope_of(probe) is not None or line_of(probe) is not None:
            return Call.of(self.operands, [self.program]), None  # it knows where it was made
        try:
            return self.idle.pop(), self.idle
        except IndexError:
            return Call.of(self.operands, [self.program]), self.idle


def _limits(indices: list[Index]) -> list[tuple[str, Any, Array]]:
    """Return the columns of each argument that are indices, and the sizes of their tables."""
    sizes: dict[str, dict[int, int]] = {}  # of the smallest table, by name and column
    for index in indices:
        own = sizes.setdefault(index.name, {})
        own[index.column] = min(index.size, own.get(index.column, index.size))
    found: list[tuple[str, Any, Array]] = []
    for name, own in sizes.items():
        columns = sorted(own)
        span = slice(columns[0], columns[-1] + 1)
        which = span if span.stop - span.start == len(columns) else np.array(columns)
        found.append((name, which, np.array([[float(own[column])] for column in columns])))
    return found


class Part(NamedTuple):
    """The rows of one call that took one path (None for all of them), and what it gave."""

    path: Path
    rows: Array | None
    values: Array
    program: Runnable
    state: Any


def joined(parts: list[Part], n: int, dtype: np.dtype[Any]) -> Any:
    """Join what the parts of a call gave, in the order of its rows."""
    form = parts[0].path.form
    data: Array = np.empty((n, len(parts[0].values)), dtype)
    for part in parts:
        if part.path.form != form:
            raise TypeError(
                "the function returns a list on one path and not, or not as long, "
                "on another: return as many scalars on each"
            )
        data[slice(None) if part.rows is None else part.rows] = part.values.T
    operands = {id(p): p for part in parts for p in part.path.operands}
    node = Call.of(tuple(operands.values()), [part.program for part in parts])
    node.runs = [Run(part.program, part.rows, part.state) for part in parts]
    node.shape = data.shape
    return shaped(data, form, Lease(node))
