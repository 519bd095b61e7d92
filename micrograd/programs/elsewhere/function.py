"""A program as a pure function on the arrays of another library."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from micrograd.engine import Value
from micrograd.programs.elsewhere.choosing import Forward, Way, is_true
from micrograd.programs.elsewhere.namespaces import (
    as_one_node,
    device_of,
    library_of,
    name_of,
    standard,
)
from micrograd.programs.elsewhere.pieces import Run
from micrograd.programs.run.forms import Form, size_of
from micrograd.programs.trace.recording import ProgramError
from micrograd.value.identity import IdentitySet

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from micrograd.programs.paths import Fork, Path

    Array = NDArray[Any]

Named = Callable[[tuple[Any, ...], dict[str, Any]], Iterable[tuple[str, Any]]]
Tree = tuple["Fork", Sequence["Path"]]


class Call:
    """The arguments of a call, as arrays of one library and of one dtype, examples last."""

    def __init__(
        self, name: str, xp: Any, named: Iterable[tuple[str, Any]], more: Any = ()
    ) -> None:
        """Convert; `more` are arrays that have a say in the dtype."""
        self.name = name
        self.xp = xp
        self.arrays: dict[str, Any] = {}
        for argument, x in named:
            array = as_array(xp, x, f"{name}: argument {argument}")
            if not array.shape:
                raise TypeError(
                    f"{name}: argument {argument} is one number: give an array with the examples "
                    "along the first axis"
                )
            self.arrays[argument] = array
        lengths = {argument: x.shape[0] for argument, x in self.arrays.items()}
        if not lengths:
            raise TypeError(f"{name}: a program takes at least one argument, the examples")
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{argument} has {n}" for argument, n in lengths.items())
            raise ValueError(
                f"{name}: {found} examples: the first axis of all arguments counts the same"
            )
        self.n: int = next(iter(lengths.values()))
        self.integers: tuple[str, ...] = tuple(
            [a for a, x in self.arrays.items() if xp.isdtype(x.dtype, ("integral", "bool"))]
        )
        floats = [x for a, x in self.arrays.items() if a not in self.integers]
        dtypes = [x.dtype for x in [*more, *floats]]
        dtype = xp.result_type(*dtypes) if dtypes else xp.asarray(0.0).dtype
        if not xp.isdtype(dtype, "real floating"):
            raise TypeError(f"{name}: the arguments must hold real numbers, got dtype {dtype}")
        self.run: Run = Run(xp, dtype, device_of(next(iter(self.arrays.values()))), self.n)

    @property
    def structures(self) -> tuple[Any, ...]:
        """The shape of one row of each argument."""
        return tuple([tuple(x.shape[1:]) for x in self.arrays.values()])

    @property
    def key(self) -> Any:
        """What the paths are known by."""
        return tuple(self.arrays), self.structures, self.integers

    def columns(self) -> dict[str, Any]:
        """Return the arguments with the examples last."""
        xp, run = self.xp, self.run
        flat = {}
        for argument, x in self.arrays.items():
            size = 1
            for length in x.shape[1:]:
                size *= length
            rows = xp.reshape(xp.astype(x, run.dtype), (self.n, size))
            flat[argument] = xp.permute_dims(rows, (1, 0))
        return flat


def as_array(xp: Any, x: Any, what: str) -> Any:
    """Return an array of a library; raises TypeError where that cannot hold float64 as it is."""
    if library_of(x) is not None and library_of(x) == name_of(xp):
        return x
    array = xp.asarray(x)
    asked = getattr(x, "dtype", None)
    if asked == np.float64 and array.dtype == xp.float32:
        raise TypeError(
            f"{what} is float64, but JAX computes in float32 as it is set: "
            "jax.config.update('jax_enable_x64', True) before the first array is made, or give "
            "float32"
        )
    return array


class ArrayFunction:
    """A pure function `(parameters, *examples) -> (results, gradients)` of arrays of a library.

    `Program.function` makes it, and says what it takes.
    """

    def __init__(
        self,
        name: str,
        named: Named,
        trees: Mapping[Any, Tree],
        parameters: Sequence[Value],
        xp: Any,
    ) -> None:
        self.__name__ = name
        self._named = named
        self._trees = trees
        self._parameters = parameters
        self._ways: dict[Path, Way] = {}
        self.xp: Any = standard(xp)
        self._call: Callable[..., tuple[Any, Any]] = as_one_node(self.xp, self._compute)

    def __call__(
        self, parameters: Any, /, *examples: Any, seeds: Any = None, **named: Any
    ) -> tuple[Any, Any]:
        return self._call(parameters, *examples, seeds=seeds, **named)

    def _compute(
        self, parameters: Any, /, *examples: Any, seeds: Any, **named: Any
    ) -> tuple[Any, Any]:
        xp, name = self.xp, self.__name__
        vector = as_array(xp, parameters, f"{name}: the parameters")
        if tuple(vector.shape) != (len(self._parameters),):
            raise ValueError(
                f"{name}: the parameters are a vector of {len(self._parameters)} numbers, in the "
                f"order of parameters(); got an array of shape {tuple(vector.shape)}"
            )
        call = Call(name, xp, self._named(examples, named), [vector])
        forward = self.forward(call, xp.astype(vector, call.run.dtype))
        if is_true(xp, forward.left):
            at = _first(xp, forward.left)
            raise ProgramError(
                f"{name}: row {at} takes a path through an if that was not traced, and function() "
                "traces nothing: call the program on such rows first (or rounding alone decides a "
                "comparison there)"
            )
        if is_true(xp, forward.outside):
            at = _first(xp, forward.outside)
            raise IndexError(f"{name}: an index in row {at} is out of range")
        weights = self._weights(call, forward, seeds)
        return results_of(xp, forward.values, forward.form), forward.backward(weights)

    def _weights(self, call: Call, forward: Forward, seeds: Any) -> Any:
        """Return what each result counts for, of shape (k, n)."""
        xp, values = self.xp, forward.values
        if seeds is None:
            return xp.ones_like(values)
        given = xp.astype(as_array(xp, seeds, f"{self.__name__}: seeds"), call.run.dtype)
        if math.prod(given.shape) != math.prod(values.shape):
            raise ValueError(
                f"{self.__name__}: seeds weigh the results, {values.shape[0]} of each of {call.n} "
                f"rows; got an array of shape {tuple(given.shape)}: give one of the results' shape"
            )
        return xp.permute_dims(xp.reshape(given, (call.n, values.shape[0])), (1, 0))

    def forward(self, call: Call, parameters: Any) -> Forward:
        """Compute the results of a call; raises ProgramError where nothing is known of such one."""
        tree = self._trees.get(call.key)
        if tree is None:
            raise ProgramError(
                f"{call.name}: nothing was traced of arguments like these, of shapes "
                f"{call.structures}, integers {call.integers}: call the program once on such arrays"
            )
        root, paths = tree
        known = IdentitySet(self._parameters)
        for path in paths:
            if path not in self._ways:
                if any(p not in known for p in path.parameters):
                    raise ProgramError(
                        f"{call.name}: a path that was traced since needs more parameters than "
                        f"these {len(self._parameters)}: make the function again"
                    )
                self._ways[path] = Way(path, self._parameters)
        return Forward(self._ways, root, call.run, parameters, call.columns())

    def __repr__(self) -> str:
        return f"<function of {self.__name__} for {name_of(self.xp)}>"


def results_of(xp: Any, values: Any, form: Form) -> Any:
    """Return results of shape (k, n) with the examples first, in their form."""

    def make(start: int, end: int, shape: tuple[int, ...]) -> Any:
        part = xp.permute_dims(values[start:end, ...], (1, 0))
        return xp.reshape(part, (values.shape[1], *shape))

    return in_form(form, make)


def in_form(form: Form, make: Callable[[int, int, tuple[int, ...]], Any], at: int = 0) -> Any:
    """Return what `make` gives for the columns of each part of a form, in that form.

    >>> in_form([(), (2, 3)], lambda start, end, shape: (start, end, shape))
    ((0, 1, ()), (1, 7, (2, 3)))
    """
    if isinstance(form, tuple):
        return make(at, at + math.prod(form), form)
    parts = []
    for part in form:
        parts.append(in_form(part, make, at))
        at += size_of(part)
    return tuple(parts)


def _first(xp: Any, mask: Any) -> int:
    return int(xp.argmax(xp.astype(mask, xp.int32)))


class ForArrays:
    """What a program has for the arrays of other libraries."""

    _name: str
    _known: Any  # how its function is called, and what was traced of it

    def parameters(self) -> list[Value]:
        """Return the Values that what was traced so far reads at each call, each once.

        Raises ValueError before the first call, when nothing is traced.

        >>> from micrograd import Value, program
        >>> w, b = Value(2.0), Value(1.0)
        >>> line = program(lambda x: w * x + b)
        >>> line([1.0]).data, [p.data for p in line.parameters()]
        (array([3.]), [2.0, 1.0])
        """
        if not self._known.trees():
            raise ValueError(f"{self!r} has no parameters before its first call: call it once")
        found: list[Value] = self._known.parameters()
        return found

    def function(self, xp: Any) -> ArrayFunction:
        """Return what was traced as a pure function of arrays of the library `xp`.

        It is called as `function(parameters, *examples)`, with a vector in the order of
        `parameters()` and the arguments of the program, and gives the results, of shape (n,) or
        (n, k), and the gradients of their sum, a vector; of a weighted sum with `seeds=`, of the
        results' shape. Nothing is traced, and no `.grad` touched: it works under jax.jit, vmap and
        sharding, and differentiates as any function of the library. `xp` is jax.numpy, torch, cupy
        or another namespace of the array API.

        Rows part by `where`, so each path is computed for every row. A row that takes a path which
        was not traced raises ProgramError; while a compiler runs, where no row is known, its result
        and all gradients are nan. So it is with an index out of range, which raises IndexError.

        Raises ValueError before the first call, and ImportError where a library needs
        array-api-compat.

        >>> from micrograd import Value, program
        >>> w = Value(2.0)
        >>> squared = program(lambda x: (w * x) ** 2)
        >>> _ = squared([1.0])  # traces it
        >>> function = squared.function(np)
        >>> function(np.array([3.0]), np.array([1.0, 2.0]))
        (array([ 9., 36.]), array([30.]))
        """
        trees = self._known.trees()
        if not trees:
            raise ValueError(f"{self!r} is no function before its first call: call it once")
        named = functools.partial(self._known.named, self._name)
        return ArrayFunction(self._name, named, trees, self.parameters(), xp)
