"""The result of a program, differentiated as a graph: by the program of its derivative."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.programs.lower.precision import SINGLE
from micrograd.programs.run.forms import lease_of, lines_of
from micrograd.programs.run.results import Reduction, Result

if TYPE_CHECKING:
    from micrograd.programs.api import Program


class Again(NamedTuple):
    """A call, to be made again."""

    program: Program
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def slopes(self, reduction: Reduction) -> list[Value]:
        """Return the derivatives of a reduction by the parameters of the call, as Values.

        Raises ValueError where the parameters or the examples have changed since.
        """
        self._check(reduction)
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

    def _check(self, reduction: Reduction) -> None:
        numbers = lines_of(self.program(*self.args, **self.kwargs)).reshape(-1)
        if reduction.positions is not None:
            numbers = numbers[reduction.positions]
        now = np.add.reduce(numbers, None, float) * reduction.weight
        rtol = 1e-5 if numbers.dtype == SINGLE else 1e-9  # a row may take another way now
        if not np.isclose(now, reduction._number, rtol=rtol, equal_nan=True):
            raise ValueError(
                f"the parameters or the examples of {self.program!r} have changed since it was "
                f"called: the result was {reduction._number:.6g} and is {now:.6g} now. Call it "
                "again, and differentiate that"
            )
