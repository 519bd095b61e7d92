"""A function of one example as a program: called on arrays of examples."""

from __future__ import annotations

import copy
import functools
import pickle
import weakref
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

from micrograd.engine import Value
from micrograd.native.threads import checked as threads_asked
from micrograd.programs.again import Again
from micrograd.programs.arguments import Argument, by_structure, read
from micrograd.programs.branches import Paths
from micrograd.programs.by_rows import Order, on_scalars, refuse_ragged, slopes_of_each
from micrograd.programs.calls import Known, Version, are_scalars, is_one_example
from micrograd.programs.cluster.chunks import Called, call_on_chunks
from micrograd.programs.cluster.scheduling import checked
from micrograd.programs.elsewhere.function import ForArrays
from micrograd.programs.elsewhere.namespaces import library_of
from micrograd.programs.elsewhere.results import run_on_arrays
from micrograd.programs.export.methods import Exports
from micrograd.programs.lower.precision import checked as dtype_asked
from micrograd.programs.objective import Objective
from micrograd.programs.paths import Part, joined
from micrograd.programs.pickling import Source, Traced, source_of
from micrograd.programs.run.executable import Way
from micrograd.programs.run.forms import lease_of
from micrograd.programs.run.results import Result
from micrograd.programs.show.layout import Printed
from micrograd.programs.trace.recording import refuse_numbers
from micrograd.programs.trace.sourceless import Settled, Sourceless
from micrograd.value import hooks

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[Any]

_LATER: Any = object()  # in the place of a function that a decorator is given later


class Program(Exports, ForArrays, Printed):
    """A function of one example, called on arrays of examples; `@micrograd.program` makes it.

    The function takes scalars, or nested sequences of them, and returns a scalar, or a list or
    tuple of scalars. The program takes arrays with the example axis first, X of shape (n, 2) where
    the function takes two numbers, and gives a `Result` of shape (n,) or (n, k). Parameters are the
    Values that the function reaches through its closure and globals; they are read at every call.

    The function runs once, on the numbers of one row, and again when arguments have another shape,
    when a name in its closure or globals refers to another object, when a row takes another path
    through an `if`, and after `retrace()`. What else it does (printing, appending) happens then
    only.

    A decorated method is a program of each object, as a method is a function of each.

    Raises ValueError for arrays that do not fit, TypeError for arrays not of real numbers,
    OverflowError for numbers that are infinite in float32, if it computes in that, and
    ProgramError where the function takes the number out of an argument or a parameter.

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

    def __init__(
        self, function: Callable[..., Any], client: Any = None, way: Way | None = None
    ) -> None:
        if not callable(function):
            raise TypeError(f"a program is made of a function of one example, got {function!r}")
        self._wrap(function, Known(function, None, way))
        self._client = checked(client)

    _known: Known
    _base: Program  # of a derivative: what it is the derivative of
    _client: Any = None  # of Dask

    def _wrap(
        self, function: Callable[..., Any], known: Known, orders: tuple[Order, ...] = ()
    ) -> None:
        functools.update_wrapper(self, function)
        self.__wrapped__ = function
        self._name = getattr(function, "__name__", type(function).__name__)
        for order in orders:
            self._name = f"{order.name}({self._name})"
        self._known = known
        self._orders = orders
        self._slopes: Program | None = None
        self._of_objects: dict[int, tuple[weakref.ref[Any], Known]] = {}  # by their id

    def __get__(self, instance: Any, owner: Any = None) -> Program:
        """Return the program of the method of an object; it is traced once for each object."""
        if instance is None or not isinstance(self.__wrapped__, FunctionType):
            return self
        method = MethodType(self.__wrapped__, instance)
        bound = Program.__new__(Program)
        bound._wrap(method, self._known_of(method), self._orders)
        bound._client = self._client
        if self._orders:
            bound._base = self._base.__get__(instance, owner)
            bound._known.base = bound._base._known
        return bound

    def _derivative(
        self, compute: Callable[..., Any], argnums: Any, has_aux: bool, sparse: bool = False
    ) -> Program:
        """Return the program of a derivative of each row."""
        if sparse:
            what = f"{compute.__name__.strip('_')} of {self!r}"
            raise TypeError(f"{what}: sparse is for functions; a program gives arrays of rows")
        return self._of_order(Order(compute, argnums, has_aux=has_aux))

    def _by_parameters(self, parameters: tuple[Value, ...]) -> Program:
        """Return the program of the derivatives of each result by the parameters of a call."""
        known = self._slopes
        if known is None or known._orders[-1].parameters != parameters:
            known = self._slopes = self._of_order(Order(slopes_of_each, (), parameters))
        return known

    def _of_order(self, order: Order) -> Program:
        derived = Program.__new__(Program)
        known = Known(self.__wrapped__, self._known)
        derived._wrap(self.__wrapped__, known, (*self._orders, order))
        derived._base = self
        derived._client = self._client
        return derived

    def _known_of(self, method: MethodType) -> Known:
        # By identity, since objects that are equal have Values of their own.
        key, kept = id(method.__self__), self._of_objects
        found = kept.get(key)
        if found is not None:
            return found[1]
        try:
            reference = weakref.ref(method.__self__, lambda _: kept.pop(key, None))
        except TypeError:  # it has __slots__ without __weakref__: nobody would say when it is gone
            return Known(method, None, self._known.way)
        return kept.setdefault(key, (reference, Known(method, None, self._known.way)))[1]

    def __call__(self, *args: Any, **kwargs: Any) -> Result:
        traces = hooks.tracers and hooks.tracer_here() is not None
        if traces and are_scalars((*args, *kwargs.values())):  # in another program's function
            return on_scalars(self.__wrapped__, self._orders)(*args, **kwargs)  # type: ignore[no-any-return]
        before = None if kwargs else self._known.as_before(args)
        if before is None:
            return self._call_anew(args, kwargs)  # type: ignore[no-any-return]
        paths, inputs, n = before
        return self._given(paths.call(inputs, n), [paths], args, kwargs)  # type: ignore[no-any-return]

    def _given(
        self, result: Any, found: list[Paths], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Return the result of a call, which knows how to make that again."""
        if hooks.tracers:
            refuse_numbers(path for paths in found for path in paths.found)
        lease = lease_of(result)
        lease.again, lease.node._symbol = Again(self, found, args, kwargs), self._name
        return result

    def _call_anew(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Read the arguments, and run the paths of their shapes; on Values, be the function."""
        if is_one_example((*args, *kwargs.values())):
            return on_scalars(self.__wrapped__, self._orders)(*args, **kwargs)
        given = dict(self._known.named(self._name, args, kwargs))
        for x in given.values():
            library = library_of(x)
            if library is not None:
                return self._on_arrays(library, args, kwargs)
        arguments, n = read(self._name, given, self._known.way.dtype)
        alike = self._alike(arguments, args, kwargs)
        found = [paths for paths, _ in alike]
        if any(x.which is not None for x in arguments.values()):
            return self._given(self._of_ragged(arguments, n, alike), found, args, kwargs)
        [paths] = found
        result = paths.call({name: x.columns() for name, x in arguments.items()}, n)
        if not kwargs:
            self._known.keep(args, arguments, paths)
        return self._given(result, found, args, kwargs)

    def _alike(
        self, arguments: dict[str, Argument], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> list[tuple[Paths, Array | None]]:
        """Return the paths for each structure that rows have, and these rows; None for all."""
        if all(x.which is None for x in arguments.values()):
            shapes = tuple([x.structures[0] for x in arguments.values()])
            return [(self._paths(arguments, shapes, args, kwargs), None)]
        refuse_ragged(self._name, self._orders, arguments)
        each = by_structure(arguments.values())
        return [(self._paths(arguments, shapes, args, kwargs), rows) for shapes, rows in each]

    def _would_run(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[list[Paths], dict[str, Argument], int]:
        """Return what a call would run on, which may be other than for the same objects before."""
        given = dict(self._known.named(self._name, args, kwargs))
        arguments, n = read(self._name, given, self._known.way.dtype)
        return [paths for paths, _ in self._alike(arguments, args, kwargs)], arguments, n

    def _paths(self, arguments: dict[str, Argument], structures: Any, *given: Any) -> Paths:
        return self._known.paths(self.__wrapped__, self._orders, arguments, structures, *given)

    def _on_arrays(self, library: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run on arrays of another library than NumPy."""
        known: list[Paths] = []

        def paths_for(first: dict[str, Array]) -> Paths:
            arguments = {name: Argument(row) for name, row in first.items()}
            shapes = tuple([x.structures[0] for x in arguments.values()])
            known.append(self._paths(arguments, shapes, args, kwargs))
            return known[0]

        named = self._known.named(self._name, args, kwargs)
        if library == "dask":
            own = Called(self._name, self._traced, self._known.parameters, self._client)
            result: Any = call_on_chunks(own, dict(named), paths_for)
        else:
            result = run_on_arrays(self._name, library, named, paths_for)
        if hooks.tracers:
            refuse_numbers(known[0].found)
        return result

    def _of_ragged(self, arguments: dict[str, Argument], n: int, alike: list[Any]) -> Any:
        """Run the rows of each structure together; the results are in the order of the rows."""
        parts: list[Part] = []
        for paths, rows in alike:
            inputs = {name: x.columns(rows) for name, x in arguments.items()}
            parts += [
                part._replace(rows=rows if part.rows is None else rows[part.rows])
                for part in paths.parts(inputs, len(rows), rows)
            ]
        return joined(parts, n, self._known.way.dtype)

    def objective(self, params: Any, /, *args: Any, **kwargs: Any) -> Objective:
        """Return what SciPy fits: the sum of the results on these rows, as a function of `params`.

        `params` are the Values to fit, in any nesting, or a Module; what follows is what the
        program is called on. Raises TypeError for numbers among them, ValueError for Values that
        were computed or given twice. See `Objective`.

        >>> from micrograd import Value, program
        >>> from scipy.optimize import least_squares
        >>> rate = Value(1.0)
        >>> decay = program(lambda t, y: (-rate * t).exp() - y)
        >>> fit = decay.objective(rate, [1.0, 2.0, 3.0], [0.5, 0.25, 0.125])
        >>> print(least_squares(fit.residuals, fit.x0, jac=fit.jacobian).x.round(6))
        [0.693147]
        """
        return Objective(self, params, args, kwargs)

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
        if isinstance(self.__wrapped__, Sourceless):
            raise self.__wrapped__.error("retrace() would forget all that is known of it")
        self._known.forget()

    def __repr__(self) -> str:
        return f"<program {self._name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        function, orders = self.__wrapped__, self._orders
        if not isinstance(function, (FunctionType, Sourceless)):
            if orders:
                return Program._of_order, (self._base, orders[-1])
            if isinstance(function, MethodType):
                name, owner = function.__name__, function.__self__
                if isinstance(getattr(type(owner), name, None), Program):
                    return getattr, (owner, name)  # a decorated method
            return Program, (function, None, self._known.way.elsewhere)
        root = self
        while root._orders:
            root = root._base
        source, traced = source_of(root), self._traced()
        if traced or (orders and source):
            return _load, (source, traced, orders, self._known.way.elsewhere)
        if source is None:
            raise pickle.PicklingError(
                f"{self!r} has a function that no other process could find, and nothing was traced "
                "of it yet: call it once, and what was traced is pickled"
            )
        if source.find() is self:
            return source.name
        return Program, (function, None, self._known.way.elsewhere)

    def __copy__(self) -> Program:
        other = Program.__new__(Program)
        other._wrap(self.__wrapped__, self._known, self._orders)
        other._client = self._client
        if self._orders:
            other._base = self._base
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Program:
        if isinstance(self.__wrapped__, Sourceless):
            return _load(None, copy.deepcopy(self._traced(), memo), (), self._known.way)
        if self._orders:
            return copy.deepcopy(self._base, memo)._of_order(self._orders[-1])
        return Program(copy.deepcopy(self.__wrapped__, memo), self._client, self._known.way)

    def _settled(self) -> Program:  # of what was traced, which needs its function no more
        return _load(None, self._traced(), (), self._known.way)

    def _traced(self) -> Traced | None:
        version = self._known.current()
        if version is None:
            return None
        return Traced.of(self.__wrapped__, version.references.names, version.paths)


@overload
def program(
    function: Callable[..., Any],
    *,
    client: Any = ...,
    threads: SupportsIndex | None = ...,
    dtype: DTypeLike | None = ...,
) -> Program: ...
@overload
def program(
    *, client: Any = ..., threads: SupportsIndex | None = ..., dtype: DTypeLike | None = ...
) -> Callable[[Callable[..., Any]], Program]: ...
def program(
    function: Any = _LATER,
    *,
    client: Any = None,
    threads: SupportsIndex | None = None,
    dtype: DTypeLike | None = None,
) -> Any:
    """Make a function of one example a program, which is called on arrays of examples.

    With options alone, `@program(threads=2)`, return a decorator that makes programs with these.

    On Dask arrays, `client` is the Dask client that computes; without it, the active one does.

    More than 8,192 examples, or fewer with many steps, are computed on as many threads, where all
    steps run in C, chunk by chunk; without `threads`, on as many as the environment's
    MICROGRAD_THREADS says, or else as there are processors. The results and gradients do not depend
    on their number, bit by bit. Pickles of a function's program are without `client` and `threads`.

    With `dtype="float32"` it computes in float32, faster and to some 6 digits; docs/programs.md
    says how. Parameters and their gradients stay float64.

    Raises TypeError for what is no function or client, ValueError for other `threads` than whole
    numbers from 1 on and other dtypes; the calls raise what `Program` says.

    >>> @program
    ... def norm(x):
    ...     return (x[0] ** 2 + x[1] ** 2).sqrt()
    >>> norm([[3.0, 4.0], [5.0, 12.0]]).data
    array([ 5., 13.])
    """
    way = Way(threads_asked(threads), dtype_asked(dtype))
    if function is _LATER:
        checked(client)
        return functools.partial(program, client=client, threads=threads, dtype=dtype)
    return Program(function, client, way)


def _load(source: Source | None, traced: Traced | None, orders: Any, way: Way) -> Program:
    """Return the program that a pickle stands for: the one of that name, or what was traced."""
    found = source and source.find()
    if found is not None:
        program = found if isinstance(found, Program) else Program(found, None, way)
        for order in orders:
            program = program._of_order(order)
        return program
    if traced is None:
        raise pickle.UnpicklingError(
            f"{source and source.name} is not where it was, and nothing was traced of its "
            "derivative before it was pickled: call that once, and what was traced is pickled"
        )
    program = Program(traced.function, None, way)
    trees = traced.planted(program._known.way)
    program._known.version = Version(Settled(traced.names), trees)
    return program
