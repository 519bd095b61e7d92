"""A program called on arrays of another library, of which its results are, too."""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.native.blocks import block_of
from micrograd.programs.elsewhere.choosing import Forward, Way, is_true
from micrograd.programs.elsewhere.function import Call, in_form, results_of
from micrograd.programs.elsewhere.namespaces import library_of, on_host, standard
from micrograd.programs.elsewhere.pieces import Run
from micrograd.programs.run import results
from micrograd.programs.run.forms import Form
from micrograd.programs.run.results import Lease, Result
from micrograd.value.identity import IdentitySet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.branches import Paths

    Array = NDArray[Any]


class ArrayResult(Result):
    """A `Result` whose `data` is an array of the library that the arguments were of."""

    __slots__ = ()

    def _total(self) -> float:
        return float(standard(sys.modules[library_of(self.data) or "numpy"]).sum(self.data))

    def __getitem__(self, key: Any) -> Any:
        host = on_host(key) if library_of(key) else key
        positions = self._places()
        if positions is None:
            positions = np.arange(int(np.prod(self.shape))).reshape(self.shape)
        part = self.data[key]
        chosen = np.asarray(positions[host])
        result = ArrayResult(part, self._made_by, chosen)
        return result if chosen.ndim else result._reduce(float(part), 1.0, "[]")


class State(NamedTuple):
    """What the reverse pass of a call goes back from."""

    vector: Any
    call: Call
    forward: Forward | None  # None where a compiled function computes it again


class Elsewhere:
    """The paths of a function, for arrays of one library.

    Rows for which rounding alone decides a comparison go the way that is known, when they have
    been computed in float64 and took that way.
    """

    def __init__(self, paths: Paths, library: str) -> None:
        self._paths = paths
        self._library = library
        self.xp: Any = standard(importlib.import_module(library))
        self._known: tuple[Any, ...] = ()

    def _refresh(self, lenient: bool) -> None:
        """Compile again what was traced, if there is more of it."""
        root, paths = self._paths.tree
        if self._known == (root, len(paths), lenient):
            return
        used = IdentitySet(p for path in paths for p in path.parameters)
        self.parameters: list[Value] = [*used]
        self.block: Any = block_of(self.parameters)
        ways = {path: Way(path, self.parameters) for path in paths}
        xp = self.xp

        def forward(vector: Any, columns: Mapping[str, Any]) -> Forward:
            n = next(iter(columns.values())).shape[1]
            device = None if self._library == "jax" else getattr(vector, "device", None)
            run = Run(xp, vector.dtype, device, n)
            return Forward(ways, root, run, vector, columns, lenient)

        self._forward = forward
        if self._library == "jax":
            import jax

            def values(vector: Any, columns: Any) -> Any:
                found = forward(vector, columns)
                return found.values, found.left, found.outside

            def gradients(vector: Any, columns: Any, seeds: Any) -> Any:
                return forward(vector, columns).backward(seeds)

            self._values: Callable[..., Any] = jax.jit(values)
            self._gradients: Callable[..., Any] = jax.jit(gradients)
        self._known = (root, len(paths), lenient)

    def call(self, call: Call) -> tuple[Any, State]:
        """Run every row on its path, and trace the paths that are not known."""
        columns = call.columns()
        lenient = False
        while True:
            self._refresh(lenient)
            self.block.pull_data()
            numbers = np.array(self.block.data, float)
            vector = self.xp.asarray(numbers, dtype=call.run.dtype, device=call.run.device)
            forward: Forward | None = None
            if self._library == "jax":
                values, left, outside = self._values(vector, columns)
            else:
                forward = self._forward(vector, columns)
                values, left, outside = forward.values, forward.left, forward.outside
            wrong = [mask for mask in (left, outside) if is_true(self.xp, mask)]
            if not wrong:
                return values, State(vector, call, forward)
            found = len(self._paths.found)
            self._trace(columns, np.flatnonzero(np.any([on_host(x) for x in wrong], axis=0)))
            lenient = len(self._paths.found) == found

    def _trace(self, columns: Mapping[str, Any], rows: Array) -> None:
        chosen = {name: on_host(x)[:, rows].astype(float) for name, x in columns.items()}
        self._paths.parts(chosen, len(rows), rows)

    # What a node of a call asks of its program ----------------------------------------------------

    def backward(self, state: State, seeds: Array | float) -> Array:
        """Return the gradients of the parameters for seeds of shape (k, n), or for one."""
        run = state.call.run
        k = len(self._paths.found[0].outputs)
        whole = np.broadcast_to(np.asarray(seeds, float), (k, run.n))
        given = self.xp.asarray(np.array(whole), dtype=run.dtype, device=run.device)
        forward = state.forward
        if forward is None:
            found = on_host(self._gradients(state.vector, state.call.columns(), given))
            if np.isfinite(found).all():
                return found.astype(float)
            forward = self._forward(state.vector, state.call.columns())
        return on_host(forward.backward(given)).astype(float)

    def give_back(self, state: State) -> None:
        """Do nothing: no memory waits for the next call."""


def run_on_arrays(
    name: str, library: str, named: Iterable[tuple[str, Any]], paths_for: Callable[..., Paths]
) -> Any:
    """Call a program on arrays of a library; `paths_for` finds the paths for one row of them."""
    given = dict(named)
    for argument, x in given.items():
        _refuse_traced(f"{name}: argument {argument}", x)
    xp = standard(importlib.import_module(library))
    call = Call(name, xp, given.items())
    first = {argument: on_host(x[: min(1, call.n), ...]) for argument, x in call.arrays.items()}
    paths = paths_for(first)
    columns = {
        argument: x.reshape(len(x), math.prod(x.shape[1:])).T.astype(float)
        for argument, x in first.items()
    }
    if not call.n:
        return _empty(call.run, paths.call(columns, 0))
    if not paths.found:
        paths.parts(columns, 1)
    program = paths.elsewhere.get(library)
    if program is None:
        program = paths.elsewhere[library] = Elsewhere(paths, library)
    values, state = program.call(call)
    operands = tuple(program.parameters) or (Value(0.0),)
    node = results.Call.of(operands, [program])
    node.runs = [results.Run(program, None, state)]
    node.shape = (call.n, values.shape[0])
    return _formed(xp, values, paths.found[0].form, Lease(node))


def _formed(xp: Any, values: Any, form: Form, lease: Lease) -> Any:
    """Return values of shape (k, n) as results in their form."""
    positions = np.arange(math.prod(values.shape)).reshape(values.shape[::-1])

    def make(start: int, end: int, shape: tuple[int, ...]) -> ArrayResult:
        data = results_of(xp, values[start:end, ...], shape)
        places = positions[:, start:end].reshape(data.shape)
        return ArrayResult(data, lease, None if isinstance(form, tuple) else places)

    return in_form(form, make)


def _empty(run: Run, result: Any) -> Any:
    """Return results of no rows as arrays of the library."""
    if isinstance(result, tuple):
        return tuple([_empty(run, part) for part in result])
    zeros = run.xp.zeros(result.shape, dtype=run.dtype, device=run.device)
    return ArrayResult(zeros, result._made_by)


def _refuse_traced(what: str, x: Any) -> None:
    """Refuse arrays whose gradient would be lost, or that stand for numbers of later calls."""
    if getattr(x, "requires_grad", False):
        raise TypeError(
            f"{what} requires a gradient, and none would arrive there: give x.detach(), or call "
            "program.function(torch), which PyTorch differentiates"
        )
    if any(kind.__name__ == "Tracer" for kind in type(x).__mro__):
        raise TypeError(
            f"{what} is traced by JAX: within jit, vmap and grad call program.function(jax.numpy)"
        )
