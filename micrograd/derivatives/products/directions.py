"""Derivatives along one direction: `jvp` of graphs, `hvp` of graphs and of functions.

On graphs they return Values, a graph that can be differentiated again; `hvp(f)` returns numbers,
for which nothing need be recorded but `f` itself. No `.grad` is touched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from micrograd.derivatives import chain_rule
from micrograd.derivatives.chain_rule import Entry, on_stand_ins
from micrograd.derivatives.errors import name_of
from micrograd.derivatives.fresh_inputs import Call, elements, leaf_for, tie
from micrograd.derivatives.products.curvature import hessian_product
from micrograd.derivatives.transforms import (
    Derivative,
    as_asked,
    check_output,
    numbers_as_values,
    one_per_input,
    values_of,
    variables_of,
)
from micrograd.derivatives.trees import Nested
from micrograd.engine import Value
from micrograd.graph.modes import enable_grad
from micrograd.value import hooks


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
def hvp(output: Callable[..., Any]) -> Callable[..., Any]: ...
@enable_grad()
def hvp(output: Any, inputs: Any = None, vector: Any = None) -> Any:
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
    costs a small multiple of `f` (Pearlmutter 1994). Raises ValueError where the forms differ.

    >>> hvp(lambda x: x[0] ** 2 * x[1])([3.0, 4.0], [1.0, 10.0])
    array([68.,  6.])
    """
    if callable(output) and not isinstance(output, Value):
        if inputs is not None or vector is not None:
            raise TypeError("hvp(f) takes a function alone and gives a function: hvp(f)(x, vector)")
        return _Product(output)
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

    def __init__(self, f: Any) -> None:
        if hasattr(f, "_derivative"):
            raise TypeError(
                f"hvp(f) is for functions, got the program {name_of(f)}: write hvp(y, xs, vector) "
                "within a program, or take p.objective(...).hessp"
            )
        super().__init__(_hvp, f, 0, has_aux=False)
        del vars(self)["__wrapped__"]  # its arguments are others

    @enable_grad()
    def __call__(self, x: Any, vector: Any, /, *args: Any, **kwargs: Any) -> Any:
        call = Call(self._f, (x, *args), kwargs)
        return _hvp(call, _in_form_of_x(vector, call))


def _hvp(call: Call, vector: list[Any]) -> Any:
    """Return the Hessian of a call times a vector, by Values where numbers do not tell."""
    output, variables = call.scalar(), call.variables
    if not call.at_values and hooks.tracer_here() is None:
        product = hessian_product(output, variables, vector, call.own())
        if product is not None:
            return call.shaped(product, ())
    [rate] = chain_rule.directional([output], variables, vector)
    [entries], as_values = call.derivatives([rate], [output])
    return call.shaped(entries, (), as_values)


def _in_form_of_x(vector: Any, call: Call) -> list[Any]:
    """Return the elements of a vector, which must have the form of x."""
    shape, entries = elements(vector)
    forms = [_described(form) for form in (call.shape, shape)]
    if forms[0] != forms[1]:
        raise ValueError(
            f"the vector of hvp must have the form of x, {forms[0]}, but it has {forms[1]}"
        )
    call.at_values = call.at_values or any(isinstance(entry, Value) for entry in entries)
    return entries


def _described(shape: tuple[int, ...] | Nested | None) -> str:
    if isinstance(shape, Nested):
        return f"with {', '.join(shape.names)}"
    return "of one number" if shape is None else f"of shape {shape}"
