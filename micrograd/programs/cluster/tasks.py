"""What runs on a worker: sums of a program's results and gradients over some chunks.

A worker gets what was traced, without the function. A row that takes another path is given back,
so that it is traced where the function is.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Union

import numpy as np

from micrograd.graph.modes import no_grad
from micrograd.programs.lower.precision import converted
from micrograd.programs.trace.sourceless import UntracedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

KEPT = 4  # programs of a thread

_here = threading.local()  # the programs of this thread, whose parameters are its own


class Plan:
    """What was traced, for arguments of one structure, and the order of the parameters."""

    def __init__(self, digest: str, pickled: bytes, key: Any) -> None:
        self.digest = digest
        self.pickled = pickled
        self.key = key


class Part:
    """Sums over some rows; `missing` are rows that take a path which is not known."""

    def __init__(
        self, total: float, gradient: Array, results: int, missing: list[Mapping[str, Array]]
    ) -> None:
        self.total = total
        self.gradient = gradient
        self.results = results  # how many there are
        self.missing = missing

    def __add__(self, other: Part) -> Part:
        return Part(
            self.total + other.total,
            self.gradient + other.gradient,
            self.results + other.results,
            self.missing + other.missing,
        )


class OnDisk:
    """Chunks that a worker computes itself: a graph, and the key of each chunk by argument.

    (A plain object, since Dask looks into tuples and dataclasses for tasks of its own.)
    """

    def __init__(self, graph: Any, keys: list[dict[str, Any]]) -> None:
        self.graph = graph
        self.keys = keys

    def chunks(self) -> Any:
        """Yield the chunks, one after another."""
        import dask

        for names in self.keys:
            found = dask.get(dict(self.graph), list(names.values()))
            yield dict(zip(names, found))


class InMemory:
    """Chunks that are there."""

    def __init__(self, arguments: list[str], arrays: list[Any]) -> None:
        self.arguments = arguments
        self.arrays = arrays  # of all arguments of the first chunk, then of the next

    def chunks(self) -> Any:
        """Yield the chunks, one after another."""
        size = len(self.arguments)
        for at in range(0, len(self.arrays), size):
            yield dict(zip(self.arguments, self.arrays[at : at + size]))


Chunks = Union[OnDisk, InMemory]


def same(x: Any) -> Any:
    """Return what is given, as the result of a task: if its holder dies, it is computed again."""
    return x


def measured(plan: Plan, vector: Array, chunks: Chunks, column: int | None, forgets: bool) -> Part:
    """Compute the sums of the results over chunks, and of their gradients unless it `forgets`."""
    paths, parameters = _program(plan, vector)
    return added([_chunk(paths, parameters, x, column, forgets) for x in chunks.chunks()])


def measured_in_memory(
    plan: Plan, vector: Array, arguments: list[str], column: int | None, forgets: bool, *arrays: Any
) -> Part:
    """Do the same for chunks that are results of other tasks."""
    return measured(plan, vector, InMemory(arguments, list(arrays)), column, forgets)


def values(plan: Plan, vector: Array, *chunks: Any) -> Array:
    """Compute the results of a chunk; `chunks` are those of the arguments, in their order."""
    paths, _ = _program(plan, vector)
    given = dict(zip(plan.key[0], chunks))
    found: Array = paths.call(columns(given, paths.way.dtype), len(chunks[0])).data
    return found


def added(parts: Sequence[Part]) -> Part:
    """Add parts in pairs, and these in pairs.

    So the order of all additions depends on the chunks alone: not on how many make a batch, where
    that is a power of two.
    """
    found = list(parts)
    while len(found) > 1:
        pairs = [found[i : i + 2] for i in range(0, len(found), 2)]
        found = [pair[0] if len(pair) == 1 else pair[0] + pair[1] for pair in pairs]
    return found[0]


def _program(plan: Plan, vector: Array) -> tuple[Any, Any]:
    """Return the paths of a program, and its parameters, which get these numbers."""
    programs = getattr(_here, "programs", None)
    if programs is None:
        programs = _here.programs = {}
    if plan.digest not in programs:
        traced, parameters, way = pickle.loads(plan.pickled)
        programs[plan.digest] = traced.planted(way), parameters
        while len(programs) > KEPT:
            del programs[next(iter(programs))]
    trees, parameters = programs[plan.digest]
    for p, number in zip(parameters, vector.tolist()):
        p.data = number
    return trees[plan.key], parameters


def columns(given: Mapping[str, Any], dtype: np.dtype[Any]) -> dict[str, Array]:
    """Return the arrays of some arguments with the examples last, all other axes as one."""
    found = {}
    for name, x in given.items():
        array = np.asarray(x)
        rows = array.reshape(len(array), int(np.prod(array.shape[1:])))
        found[name] = converted(rows, dtype, f"argument {name}").T
    return found


def _chunk(
    paths: Any, parameters: Any, given: Mapping[str, Any], column: int | None, forgets: bool
) -> Part:
    n = len(next(iter(given.values())))
    gradient = np.zeros(len(parameters))
    if not n:
        return Part(0.0, gradient, 0, [])
    for p in parameters:
        p.grad = 0.0
    try:
        with no_grad() if forgets else nullcontext():
            result = paths.call(columns(given, paths.way.dtype), n)
    except UntracedError as error:
        if error.row is None:
            raise
        row = {name: np.asarray(x)[error.row : error.row + 1] for name, x in given.items()}
        return Part(float("nan"), gradient, n, [row])
    total = (result if column is None else result[:, column]).sum()
    if not forgets and parameters:
        total.backward()
        gradient[:] = [p.grad for p in parameters]
    size = result.data.size if column is None else n
    return Part(total.data, gradient, size, [])
