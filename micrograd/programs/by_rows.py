"""The derivatives of a program, which are programs: they are taken where the function is traced."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from micrograd.derivatives.fresh_inputs import Call
from micrograd.derivatives.transforms import Derivative
from micrograd.derivatives.trees import Nested, as_block
from micrograd.engine import Value
from micrograd.programs.arguments import Argument
from micrograd.programs.run.forms import Parts
from micrograd.value.numbers import is_number


class Order(NamedTuple):
    """One differentiation: what is computed of a call, and by what."""

    compute: Callable[..., Any]
    argnums: int | tuple[int, ...] = 0
    parameters: tuple[Value, ...] = ()  # if there are some, it is by these instead
    has_aux: bool = False

    @property
    def name(self) -> str:
        """What the derivative is called."""
        return self.compute.__name__.strip("_")

    @property
    def places(self) -> tuple[int, ...]:
        """The positions of the arguments that the derivative is taken by."""
        if self.parameters:
            return ()
        return self.argnums if isinstance(self.argnums, tuple) else (self.argnums,)


class _OfRow(Call):
    """A call that was made already, on inputs of a trace, which stand for nothing else."""

    def __init__(self, f: Any, order: Order, returned: Any, inputs: Sequence[Any]) -> None:
        self.f, self.args, self.kwargs = f, inputs, {}
        self.argnums, self.has_aux = order.argnums, order.has_aux
        self.at_values, self.originals = True, []
        self.result, self.aux = self._pair(returned) if self.has_aux else (returned, None)
        if order.parameters:
            self.shape, self.variables = (len(order.parameters),), list(order.parameters)
            return
        nested = Nested(tuple([as_block(inputs[i]) for i in self._places()]))
        self.variables = nested.leaves
        self.shape = nested if isinstance(order.argnums, tuple) else nested.shapes[0]

    def _constant(self, y: Any, i: int | None = None) -> Value:
        if not is_number(y) or isinstance(y, bool):
            raise TypeError(f"{self.f.__name__} returned {y!r}, which has no derivative")
        return Value(y)


def differentiated(f: Any, orders: Sequence[Order], returned: Any, inputs: Sequence[Any]) -> Any:
    """Return the derivative of what `f` returned for these inputs, as often as is asked."""
    if not orders:
        return returned
    for order in orders:
        returned = order.compute(_OfRow(f, order, returned, inputs))
    return _as_parts(returned)


def slopes_of_each(call: Call) -> Any:
    """Compute the derivative of each result, by what the call says."""
    outputs, shape = call.outputs()
    rows, _ = call.derivatives(outputs)
    return call.shaped([entry for row in rows for entry in row], shape, as_values=True)


def on_scalars(f: Callable[..., Any], orders: Sequence[Order]) -> Callable[..., Any]:
    """Return the same derivative of one example, on scalars that may depend on each other."""
    for order in orders:
        f = functools.wraps(f)(functools.partial(_on_scalars, f, order))
    return f


def _on_scalars(f: Callable[..., Any], order: Order, *args: Any, **kwargs: Any) -> Any:
    @functools.wraps(f)
    def of_lists(*inner: Any, **kwargs: Any) -> Any:
        # A derivative makes lists arrays; the function of a program gets lists.
        made = [hasattr(x, "tolist") and not hasattr(y, "tolist") for x, y in zip(inner, args)]
        return f(*[x.tolist() if is_made else x for x, is_made in zip(inner, made)], **kwargs)

    return Derivative(order.compute, of_lists, order.argnums, has_aux=order.has_aux)(
        *args, **kwargs
    )


def refuse_ragged(name: str, orders: Sequence[Order], arguments: dict[str, Argument]) -> None:
    """Raise ValueError where rows have derivatives of unlike lengths."""
    several = {place: x for place, x in enumerate(arguments) if arguments[x].which is not None}
    for order in orders:
        for place in order.places:
            if place in several:
                raise ValueError(
                    f"{name}: the rows of {several[place]} differ in length, and so would its "
                    "results: call it on the rows of each length"
                )


def _as_parts(derivative: Any) -> Any:
    return Parts(map(_as_parts, derivative)) if isinstance(derivative, tuple) else derivative
