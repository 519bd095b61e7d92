"""A program as what SciPy minimises: a function of its parameters, with exact derivatives."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.derivatives import chain_rule
from micrograd.derivatives.fresh_inputs import Call
from micrograd.derivatives.sweeps import nodes_behind
from micrograd.derivatives.trees import Nested
from micrograd.engine import Value
from micrograd.native.bulk import read_data, write_data
from micrograd.nn import Module
from micrograd.programs.by_rows import Order, slopes_of_each
from micrograd.programs.run.forms import lease_of
from micrograd.programs.run.results import Result
from micrograd.programs.trace.sourceless import Sourceless
from micrograd.value.numbers import is_number, shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.api import Program

    Array = NDArray[Any]


class Objective:
    """The sum of a program's results over given rows, as a function of parameters.

    Its methods take the numbers of the parameters as one array x, in the order in which the Values
    stand in what was given to `program.objective`; they are what SciPy's `minimize` and
    `least_squares` ask for. The Values themselves change by `assign` only, the rows are copied. A
    pickle of it holds the rows, the parameters and what was traced, with the derivatives that were
    asked for before.

    >>> from micrograd import Value, program
    >>> a, b = Value(1.0), Value(0.0)
    >>> @program
    ... def misfit(x, y):
    ...     return (a * x + b - y) ** 2
    >>> line = misfit.objective([a, b], [0.0, 1.0, 2.0], [1.0, 3.0, 5.0])
    >>> line.fun(line.x0), line.jac(line.x0), line.hess(line.x0)
    (14.0, array([-16., -12.]), array([[10.,  6.],
           [ 6.,  6.]]))
    >>> from scipy.optimize import minimize
    >>> found = minimize(line.fun, line.x0, jac=line.jac, hess=line.hess, method="trust-exact")
    >>> line.assign(found.x)
    >>> print(f"{a.data:.4f} {b.data:.4f}")
    2.0000 1.0000
    """

    def __init__(
        self, program: Program, params: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        if isinstance(params, Module):
            params = params.parameters()
        nested = Nested(params, "params", _refuse)
        _check(nested)
        for given in (*args, *kwargs.values()):
            if isinstance(given, Iterator):  # which could be read once only
                raise TypeError(f"{program!r}: its rows must stay: give a list, got {given!r}")
        # Rows that change later would be seen by some derivatives, not by those kept for this x.
        rows, named = copy.deepcopy((args, kwargs))
        self._begin(nested.leaves, program, [*map(_as_array, rows)], named)

    def _begin(
        self, values: list[Value], program: Program, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        self._values = values
        self._program = program
        self._args, self._kwargs = args, kwargs
        self._place = {id(v): i for i, v in enumerate(self._values)}
        self._places: dict[Any, Array] = {}  # of the leaves of a block, among the parameters
        self._results = _Evaluated(self, program)

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: the rows, the parameters, and what was traced for them.

        By its name, another process would find a function whose parameters are others.
        """
        self._results.at(self.x0)
        derived = {x: e.settled() for x, e in vars(self).items() if x in ("_slopes", "_rows")}
        begun = self._values, self._results.settled(), self._args, self._kwargs
        return {"begun": begun, "derived": derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._begin(*state["begun"])
        for name, program in state["derived"].items():
            vars(self)[name] = _Evaluated(self, program)

    @property
    def x0(self) -> Array:
        """The numbers that the parameters have now."""
        x = np.empty(len(self._values))
        read_data(self._values, x)
        return x

    def assign(self, x: Any) -> None:
        """Give the parameters these numbers, such as the `x` of SciPy's result.

        Raises ValueError unless there is one for each.
        """
        write_data(self._values, self._as_numbers(x))

    def fun(self, x: Any) -> float:
        """Return the sum of all results."""
        return self._results.at(x, again=True)._total()

    def jac(self, x: Any) -> Array:
        """Return the gradient of the sum, of shape (k,) for k parameters."""
        return self._gradient(self._results.at(x), 1.0)

    def hess(self, x: Any) -> Array:
        """Return the Hessian of the sum, of shape (k, k)."""
        slopes = self._slopes.at(x)
        columns = [self._gradient(slopes, row) for row in np.eye(len(self._values))]
        lower = np.tril(columns)
        full: Array = lower + np.tril(lower, -1).T  # the two halves differ by rounding
        return full

    def hessp(self, x: Any, p: Any) -> Array:
        """Return the Hessian of the sum times a vector p, without the Hessian; for large k."""
        return self._gradient(self._slopes.at(x), self._as_numbers(p))

    def residuals(self, x: Any) -> Array:
        """Return all results, those of a row together, as one array of shape (m,)."""
        data: Array = self._results.at(x, again=True).data
        return data.reshape(-1).astype(float)

    def jacobian(self, x: Any) -> Array:
        """Return the derivative of each of the `residuals` by each parameter, of shape (m, k)."""
        rows: Array = self._rows.at(x).data
        return np.ascontiguousarray(rows.reshape(-1, len(self._values)), float)

    @cached_property
    def _slopes(self) -> _Evaluated:
        return self._by_parameters(_gradient_of_sum)

    @cached_property
    def _rows(self) -> _Evaluated:
        return self._by_parameters(slopes_of_each)

    def _by_parameters(self, compute: Callable[[Call], Any]) -> _Evaluated:
        function = self._program.__wrapped__
        if isinstance(function, Sourceless):
            raise function.error("that derivative of the objective was not taken of it before")
        order = Order(compute, parameters=tuple(self._values))
        return _Evaluated(self, self._program._of_order(order))

    def _gradient(self, result: Result, seeds: Any) -> Array:
        """Return the gradient of the results, weighed by seeds: for each column, or for all."""
        node = result._made_by.node
        if not isinstance(seeds, float):
            seeds = np.broadcast_to(seeds, node.shape)
        total = np.zeros(len(self._values) + 1)  # the last is for what is not among these
        for block, found in node.gradients(seeds):
            if block not in self._places:
                places = [self._place.get(id(v), -1) for v in block.leaves]
                self._places[block] = np.array(places, int)
            np.add.at(total, self._places[block], found)
        return total[:-1]

    def _as_numbers(self, x: Any) -> Array:
        given = np.asarray(x)
        if given.dtype.kind not in "fiub" and not all(map(is_number, given.flat)):
            raise TypeError(f"x must hold a real number per parameter, as x0 does; got {x!r}")
        numbers = given.astype(float)
        if numbers.shape != (len(self._values),):
            raise ValueError(
                f"x has shape {numbers.shape}: give an array of shape ({len(self._values)},), a "
                "number per parameter, as x0 is"
            )
        return numbers

    def __repr__(self) -> str:
        return f"<objective of {self._program!r} and {len(self._values)} parameters>"


class _Evaluated:
    """A program on the rows of an objective, with the latest result: SciPy asks twice for one x."""

    def __init__(self, objective: Objective, program: Program) -> None:
        self._objective = objective
        self._program = program
        self._key: Any = None
        self._version: Any = None
        self._used: tuple[Value, ...] | None = None  # the parameters of the latest result,
        self._others: list[Value] = []  # and those of them that are not the objective's
        self._result: Result

    def at(self, x: Any, again: bool = False) -> Result:
        """Return the results for these numbers of the parameters, which get their own back."""
        o = self._objective
        if self._key is None and self is not o._results:
            o._results.at(x)  # which checks that the parameters are used
        numbers, before = o._as_numbers(x), o.x0
        known = self._program._known
        again = again or known.current() is not self._version  # since it was retraced, say
        if again or self._key is None or self._key != self._key_of(numbers):
            self._key = None
            write_data(o._values, numbers)
            try:
                result: Any = self._program(*o._args, **o._kwargs)
            finally:
                write_data(o._values, before)
            self._look_at(result)
            self._result, self._version = result, known.version
            self._key = self._key_of(numbers)
        return self._result

    def settled(self) -> Program:
        """Return a program of what was traced for these rows."""
        return self._program._settled()

    def _key_of(self, numbers: Array) -> Any:
        """Return what the latest result depends on: the parameters, also those beside."""
        return numbers.tobytes(), [v._number for v in self._others]

    def _look_at(self, result: Any) -> None:
        """Check the parameters of a result, unless the latest had the same."""
        used, before = lease_of(result).node.args, self._used
        is_one = not isinstance(result, tuple)
        if is_one and before and len(used) == len(before) and all(map(is_, used, before)):
            return
        if self is self._objective._results:
            self._check(result)
        self._used = used
        self._others = [v for v in used if id(v) not in self._objective._place]

    def _check(self, result: Any) -> None:
        if isinstance(result, tuple):
            raise TypeError(f"{self._program!r} has several results: an objective is of one")
        place = self._objective._place
        used = result._made_by.node.args
        for v in used:
            if v.parents and any(id(leaf) in place for leaf in nodes_behind([v])):
                raise ValueError(
                    f"{v!r} was computed from a parameter of the objective before {self._program!r}"
                    " was called, and would not move with it: compute it in the function"
                )
        if len(result) and not any(id(v) in place for v in used):
            raise ValueError(
                f"{self._program!r} uses none of these parameters: give the Values that its "
                "function refers to, no copies of them"
            )


def _as_array(rows: Any) -> Any:
    """Return rows of lists as the array that each call would make of them, where it would."""
    if not isinstance(rows, (list, tuple)):
        return rows
    try:
        array = np.asarray(rows)
    except ValueError:  # some are longer than others
        return rows
    return array if array.dtype.kind in "fiub" else rows


def _gradient_of_sum(call: Call) -> Any:
    outputs, _ = call.outputs()
    total = sum(outputs[1:], outputs[0])
    entries = chain_rule.gradient(total, call.variables, 1.0)
    return call.shaped(entries, (), as_values=True)


def _refuse(thing: Any, path: str) -> Any:
    raise TypeError(
        f"{path} is {shortened(thing)}: the parameters of an objective are the Values that the "
        "function refers to, in any nesting, or a Module; their numbers are where a fit starts"
    )


def _check(nested: Nested) -> None:
    seen: set[int] = set()
    for v, name in zip(nested.leaves, nested.names):
        if not isinstance(v, Value):
            _refuse(v, name)
        if v.parents:
            raise ValueError(f"{name} was computed: give the Values that it was computed from")
        if id(v) in seen:
            raise ValueError(f"{name} is given twice: give each parameter once")
        seen.add(id(v))
    if not seen:
        raise ValueError("an objective needs at least one parameter")
