"""How a program is called, what was traced of it, and its function on leaves for its arguments."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from types import MethodType
from typing import Any, NamedTuple

import numpy as np

from micrograd.derivatives.errors import explain
from micrograd.engine import Value
from micrograd.native.gc_pause import uncollected
from micrograd.programs.arguments import Argument, Structure, columns_of, nested
from micrograd.programs.branches import Paths
from micrograd.programs.by_rows import Order, differentiated
from micrograd.programs.paths import Inputs
from micrograd.programs.run.executable import Way
from micrograd.programs.trace.captures import References
from micrograd.programs.trace.hidden_errors import refuse_hidden_errors
from micrograd.programs.trace.hidden_truths import refuse_hidden_truths
from micrograd.programs.trace.sourceless import Settled, Sourceless
from micrograd.value.identity import IdentitySet
from micrograd.value.numbers import is_number

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Version(NamedTuple):
    """All that was traced while the function's closure and globals were the same."""

    references: References | Settled
    paths: dict[Any, Paths]  # by the structures of the arguments
    times: int = 0  # how often the function had been retraced before


class Last(NamedTuple):
    """What a call came to, for the next on arrays of the same shapes and types."""

    version: Version
    kinds: list[Any]  # of the arguments, which are NumPy's arrays of numbers
    names: tuple[str, ...]
    paths: Paths


class Known:
    """How a function is called, and what was traced of it; of a method, without its object."""

    __slots__ = ("base", "last", "names", "plain", "retraced", "signature", "version", "way")

    def __init__(
        self, function: Callable[..., Any], base: Known | None = None, way: Way | None = None
    ) -> None:
        self.base = base  # what is known of the function whose derivative this is
        self.way: Way = base.way if base else way or Way()
        self.retraced: int = 0
        self.signature: inspect.Signature = inspect.signature(function)
        parameters = self.signature.parameters.values()
        # The names, if arguments can only be given in this order or by name.
        self.names: tuple[str, ...] = tuple([p.name for p in parameters if p.kind in _BY_POSITION])
        self.plain: bool = len(self.names) == len(parameters)
        self.version: Version | None = None
        self.last: Last | None = None

    def as_before(self, args: tuple[Any, ...]) -> tuple[Paths, Inputs, int] | None:
        """Return the paths, the inputs and their number, if all is as in the last call but numbers.

        Then what was checked of the arguments need not be checked again.
        """
        last = self.last
        if last is None or self._kinds(args) != last.kinds or self.current() is not last.version:
            return None
        dtype = self.way.dtype
        return (
            last.paths,
            {n: columns_of(x, dtype, n) for n, x in zip(last.names, args)},
            len(args[0]),
        )

    def keep(self, args: tuple[Any, ...], names: Iterable[str], paths: Paths) -> None:
        """Keep what a call on these arguments, given in their order, came to."""
        version, kinds = self.version, self._kinds(args)
        if version is None or all(paths is not known for known in version.paths.values()):
            return  # another thread has traced anew since
        if all(kind and kind[1].kind in "fiub" for kind in kinds):
            self.last = Last(version, kinds, tuple(names), paths)

    @staticmethod
    def _kinds(args: tuple[Any, ...]) -> list[Any]:
        return [(x.shape, x.dtype) if x.__class__ is np.ndarray else None for x in args]

    def current(self) -> Version | None:
        """Return what was traced, unless names refer to other objects since."""
        version = self.version
        if version is None or version.times != self.times or not version.references.unchanged():
            return None
        return version

    @property
    def times(self) -> int:
        """How often it was retraced, or what it is the derivative of."""
        return self.retraced + (0 if self.base is None else self.base.times)

    def forget(self) -> None:
        """Forget what was traced, also for the derivatives."""
        self.version = self.last = None
        self.retraced += 1

    def paths(
        self,
        function: Callable[..., Any],
        orders: tuple[Order, ...],
        arguments: Mapping[str, Argument],
        structures: tuple[Structure, ...],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Paths:
        """Return the paths for arguments of these structures."""
        version = self.current() or self._begin(function)
        integers = tuple([name for name, x in arguments.items() if x.is_integer])
        key = (tuple(arguments), structures, integers)
        paths = version.paths.get(key)
        if paths is None:
            if isinstance(function, Sourceless):
                raise function.error("its arguments had other shapes, or other kinds")
            bound = self.signature.bind(*args, **kwargs)
            run = functools.partial(
                trace,
                orders,
                getter(function),
                list(zip(arguments, structures)),
                len(bound.args),
                tuple(bound.kwargs),
            )
            shapes = dict(zip(arguments, structures))
            found = Paths(run, version.references.names, integers, shapes, self.way)
            paths = version.paths.setdefault(key, found)
        return paths

    def _begin(self, function: Callable[..., Any]) -> Version:
        with uncollected():
            version = Version(References(function), {}, self.times)
            first, functions = version.references.first, version.references.functions
            refuse_hidden_truths(first, functions)
            refuse_hidden_errors(first, functions)
            self.version = version
        return version

    def named(
        self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Iterable[tuple[str, Any]]:
        """Return the arguments of a call with their names; `function` is what errors call it."""
        if not kwargs and self.plain and len(args) == len(self.names):
            return zip(self.names, args)
        try:
            return named(self.signature.bind(*args, **kwargs))
        except TypeError as error:
            raise TypeError(f"{function}{self.signature}: {error}") from None

    def trees(self) -> dict[Any, Any]:
        """Return what was traced, by the structures of the arguments: trees of paths."""
        version = self.current()
        known = version.paths if version else {}
        return {key: paths.tree for key, paths in known.items() if paths.found}

    def parameters(self) -> list[Value]:
        """Return the parameters of all paths, in the order of their names; empty before a call."""
        version = self.current()
        if version is None:
            return []
        found = [path for tree in version.paths.values() for path in tree.found]
        used = IdentitySet(p for path in found for p in path.parameters)
        names = version.references.names
        return [*(p for p in names if p in used), *(p for p in used if p not in names)]


def getter(function: Callable[..., Any]) -> Callable[[], Any]:
    """Return a way to the function that does not keep a method's object: the call does that."""
    if isinstance(function, MethodType):
        with suppress(TypeError):  # an object that allows no weak references
            return weakref.WeakMethod(function)
    return lambda: function


def trace(
    orders: tuple[Order, ...],
    getter: Callable[[], Any],
    arguments: list[tuple[str, Structure]],
    by_position: int,
    keywords: tuple[str, ...],
    leaf: Callable[[str, int], Value],
) -> Any:
    """Run the function on leaves in the place of its arguments, given as in the call.

    Its derivatives of these `orders` are returned, if there are some.
    """
    leaves = [
        nested(structure, map(functools.partial(leaf, name), count()))
        for name, structure in arguments
    ]
    function = getter()
    try:
        returned = function(*leaves[:by_position], **dict(zip(keywords, leaves[by_position:])))
    except (TypeError, ValueError, AttributeError) as error:
        explain(error)
        raise
    return differentiated(function, orders, returned, leaves[:by_position])


def named(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any]]:
    """Yield each argument with its name, in the order of a call; those of *args by number."""
    parameters = bound.signature.parameters
    for name, given in bound.arguments.items():
        kind = parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            yield from ((f"{name}[{i}]", x) for i, x in enumerate(given))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            for key, x in given.items():  # which may be called as one of the others
                plain = key.isidentifier() and key not in parameters
                yield key if plain else f"{name}[{key!r}]", x
        else:
            yield name, given


def is_one_example(arguments: Sequence[Any]) -> bool:
    """Return whether arguments are one example that holds Values, which cannot be meant as rows.

    Rows are along an axis of every argument, and one example may have scalars.
    """
    are_rows = all(not is_number(x) and not isinstance(x, Value) for x in arguments)
    return not are_rows and any(map(_holds_values, arguments))


def are_scalars(arguments: Sequence[Any]) -> bool:
    """Return whether arguments hold a Value, or all are numbers: one example, not arrays."""
    return any(map(_holds_values, arguments)) or all(map(is_number, arguments))


def _holds_values(x: Any) -> bool:
    """Return whether an argument is a Value, or holds one, at any depth."""
    if isinstance(x, np.ndarray):
        return x.dtype.kind == "O" and any(map(_holds_values, x.flat))
    if isinstance(x, (list, tuple)):
        return any(map(_holds_values, x))
    return isinstance(x, Value)
