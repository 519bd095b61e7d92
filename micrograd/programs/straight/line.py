"""Straight-line code: each number of a function by itself, one operation after the other.

Where every step needs the one before, as in an integrator, hardly two nodes are of one kind, and
there is nothing to group: the tape is the program. So it is planned without groups and without an
object for each step. A *register* stands for a leaf or for the result of an operation; those that
vary share the rows of one array, each from its operation to its last reader.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from micrograd import ops
from micrograd.ops import Op
from micrograd.programs.lower.strides import Step, View
from micrograd.programs.trace.tape import Tape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

LEAST = 500  # operations, from which on it is worth while
WIDEST = 20  # operations for each step of the longest way
SAMPLE = 2000  # operations that are looked at first

_SUMS = frozenset((ops.add, ops.subtract, ops.negative))
_TERMS = _SUMS | {ops.multiply}


def is_straight(tape: Tape, roots: Sequence[int]) -> bool:
    """Return whether most operations that roots are made of wait for others.

    Those that are on one way to a root cannot be of one group, but for what is added up at once.
    """
    end = max(roots, default=-1) + 1
    first = next((i for i, op in enumerate(tape.ops) if op is not None), end)
    if end > first + SAMPLE:
        sample = [False] * first + [True] * SAMPLE
        if 4 * WIDEST * _longest(tape, sample) < SAMPLE:
            return False
    wanted = [False] * end
    for root in roots:
        wanted[root] = True
    for i in range(end - 1, -1, -1):
        if wanted[i]:
            for x in tape.operands[i]:
                wanted[x] = True
    count = sum(op is not None for op, here in zip(tape.ops, wanted) if here)
    return LEAST <= count <= WIDEST * _longest(tape, wanted)


def _longest(tape: Tape, wanted: Sequence[bool]) -> int:
    """Return how many operations are on the longest way; those of one sum are one."""
    steps = [0] * len(wanted)  # on the longest way to each
    uses = [0] * len(wanted)
    for here, operands in zip(wanted, tape.operands):
        if here:
            for x in operands:
                uses[x] += 1
    for i, (here, op, operands) in enumerate(zip(wanted, tape.ops, tape.operands)):
        if here and operands:
            added = op in _SUMS
            steps[i] = 1 + max(
                [steps[x] - (added and uses[x] == 1 and tape.ops[x] in _TERMS) for x in operands]
            )
    return max(steps, default=0)


class Code:
    """Operations on registers, of which the first are leaves.

    Where the operation is None, registers that stand one behind the other are each summed over the
    examples, into as many.
    """

    def __init__(self) -> None:
        self.kinds: dict[Op | None, int] = {}
        self.ops = array("i")
        self.results = array("i")
        self.operands = array("i")
        self.ends = array("i")  # of the operands
        self.varies = bytearray()  # by register

    def __len__(self) -> int:
        return len(self.ops)

    def leaf(self, varies: bool) -> int:
        """Return the register of a leaf."""
        self.varies.append(varies)
        return len(self.varies) - 1

    def write(self, op: Op, operands: Sequence[int], varies: bool) -> int:
        """Write an operation, and return the register of its result."""
        register = len(self.varies)
        self.ops.append(self.kinds.setdefault(op, len(self.kinds)))
        self.results.append(register)
        self.operands.extend(operands)
        self.ends.append(len(self.operands))
        self.varies.append(varies)
        return register

    def write_sums(self, operands: Sequence[int]) -> int:
        """Write sums over the examples, and return the first register of the results."""
        register = len(self.varies)
        self.ops.append(self.kinds.setdefault(None, len(self.kinds)))
        self.results.append(register)
        self.operands.extend(operands)
        self.ends.append(len(self.operands))
        self.varies.extend(bytes(len(operands)))
        return register

    def count(self, k: int) -> int:
        """Return how many results an operation has."""
        after = self.results[k + 1] if k + 1 < len(self) else len(self.varies)
        return after - self.results[k]

    def reads(self, k: int) -> array[int]:
        """Return the operands of an operation."""
        return self.operands[self.ends[k - 1] if k else 0 : self.ends[k]]


class StraightLine(Sequence[Step]):
    """A part of a code, as steps that are made when they are looked at.

    `storages` and `rows` say where each register stands; `ops` are what `kinds` counts.
    """

    def __init__(self, code: Code, start: int, stop: int, storages: Array, rows: Array) -> None:
        first, last = (code.ends[k - 1] if k else 0 for k in (start, stop))
        self.ops: list[Op | None] = [*code.kinds]
        self.kinds: Array = np.array(code.ops[start:stop], np.int32)
        self.results: Array = np.array(code.results[start:stop], np.int32)
        self.operands: Array = np.array(code.operands[first:last], np.int32)
        # Where the operands of each operation begin, and where the last of them ends.
        self.starts: Array = np.array([first, *code.ends[start:stop]], np.int32) - first
        self.storages: Array = storages
        self.rows: Array = rows
        self.varies: Array = np.frombuffer(bytes(code.varies), bool)

    def __len__(self) -> int:
        return len(self.kinds)

    @overload
    def __getitem__(self, k: int) -> Step: ...
    @overload
    def __getitem__(self, k: slice) -> list[Step]: ...
    def __getitem__(self, k: int | slice) -> Step | list[Step]:
        if isinstance(k, slice):
            return [self[i] for i in range(*k.indices(len(self)))]
        k = range(len(self))[k]
        op = self.ops[self.kinds[k]]
        out = self._view(self.results.item(k))
        reads = self.operands[self.starts[k] : self.starts[k + 1]].tolist()
        operands = tuple([self._view(x) for x in reads])
        if op is not None:
            return Step("row", out, operands, op)
        dims, strides = ((len(operands),), (1,)) if len(operands) > 1 else ((), ())
        out, added = (view._replace(dims=dims, strides=strides) for view in (out, operands[0]))
        return Step("sum", out, (added,), (ops.add, 0))

    def __iter__(self) -> Iterator[Step]:
        return (self[k] for k in range(len(self)))

    def _view(self, register: int) -> View:
        varies = self.varies.item(register)
        return View(self.storages.item(register), varies, self.rows.item(register), (), ())
