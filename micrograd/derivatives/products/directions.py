"""Derivatives along one direction: `jvp` of graphs, `hvp` of graphs and of functions.

On graphs they return Values, a graph that can be differentiated again; `hvp(f)` returns numbers,
for which nothing need be recorded but `f` itself. No `.grad` is touched.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from contextlib import suppress
from typing import Any, overload

from micrograd.derivatives import chain_rule
from micrograd.derivatives.chain_rule import Entry, on_stand_ins
from micrograd.derivatives.errors import name_of
from micrograd.derivatives.fresh_inputs import Call, elements, leaf_for, tie
from micrograd.derivatives.products.curvature import hessian_product
from micrograd.derivatives.transforms import (
    ArgNums,
    Derivative,
    as_asked,
    check_argnums,
    check_output,
    numbers_as_values,
    one_per_input,
    refuse_options,
    values_of,
    variables_of,
)
from micrograd.derivatives.trees import Nested, as_blocks, fields_of
from micrograd.engine import Value
from micrograd.graph.modes import enable_grad
from micrograd.value import hooks
from micrograd.value.numbers import shortened


@enable_grad()
def jvp(outputs: Any, inputs: Any, tangents: Any) -> Any:
    """Return the rate of change of `outputs` as `inputs` move along `tangents` (forward mode).

    `outputs`, `inputs`: a Value or a sequence of them; `tangents`: a number or Value per input.
    The result, the Jacobian times `tangents`, is a Value, or a list of one per output, and part
    of a graph. Raises TypeError as `grad` does, ValueError when the lengths differ.

    >>> x, y = Value(3.0), Value(4.0)
    >>> [v.data for v in jvp([x * y, x + y], [x, y], [1.0, 10.0])]
    [34.0, 11.0]
    """
    variables = variables_of(inputs, "the inputs of jvp")
    results = values_of(numbers_as_values(outputs), "the outputs of jvp")
    directions = one_per_input(tangents, inputs, len(variables), "tangents of jvp")
    rates = on_stand_ins(
        lambda outputs: chain_rule.directional(outputs, variables, directions), results, variables
    )
    return as_asked(rates, outputs, [*results, *variables, *directions])


@overload
def hvp(output: Value, inputs: Any, vector: Any) -> Any: ...
@overload
def hvp(
    output: Callable[..., Any], *, argnums: ArgNums = ..., has_aux: bool = ...
) -> Callable[..., Any]: ...
@enable_grad()
def hvp(
    output: Any,
    inputs: Any = None,
    vector: Any = None,
    *,
    argnums: ArgNums = 0,
    has_aux: bool = False,
) -> Any:
    """Return the Hessian times a vector, without computing the Hessian: of a Value, or a function.

    `hvp(output, inputs, vector)`: `inputs` is a Value or a sequence of them; `vector` has a number
    or a Value per input. The result is a Value, or a list of one per input, and part of a graph.
    Raises as `jvp` does.

    >>> x, y = Value(3.0), Value(4.0)
    >>> [v.data for v in hvp(x * x * y, [x, y], [1.0, 10.0])]
    [68.0, 6.0]

    `hvp(f)`: a function of x, a vector of the form of x, and the other arguments of `f`. It returns
    the product in that form, in numbers, as `grad(f)` returns the gradient. Made for
    `scipy.optimize.minimize(value_and_grad(f), x0, jac=True, hessp=hvp(f), method="trust-ncg")`. It
    costs a small multiple of `f` (Pearlmutter 1994). `argnums` and `has_aux` are as for `grad(f)`;
    the vector stands behind x, or behind the last of several. Raises ValueError where the forms
    differ.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([3.0, 4.0], [1.0, 10.0])
    array([68.,  6.])
    """
    if callable(output) and not isinstance(output, Value):
        if inputs is not None or vector is not None:
            raise TypeError("hvp(f) takes a function alone and gives a function: hvp(f)(x, vector)")
        return _Product(output, argnums, has_aux)
    if inputs is None:
        raise TypeError(
            "hvp takes a function, hvp(f), or a Value, those that it was computed from, and a "
            f"vector, hvp(output, inputs, vector); got {shortened(output)} alone"
        )
    refuse_options("hvp", argnums, has_aux)
    output = numbers_as_values(output)
    check_output(output, "hvp")
    variables = variables_of(inputs, "the inputs of hvp")
    directions = one_per_input(vector, inputs, len(variables), "vector of hvp")
    # Leaves for now, since a vector that was computed from the inputs stays as it is.
    fixed = [leaf_for(d) if isinstance(d, Value) else d for d in directions]
    kept = chain_rule.Kept()
    [rate] = on_stand_ins(
        lambda outputs: chain_rule.directional(outputs, variables, fixed, kept), [output], variables
    )
    slopes: list[Entry] = [0.0] * len(variables)
    if isinstance(rate, Value):
        slopes = on_stand_ins(
            lambda outputs: chain_rule.gradient(outputs[0], variables, 1.0, kept),
            [rate],
            variables,
        )
    for leaf, direction in zip(fixed, directions):
        tie(leaf, direction)
    return as_asked(slopes, inputs, directions, roots=[output])


class _Product(Derivative):
    """The Hessian of a function times a vector, as a function."""

    def __init__(self, f: Any, argnums: ArgNums, has_aux: bool) -> None:
        if hasattr(f, "_derivative"):
            raise TypeError(
                f"hvp(f) is for functions, got the program {name_of(f)}: write hvp(y, xs, vector) "
                "within a program, or take p.objective(...).hessp"
            )
        check_argnums("hvp", argnums)
        super().__init__(_hvp, f, argnums, has_aux)
        del vars(self)["__wrapped__"]  # its arguments are others
        self._last = max(argnums) if isinstance(argnums, tuple) else argnums
        with suppress(ValueError, TypeError):  # of a function whose arguments nobody knows
            self.__signature__ = _with_vector(inspect.signature(f), self._last + 1)

    @enable_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        behind = self._last + 1
        if len(args) <= behind:
            raise TypeError(
                f"hvp({name_of(self._f)}) takes a vector behind argument {self._last}, by "
                f"position, as in hvp(f)(x, vector); got {len(args)} positional argument(s)"
            )
        own = (*args[:behind], *args[behind + 1 :])
        call = Call(self._f, own, kwargs, self._argnums, self._has_aux)
        return _hvp(call, _in_form_of_x(args[behind], call))


def _with_vector(own: inspect.Signature, at: int) -> inspect.Signature:
    """Return the signature of a function that takes a vector more, by position."""
    by_position = inspect.Parameter.POSITIONAL_ONLY
    parameters = list(own.parameters.values())
    before = [x.replace(kind=by_position) for x in parameters[:at]]
    vector = inspect.Parameter("vector", by_position)
    return own.replace(parameters=[*before, vector, *parameters[at:]])


def _hvp(call: Call, vector: list[Any]) -> Any:
    """Return the Hessian of a call times a vector, by Values where numbers do not tell."""
    output, variables = call.scalar(), call.variables
    if not call.at_values and hooks.tracer_here() is None:
        product = hessian_product(output, variables, vector, call.own())
        if product is not None:
            return call.with_aux(call.shaped(product, ()), False)
    [rate] = chain_rule.directional([output], variables, vector)
    [entries], as_values = call.derivatives([rate], [output])
    return call.with_aux(call.shaped(entries, (), as_values), as_values)


def _in_form_of_x(vector: Any, call: Call) -> list[Any]:
    """Return the elements of a vector, which must have the form of x; keys in any order."""
    what = "the vector of hvp"
    if isinstance(call.argnums, tuple) and isinstance(vector, (list, tuple)):
        vector = as_blocks(vector)
    if isinstance(call.shape, Nested):
        vector = _in_order_of(call.shape.tree, vector, what)
        vector = Nested(vector, what) if isinstance(vector, tuple) else vector
    shape, entries = elements(vector, what)
    wanted, found = _described(call.shape, "x"), _described(shape, what)
    if found != wanted:
        raise ValueError(f"{what} must have the form of x, {wanted}, but it is {found}")
    call.at_values = call.at_values or any(isinstance(entry, Value) for entry in entries)
    return entries


def _in_order_of(tree: Any, given: Any, what: str) -> Any:
    """Return a nesting with its keys and fields in the order of another, where they are those.

    Raises ValueError for fields of other names, which would else be taken by their positions.
    """
    if isinstance(tree, dict) and isinstance(given, dict) and tree.keys() == given.keys():
        return {key: _in_order_of(x, given[key], what) for key, x in tree.items()}
    names, others = fields_of(tree), fields_of(given)
    if names and others:
        if sorted(names) != sorted(others):
            wanted, found = ", ".join(names), ", ".join(others)
            raise ValueError(f"{what} must have the fields of x, {wanted}, but it has {found}")
        parts = {n: _in_order_of(getattr(tree, n), getattr(given, n), what) for n in names}
        is_tuple = isinstance(tree, tuple)
        return type(tree)(*parts.values()) if is_tuple else dataclasses.replace(tree, **parts)
    if isinstance(tree, (list, tuple)) and type(given) in (list, tuple) and len(tree) == len(given):
        return type(given)(_in_order_of(x, y, what) for x, y in zip(tree, given))
    return given


def _described(shape: tuple[int, ...] | Nested | None, of: str) -> str:
    if isinstance(shape, Nested):
        return f"a nesting with {', '.join(name.removeprefix(of) for name in shape.names)}"
    return "one number" if shape is None else f"an array of shape {shape}"
