"""A function called on new Values, so that the derivative of its result can be taken."""

from __future__ import annotations

import dis
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from types import CodeType
from typing import Any

from micrograd.derivatives.chain_rule import Entry
from micrograd.engine import Value, toposort
from micrograd.ops import Op
from micrograd.value.numbers import is_number, to_float

identity = Op("identity", lambda x: x, lambda x, out: 1.0)

# The variables of the derivatives being taken around this one, in this thread.
_outer: ContextVar[tuple[Value, ...]] = ContextVar("_outer", default=())


class Call:
    """One call of `f(x, ...)` on new Values in the place of x, and its result.

    Each call differentiates by Values of its own, so nested derivatives are not confused. Where
    x held Values, the new ones are tied to them in the end. Until then they are leaves, so that no
    walk through the graph of `f` goes on into all that was computed before.
    """

    def __init__(self, f: Callable[..., Any], x: Any, args: Any, kwargs: Any) -> None:
        self.f = f
        self.variables: list[Value] = []
        self.shape: tuple[int, ...] | None = None  # of x; None if it is one number
        self.originals: list[Any] = []
        argument = self._fresh(x)
        token = _outer.set((*_outer.get(), *self.variables))
        try:
            self.result = f(argument, *args, **kwargs)
        finally:
            _outer.reset(token)

    def _fresh(self, x: Any) -> Any:
        if isinstance(x, Value) or is_number(x):
            return self._variable(x)
        if isinstance(x, (str, bytes, dict, set)) or not hasattr(x, "__len__"):
            raise TypeError(f"x must be a number, or a sequence or an array of numbers; got {x!r}")
        array = _as_objects(x, "x")
        self.shape = array.shape
        return array_of([self._variable(element) for element in array.flat], array.shape)

    def _variable(self, element: Any) -> Value:
        leaf: Value = leaf_for(element if isinstance(element, Value) else to_float(element, "x"))
        self.originals.append(element)
        self.variables.append(leaf)
        return leaf

    def scalar(self) -> Value:
        """The result, if it is one Value."""
        result = self.result
        if getattr(result, "shape", None) == () and hasattr(result, "item"):
            result = result.item()
        if isinstance(result, Value):
            return result
        if not isinstance(result, (str, bytes)) and hasattr(result, "__len__"):
            raise TypeError(
                f"{name_of(self.f)} returned {len(result)} results; a gradient is that of one. Use "
                "jacobian for all of them, or return their sum, say"
            )
        raise _no_value(self.f, result)

    def outputs(self) -> tuple[list[Value], tuple[int, ...]]:
        """The results as a list of Values, and their shape; () if there is one."""
        if isinstance(self.result, Value):
            return [self.result], ()
        if isinstance(self.result, (str, bytes, dict)) or not hasattr(self.result, "__len__"):
            raise _no_value(self.f, self.result)
        array = _as_objects(self.result, f"the result of {name_of(self.f)}")
        for i, y in enumerate(array.flat):
            if not isinstance(y, Value):
                raise _no_value(self.f, y, f" as result {i}")
        return list(array.flat), array.shape

    def recorded(self, *outputs: Value) -> bool:
        """Whether the derivative must be a graph: it may be differentiated by something else."""
        outer = _outer.get()
        return (
            any(isinstance(x, Value) for x in self.originals)
            or any(y._is_traced for y in outputs)  # a program has no numbers yet
            or (bool(outer) and not set(outer).isdisjoint(toposort(Value(0.0, outputs))))
        )

    def shaped(self, entries: list[Any], shape: tuple[int, ...], as_values: bool = False) -> Any:
        """The entries as an array of `shape` followed by that of x, or alone if there is one."""
        if as_values:
            for variable, original in zip(self.variables, self.originals):
                tie(variable, original)
            entries = distinct(entries, self.variables)
        if self.shape is None and shape == ():
            return entries[0]
        return array_of(entries, (*shape, *(self.shape or ())), object if as_values else float)


def leaf_for(original: Any) -> Any:
    """A new leaf that stands for a number or a Value, until `tie` makes it depend on that."""
    if not isinstance(original, Value):
        return Value(original)
    leaf = original._stand_in()
    if leaf is None:
        leaf = Value(original._data)
        leaf._original = original
    return leaf


def tie(leaf: Any, original: Any) -> None:
    """Let a leaf that stood for a Value depend on it from now on; numbers stay as they are."""
    if isinstance(original, Value):
        leaf.op, leaf.args = identity, (original,)
        vars(leaf).pop("_original", None)


def array_of(entries: Sequence[Any], shape: tuple[int, ...], kind: type = object) -> Any:
    """A NumPy array of Values, or of floats, in this shape."""
    import numpy as np

    array: Any = np.empty(shape, dtype=kind)
    array.flat = entries
    return array


def _as_objects(nested: Any, what: str) -> Any:
    """A sequence, nested or not, as an array of its elements."""
    import numpy as np

    array = np.array(nested, dtype=object)
    if any(hasattr(element, "__len__") for element in array.flat):
        raise ValueError(f"{what} must be an array of numbers, but its rows differ in length")
    return array


def distinct(entries: list[Entry], known: Sequence[Any]) -> list[Value]:
    """The entries as Values, each an object of its own: a label set on one names no other."""
    seen = {v for v in known if isinstance(v, Value)}
    values = []
    for entry in entries:
        value: Value = entry if isinstance(entry, Value) else Value(entry)
        if value in seen:
            value = identity(value)
        seen.add(value)
        values.append(value)
    return values


# What drops a gradient without an error of its own, and what is written instead.
_WRITE_INSTEAD = {
    "max": "maximum(x, 0) for max(x, 0)",
    "min": "minimum(x, 0) for min(x, 0)",
    "data": "x for x.data",
    "round": "x for round(x)",
}


def _no_value(f: Any, result: Any, where: str = "") -> TypeError:
    """The error for a result that is not a Value, with the line that is to blame if it shows."""
    if result is None:
        return TypeError(f"{name_of(f)} returned None{where}: does it end with a return?")
    suspects = list(_suspects(getattr(f, "__code__", None)))
    if isinstance(result, bool):
        suspects = ["in a comparison: it gives true or false, of which there is no derivative"]
    likely = "; or ".join(suspects) or (
        "where it reads .data, or calls max, min or round: write maximum(x, 0) for max(x, 0), "
        "or return Value(...) if the result is meant to be constant"
    )
    return TypeError(
        f"{name_of(f)} returned {result!r}{where}, which is not a Value: the gradient was dropped "
        f"on the way, most likely {likely}"
    )


def _suspects(code: CodeType | None) -> Iterator[str]:
    """The places in a function where the gradient may have been dropped, with the remedy."""
    if code is None:
        return
    starts, line = dict(dis.findlinestarts(code)), 0
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset) or line
        remedy = (
            _WRITE_INSTEAD.get(instruction.argval) if instruction.argval.__class__ is str else None
        )
        if remedy is not None:
            yield (
                f"in line {line} of {code.co_filename}, where it reads {instruction.argval}: "
                f"write {remedy}"
            )


def name_of(f: Any) -> str:
    """What a function is called in a message."""
    return getattr(f, "__name__", None) or getattr(f, "name", None) or repr(f)
