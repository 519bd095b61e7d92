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
import operator
import os
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from micrograd import bulk, ops
from micrograd.errors import ARITHMETIC_ERRORS, derivative_error, forward_error
from micrograd.operators import Operators
from micrograd.ops import Op, Rule
from micrograd.scalars import is_number, to_float


def toposort(root: Value) -> list[Value]:
    """List every Value that `root` is made of, operands before their consumers, root last.

    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> [v.label or v._op for v in toposort(a * b + a)]
    ['a', 'b', '*', '+']
    """
    order: list[Value] = []
    seen = {root}
    # A walk in depth, on a stack of our own, since Python's allows only a thousand calls:
    # `path` leads from the root to where we are, `todo` holds what each node on it has left.
    path, todo = [root], [iter(root.parents)]
    while path:
        for operand in todo[-1]:
            if operand not in seen:
                seen.add(operand)
                if operand.parents:
                    path.append(operand)
                    todo.append(iter(operand.parents))
                    break
                order.append(operand)  # a leaf
        else:  # all operands are listed: now the node itself
            todo.pop()
            order.append(path.pop())
    return order


class Value(Operators["Value"]):
    """A number in a graph, with the gradient that `backward()` leaves in it.

    `data` and `grad` are floats and may be set; `label` is a name for people. Raises TypeError
    when `data` is not a real number.

    >>> x = Value(3.0)
    >>> y = x * x + 1
    >>> y.backward()
    >>> y.data, x.grad
    (10.0, 6.0)
    """

    __slots__ = ("__dict__", "__weakref__", "_data", "_grad", "_scope", "args", "op", "parents")

    _data: float
    _grad: float
    op: Op | None  # the row of the table that made this node; None for a leaf
    args: tuple[Any, ...]  # all its operands, in order
    parents: tuple[Value, ...]  # the Values among them; a + a has two
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
        self.args = self.parents = _all_values(_children) if _children else ()
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
            local_grads = _one_per_parent(local_grads, out)
        out._local_grads = local_grads
        return out

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Value:
        """Compute a row on the data of its operands, and record the result as a node."""
        if len(operands) == 2:
            # The loop below, unrolled, since nine nodes of ten have two operands.
            x, y = operands
            if x.__class__ is Value and y.__class__ is Value:
                return _record(op, operands, operands, (x._data, y._data))
        inputs = []
        for operand in operands:
            if operand.__class__ is not Value:
                mixed: Value = _apply_mixed(op, operands)
                return mixed
            inputs.append(operand._data)
        return _record(op, operands, operands, inputs)

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
        leaves: list[Value] = []
        interior: list[Value] = []
        for v in toposort(self):
            (interior if v.parents or v._closure else leaves).append(v)
        before = [leaf._grad for leaf in leaves]
        for v in interior:
            v._grad = 0.0
        self._grad = 1.0  # self rises by one unit per unit of itself
        try:
            for v in reversed(interior):
                v._backward()
        except BaseException:
            for leaf, grad in zip(leaves, before):
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

    def _pass_on(self) -> None:
        """The chain rule: each operand gets its local derivative times what arrived here."""
        rules = _TWO_RULES.get(self.op)
        if rules is not None and self.parents is self.args:
            # The loop below, unrolled for two Values: nine nodes of ten, and three times as fast.
            x, y = self.parents
            inputs = x._data, y._data, self._data
            try:
                slope_x, slope_y = rules[0](*inputs), rules[1](*inputs)
            except ARITHMETIC_ERRORS:
                pass  # the loop meets the same error and explains it
            else:
                x._grad += slope_x * self._grad
                y._grad += slope_y * self._grad
                return
        for operand, slope in zip(self.args, self._local_derivatives()):
            if slope is not None:
                operand._grad += slope * self._grad

    def _local_derivatives(self) -> Sequence[float | None]:
        """Evaluate the rule for each operand on the data as it is now; None where there is none."""
        if self.op is None:
            return _local_derivatives_by_hand(self)
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

    # The rest is comfort: checked attributes, the original's names, text, comparisons, copies.

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
    def _prev(self) -> set[Value]:
        return set(self.parents)

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

    def __repr__(self) -> str:
        return f"Value(data={self._data}, grad={self._grad})"

    def __format__(self, spec: str) -> str:
        return format(self._data, spec) if spec else str(self)

    def __float__(self) -> float:
        raise TypeError(
            "float(v) and the functions of math would drop the gradient of a Value: write the row "
            "instead, v.exp() or micrograd.exp(v) for math.exp(v), or v.data for the bare number"
        )

    def __lt__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.lt)
        return self._data < (other._data if isinstance(other, Value) else other)

    def __le__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.le)
        return self._data <= (other._data if isinstance(other, Value) else other)

    def __gt__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.gt)
        return self._data > (other._data if isinstance(other, Value) else other)

    def __ge__(self, other: Any) -> Any:
        if _traces:
            return _compare(self, other, operator.ge)
        return self._data >= (other._data if isinstance(other, Value) else other)

    def __pos__(self) -> Value:
        return self

    def conjugate(self) -> Value:
        """Self: a real number is its own conjugate. NumPy's var(), std() and norm() ask for it."""
        return self

    def __copy__(self) -> Value:
        return copying.shallow_copy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Value:
        return copying.deep_copy(self, memo)

    def __reduce__(self) -> tuple[Any, ...]:
        return copying.reduce(self)


def _record(
    op: Op, args: tuple[Any, ...], parents: tuple[Value, ...], inputs: Sequence[float]
) -> Value:
    """Compute a row on `inputs`, the data of `args`, and make the node that remembers them."""
    try:
        data = op.value(*inputs)
    except ARITHMETIC_ERRORS as error:
        raise forward_error(error, op, args) from error
    out: Value = _new(Value)
    if data.__class__ is not float:
        data = to_float(data, f"the value of {op.name}")
    out._data = data
    out._grad = 0.0
    out.op = op
    out.args = args
    out.parents = parents
    if _marking:
        _mark(out)
    return out


_new = Value.__new__
_TWO_RULES: dict[Op | None, tuple[Rule, Rule]] = {
    op: (op.derivatives[0], op.derivatives[1])
    for op in ops.TABLE.values()
    if len(op.derivatives) == 2 and op.derivatives[0] and op.derivatives[1]
}


def _apply_mixed(op: Op, operands: tuple[Any, ...]) -> Any:
    """Apply a row to operands that are not all plain Values: numbers, or instances of subclasses.

    As in the original, a number becomes a leaf, but a number exponent stays a number.
    """
    args: list[Any] = []
    for position, operand in enumerate(operands):
        if isinstance(operand, Value):
            if type(operand)._apply is not Value._apply:
                return operand._apply(op, operands)  # it has a way of its own
            args.append(operand)
        elif not is_number(operand):
            return NotImplemented
        elif op is ops.power and position == 1:
            args.append(operand if type(operand) in (int, float) else float(operand))
        else:
            args.append(Value(operand))
    parents = tuple(x for x in args if isinstance(x, Value))
    inputs = [x._data if isinstance(x, Value) else x for x in args]
    return _record(op, tuple(args), parents, inputs)


def _all_values(children: Iterable[Any]) -> tuple[Value, ...]:
    children = tuple(children)
    for child in children:
        if not isinstance(child, Value):
            raise TypeError(
                f"the children of a Value are Values, got {child!r}: wrap it in Value()"
            )
    return children


def _local_derivatives_by_hand(node: Value) -> Sequence[float]:
    """The local derivatives of a node that no row made: those given to `Value.node`, or none."""
    slopes = node._local_grads
    if callable(slopes):
        slopes = slopes(*[parent._data for parent in node.parents], node._data)
        return _one_per_parent(slopes, node)
    if slopes is None and node.parents:
        warnings.warn(
            f"no gradient passes {node!r}: it has children, but no rule. Assign its _backward, "
            "or make it with Value.node or a row of the table",
            RuntimeWarning,
            stacklevel=2,
        )
    return slopes or ()


def _one_per_parent(slopes: Iterable[Any], node: Value) -> tuple[float, ...]:
    slopes = tuple(to_float(slope, "a local derivative") for slope in slopes)
    if len(slopes) != len(node.parents):
        raise ValueError(
            f"Value.node needs one local derivative per parent: "
            f"got {len(slopes)} for {len(node.parents)} parents"
        )
    return slopes


# What scopes.py asks for: new Values know the scope of their thread, and are shown to a function.
# Until it asks, making a Value costs no more than a look at `_marking`.
_marking = False
_on_new: Callable[[Value], object] | None = None
_thread = threading.local()


def _mark(v: Value) -> None:
    scope = getattr(_thread, "scope", None)
    if scope is not None:
        v._scope = scope
    if _on_new is not None:
        _on_new(v)


def _swap_scope(scope: Any) -> Any:
    """Let this thread record in a scope from now on, or in none; give the one before, or None."""
    global _marking
    _marking = True
    before = getattr(_thread, "scope", None)
    _thread.scope = scope
    return before


def _in_scope(call: Callable[..., Any], outside: Any) -> Any:
    """Make the method of a module that calls one of its methods in the scope of its calls."""

    def within(module: Any, *args: Any, **kwargs: Any) -> Any:
        before = _swap_scope(None)
        try:
            _swap_scope((before or outside)._of_module(module))
            return call(module, *args, **kwargs)
        finally:
            _swap_scope(before)

    _hasten(within, type(outside))
    return within


def _hasten(within: Callable[..., Any], kind: type[Any]) -> None:
    """Let C, where it was built, do what `within` does."""


def _forget_calls() -> None:
    """Let C, where it was built, forget the scopes of calls that it remembers."""


def _call_on_new(function: Callable[[Value], object] | None) -> None:
    """Call a function on each Value that any thread makes from now on, or none."""
    global _marking, _on_new
    _marking = True
    _on_new = function


# What programs/asking.py asks for: by thread, what answers for the Values that a program compares
# while it is traced there, and is told of those whose numbers it reads.
_traces: dict[int, Any] = {}
_COMPARISONS = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)


def _compare(v: Value, other: Any, comparison: Any) -> Any:
    """Compare while a program is traced, perhaps by another thread; C numbers the comparisons."""
    if comparison.__class__ is int:
        comparison = _COMPARISONS[comparison]
    answers = _traces.get(threading.get_ident())
    answer = None if answers is None else answers.compare(v, other, comparison)
    if answer is not None:
        return answer
    return comparison(v._data, other._data if isinstance(other, Value) else other)


def _read(v: Value, name: str) -> float:
    """Give data or grad while a program is traced, perhaps by another thread."""
    answers = _traces.get(threading.get_ident())
    if answers is not None:
        answers.read(v, name)
    return v._data if name == "data" else v._grad


# The same in C, where it was built, as heapq has it: all of the above says what it does, and what
# it leaves out is taken from there. MICROGRAD_PURE=1 in the environment leaves it out altogether.
core = "python"
if not os.environ.get("MICROGRAD_PURE"):
    try:
        _engine: Any = importlib.import_module("micrograd._engine")
    except ImportError:
        pass
    else:
        _kept = {*vars(_engine.Value), "__slots__", "__weakref__"} - {"__doc__"}
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
        core = "c"

from micrograd import copying  # noqa: E402  (it stands on what is above)
