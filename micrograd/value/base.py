"""The part of every Value that is no part of the lesson: numbers, text, comparisons, hooks."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from micrograd import ops
from micrograd.value import copying, hooks
from micrograd.value.identity import OperandSet
from micrograd.value.numbers import is_number, refuse_masked, to_float
from micrograd.value.operators import Operators
from micrograd.value.words.elsewhere import ON_VALUE, lacks

if TYPE_CHECKING:
    from typing_extensions import Self

    from micrograd.engine import Value
    from micrograd.ops import Op


class ValueBase(Operators["Value"]):
    """The base of Value on both cores: all that has nothing to do with derivatives."""

    __slots__ = ()

    if TYPE_CHECKING:  # what Value has
        _number: float
        _grad: float
        _scope: Any  # where it was recorded, see graph/scopes.py; not set outside of any scope
        op: Op | None
        _args: tuple[Any, ...]

        @property
        def parents(self) -> tuple[Value, ...]: ...

        # NumPy's functions take Values, np.tanh(v) too; type checkers ask for this to believe it.
        def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any: ...

    # Few nodes have these: an instance that sets one gets an attribute of its own.
    label: str = ""
    _symbol: str | None = None  # what a diagram shows, if not the symbol of the operation
    _closure: Callable[[], object] | None = None  # a backward rule assigned by hand
    _given: Sequence[float] | Callable[..., Sequence[Any]] | None = None  # its local derivatives
    _line: tuple[str, int] | None = None  # the file and line that made it, where that is known
    _is_plain_number: bool = False  # a number operand made it, as the 2 in `2 * x`
    _forgot: bool = False  # it was computed within `no_grad`, and so is a leaf

    # Hooks for subclasses.
    _why_no_derivative: str | None = None  # the message of `grad`, where it cannot pass this node
    _why_no_copy: str | None = None  # the message of copy and pickle, where they cannot copy it
    _is_traced: bool = False  # it is an argument of a program that is traced
    _original: Value | None = None  # what a leaf stands for while a derivative is taken
    _is_variable: bool = False  # a derivative is being taken by this leaf
    _is_answer: bool = False  # a function that takes derivatives has returned it

    _set_attribute = object.__setattr__  # the setting itself, whatever strict mode does before

    def _clear_grad(self, arrived: bool) -> None:
        """Set grad to 0, to see what one consumer adds; `arrived`: others have added before."""
        self.grad = 0.0

    # Numbers.

    @property
    def data(self) -> float:
        """The number itself."""
        return read_traced(self, "data") if hooks.tracers else self._number

    @data.setter
    def data(self, number: Any) -> None:
        self._number = to_float(number, "data")  # type: ignore[misc]

    @data.deleter
    def data(self) -> None:
        raise AttributeError("the data of a Value cannot be deleted")

    @property
    def grad(self) -> float:
        """The derivative of the last `backward()`'s root with respect to this Value."""
        return read_traced(self, "grad") if hooks.tracers else self._grad

    @grad.setter
    def grad(self, number: Any) -> None:
        self._grad = to_float(number, "grad")  # type: ignore[misc]

    @grad.deleter
    def grad(self) -> None:
        raise AttributeError("the grad of a Value cannot be deleted: to reset it, write v.grad = 0")

    @property
    def args(self) -> tuple[Any, ...]:
        """The operands in order, numbers such as the 3 of `x**3` among them."""
        return self._args

    @args.setter
    def args(self, operands: tuple[Any, ...]) -> None:
        self._args = operands  # type: ignore[misc]
        if hooks.on_operands is not None:
            hooks.on_operands(self)

    def __float__(self) -> float:
        raise _number_lost(
            "float(v) would drop the gradient of a Value: write v.exp() for math.exp(v), or `from "
            "micrograd import math`; np.empty(n, dtype=object) for an array; v.data for the bare "
            "number"
        )

    def __int__(self) -> int:
        raise _number_lost(
            "int(v) would drop the gradient of a Value: use v itself, or int(v.data) for the bare "
            "number"
        )

    def __complex__(self) -> complex:
        raise _number_lost(
            "complex(v) would drop the gradient of a Value, which is real: write complex(v.data) "
            "for the bare number"
        )

    def __index__(self) -> int:
        raise _number_lost(
            "a Value repeats no list and is no index: write [w * v for w in weights] for list * v, "
            "micrograd.take(table, v) for table[v], int(v.data) for the bare number"
        )

    def __round__(self, digits: int | None = None) -> float:
        raise _number_lost(
            'round(v) would drop the gradient of a Value: print it with f"{v:.2f}", or write '
            "round(v.data, 2) for the bare number; micrograd.round(v) is an operation, and flat"
        )

    def __getitem__(self, index: Any) -> Any:
        raise TypeError(
            f"a Value is one number and has no element [{index!r}]: keep a list of Values, as in "
            "x = [Value(1.0), Value(2.0)]"
        )

    def __bool__(self) -> bool:
        return True  # as ever, though len(v) is an error

    if not TYPE_CHECKING:
        __iter__ = None  # so that only a sequence of Values is taken for one

    def __matmul__(self, other: Any) -> Any:
        return self._refuse_matmul(other)

    def __rmatmul__(self, other: Any) -> Any:
        return self._refuse_matmul(other)

    def _refuse_matmul(self, other: Any) -> Any:
        if not (is_number(other) or isinstance(other, (ValueBase, list, tuple))):
            return NotImplemented
        raise TypeError(
            "a Value is one number, which @ does not take: write v * w, or micrograd.dot(weights, "
            "inputs) for two lists"
        )

    def __pos__(self) -> Self:
        return self

    def conjugate(self) -> Self:
        """Return self: a real number is its own conjugate. NumPy's var, std and norm ask for it."""
        return self

    # Comparisons look at the data. A Value may be equal to a number; two Values are equal if they
    # are the same, so that sets and lists of Values work; nan is not equal to itself.

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        if "__eq__" in vars(cls) and vars(cls).get("__hash__") is None:
            cls.__hash__ = object.__hash__  # type: ignore[method-assign]

    def __eq__(self, other: object) -> bool:
        return compared(self, other, operator.eq)

    def __ne__(self, other: object) -> bool:
        return compared(self, other, operator.ne)

    if TYPE_CHECKING:

        def __hash__(self) -> int: ...
    else:
        __hash__ = object.__hash__

    def __lt__(self, other: Any) -> bool:
        return compared(self, other, operator.lt)

    def __le__(self, other: Any) -> bool:
        return compared(self, other, operator.le)

    def __gt__(self, other: Any) -> bool:
        return compared(self, other, operator.gt)

    def __ge__(self, other: Any) -> bool:
        return compared(self, other, operator.ge)

    # Text and copies.

    def __repr__(self) -> str:
        tracer = hooks.tracer_here()
        if tracer is not None and tracer.is_traced(self):
            return tracer.shown(self)
        if not hasattr(self, "_number"):
            return "<Value without data: its __init__ was not called>"
        names = f", label={self.label!r}" if self.label else ""
        if names and self._op:
            names += f", op={self._op!r}"
        return f"Value(data={self._number}, grad={self._grad}{names})"

    def __format__(self, spec: str) -> str:
        tracer = hooks.tracer_here() if spec else None
        if tracer is not None and tracer.is_traced(self):
            raise _number_lost("a text with the number of one row would stay in the program")
        try:
            return format(self._number, spec) if spec else str(self)
        except ValueError as error:
            raise ValueError(
                f"the number of a Value is a float, which has no format {spec!r}: write "
                'f"{v:.2f}" for its digits, f"{v.data:.0f}" for a whole number'
            ) from error

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in ON_VALUE or hasattr(self, name)]

    def __copy__(self) -> Value:
        return copying.shallow_copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return copying.deep_copy(self, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return copying.reduce(self)

    @property
    def _attributes(self) -> dict[str, Any]:
        """A copy of what was set on this Value beside its numbers and operands."""
        return dict(self.__dict__)

    # The names that the original has.

    @property
    def _prev(self) -> OperandSet:
        return OperandSet(self.parents)

    @property
    def _children(self) -> tuple[Value, ...]:  # as microgpt calls them
        return self.parents

    @property
    def _op(self) -> str:
        if self._symbol is not None:
            return self._symbol
        if self.op is None:
            return ""
        if self.op is ops.power and len(self.parents) == 1:
            return f"**{self.args[1]}"
        return self.op.symbol

    @_op.setter
    def _op(self, symbol: str) -> None:
        self._symbol = symbol  # type: ignore[misc]


lacks(ValueBase, ON_VALUE)

# While this thread traces a program, its tracer sees to comparisons and numbers. The C core calls
# these too, with its own numbers for the comparisons.

_COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def compared(v: ValueBase, other: Any, comparison: Any) -> bool:
    """Compare a Value with another, or with a number.

    While this thread traces, the result only stands for a bool; it may be NotImplemented.
    """
    if comparison.__class__ is int:
        comparison = _COMPARISONS[comparison]
    tracer = hooks.tracer_here()
    result: Any = NotImplemented
    if tracer is not None:
        result = tracer.compare(v, other, comparison)
    elif comparison not in (operator.eq, operator.ne) or other is v or is_number(other):
        refuse_masked(other, "what a Value is compared with")
        if hooks.on_compare is not None:
            hooks.on_compare(v, other)
        number = other._number if isinstance(other, ValueBase) else other
        try:
            result = comparison(v._number, number)
        except TypeError:  # Python tells of Values then, not of floats
            return NotImplemented  # type: ignore[no-any-return]
    return result  # type: ignore[no-any-return]


def read_traced(v: ValueBase, name: str) -> float:
    """Return data or grad, after the tracer of this thread has agreed."""
    tracer = hooks.tracer_here()
    if tracer is not None:
        tracer.read(v, name)
    return v._number if name == "data" else v._grad


def _number_lost(advice: str) -> TypeError:
    """Make the error for what would take the number out of a Value; a tracer adds the line."""
    tracer = hooks.tracer_here()
    return TypeError(advice) if tracer is None else tracer.error(advice)
