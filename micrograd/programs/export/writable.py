"""What a program is outside of Python: its arguments, its parameters, and its known paths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.programs.arguments import Structure
from micrograd.programs.lower.plan import Plan
from micrograd.programs.paths import Path
from micrograd.programs.run.forms import Form
from micrograd.programs.trace.captures import Name
from micrograd.programs.trace.recording import Index
from micrograd.value.identity import IdentityDict, IdentitySet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.branches import Paths


class Argument(NamedTuple):
    """An argument of the function: how many numbers one row of it has, and of which kind."""

    name: str
    size: int
    shape: Structure
    is_integer: bool


class Way(NamedTuple):
    """One path through the function, and where its parameters stand among those of all."""

    plan: Plan
    ranks: list[int]
    indices: list[Index]
    asks: bool  # whether it has guards or indices, so that integers must be integers


class Writable:
    """A traced program, as the exports read it.

    `known` are its paths, by the names and shapes of the arguments and which of these are integers.
    """

    def __init__(
        self, name: str, known: Sequence[tuple[Any, Paths]], names: Mapping[Value, Name]
    ) -> None:
        (arguments, shapes, integers), paths = known[-1]
        several = {each[:2] for each, _ in known}
        if len(several) > 1:
            raise ValueError(
                f"{name} was called with arguments of {len(several)} shapes, and a file has one: "
                "call retrace(), then call it with arguments of the shape that is wanted"
            )
        self.name: str = "program" if name == "<lambda>" else name
        self.arguments: list[Argument] = [
            Argument(each, size_of(shape), shape, each in integers)
            for each, shape in zip(arguments, shapes)
        ]
        first = paths.found[0]
        self.form: Form = first.form
        self.is_list: bool = first.form != ()
        self.width: int = len(first.outputs)
        if any(path.form != first.form for path in paths.found):
            raise ValueError(
                f"{name} returns lists of unlike lengths on its paths: a file has one length"
            )
        used = IdentitySet(p for path in paths.found for p in path.parameters)
        # In the order in which they are found in objects, which is that of their parameters().
        own = [*(p for p in names if p in used), *(p for p in used if p not in names)]
        self.parameters: list[Value] = own
        rank = IdentityDict((p, k) for k, p in enumerate(own))
        self.ways: list[Way] = [_way(path, rank) for path in paths.found]
        self.numbers: NDArray[Any] = np.array([p.data for p in own], float)
        self.names: list[Name] = [names.get(p, Name(p.label or "parameter", ())) for p in own]

    def range_of(self, argument: Argument, column: int) -> tuple[float, float]:
        """Return between what numbers an input is of interest: all of a table, or -1 to 1."""
        sizes = [
            index.size
            for way in self.ways
            for index in way.indices
            if (index.name, index.column) == (argument.name, column)
        ]
        if sizes:
            return 0, max(1, min(sizes) - 1)
        return (-5, 5) if argument.is_integer else (-1, 1)


def _way(path: Path, rank: IdentityDict[Value, int]) -> Way:
    program = path.program
    ranks = [rank[p] for p in program.parameters]
    return Way(program.plan, ranks, path.indices, bool(path.indices or path.truths))


def size_of(shape: int | Structure) -> int:
    """Count the numbers of one row.

    >>> size_of(()), size_of((8, 8)), size_of(((2,), (3,)))
    (1, 64, 5)
    """
    if isinstance(shape, int):
        return shape
    if all(isinstance(x, int) for x in shape):
        return math.prod(map(size_of, shape))
    return sum(map(size_of, shape))
