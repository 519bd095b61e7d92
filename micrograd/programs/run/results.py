"""The result of a program: an array whose reductions are Values in the ordinary graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from micrograd.engine import Value
from micrograd.graph.modes import enable_grad, no_grad
from micrograd.native.blocks import Block, hide_leaves
from micrograd.ops import Op
from micrograd.value import hooks
from micrograd.value.operators import Operators

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

    from micrograd.programs.again import Again
    from micrograd.programs.run.careful import NodeByNode
    from micrograd.programs.run.executable import Executable

    Array = NDArray[Any]


class _Node(Value):
    """A Value whose step of `backward()` is a method of its own."""

    __slots__ = ()

    _why_no_derivative = (
        "cannot differentiate the result of a program: what is known of it is a gradient in "
        "numbers. Call micrograd.grad within the program's function, and return what it gives"
    )
    _why_no_copy = (
        "the result of a program cannot be copied or pickled, since its backward() adds to the "
        "parameters of that very call: take its number, .data"
    )

    @classmethod
    def on(cls, operands: tuple[Value, ...], data: float = 0.0) -> Self:
        """Make a node on these operands, without the checks of __init__."""
        node = cls.__new__(cls)
        node.data, node.grad, node.op, node.args = data, 0.0, None, operands
        if hooks.on_new is not None:
            hooks.on_new(node)
        return node

    @property
    def _closure(self) -> Callable[[], object]:  # type: ignore[override]
        return self._backward


class Run(NamedTuple):
    """A part of a call: its program, its rows (None for all), and what its reverse pass needs."""

    program: Any  # an Executable, or what runs as one
    rows: Array | None
    state: Any


class Call(_Node):
    """One call: what its results weigh in the root comes in, the parameters' gradients go out."""

    __slots__ = ("_symbol", "again", "runs", "seeds", "shape")

    _symbol: str  # the name of the program
    again: bool  # the seeds stay, though grad is 0
    runs: list[Run]
    shape: tuple[int, int]  # rows, and the numbers of each
    seeds: Array | float  # what has arrived at each result; one number if that is the same

    @classmethod
    @enable_grad()  # whatever the call that makes it: others use it again
    def of(
        cls, operands: tuple[Value, ...], programs: Sequence[Executable | NodeByNode | Any]
    ) -> Call:
        """Make a node of these programs; a backward pass skips operands that all are in blocks."""
        node = cls.on(operands)
        node.again, node._symbol = False, ""
        if not any(isinstance(program.block, Block) for program in programs):
            hide_leaves(node)
        return node

    @property
    def _examples(self) -> int:
        """How many there are, for a diagram: its data is no result."""
        return self.shape[0]

    def receive(self, positions: Array | None, weight: float) -> None:
        """Add `weight` to what arrives at the results at these positions, or at all."""
        fresh = self.grad == 0.0 and not self.again  # backward() sets it to 0 before it starts
        if positions is None:
            self.seeds = weight if fresh else self.seeds + weight
        else:
            if fresh or isinstance(self.seeds, float):
                self.seeds = np.full(self.shape, 0.0 if fresh else self.seeds)
            np.add.at(self.seeds.reshape(-1), positions.reshape(-1), weight)
        self.grad = 1.0

    def _clear_grad(self, arrived: bool) -> None:
        self.grad, self.again = 0.0, arrived

    def _backward(self) -> None:
        for block, gradients in self._collect():
            block.add(gradients)

    def _collect(self) -> list[tuple[Any, Array]]:
        """Return what to add to which block; where parameters hide, backward() asks for it."""
        if self.grad == 0.0 or not self.shape[0]:
            return []
        return list(self.gradients(self.seeds))

    def gradients(self, seeds: Array | float) -> Iterator[tuple[Any, Array]]:
        """Yield blocks, and the gradients of their leaves; `seeds` weigh the results as in data."""
        if not isinstance(seeds, float):
            seeds = seeds.T
        for program, rows, state in self.runs:
            some = seeds if rows is None or isinstance(seeds, float) else seeds[:, rows]
            yield program.block, program.backward(state, some)


class Lease:
    """The hold of the results of a call and their reductions on its node, until all are gone.

    The workspaces are then given back, and the node put among the `idle`, where these are kept: to
    make one on thousands of parameters takes longer than to compute with them.
    """

    __slots__ = ("_idle", "again", "forgets", "node")

    again: Again | None  # how to make the call again, set by the program that was called

    def __init__(self, node: Call, idle: list[Call] | None = None) -> None:
        self.node: Call = node
        self.forgets: bool = hooks.forgets()  # so do the reductions of what it gave
        self._idle = idle
        self.again = None

    def __reduce__(self) -> str:
        raise TypeError(_Node._why_no_copy)

    def __del__(self) -> None:
        node = self.node
        for program, _, state in node.runs:
            program.give_back(state)
        node.runs = []
        if self._idle is not None:
            self._idle.append(node)


class Reduction(_Node):
    """The sum or mean of results: a Value in the ordinary graph."""

    __slots__ = ("_symbol", "call", "positions", "weight")

    _symbol: str  # in a slot: most nodes with a symbol have a dict for it
    call: Lease
    positions: Array | None
    weight: float

    def _backward(self) -> None:
        self.call.node.receive(self.positions, self.weight * self.grad)

    def _stand_in(self) -> Value:
        """Return a node with the same number, whose derivatives are Values."""
        if self.call.again is None:
            return self
        return Value.node(self._number, self.call.node.args, self._slopes)

    def _slopes(self, *arguments: Any) -> list[Any]:
        assert self.call.again is not None
        slopes = self.call.again.slopes(self)
        return slopes if isinstance(arguments[0], Value) else [v._number for v in slopes]


class Columns(NamedTuple):
    """Columns of a call's results, from the first of these on; a row of the call has `width`."""

    first: int
    width: int

    def places(self, shape: tuple[int, ...]) -> Array:
        """Return where the numbers of a result of this shape stand among all of the call."""
        own = np.arange(self.first, self.first + math.prod(shape[1:]))
        places: Array = (np.arange(shape[0])[:, None] * self.width + own).reshape(shape)
        return places


class Result(Operators[Any]):
    """An array of results, one per example; `mean()` and `sum()` are Values.

    `data` is the NumPy array, which is read-only: of shape (n,) for a function that returns a
    scalar, (n, k) for one that returns k of them, (n, k, l) for one that returns an array of shape
    (k, l). To change numbers, take a copy, `result.data.copy()`. An index gives
    a part of it (`result[:, 0]` a column), and a Value where it names one element. Arithmetic
    belongs in the function, or on the reductions: on a result it raises TypeError.

    >>> from micrograd import Value, program
    >>> w = Value(3.0)
    >>> scaled = program(lambda x: w * x)
    >>> result = scaled([1.0, 2.0])
    >>> result.data
    array([3., 6.])
    >>> result.sum().backward()
    >>> w.grad
    3.0
    """

    __slots__ = ("_made_by", "_positions", "data")

    def __init__(self, data: Array, call: Lease, positions: Array | Columns | None = None) -> None:
        if isinstance(data, np.ndarray):  # of which sums are taken later
            data.setflags(write=False)
        self.data: Array = data
        self._made_by = call
        self._positions = positions

    def sum(self, axis: None = None, dtype: None = None, out: None = None) -> Value:
        """Return the sum of all elements: 0 if there are none.

        `np.sum(result)` is the same; it fills in the arguments, and others than None raise
        TypeError.

        >>> from micrograd import program
        >>> program(lambda x: x * x)([1.0, 2.0]).sum()
        Value(data=5.0, grad=0.0)
        """
        _check_reduction("sum", axis, dtype, out)
        return self.weighed(1.0)

    def mean(self, axis: None = None, dtype: None = None, out: None = None) -> Value:
        """Return the mean of all elements: nan if there are none.

        `np.mean(result)` is the same; it fills in the arguments, and others than None raise
        TypeError.

        >>> from micrograd import program
        >>> program(lambda x: x * x)([1.0, 2.0]).mean()
        Value(data=2.5, grad=0.0)
        """
        _check_reduction("mean", axis, dtype, out)
        size = math.prod(self.shape)
        if not size:
            return self._reduce(float("nan"), float("nan"), "mean")
        return self._reduce(self._total() / size, 1.0 / size, "mean")

    def _total(self) -> float:
        if self.data.size == 1:
            return 0.0 + float(self.data.item())  # of -0.0 a sum is 0.0
        return float(np.add.reduce(self.data, None, float))  # what data.sum() ends in

    def weighed(self, weight: float) -> Value:
        """Return the sum of all elements, times a weight."""
        return self._reduce(self._total() * weight, weight, "sum")

    def _reduce(self, number: float, weight: float, symbol: str) -> Value:
        if self._made_by.forgets:
            with no_grad():
                value = Reduction.on((self._made_by.node,), number)
        else:
            value = Reduction.on((self._made_by.node,), number)
        value.call, value.positions, value.weight = self._made_by, self._places(), weight
        value._symbol = symbol
        return value

    def _places(self) -> Array | None:
        """Return where the numbers stand among all of the call; None if they are all."""
        found = self._positions
        return found.places(self.shape) if isinstance(found, Columns) else found

    def __getitem__(self, key: Any) -> Any:
        part = self.data[key]
        positions = self._places()
        if positions is None:
            positions = np.arange(self.data.size).reshape(self.data.shape)
        result = Result(np.asarray(part), self._made_by, np.asarray(positions[key]))
        return result if result.ndim else result._reduce(float(part), 1.0, "[]")

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `data`."""
        shape: tuple[int, ...] = self.data.shape
        return shape

    @property
    def ndim(self) -> int:
        """The number of axes of `data`."""
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        if copy is False and dtype is not None and np.dtype(dtype) != self.data.dtype:
            raise ValueError(f"the data is {self.data.dtype}: another dtype needs a copy")
        return np.array(self.data, dtype=dtype, copy=bool(copy) or dtype is not None)

    def __repr__(self) -> str:
        return f"Result({self.data!r})"

    # What would lose the gradient, or has no one meaning for many examples, is refused.

    def backward(self) -> None:
        """Raise TypeError: `backward()` starts at one Value, such as `mean()`."""
        raise _refuse("backward()")

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Any:
        raise _refuse(op.name)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        raise _refuse(ufunc.__name__)

    def _compare(self, other: Any) -> Any:
        raise _refuse("a comparison")

    __lt__: Callable[..., Any] = _compare
    __le__: Callable[..., Any] = _compare
    __gt__: Callable[..., Any] = _compare
    __ge__: Callable[..., Any] = _compare


def _refuse(what: str) -> TypeError:
    return TypeError(
        f"{what} of the result of a program, which holds many examples: take its mean() or sum() "
        "first, which are Values, or write it in the program's function; the numbers alone are "
        "in .data"
    )


def _check_reduction(name: str, axis: Any, dtype: Any, out: Any) -> None:
    if axis is not None:
        raise TypeError(
            f"{name}(axis={axis!r}) of the result of a program: it reduces all elements; an index "
            f"gives a part, such as a column, result[:, 0].{name}()"
        )
    if dtype is not None or out is not None:
        raise TypeError(
            f"{name} of the result of a program is a Value, which is float64: leave dtype and out "
            f"away, or take result.data.{name}(...), which has no gradient"
        )
