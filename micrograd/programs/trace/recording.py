"""Tracing is running: a function runs on the numbers of one row, and its graph is the trace.

Comparisons know their outcome at once; those that are asked for it are guards of the path. When
the graph has been written on a tape, it is let go. A leaf that lives on then belongs to somebody
who may change it, or read its gradient: it is a parameter. One that died with the graph was a
number, and is a constant. So is what was computed from such leaves alone.
"""

from __future__ import annotations

import operator
import weakref
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.derivatives.sweeps import identity, tied
from micrograd.engine import Value, toposort
from micrograd.graph.modes import enable_grad
from micrograd.ops import Op
from micrograd.programs.trace.comparisons import Comparison
from micrograd.programs.trace.lookups import IntegerInput
from micrograd.programs.trace.tape import Tape, without_raising
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

    def __init__(self, known: Collection[Value] = (), row: int = 0) -> None:
        self._row = row
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
        operands = (other, v) if swapped else (v, other)
        numbers = [x._number if isinstance(x, Value) else float(x) for x in operands]
        truth = bool(row(*numbers))
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
        tape, index_of = graph.written(living)
        tape.columns = columns
        for root, truth, line in zip(asked, truths, lines):
            tape.guard(index_of(root), truth, described(*line))
        return tape, [index_of(root) for root in roots]


class _Graph:
    """A recorded graph as lists of operations and places, which keep no Value alive."""

    def __init__(
        self, inputs: IdentityDict[Value, tuple[str, int]], known: Collection[Value]
    ) -> None:
        self._roots: list[Any] = []
        self._inputs = inputs
        self._known = known
        self._ops: list[Op | None] = []
        self._operands: list[tuple[int, ...]] = []
        self._data: list[float] = []
        self._varies: list[bool] = []
        self._columns: dict[int, tuple[str, int]] = {}
        self._leaves: dict[int, weakref.ref[Value]] = {}  # what may be a parameter
        self._places: list[int] = []

    def add(self, root: Any) -> int:
        """Add a root, a Value or a number."""
        self._roots.append(root)
        return len(self._roots) - 1

    def collect(self) -> None:
        """Take down every node that the roots are made of, operands before consumers."""
        roots = [x for x in self._roots if isinstance(x, Value)]
        index: dict[int, int] = {}  # by identity
        for v in toposort(*roots):
            index[id(v)] = self._take(v, index)
        self._places = [self._place(x, index) for x in self._roots]

    def _place(self, x: Any, index: dict[int, int]) -> int:
        return index[id(x)] if isinstance(x, Value) else self._number(x)

    def _number(self, x: Any) -> int:
        self._ops.append(None)
        self._operands.append(())
        self._data.append(float(x))
        self._varies.append(False)
        return len(self._ops) - 1

    def _take(self, v: Value, index: dict[int, int]) -> int:
        """Take down one node, whose operands are there already."""
        op, varies, leaf = v.op, False, False
        operands: tuple[int, ...] = ()
        if v in self._inputs:
            varies = True
            self._columns[len(self._ops)] = self._inputs[v]
        elif op is None:
            leaf = True
            if v.parents or v._closure is not None:
                self._check_known(v)
            elif _is_input(v):
                raise _kept()
        else:
            args = v.args
            if op is identity or op is tied:
                return index[id(args[0])]
            if v._closure is not None:
                self._check_known(v)
            operands = tuple([self._place(x, index) for x in args])
            for x in operands:
                varies = varies or self._varies[x]
            leaf = not varies and v in self._known  # computed before, and not again
        place = len(self._ops)
        self._ops.append(op)
        self._operands.append(operands)
        self._data.append(v._number)
        self._varies.append(varies)
        if leaf:
            self._leaves[place] = weakref.ref(v)
        return place

    def _check_known(self, v: Value) -> None:
        """Raise for a node without an operation, unless it was there before."""
        if v not in self._known:
            raise ProgramError(
                f"a program cannot trace a node that no operation made ({v!r}): write an Op with "
                "its value and derivatives, which works on numbers, Values and programs"
            )

    def let_go(self) -> dict[int, Value]:
        """Forget the graph; give the leaves that live on."""
        self._roots.clear()
        self._inputs = IdentityDict()
        alive = {place: reference() for place, reference in self._leaves.items()}
        return {place: v for place, v in alive.items() if v is not None}

    def written(self, living: dict[int, Value]) -> tuple[Tape, Callable[[int], int]]:
        """Write what the roots are made of on a tape; the function says where a root stands."""
        tape = Tape()
        wanted = self._wanted(living)
        used = {id(v) for place, v in living.items() if wanted[place]}
        for v in self._known:  # in the order of their names
            if id(v) in used:
                tape.parameter(v)
        at = [-1] * len(self._ops)
        for place, op in enumerate(self._ops):
            if not wanted[place]:
                continue
            if place in living:
                index = tape.parameter(living[place])
            elif place in self._columns:
                index = tape.input(*self._columns[place])
            elif op is None:
                index = tape.constant(self._data[place])
            else:
                operands = tuple([at[x] for x in self._operands[place]])
                if all(x in tape.constants for x in operands):
                    index = tape.constant(self._data[place])
                else:
                    index = tape.record(op, operands)
            at[place] = index
            tape.numbers[index] = self._data[place]
        return tape, lambda root: at[self._places[root]]

    def _wanted(self, living: dict[int, Value]) -> list[bool]:
        """Which nodes are computed: what a parameter was made of is not."""
        wanted = [False] * len(self._ops)
        for place in self._places:
            wanted[place] = True
        for place in range(len(wanted) - 1, -1, -1):
            if wanted[place] and place not in living:
                for x in self._operands[place]:
                    wanted[x] = True
        return wanted


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
