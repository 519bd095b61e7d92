"""Tracing is running: a function runs on the numbers of one row, and its graph is the trace.

Comparisons know their outcome at once; those that are asked for it are guards of the path. When
the graph has been written on a tape, it is let go. A leaf that lives on then belongs to somebody
who may change it, or read its gradient: it is a parameter. One that died with the graph was a
number, and is a constant. So is what was computed from such leaves alone.
"""

from __future__ import annotations

import operator
import weakref
from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.graph.modes import enable_grad
from micrograd.native.bulk import read_data
from micrograd.native.takeover import prefer_c
from micrograd.ops import Op
from micrograd.programs.trace.comparisons import Comparison, is_rounded, outcome
from micrograd.programs.trace.lookups import IntegerInput
from micrograd.programs.trace.tape import Tape, without_raising, write_down
from micrograd.value import hooks
from micrograd.value.errors import described, user_line
from micrograd.value.identity import IdentityDict
from micrograd.value.numbers import is_number

if TYPE_CHECKING:
    from micrograd.programs.paths import Path

# By Python's comparison: the operation, and whether its operands change places.
_ROWS: dict[Callable[[Any, Any], Any], tuple[Op, bool]] = {
    operator.lt: (ops.less, False),
    operator.le: (ops.less_equal, False),
    operator.gt: (ops.less, True),
    operator.ge: (ops.less_equal, True),
    operator.eq: (ops.equal, False),
    operator.ne: (ops.equal, False),
}


class ProgramError(TypeError):
    """A function took a number out of a Value that differs between rows or calls."""


class Index(NamedTuple):
    """A column of an argument that is an index into a table of some size."""

    name: str
    column: int
    size: int
    line: str

    def check(self, numbers: Any, rows: Any) -> None:
        """Raise IndexError for numbers that are out of range; `rows` says where they stand."""
        wrong = (numbers < -self.size) | (numbers >= self.size)
        if wrong.any():
            at = int(wrong.argmax())
            raise IndexError(
                f"take: the index {int(numbers[at])} in row {rows[at]} of {self.name}, position "
                f"{self.column}, is out of range for a table of {self.size} ({self.line})"
            )


class Recording:
    """One run of a function: its inputs, the guards it asked, and the numbers that it read."""

    def __init__(self, known: Collection[Value] = (), row: int = 0, kind: str = "d") -> None:
        self._row = row
        self.kind = kind
        self.inputs: IdentityDict[Value, tuple[str, int]] = IdentityDict()
        self.indices: list[Index] = []
        self._integers: set[str] = set()
        self.guards: list[tuple[Comparison, tuple[str, int]]] = []
        self._known = known
        self._asked: set[int] = set()
        self._read: list[tuple[weakref.ref[Value], str, str]] = []  # the leaf, what, and where
        self._over = False

    def input(self, name: str, column: int, number: float, is_integer: bool = False) -> Value:
        """Make a leaf for one column of an argument."""
        if is_integer:
            self._integers.add(name)
        v = IntegerInput(number) if is_integer else Value(number)
        v._is_traced = True  # so that it is known again, if it is kept
        self.inputs[v] = (name, column)
        return v

    # What the engine asks while this thread traces ---------------------------------------------

    def compare(self, v: Value, other: Any, comparison: Callable[[Any, Any], Any]) -> Any:
        """Compare a Value with another, or with a number."""
        row, swapped = _ROWS[comparison]
        if isinstance(other, Value):
            if row is ops.equal and other is not v:
                return comparison is operator.ne  # two Values are the same, or they are not
        elif not is_number(other):
            return NotImplemented
        elif is_rounded(other, self.kind):
            raise ValueError(
                f"a program of float32 compares with the integer {other}, which float32 does not "
                f"have ({users_line()}): make it a program of float64"
            )
        operands = (other, v) if swapped else (v, other)
        numbers = [x._number if isinstance(x, Value) else float(x) for x in operands]
        truth = outcome(row, numbers, self.kind)
        return Comparison(row, operands, truth, self._decide, comparison is operator.ne)

    def read(self, v: Value, name: str) -> None:
        """Refuse the data or grad of a Value, unless the function made it from numbers alone."""
        for leaf in _leaves(v):
            if leaf in self._known or _is_input(leaf):
                raise _refuse_number(name, users_line())
            self._read.append((weakref.ref(leaf), name, users_line()))

    def value(self, op: Op, operands: Sequence[Any]) -> float:
        """Compute an operation where floats raise."""
        return without_raising(op, [x._number if isinstance(x, Value) else x for x in operands])

    def is_traced(self, v: Value) -> bool:
        """Return whether a Value depends on an argument."""
        return any(_is_input(leaf) for leaf in _leaves(v))

    def shown(self, v: Value) -> str:
        """Return what `print` shows of a Value: what it is, with the number of one row."""
        name, column = self.inputs.get(v, ("", 0))
        what = f"{name}[{column}]" if name else f"{v.label or v._op}, computed"
        if name and Counter(of for of, _ in self.inputs.values())[name] == 1:
            what = name
        return f"<{what} in a program: {v._number} in row {self._row}, others in other rows>"

    def check_index(self, v: Value, size: int) -> None:
        """Note that an argument is an index into a table; refuse anything but integers."""
        name, column = self.inputs.get(v, ("", 0))
        if name not in self._integers:
            what = f"{name} holds other numbers" if name else "it was computed"
            raise self.error(
                f"take: an index is an argument that holds integers, as it was given; {what}"
            )
        self.indices.append(Index(name, column, size, users_line()))
        self.indices[-1].check(np.array([v._number]), np.array([self._row]))

    def error(self, advice: str) -> ProgramError:
        """Make the error for asking for a number in another way, with the line that asks."""
        return ProgramError(f"{advice} ({users_line()})")

    def _decide(self, comparison: Comparison) -> None:
        """Note that the function asked for the truth of a comparison."""
        if self._over:
            if any(_is_input(leaf) for leaf in _leaves(comparison.node())):
                raise _kept()
        elif id(comparison) not in self._asked:
            self._asked.add(id(comparison))
            self.guards.append((comparison, user_line()))

    # The tape -----------------------------------------------------------------------------------

    @enable_grad()
    def tape(self, outputs: list[Any]) -> tuple[Tape, list[int]]:
        """Write what was recorded on a tape; tell where the outputs stand, and let go of them."""
        self._over = True
        if any(v._grad != 0.0 for v in self.inputs):
            raise _went_backward()
        graph = _Graph(self.inputs, self._known)
        roots = [graph.add(x) for x in outputs]
        asked = [graph.add(comparison.node()) for comparison, _ in self.guards]
        outputs.clear()
        graph.collect()
        truths = [comparison.truth for comparison, _ in self.guards]
        lines = [place for _, place in self.guards]
        self.guards.clear()
        columns = Counter(name for name, _ in self.inputs.values())
        self.inputs.clear()
        living = graph.let_go()
        for reference, name, place in self._read:
            if reference() is not None:
                raise _refuse_number(name, place)
        tape, index_of = graph.written(living, self.kind)
        tape.columns = columns
        for root, truth, line in zip(asked, truths, lines):
            tape.guard(index_of(root), truth, described(*line))
        return tape, [index_of(root) for root in roots]


class _Graph:
    """What some roots are made of, as lists of operations and places, which keep no Value alive."""

    def __init__(self, inputs: Mapping[Value, tuple[str, int]], known: Collection[Value]) -> None:
        self._roots: list[Any] = []
        self._inputs = inputs
        self._known = known
        self._ops: list[Op | None] = []
        self._operands: list[tuple[int, ...]] = []
        self._constants: list[Any] = []  # which have negative places, the first -1
        self._numbers = array("d")
        self._columns: dict[int, tuple[str, int]] = {}
        self._leaves: dict[int, weakref.ref[Value]] = {}  # what may be a parameter
        self._places: list[Any] = []  # of the roots; numbers as floats

    def add(self, root: Any) -> int:
        """Add a root, a Value or a number."""
        self._roots.append(root)
        return len(self._roots) - 1

    def collect(self) -> None:
        """Take down every node that the roots are made of, operands before consumers."""
        order = toposort(*[x for x in self._roots if isinstance(x, Value)])
        self._ops, self._operands, self._constants, rare = take_down(order)
        self._numbers = array("d", bytes(8 * len(order)))
        read_data(order, self._numbers)
        sought = {id(v) for v in chain(self._inputs, self._known, self._roots)}
        place = {id(v): i for i, v in enumerate(order) if id(v) in sought}
        for v, column in self._inputs.items():
            if id(v) in place:
                self._columns[place[id(v)]] = column
        for v in self._known:  # what was computed before is not computed again
            i = place.get(id(v))
            if i is not None:
                if v._is_traced:
                    raise _kept()
                self._leaves[i] = weakref.ref(v)
        for i in rare:
            if i not in self._columns and i not in self._leaves:
                self._check(order[i], i)
        roots = self._roots
        self._places = [place[id(x)] if isinstance(x, Value) else float(x) for x in roots]

    def _check(self, v: Value, i: int) -> None:
        """Note a leaf that was not there before; raise for a node that no operation made."""
        if v._closure is not None or (v.op is None and v.parents):
            raise ProgramError(
                f"a program cannot trace a node that no operation made ({v!r}): write an Op with "
                "its value and derivatives, which works on numbers, Values and programs"
            )
        if v.op is None:
            if v._is_traced:
                raise _kept()
            self._leaves[i] = weakref.ref(v)

    def let_go(self) -> dict[int, Value]:
        """Forget the graph; give the leaves that live on."""
        self._roots.clear()
        self._inputs = IdentityDict()
        alive = {place: reference() for place, reference in self._leaves.items()}
        return {place: v for place, v in alive.items() if v is not None}

    def written(self, living: dict[int, Value], kind: str) -> tuple[Tape, Callable[[int], int]]:
        """Write what the roots are made of on a tape; the function says where a root stands."""
        tape, numbers = Tape(kind), self._numbers
        wanted = self._wanted(living)
        used = {id(v) for place, v in living.items() if wanted[place]}
        for v in self._known:  # in the order of their names
            if id(v) in used:
                tape.parameter(v)
        behind = [tape.constant(float(x)) for x in reversed(self._constants)]
        at: list[int] = [-1] * len(self._ops) + behind
        for place, v in living.items():
            if wanted[place]:
                at[place] = tape.parameter(v)
                tape.numbers[at[place]] = numbers[place]
        for place, column in self._columns.items():
            at[place] = tape.input(*column)
            tape.numbers[at[place]] = numbers[place]
        write_down(tape, self._ops, self._operands, numbers, wanted, at)

        def index_of(root: int) -> int:
            place = self._places[root]
            return tape.constant(place) if place.__class__ is float else at[place]

        return tape, index_of

    def _wanted(self, living: dict[int, Value]) -> list[bool]:
        """Which nodes are computed: what a parameter was made of is not."""
        if not any(self._operands[place] for place in living):
            return [True] * len(self._ops)
        wanted = [False] * len(self._ops)
        for place in self._places:
            if place.__class__ is int:
                wanted[place] = True
        for place in range(len(wanted) - 1, -1, -1):
            if wanted[place] and place not in living:
                for x in self._operands[place]:
                    if x >= 0:
                        wanted[x] = True
        return wanted


@prefer_c
def take_down(
    values: list[Value],
) -> tuple[list[Op | None], list[tuple[int, ...]], list[Any], list[int]]:
    """Return the operations of Values, their operands, numbers, and the places of rare ones.

    An operand is a place in the list; or in that of the numbers among them, which are counted
    backward: -1, -2. A leaf is rare, and whatever may be of a special kind.
    """
    place = {id(v): i for i, v in enumerate(values)}
    numbers: list[Any] = []

    def place_of(x: Any) -> int:
        if isinstance(x, Value):
            return place[id(x)]
        numbers.append(x)
        return -len(numbers)

    operands = [tuple(map(place_of, v.args)) for v in values]
    return [v.op for v in values], operands, numbers, [*range(len(values))]


def _leaves(v: Value) -> Iterator[Value]:
    """Find the leaves that a Value is made of, also by way of what a derivative is taken by."""
    seen = {id(v)}
    todo = [v]
    while todo:
        x = todo.pop()
        parents: Iterable[Value] = x.parents
        if x._original is not None:
            parents = (x._original,)
        elif not parents:
            yield x
        for y in parents:
            if id(y) not in seen:
                seen.add(id(y))
                todo.append(y)


def _is_input(leaf: Value) -> bool:
    return leaf._is_traced


@contextmanager
def recorded(recording: Recording) -> Iterator[None]:
    """Make a recording answer for the Values that this thread uses in this block."""
    thread = get_ident()
    before = hooks.tracers.get(thread)
    hooks.tracers[thread] = recording
    try:
        with enable_grad():
            yield
    finally:
        if before is None:
            del hooks.tracers[thread]
        else:
            hooks.tracers[thread] = before


def refuse_numbers(paths: Iterable[Path]) -> None:
    """Refuse the results of a program with parameters, if this thread traces another one."""
    if hooks.tracer_here() is not None and any(path.program.parameters for path in paths):
        raise ProgramError(
            "a program called on arrays gives numbers, which would stay in the program that calls "
            f"it as they are now ({users_line()}): call it on scalars, as a function of one example"
        )


# What is refused ----------------------------------------------------------------------------------


def _kept() -> ProgramError:
    return ProgramError(
        f"a traced value was kept from an earlier trace ({users_line()}): it stands "
        "for no number; return it from the function instead"
    )


def _went_backward() -> ProgramError:
    return ProgramError(
        "backward() in the function of a program would run for one row alone, and once: call it on "
        "the mean() or sum() of the results, or take micrograd.grad(y, x) in the function"
    )


def _refuse_number(name: str, line: str) -> ProgramError:
    return ProgramError(
        f".{name} needs the number, but it is a number of one row, at this time, which would stay "
        f"in the program ({line}): use the Value itself or micrograd.stop_gradient(v), and take a "
        "derivative at Value(number), not at the number"
    )


def users_line() -> str:
    """Name and quote the line of the user's code that is running."""
    return described(*user_line())
