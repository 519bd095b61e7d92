"""The result of a program, differentiated as a graph: by the program of its derivative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.programs.run.executable import Blocks
from micrograd.programs.run.executor import Workspace
from micrograd.programs.run.forms import lease_of, lines_of
from micrograd.programs.run.results import Reduction, Result

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.api import Program
    from micrograd.programs.arguments import Argument
    from micrograd.programs.branches import Paths
    from micrograd.programs.run.careful import Given
    from micrograd.programs.run.executable import State
    from micrograd.programs.run.results import Call as Node
    from micrograd.programs.run.results import Run

    Array = NDArray[Any]


class Again(NamedTuple):
    """A call, to be made again."""

    program: Program
    paths: list[Paths]  # that it ran on
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def slopes(self, reduction: Reduction) -> list[Value]:
        """Return the derivatives of a reduction by the parameters of the call, as Values.

        Raises ValueError where the parameters or the examples have changed since, be it one bit.
        """
        self._check(reduction.call.node)
        parameters: tuple[Value, ...] = reduction.call.node.args
        found = self.program._by_parameters(parameters)(*self.args, **self.kwargs)
        lease, numbers = lease_of(found), lines_of(found).reshape(-1, len(parameters))
        rows = reduction.positions
        rows = np.arange(len(numbers)) if rows is None else rows.reshape(-1)
        slopes = []
        for i in range(len(parameters)):
            part = Result(numbers[rows, i], lease, rows * len(parameters) + i)
            slopes.append(part.weighed(reduction.weight))
        return slopes

    def _check(self, node: Node) -> None:
        paths, arguments, n = self.program._would_run(self.args, self.kwargs)
        is_same = n == node.shape[0] and [*map(id, paths)] == [*map(id, self.paths)]
        dtype = self.program._known.way.dtype
        if not (is_same and all(_is_as_it_was(run, arguments, dtype) for run in node.runs)):
            raise ValueError(
                f"the parameters or the examples of {self.program!r} have changed since it was "
                "called, or what its function refers to. Call it again, and differentiate that"
            )


def _is_as_it_was(run: Run, arguments: dict[str, Argument], dtype: np.dtype[Any]) -> bool:
    """Tell whether the parameters, and the rows of the run, are what it was computed from."""
    try:
        inputs = {name: x.columns(run.rows) for name, x in arguments.items()}
    except ValueError:  # they are no longer of one length
        return False
    run.program.block.pull_data()
    numbers = np.asarray(run.program.block.data)
    with np.errstate(all="ignore"):
        return all(
            kept.shape == now.shape and kept.astype(dtype).tobytes() == now.astype(dtype).tobytes()
            for kept, now in _kept(run.state, numbers, inputs)
        )


def _kept(
    state: State | Given, numbers: Array, inputs: Mapping[str, Array]
) -> Iterator[tuple[Array, Array]]:
    """Yield what a state was computed from, each with what it would be computed from now."""
    if isinstance(state, Blocks) and state.workspaces is not None:
        for i, workspace in enumerate(state.workspaces):
            yield from _kept(workspace, numbers, state.given(i, inputs))
        return
    yield state.parameters if isinstance(state, Workspace) else state.numbers, numbers
    for name, columns in state.inputs.items():
        yield columns, inputs[name][: len(columns)]
