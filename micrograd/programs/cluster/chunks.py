"""A program called on Dask arrays: a task for each batch of chunks, and few that add up."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.graph.modes import no_grad
from micrograd.native.blocks import block_of
from micrograd.programs.cluster import tasks
from micrograd.programs.cluster.scheduling import Batch, active_client, compute, threads_of
from micrograd.programs.cluster.tasks import OnDisk, Part, Plan
from micrograd.programs.run.results import Call, Lease, Reduction, Run
from micrograd.programs.trace.recording import ProgramError
from micrograd.value import hooks
from micrograd.value.identity import IdentityDict

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

PER_THREAD = 2  # tasks of a step, at most


class ClusterResult:
    """What a program gives for Dask arrays: `mean()` and `sum()` are Values, `data` a Dask array.

    A reduction computes the number and all gradients at once, by the program's client, or else the
    active one, or on this machine where there is none; `backward()` adds them to the parameters.
    `result[:, k]` is the k-th of several results.
    """

    def __init__(self, call: ChunkedCall, column: int | None = None) -> None:
        self._call = call
        self._column = column

    def sum(self) -> Value:
        """Return the sum of all results."""
        return self._reduced(lambda count: 1.0, "sum")

    def mean(self) -> Value:
        """Return the mean of all results: nan if there are none."""
        return self._reduced(lambda count: 1.0 / count if count else float("nan"), "mean")

    @property
    def data(self) -> Any:
        """The results as a Dask array, which is computed when it is asked to be."""
        whole = self._call.data()
        return whole if self._column is None else whole[:, self._column]

    def __getitem__(self, key: Any) -> ClusterResult:
        is_column = isinstance(key, tuple) and len(key) == 2 and key[0] == slice(None)
        if not is_column or not isinstance(key[1], int) or self._column is not None:
            raise TypeError(
                f"the results for Dask arrays have columns, result[:, 0], and no other parts; got "
                f"{key!r}: index the arrays instead"
            )
        self._call.check_column(key[1])
        return ClusterResult(self._call, key[1])

    def __repr__(self) -> str:
        return f"<results of {self._call.name} for Dask arrays of {self._call.count} chunks>"

    def _reduced(self, weigh: Callable[[int], float], symbol: str) -> Value:
        forgets = hooks.forgets()
        found = self._call.compute(self._column, forgets)
        weight = weigh(found.results)
        program = _Summed(self._call.parameters)
        node = Call.of(tuple(program.parameters) or (Value(0.0),), [program])
        node.runs, node.shape = [Run(program, None, found.gradient)], (max(1, found.results), 1)
        with no_grad() if forgets else nullcontext():
            value = Reduction.on((node,), found.total * weight)
        value.call, value.positions, value.weight = Lease(node), None, weight
        value._symbol = symbol
        return value


class _Summed:
    """The gradients of a call, summed over all rows, as what a node goes back through."""

    def __init__(self, parameters: Sequence[Value]) -> None:
        self.parameters = list(parameters)
        self.block: Any = block_of(self.parameters)

    def backward(self, gradient: Array, seeds: float) -> Array:
        """Return the gradients of the parameters, where one number arrives at all results."""
        return gradient * seeds

    def give_back(self, gradient: Array) -> None:
        """Do nothing: no memory waits for the next call."""


class Called(NamedTuple):
    """The program that is called: `traced` and `parameters` give what is known of it so far."""

    name: str
    traced: Callable[[], Any]
    parameters: Callable[[], list[Value]]
    client: Any


class ChunkedCall:
    """A call of a program on Dask arrays, with the same rows in the chunks of each.

    `paths` are those for such arrays, which it knows by the `key`.
    """

    def __init__(self, called: Called, arrays: Mapping[str, Any], paths: Any, key: Any) -> None:
        self._called = called
        self.name = name = called.name
        self._arrays = arrays
        self._paths = paths
        self._key = key
        self._graphs: dict[str, dict[Any, Any]] = {}
        self.count: int = next(iter(arrays.values())).numblocks[0]
        if not paths.found:
            self._trace([self._first_row()])
        if not isinstance(paths.found[0].form, tuple):
            raise TypeError(
                f"{name} returns several results, and on Dask arrays a program has one: return a "
                "scalar, or a list of scalars"
            )
        self.plan, self.parameters = self._planned()
        # As they are at the call, whatever happens to them before a reduction.
        self.vector: Array = np.array([p.data for p in self.parameters])

    def check_column(self, column: int) -> None:
        """Raise IndexError for a column that the results do not have."""
        form = self._paths.found[0].form
        if len(form) != 1 or not -form[0] <= column < form[0]:
            raise IndexError(f"{self.name} gives results of shape {form} for a row: no [{column}]")

    def _planned(self) -> tuple[Plan, list[Value]]:
        """Pickle what was traced, once for all calls until there is more of it."""
        root, paths = self._paths.tree
        known = self._paths.elsewhere.get("dask")
        if known is None or known[0] != (root, len(paths)):
            parameters = self._called.parameters()
            pickled = pickle.dumps((self._called.traced(), parameters, self._paths.way.elsewhere))
            plan = Plan(hashlib.sha256(pickled).hexdigest(), pickled, self._key)
            known = self._paths.elsewhere["dask"] = ((root, len(paths)), plan, parameters)
        return known[1], known[2]

    def _first_row(self) -> dict[str, Array]:
        for i in range(self.count):
            firsts = {name: x.blocks[i][:1] for name, x in self._arrays.items()}
            row = {name: x.compute(scheduler=self._called.client) for name, x in firsts.items()}
            if len(next(iter(row.values()))):
                return row
        raise ValueError(f"{self.name}: the Dask arrays have no rows to trace it on")

    def _trace(self, rows: Sequence[Mapping[str, Array]]) -> None:
        for row in rows:
            self._paths.parts(tasks.columns(row, self._paths.way.dtype), 1)

    # Computing ------------------------------------------------------------------------------------

    def compute(self, column: int | None, forgets: bool) -> Part:
        """Compute the sums over all rows, and trace the new paths that some of them take."""
        while True:
            found = self._spread(column, forgets)
            if not found.missing:
                return found
            known = len(self._paths.found)
            self._trace(found.missing)
            if len(self._paths.found) == known:
                raise ProgramError(
                    f"{self.name}: rounding decides which path some rows take; compute these on "
                    f"NumPy arrays: {found.missing[0]}"
                )
            before = self.parameters
            self.plan, self.parameters = self._planned()
            numbers = IdentityDict(zip(before, self.vector.tolist()))
            self.vector = np.array([numbers.get(p, p.data) for p in self.parameters])

    def _spread(self, column: int | None, forgets: bool) -> Part:
        client = active_client() if self._called.client is None else self._called.client
        self._read_graphs(client)
        threads = threads_of(client)
        size = 1
        while -(-self.count // size) > PER_THREAD * threads:
            size *= 2
        batches = [self._batch(i, i + size) for i in range(0, self.count, size)]
        return compute(client, self.plan, self.vector, batches, (column, forgets))

    def _read_graphs(self, client: Any) -> None:
        """Take down how each chunk is computed; what workers hold a part of, they hold then."""
        if self._graphs:
            return
        graphs = [dict(x.__dask_graph__()) for x in self._arrays.values()]
        if any(_future_of(task) is not None for graph in graphs for task in graph.values()):
            held = client.persist(list(self._arrays.values()))
            graphs = [dict(x.__dask_graph__()) for x in held]
        self._graphs = dict(zip(self._arrays, graphs))

    def _batch(self, start: int, end: int) -> Batch:
        """Return the chunks of a batch: as a graph, or as futures where the cluster holds them."""
        from dask.optimization import cull

        keys = [
            {name: _key(x, i) for name, x in self._arrays.items()}
            for i in range(start, min(end, self.count))
        ]
        wanted = [key for names in keys for key in names.values()]
        graph: dict[Any, Any] = {}
        for name in self._arrays:
            own = [names[name] for names in keys]
            graph.update(cull(self._graphs[name], own)[0])
        futures = {key: _future_of(graph.get(key)) for key in wanted}
        if all(future is not None for future in futures.values()):
            return Batch(None, list(self._arrays), [futures[key] for key in wanted])
        return Batch(OnDisk(graph, keys), list(self._arrays), [])

    def data(self) -> Any:
        """Return the results as a Dask array."""
        import dask.array as da

        form = self._paths.found[0].form
        axes = count(1)
        operands: list[Any] = []
        for x in self._arrays.values():  # which share the examples alone
            operands += [x, (0, *islice(axes, x.ndim - 1))]
        of_result = list(islice(axes, len(form)))
        return da.blockwise(
            partial(tasks.values, self.plan, self.vector),
            (0, *of_result),
            *operands,
            new_axes=dict(zip(of_result, form)),
            dtype=self._paths.way.dtype,
            concatenate=True,
            meta=np.empty((0,) * (1 + len(form)), self._paths.way.dtype),
        )


def _key(x: Any, block: int) -> Any:
    return (x.name, block, *([0] * (x.ndim - 1)))


def _future_of(task: Any) -> Any:
    """Return the future that a chunk of a persisted array is, or None."""
    for found in (task, getattr(task, "value", None)):
        if type(found).__name__ == "Future" and type(found).__module__.startswith("distributed"):
            return found
    return None


def call_on_chunks(
    called: Called, named: Mapping[str, Any], paths_for: Callable[..., Any]
) -> ClusterResult:
    """Call a program on Dask arrays, and NumPy's beside them, for a client or the active one."""
    import dask.array as da

    name = called.name
    first = next(x for x in named.values() if isinstance(x, da.Array))
    arrays = {}
    for argument, given in named.items():
        x: Any = given if isinstance(given, da.Array) else np.asarray(given)
        if not x.ndim or x.dtype.kind not in "fiub":
            raise TypeError(
                f"{name}: argument {argument} must hold real numbers, a row for each example; "
                f"got dtype {x.dtype}, shape {x.shape}"
            )
        if x.shape[0] != first.shape[0] and x.shape[0] == x.shape[0]:
            raise ValueError(
                f"{name}: {argument} has {x.shape[0]} examples, another argument has "
                f"{first.shape[0]}: the first axis of all arguments counts the same examples"
            )
        chunks = (first.chunks[0], *[-1] * (x.ndim - 1))
        if not isinstance(given, da.Array):
            x = da.from_array(x, chunks=chunks)
        elif any(map(np.isnan, x.chunks[0])):
            x = x.rechunk(dict.fromkeys(range(1, x.ndim), -1))
        else:
            x = x.rechunk(chunks)
        if x.numblocks[0] != first.numblocks[0]:
            raise ValueError(
                f"{name}: {argument} has {x.numblocks[0]} chunks of unknown sizes, another "
                f"argument {first.numblocks[0]}: call compute_chunk_sizes() on both"
            )
        arrays[argument] = x
    example = {a: np.zeros((1, *x.shape[1:]), x.dtype) for a, x in arrays.items()}
    integers = tuple([a for a, x in arrays.items() if x.dtype.kind in "iub"])
    key = (tuple(arrays), tuple([x.shape[1:] for x in arrays.values()]), integers)
    return ClusterResult(ChunkedCall(called, arrays, paths_for(example), key))
