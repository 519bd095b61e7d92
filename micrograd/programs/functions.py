"""A function of one example as a program: called on arrays of examples."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value, add_grads, read_data
from micrograd.programs.paths import Part, Paths
from micrograd.programs.references import References
from micrograd.programs.results import Call, Result
from micrograd.programs.run import Executable
from micrograd.programs.trace import Tape, Traced, nested_inputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]


class Argument(NamedTuple):
    """One argument of a call: its name, how the function takes it, its array."""

    name: str
    keyword: bool
    array: Array


class _Version(NamedTuple):
    """What was traced while the function's closure and globals were the same."""

    references: References
    names: dict[Value, Any]
    paths: dict[Any, Paths]  # by the shapes of the arguments


class Program:
    """A function of one example, called on arrays of examples; `@micrograd.program` makes it.

    The function takes scalars, or nested sequences of them, and returns a scalar, or a list or
    tuple of scalars. The program takes arrays with the example axis first, X of shape (n, 2) where
    the function takes two numbers, and gives a `Result` of shape (n,) or (n, k). Parameters are the
    Values that the function reaches through its closure and globals; they are read at every call.

    The function runs once, on traced scalars, and again when arguments have another shape, when a
    name in its closure or globals refers to another object, when a row takes another path through
    an `if`, and after `retrace()`. What else it does (printing, appending) happens then only.

    Raises ValueError for arrays that do not fit, TypeError for arrays not of real numbers, and
    ProgramError where the function asks a traced scalar for its number.

    >>> from micrograd import Value, program
    >>> w, b = Value(2.0), Value(1.0)
    >>> @program
    ... def squared_error(x, y):
    ...     return (w * x + b - y) ** 2
    >>> loss = squared_error([0.0, 1.0], [1.0, 5.0]).mean()
    >>> loss.backward()
    >>> loss.data, w.grad, b.grad
    (2.0, -2.0, -2.0)
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"a program is made of a function of one example, got {function!r}")
        functools.update_wrapper(self, function)
        self.function = function
        self._signature = inspect.signature(function)
        self._name = getattr(function, "__name__", type(function).__name__)
        self._lock = threading.RLock()
        self._version: _Version | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if any(map(_traced, (*args, *kwargs.values()))):
            return self.function(*args, **kwargs)  # called in the function of another program
        arguments = self._arguments(args, kwargs)
        n = len(arguments[0].array)
        inputs = {a.name: a.array.reshape(n, -1).T if n else _no_rows(a.array) for a in arguments}
        paths = self._paths(arguments)
        with self._lock:
            parts = paths.parts(inputs, n)
        return _run(parts, inputs, n)

    def retrace(self) -> None:
        """Forget what was traced, after a change inside an object that the function refers to.

        >>> from micrograd import Value, program
        >>> weights = [Value(1.0)]
        >>> scaled = program(lambda x: x * sum(weights))
        >>> scaled([1.0]).data
        array([1.])
        >>> weights.append(Value(1.0))
        >>> scaled.retrace()
        >>> scaled([1.0]).data
        array([2.])
        """
        self._version = None

    def __repr__(self) -> str:
        return f"<program {self._name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        if getattr(self.function, "__qualname__", None) and _is_importable(self):
            return self.function.__qualname__  # where a decorated function is found
        return Program, (self.function,)

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        return Program(self.function)

    def _paths(self, arguments: list[Argument]) -> Paths:
        shapes = tuple([(a.name, a.array.shape[1:]) for a in arguments])
        version = self._version
        if version is None or not version.references.unchanged():
            references = References(self.function)
            version = self._version = _Version(references, references.values(), {})
        paths = version.paths.get(shapes)
        if paths is None:
            trace = functools.partial(_trace, self.function, arguments)
            paths = version.paths.setdefault(shapes, Paths(trace, version.names))
        return paths

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Argument]:
        try:
            bound = self._signature.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{self._name}{self._signature}: {error}") from None
        arguments = [
            Argument(name, keyword, _array(f"{self._name}: argument {name}", given))
            for name, keyword, given in _named(bound)
        ]
        if not arguments:
            raise TypeError(f"{self._name}: a program takes at least one argument, the examples")
        first, n = arguments[0].name, len(arguments[0].array)
        for a in arguments:
            if len(a.array) != n:
                raise ValueError(
                    f"{self._name}: {first} has {n} examples, {a.name} has {len(a.array)}: "
                    "the first axis of all arguments counts the same examples"
                )
        return arguments


def program(function: Callable[..., Any]) -> Program:
    """Make a function of one example a program, which is called on arrays of examples.

    Raises TypeError for what is not a function; the calls raise what `Program` says.

    >>> @program
    ... def norm(x):
    ...     return (x[0] ** 2 + x[1] ** 2).sqrt()
    >>> norm([[3.0, 4.0], [5.0, 12.0]]).data
    array([ 5., 13.])
    """
    return Program(function)


# The arguments ---------------------------------------------------------------------------------


def _named(bound: inspect.BoundArguments) -> Iterator[tuple[str, bool, Any]]:
    """Each argument with its name, and whether it is given by keyword."""
    for name, given in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{name}[{i}]", False, x) for i, x in enumerate(given))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            yield from ((key, True, x) for key, x in given.items())
        else:
            yield name, kind is inspect.Parameter.KEYWORD_ONLY, given


def _array(what: str, given: Any) -> Array:
    if isinstance(given, Result):
        raise TypeError(
            f"{what} is the result of a program, and no gradient would pass back to it: call that "
            "program within this one, or give its .data"
        )
    try:
        array = np.asarray(given)
    except ValueError:
        raise ValueError(
            f"{what} has rows that differ in length: a program takes arrays, all examples alike"
        ) from None
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"{what} must hold real numbers, got dtype {array.dtype}"
            + (": Values belong into the function's closure" if array.dtype.kind == "O" else "")
        )
    if array.ndim == 0:
        raise TypeError(
            f"{what} is one number: give an array with the examples along the first axis, or let "
            "the function take the number from its closure"
        )
    return array.astype(np.float64, copy=False)


def _no_rows(array: Array) -> Array:
    return np.empty((int(np.prod(array.shape[1:])), 0))


def _traced(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return bool(x) and any(map(_traced, x))
    return isinstance(x, Traced)


def _trace(function: Callable[..., Any], arguments: list[Argument], tape: Tape) -> Any:
    """Run the function on leaves in the place of its arguments."""
    leaves = [(a, nested_inputs(tape, a.name, a.array.shape[1:])) for a in arguments]
    positional = [leaf for a, leaf in leaves if not a.keyword]
    return function(*positional, **{a.name: leaf for a, leaf in leaves if a.keyword})


def _is_importable(program: Program) -> bool:
    """Whether a decorated function's own name leads to the program."""
    import sys

    found: Any = sys.modules.get(program.function.__module__)
    for name in program.function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is program


# A call ----------------------------------------------------------------------------------------


def _run(parts: list[Part], inputs: dict[str, Array], n: int) -> Result:
    """Run every part, put the results in the order of the rows, keep what backward() needs."""
    widths = {part.path.width for part in parts}
    if len(widths) > 1:
        raise TypeError(
            f"the function returns results of different shapes on different paths: {widths}"
        )
    [width] = widths
    data = np.empty((n, 1 if width is None else width))
    live: list[tuple[Executable, Array | None, Any]] = []
    for path, rows in parts:
        some = inputs if rows is None else {a: x[:, rows] for a, x in inputs.items()}
        values, state = path.program.forward(
            some, _numbers(path.program), n if rows is None else len(rows)
        )
        data[slice(None) if rows is None else rows] = values.T
        live.append((path.program, rows, state))

    def reverse(seeds: Array) -> None:
        seeds = seeds.reshape(n, -1)
        for executable, rows, state in live:
            some_seeds = seeds if rows is None else seeds[rows]
            add_grads(executable.parameters, executable.backward(state, some_seeds.T))

    data = data[:, 0] if width is None else data
    call = Call(0.0, [part.path.parameters for part in parts], "program")
    call.data_shape, call.reverse = data.shape, reverse
    return Result(data, call)


def _numbers(executable: Executable) -> Array:
    numbers = np.empty(len(executable.parameters))
    read_data(executable.parameters, numbers)
    return numbers
