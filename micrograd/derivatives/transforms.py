"""Derivatives of any order: of recorded graphs, and of functions.

`grad(output, inputs)`, on graphs, is that of torch.autograd: it returns Values, a graph that can be
differentiated again. On functions the names are JAX's: `grad(f)`, `value_and_grad(f)`,
`jacobian(f)`, `hessian(f)`. No `.grad` is touched. products/ has `jvp` and `hvp`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Union, overload

from micrograd.derivatives import chain_rule
from micrograd.derivatives import sparse as coloured
from micrograd.derivatives.chain_rule import Entry, on_stand_ins
from micrograd.derivatives.errors import name_of
from micrograd.derivatives.fresh_inputs import Call, distinct
from micrograd.derivatives.trees import array_of
from micrograd.engine import Value
from micrograd.graph.modes import enable_grad
from micrograd.value import hooks
from micrograd.value.custom_nodes import refuse_forgotten
from micrograd.value.numbers import is_number, to_float
from micrograd.value.selection import Take

if TYPE_CHECKING:
    from numpy.typing import NDArray

ArgNums = Union[int, tuple[int, ...]]

# Of graphs -------------------------------------------------------------------------------------


@overload
def grad(output: Value, inputs: Value, grad_output: Entry = ...) -> Value: ...
@overload
def grad(output: Value, inputs: Sequence[Value], grad_output: Entry = ...) -> list[Value]: ...
@overload
def grad(output: Value, inputs: NDArray[Any], grad_output: Entry = ...) -> NDArray[Any]: ...
@overload
def grad(
    output: Callable[..., Any], *, argnums: ArgNums = ..., has_aux: bool = ...
) -> Callable[..., Any]: ...
def grad(
    output: Any,
    inputs: Any = None,
    grad_output: Entry = 1.0,
    *,
    argnums: ArgNums = 0,
    has_aux: bool = False,
) -> Any:
    """Return the gradient: of a Value with respect to others, or of a function as a function.

    `grad(output, inputs)`: the derivative of the Value `output` with respect to `inputs`, a Value
    or a sequence of them, times `grad_output`; as a Value, or as a list or array of them. They form
    a graph, so `grad` of them is the next order. An input that `output` does not depend on gets a
    zero. Raises TypeError where a `_backward` assigned by hand is on the way, where a slope that is
    only chosen (at a kink) would be differentiated, and for arguments that are no Values.

    >>> x = Value(2.0)
    >>> slope = grad(x**4, x)
    >>> slope.data, grad(slope, x).data, x.grad
    (32.0, 48.0, 0.0)

    `grad(f)`: a function that returns the gradient of `f(x, *args, **kwargs)`, whose result is one
    Value, with respect to x: a float for a number x, an ndarray of its shape for a sequence or an
    array of numbers, and for a nesting of these (lists that differ in length, dicts, dataclasses,
    tuples with names) the same nesting. `argnums` is the position of the argument that is x, or a
    tuple of positions, for a tuple of gradients. With `has_aux`, `f` returns a pair, and so does
    the gradient function: the gradient, and what `f` returned beside. Where x holds Values, or `f`
    depends on the x of a `grad` around it, the gradient is made of Values. Raises ValueError where
    `f` uses a Value kept from an earlier call. Of a program it is a program: that of each row's
    gradient; so are `value_and_grad`, `jacobian` and `hessian`.

    >>> grad(lambda x: x**4)(2.0)
    32.0
    >>> grad(grad(lambda x: x**4))(2.0)
    48.0
    >>> grad(lambda x, scale: scale * (x * x).sum())([1.0, 2.0], scale=3.0)
    array([ 6., 12.])
    >>> grad(lambda p, t: p["a"] * t ** p["b"])({"a": 2.0, "b": 3.0}, 1.0)
    {'a': 1.0, 'b': 0.0}
    """
    if callable(output) and not isinstance(output, Value):
        if inputs is not None or grad_output.__class__ is not float or grad_output != 1.0:
            raise TypeError("grad(f) takes a function alone and gives a function: grad(f)(x)")
        return _derivative(_grad, output, argnums, has_aux)
    if inputs is None:
        raise TypeError(
            "the inputs of grad are missing: it takes a function, grad(f), or a Value and those "
            f"that it was computed from, grad(output, inputs); got {output!r} alone"
        )
    refuse_options("grad", argnums, has_aux)
    output = numbers_as_values(output)
    check_output(output, "grad")
    variables = variables_of(inputs, "the inputs of grad")
    seed = grad_output if isinstance(grad_output, Value) else to_float(grad_output, "grad_output")
    with enable_grad():
        entries = on_stand_ins(
            lambda outputs: chain_rule.gradient(outputs[0], variables, seed), [output], variables
        )
        return as_asked(entries, inputs, roots=[output])


# Of functions ----------------------------------------------------------------------------------


class Derivative:
    """A derivative of a function, which is a function itself.

    It has the name, the signature and the text of the function, and it pickles if that does.

    >>> def cube(x):
    ...     return x**3
    >>> grad(cube).__name__, grad(cube)(2.0)
    ('cube', 12.0)
    """

    def __init__(
        self, compute: Callable[..., Any], f: Any, argnums: ArgNums, has_aux: bool, **options: Any
    ) -> None:
        self._compute, self._f, self._options = compute, f, options
        self._argnums, self._has_aux = argnums, has_aux
        functools.update_wrapper(self, f, updated=())

    @enable_grad()
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = Call(self._f, args, kwargs, self._argnums, self._has_aux)
        return self._compute(call, **self._options)

    def __repr__(self) -> str:
        return f"{self._compute.__name__.strip('_')}({name_of(self._f)})"


def _derivative(
    compute: Callable[..., Any], f: Any, argnums: ArgNums, has_aux: bool, **options: Any
) -> Callable[..., Any]:
    """Return a derivative of a function; of a program, the program that it says it has."""
    name = compute.__name__.strip("_")
    if not callable(f):
        raise TypeError(f"{name} takes a function of x and gives a function, got {f!r}")
    check_argnums(name, argnums)
    make = getattr(f, "_derivative", functools.partial(Derivative, f=f))
    made: Callable[..., Any] = make(compute, argnums=argnums, has_aux=has_aux, **options)
    return made


def check_argnums(name: str, argnums: Any) -> None:
    """Raise TypeError unless these are positions of arguments, for the derivative of this name."""
    several = argnums if isinstance(argnums, tuple) else (argnums,)
    if not several or not all(type(i) is int and i >= 0 for i in several):
        raise TypeError(
            f"{name}: argnums is the position of an argument, or a tuple of positions; got "
            f"{argnums!r}"
        )
    if len(set(several)) < len(several):
        raise TypeError(
            f"{name}: argnums has a position twice, {argnums!r}: give each once, since there is "
            "one derivative by each argument"
        )


def refuse_options(name: str, argnums: ArgNums, has_aux: bool) -> None:
    """Raise TypeError if what says how a function is called was given with a graph."""
    if argnums != 0 or has_aux:
        raise TypeError(
            f"{name}: argnums and has_aux are for functions, {name}(f, argnums=...); of a Value "
            "the derivative is by the inputs that are given"
        )


def value_and_grad(
    f: Callable[..., Any], *, argnums: ArgNums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that computes `f(x, *args, **kwargs)` and its gradient by x, as a pair.

    Made for `scipy.optimize.minimize(value_and_grad(f), x0, args=..., jac=True)`. What x may be,
    what `argnums` and `has_aux` mean, and what comes back is as for `grad(f)`; with `has_aux` it is
    `((value, aux), gradient)`. Raises TypeError when `f` returns no Value, or more than one.

    >>> value_and_grad(lambda x: x[0] * x[1])([3.0, 4.0])
    (12.0, array([4., 3.]))
    """
    return _derivative(_value_and_grad, f, argnums, has_aux)


def _value_and_grad(call: Call) -> tuple[Any, Any]:
    output = call.scalar()
    [gradient], as_values = call.derivatives([output])
    value = output if as_values else output.data
    return call.with_aux(value, as_values), call.shaped(gradient, (), as_values)


def _grad(call: Call) -> Any:
    [gradient], as_values = call.derivatives([call.scalar()])
    return call.with_aux(call.shaped(gradient, (), as_values), as_values)


def jacobian(
    f: Callable[..., Any],
    *,
    argnums: ArgNums = 0,
    has_aux: bool = False,
    sparse: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes the Jacobian of `f(x, *args, **kwargs)` by x.

    For m results (a sequence or an array of Values) and n numbers in x its shape is (m, n);
    in general that of the results followed by that of x. Nested results give a nesting of
    Jacobians, and each of those has the form of a nested x. A result that is a number has zeros. It
    is computed forward for m > n and in reverse otherwise. `argnums` and `has_aux` are as for
    `grad(f)`. Raises TypeError when a result is neither a Value nor a constant.

    With `sparse` it is a SciPy array of shape (m, n), with entries only where the graph leads from
    an x to a result. Few sweeps find them all where each result depends on few x. It raises
    TypeError where the derivatives would be Values.

    >>> jacobian(lambda x: [x[0] * x[1], x[0] + x[1], x[0] ** 2])([3.0, 4.0])
    array([[4., 3.],
           [1., 1.],
           [6., 0.]])
    """
    return _derivative(_jacobian, f, argnums, has_aux, sparse=sparse)


def _jacobian(call: Call, sparse: bool = False) -> Any:
    if sparse:
        return call.with_aux(coloured.jacobian(call), False)
    outputs, shape = call.outputs()
    rows, as_values = call.derivatives(outputs)
    entries = [entry for row in rows for entry in row]
    return call.with_aux(call.shaped(entries, shape, as_values), as_values)


def hessian(
    f: Callable[..., Any],
    *,
    argnums: ArgNums = 0,
    has_aux: bool = False,
    sparse: bool = False,
) -> Callable[..., Any]:
    """Return a function that computes the Hessian of `f(x, *args, **kwargs)` by x.

    For n numbers in x its shape is (n, n), in general that of x twice; it is symmetric to the
    last bit. A nested x gives a nesting of nestings: `h["a"]["b"]` has the mixed derivatives.
    `argnums` and `has_aux` are as for `grad(f)`. Raises TypeError when `f` returns no Value, or
    more than one.

    With `sparse` it is a SciPy array of shape (n, n), as for `jacobian`.

    >>> hessian(lambda x: (x[1:] * x[:-1]).sum(), sparse=True)([1.0] * 1000).nnz
    1998
    >>> hessian(lambda x: x[0] ** 2 * x[1])([3.0, 4.0])
    array([[8., 6.],
           [6., 0.]])
    """
    return _derivative(_hessian, f, argnums, has_aux, sparse=sparse)


def _hessian(call: Call, sparse: bool = False) -> Any:
    if sparse:
        return call.with_aux(coloured.hessian(call), False)
    output = call.scalar()
    slopes = chain_rule.gradient(output, call.variables, 1.0)
    entries, as_values = coloured.filled_hessian(call, slopes), False
    if entries is None:
        rows, as_values = call.derivatives(slopes, [output])
        for i, row in enumerate(rows):  # the upper triangle differs by rounding at most
            for j in range(i):
                rows[j][i] = row[j]
        entries = [entry for row in rows for entry in row]
    return call.with_aux(call.shaped(entries, call.shape or (), as_values), as_values)


# Input and output ----------------------------------------------------------------------------


def values_of(given: Any, what: str) -> list[Value]:
    """Return a Value, or a sequence or an array of them, as a list."""
    if isinstance(given, Value):
        return [given]
    if isinstance(given, (str, bytes)) or not hasattr(given, "__iter__"):
        raise TypeError(f"{what} must be a Value or a sequence of Values, got {given!r}")
    values = list(given.flat if hasattr(given, "flat") else given)
    for value in values:
        if not isinstance(value, Value):
            raise TypeError(
                f"{what} must be Values, got {value!r}: a derivative is taken with respect to the "
                "Values that a result was computed from, not to numbers or copies of them"
            )
    return values


def variables_of(given: Any, what: str) -> list[Value]:
    """Return the Values that a derivative is taken by, none of which a program may confuse."""
    values = values_of(given, what)
    tracer = hooks.tracer_here()
    if tracer is not None and any(isinstance(v.op, Take) for v in values):
        # Look-ups by equal integers give one Value in Python, and each row has its own integers.
        raise tracer.error(
            f"{what} may not be looked up by an integer argument, since look-ups of one element "
            "are one Value in a loop over the rows: write v = take(table, i) * 1.0, and use v"
        )
    return values


def numbers_as_values(outputs: Any) -> Any:
    """Return the outputs with numbers made Values: they depend on nothing."""
    if is_number(outputs):
        return Value(outputs)
    if isinstance(outputs, (list, tuple)):
        return [Value(y) if is_number(y) else y for y in outputs]
    return outputs


def one_per_input(given: Any, inputs: Any, count: int, what: str) -> list[Entry]:
    """Return directions as a list of numbers or Values, as many as there are inputs."""
    if isinstance(inputs, Value) and (isinstance(given, Value) or is_number(given)):
        given = [given]
    if not hasattr(given, "__iter__"):
        raise TypeError(f"the {what} must hold a number per input ({count}), got {given!r}")
    directions = list(given.flat if hasattr(given, "flat") else given)
    if len(directions) != count:
        raise ValueError(f"the {what} must hold one per input: got {len(directions)} for {count}")
    return [d if isinstance(d, Value) else to_float(d, f"the {what}") for d in directions]


def as_asked(
    entries: list[Entry], asked: Any, known: Sequence[Any] = (), roots: Sequence[Any] = ()
) -> Any:
    """Return the entries as Values, in the form that was asked for: one, an array or a list."""
    values = distinct(entries, known, roots)
    if isinstance(asked, Value):
        return values[0]
    if hasattr(asked, "flat"):
        return array_of(values, asked.shape)
    return values


def check_output(output: Any, name: str) -> None:
    if isinstance(output, Value):
        if output._forgot:
            refuse_forgotten(output, name)
        return
    if isinstance(output, (list, tuple)) or getattr(output, "shape", ()) != ():
        raise TypeError(
            f"{name} takes one output, got {len(output)}: call it for each, or for their sum; "
            "or write a function and take its jacobian"
        )
    raise TypeError(f"{name} takes a Value that was computed from the inputs, got {output!r}")
