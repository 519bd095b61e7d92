r"""Automatic differentiation of scalars, from top to bottom.

A `Value` is a number that remembers how it was made. `a * b + c` computes, and records a graph:

    a ---\
          * ---\
    b ---/      + ---> out
    c ---------/

`out.backward()` walks that graph from `out` back to the leaves `a`, `b`, `c` and leaves in each
`v.grad` the derivative of `out` with respect to `v`: how much `out` rises when `v` rises by one
(very small) unit. Only two facts are needed.

* The chain rule. If `out` rises by `g` per unit of a node, and the node rises by `s` per unit of
  its operand (the *local derivative*; ops.py has it for every operation), then `out` rises by
  `s * g` per unit of the operand, by this way.
* Where several ways lead from an operand to `out`, what they give is added up. That is why each
  step says `+=`, and why a node waits until all its consumers have had their turn.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from micrograd import ops
from micrograd.native import bulk
from micrograd.ops import Op
from micrograd.value.base import Comfort, _read, _traces
from micrograd.value.custom_nodes import all_values, given_derivatives, one_per_parent
from micrograd.value.errors import ARITHMETIC_ERRORS, derivative_error, forward_error
from micrograd.value.numbers import is_number, to_float


def toposort(root: Value) -> list[Value]:
    """List every Value that `root` is made of, operands before their consumers, root last.

    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> [v.label or v._op for v in toposort(a * b + a)]
    ['a', 'b', '*', '+']
    """
    if not root.parents:
        return [root]
    order: list[Value] = []
    seen: set[Any] = set()  # what is in that list
    # A walk in depth. Python allows only a thousand nested calls, so there is a list in their
    # place: `path` leads from the root to the node that waits for `v`.
    path: list[Value] = []
    others: dict[_Operands, Iterator[Any]] = {}  # those that are still to be walked
    v = root
    while True:
        first = v._first
        while first is not None and first not in seen:
            path.append(v)
            v, first = first, first._first
        second = v._second
        while second is None or second in seen:  # all operands of v are listed: now v itself
            seen.add(v)
            order.append(v)
            if not path:
                return order
            v = path.pop()
            second = v._second
        path.append(v)
        if second.__class__ is not _Operands:
            v = second
            continue
        if second not in others:
            others[second] = iter(second)
        for v in others[second]:
            if isinstance(v, Value) and v not in seen:
                break
        else:
            seen.add(second)
            v = path.pop()


class _Operands(tuple[Any, ...]):
    """All operands of a node, where they are not just one or two Values; equal only to itself."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


class Value(Comfort):
    """A number in a graph, with the gradient that `backward()` leaves in it.

    `data` and `grad` are floats and may be set; `label` is a name for people. Raises TypeError
    when `data` is not a real number.

    >>> x = Value(3.0)
    >>> y = x * x + 1
    >>> y.backward()
    >>> y.data, x.grad
    (10.0, 6.0)
    """

    __slots__ = ("__dict__", "__weakref__", "_data", "_first", "_grad", "_scope", "_second", "op")

    _data: float
    _grad: float
    op: Op | None  # the row of the table that made this node; None for a leaf
    # Its operands. A node that a simple row made (see below) has one or two; any other node has no
    # first, and all of them as the second. What reads a graph asks for `args` or `parents`.
    _first: Value | None
    _second: Any  # a Value, _Operands or None
    _scope: Any  # where it was recorded, see scopes.py; not set on what was made outside

    # What few nodes have: an instance that sets one of these gets an attribute of its own.
    label: str = ""
    _symbol: str | None = None  # what a diagram shows, if not the row's symbol
    _closure: Callable[[], object] | None = None  # a backward rule assigned by hand
    _local_grads: Sequence[float] | Callable[..., Sequence[Any]] | None = None  # from Value.node
    _line: tuple[str, int] | None = None  # the file and line that made it, see scopes.py

    def __init__(
        self, data: Any, _children: Iterable[Value] = (), _op: str = "", label: str = ""
    ) -> None:
        self._data = to_float(data)
        self._grad = 0.0
        self.op = None
        self.args = all_values(_children) if _children else ()
        if _op:
            self._symbol = _op
        if label:
            self.label = label
        if _marking:
            _mark(self)

    @staticmethod
    def node(
        data: Any,
        parents: Iterable[Value],
        local_grads: Sequence[float] | Callable[..., Sequence[Any]],
        _op: str = "",
    ) -> Value:
        """Make a node of any arity from its value and its local derivatives, one per parent.

        `local_grads` are numbers, which cannot be differentiated again, or a function that
        backward() calls on the parents' data and the result, like a rule of the table. Raises
        ValueError when there is not one per parent.

        >>> x, y = Value(3.0), Value(4.0)
        >>> Value.node(5.0, (x, y), local_grads=lambda x, y, out: (x / out, y / out)).backward()
        >>> x.grad, y.grad
        (0.6, 0.8)
        """
        out = Value(data, parents, _op)
        if not callable(local_grads):
            local_grads = one_per_parent(local_grads, out)
        out._local_grads = local_grads
        return out

    @property
    def args(self) -> tuple[Any, ...]:
        """All operands in order, a number that stayed one (the 3 of `x**3`) among them."""
        if self._first is None:
            return tuple(self._second or ())
        return (self._first,) if self._second is None else (self._first, self._second)

    @args.setter
    def args(self, operands: tuple[Any, ...]) -> None:
        if self.op in _SIMPLE and all(x.__class__ is Value for x in (self, *operands)):
            self._first, self._second = operands if len(operands) == 2 else (*operands, None)
        else:
            self._first, self._second = None, _Operands(operands) if operands else None

    @property
    def parents(self) -> tuple[Value, ...]:
        """The Values among the operands, in order; `a + a` has two."""
        return tuple([x for x in self.args if isinstance(x, Value)])

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Value:
        """Compute a row on the data of its operands, and record the result as a node."""
        simple = _SIMPLE.get(op)
        result: Value = simple(*operands) if simple else _apply_mixed(op, operands)
        return result

    def backward(self) -> None:
        """Leave in every `v.grad` of this graph the derivative of self with respect to v.

        A leaf adds it to what its grad holds already, until that is set to 0; the other Values
        start afresh. When a local derivative cannot be computed, that is raised, and the leaves'
        grads are as before.

        >>> x = Value(3.0)
        >>> (x * x * x).backward()
        >>> x.grad
        27.0
        """
        order = toposort(self)
        before: dict[Value, float] = {}  # the grads of the leaves
        for v in order:
            if v._first is None and not v.parents and not v._closure:
                before[v] = v._grad
            else:
                v._grad = 0.0
        self._grad = 1.0  # self rises by one unit per unit of itself
        try:
            for v in reversed(order):
                # The chain rule, as in _pass_on, written out for one or two Values.
                x, y, grad = v._first, v._second, v._grad
                if x is None:
                    if v not in before:
                        v._backward()
                    continue
                op: Any = v.op
                try:
                    if y is None:
                        x._grad += op.derivatives[0](x._data, v._data) * grad
                    else:
                        rule_x, rule_y = op.derivatives
                        a, b, out = x._data, y._data, v._data
                        slope_x = rule_x(a, b, out)
                        slope_y = rule_y(a, b, out)
                        x._grad += slope_x * grad
                        y._grad += slope_y * grad
                except ARITHMETIC_ERRORS:
                    v._pass_on()  # meets the same error and explains it
        except BaseException:
            for leaf, grad in before.items():
                leaf._grad = grad
            raise

    @property
    def _backward(self) -> Callable[[], object]:
        """The step of `backward()` at this node; a function assigned here takes its place."""
        return self._closure or self._pass_on

    @_backward.setter
    def _backward(self, closure: Callable[[], object]) -> None:
        if not callable(closure):
            raise TypeError(f"_backward must be a function without arguments, got {closure!r}")
        self._closure = closure
        self._first, self._second = None, _Operands(self.args)

    def _pass_on(self) -> None:
        """The chain rule: each operand gets its local derivative times what arrived here."""
        for operand, slope in zip(self.args, self._local_derivatives()):
            if slope is not None:
                operand._grad += slope * self._grad

    def _local_derivatives(self) -> Sequence[float | None]:
        """Evaluate the rule for each operand on the data as it is now; None where there is none."""
        if self.op is None:
            return given_derivatives(self)
        inputs = [x._data if isinstance(x, Value) else x for x in self.args]
        slopes: list[float | None] = []
        for operand, rule in zip(self.args, self.op.derivatives):
            if rule is None or not isinstance(operand, Value):
                slopes.append(None)
                continue
            try:
                slope = rule(*inputs, self._data)
            except ARITHMETIC_ERRORS as error:
                raise derivative_error(error, self, operand) from error
            if slope.__class__ is not float:
                slope = to_float(slope, f"a local derivative of {self.op.name}")
            slopes.append(slope)
        return slopes

    # The rest is comfort: checked attributes, copies; text and comparisons are in comfort.py.

    @property
    def data(self) -> float:
        """The number itself."""
        return _read(self, "data") if _traces else self._data

    @data.setter
    def data(self, number: Any) -> None:
        self._data = to_float(number, "data")

    @property
    def grad(self) -> float:
        """The derivative of the last `backward()`'s root with respect to this Value."""
        return _read(self, "grad") if _traces else self._grad

    @grad.setter
    def grad(self, number: Any) -> None:
        self._grad = to_float(number, "grad")

    @property
    def _attributes(self) -> dict[str, Any]:
        """A copy of what was set on this Value beside its numbers and operands."""
        return dict(self.__dict__)

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
        self._symbol = symbol

    def __copy__(self) -> Value:
        return copying.shallow_copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return copying.deep_copy(self, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return copying.reduce(self)


def _record(op: Op, args: tuple[Any, ...]) -> Value:
    """Compute a row on the data of `args`, and make the node that remembers them."""
    try:
        data = op.value(*[x._data if isinstance(x, Value) else x for x in args])
    except ARITHMETIC_ERRORS as error:
        raise forward_error(error, op, args) from error
    out: Value = _new(Value)
    out._data = to_float(data, f"the value of {op.name}")
    out._grad = 0.0
    out.op = op
    out.args = args
    if _marking:
        _mark(out)
    return out


_new = Value.__new__


def _apply_mixed(op: Op, operands: tuple[Any, ...]) -> Any:
    """Apply a row to operands that are not all plain Values: numbers, or instances of subclasses.

    As in the original, a number becomes a leaf, but a number exponent stays a number.
    """
    args: list[Any] = []
    simple = _SIMPLE.get(op)
    for position, operand in enumerate(operands):
        if operand.__class__ is Value:
            args.append(operand)
        elif isinstance(operand, Value):
            if type(operand)._apply is not Value._apply:
                return operand._apply(op, operands)  # it has a way of its own
            args.append(operand)
            simple = None
        elif not is_number(operand):
            return NotImplemented
        elif op is ops.power and position == 1:
            args.append(operand if type(operand) in (int, float) else float(operand))
            simple = None
        else:
            args.append(Value(operand))
    return simple(*args) if simple else _record(op, tuple(args))


# Most rows of the table are simple: one or two operands, and a rule for each. For those, what is
# above is written out here, which takes a third of the time; what is rare is left to it.


def _simple_unary(op: Op) -> Callable[[Any], Any]:
    value = op.value

    def apply(x: Any) -> Any:
        if x.__class__ is not Value:
            return _apply_mixed(op, (x,))
        try:
            data = value(x._data)
        except ARITHMETIC_ERRORS as error:
            raise forward_error(error, op, (x,)) from error
        out: Value = _new(Value)
        out._data = data
        out._grad = 0.0
        out.op = op
        out._first = x
        out._second = None
        if _marking:
            _mark(out)
        return out

    return apply


def _simple_binary(op: Op) -> Callable[[Any, Any], Any]:
    value = op.value

    def apply(x: Any, y: Any) -> Any:
        if x.__class__ is not Value or y.__class__ is not Value:
            return _apply_mixed(op, (x, y))
        try:
            data = value(x._data, y._data)
        except ARITHMETIC_ERRORS as error:
            raise forward_error(error, op, (x, y)) from error
        out: Value = _new(Value)
        out._data = data
        out._grad = 0.0
        out.op = op
        out._first = x
        out._second = y
        if _marking:  # as _mark does
            out._scope = _thread.scope
            if _on_new is not None:
                _on_new(out)
        return out

    return apply


_SIMPLE: dict[Op | None, Callable[..., Any]] = {
    op: (_simple_unary if len(op.derivatives) == 1 else _simple_binary)(op)
    for op in ops.TABLE.values()
    if len(op.derivatives) < 3 and all(op.derivatives)
}


# What scopes.py asks for: new Values know the scope of their thread, and are shown to a function.
# Until it asks, making a Value costs no more than a look at `_marking`.
_marking = False
_on_new: Callable[[Value], object] | None = None


class _Thread(threading.local):
    scope: Any = None


_thread = _Thread()


def _mark(v: Value) -> None:
    v._scope = _thread.scope
    if _on_new is not None:
        _on_new(v)


def _swap_scope(scope: Any) -> Any:
    """Let this thread record in a scope from now on, or in none; give the one before, or None."""
    global _marking
    _marking = True
    before = _thread.scope
    _thread.scope = scope
    return before


def _hasten(within: Callable[..., Any], kind: type[Any]) -> None:
    """Let C, where it was built, do what `within` does."""


def _forget_calls() -> None:
    """Let C, where it was built, forget the scopes of calls that it remembers."""


def _call_on_new(function: Callable[[Value], object] | None) -> None:
    """Call a function on each Value that any thread makes from now on, or none."""
    global _marking, _on_new
    _marking = True
    _on_new = function


# The same in C, where it was built, as heapq has it: all of the above says what it does, and what
# it leaves out is taken from there. MICROGRAD_PURE=1 in the environment leaves it out altogether.
core = "python"
if not os.environ.get("MICROGRAD_PURE"):
    try:
        _engine: Any = importlib.import_module("micrograd.native._engine")
    except ImportError:
        pass
    else:
        _kept = {*vars(_engine.Value), *Value.__slots__, "__slots__"} - {"__doc__"}
        for _name, _attribute in vars(Value).items():
            if _name not in _kept:
                setattr(_engine.Value, _name, _attribute)
        _engine.Value.__name__ = "Value"  # in messages, without the module
        Value = _engine.Value  # type: ignore[misc]
        toposort = _engine.toposort
        for _name in bulk.FUNCTIONS:
            setattr(bulk, _name, getattr(_engine, _name))
        _swap_scope, _call_on_new = _engine.swap_scope, _engine.call_on_new
        _hasten, _forget_calls = _engine.hasten, _engine.forget_calls
        _new = Value.__new__
        _SIMPLE.clear()
        core = "c"
if core == "python":  # the most usual operators are not asked for their row each time
    for _row, _operator in {
        ops.add: "__add__",
        ops.subtract: "__sub__",
        ops.multiply: "__mul__",
        ops.divide: "__truediv__",
    }.items():
        setattr(Value, _operator, _SIMPLE[_row])

from micrograd.value import copying  # noqa: E402  (it stands on what is above)
