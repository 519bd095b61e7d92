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
  `s * g` per unit of the operand, along this path.
* Where several paths lead from an operand to `out`, their shares are added up. That is why each
  step says `+=`, and why a node waits until all its consumers have had their turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Union

from micrograd import ops
from micrograd.native import takeover
from micrograd.ops import Op
from micrograd.value import custom_nodes, hooks
from micrograd.value.base import ValueBase
from micrograd.value.errors import ARITHMETIC_ERRORS, slope_after, value_after
from micrograd.value.numbers import is_number, to_float
from micrograd.value.words.calls import called_as

LocalGrads = Union[Sequence[float], Callable[..., Sequence[Any]]]


def toposort(*roots: Value) -> list[Value]:
    """List every Value that the roots are made of, operands before their consumers.

    >>> a, b = Value(2.0, label="a"), Value(3.0, label="b")
    >>> [v.label or v._op for v in toposort(a * b + a)]
    ['a', 'b', '*', '+']
    """
    # A walk in depth, on a list of its own: Python allows only a thousand nested calls, and a
    # graph may be a million operations deep. `path` leads from the roots to where the walk is:
    # each node with those of its operands that are still to be visited.
    order: list[Value] = []
    seen: set[int] = set()
    path: list[tuple[Any, Iterator[Value]]] = [(None, iter(roots))]
    while path:
        v, operands = path[-1]
        for operand in operands:
            if id(operand) not in seen:
                seen.add(id(operand))
                path.append((operand, iter(operand.parents)))
                break
        else:  # all its operands are listed: now the node itself
            order.append(v)
            path.pop()
    return order[:-1]  # without the None before the roots


class Value(ValueBase):
    """A number in a graph, with the gradient that `backward()` leaves in it.

    `data` and `grad` are floats and may be set; `label` is a name for people. Raises TypeError
    when `data` is not a real number.

    >>> x = Value(3.0)
    >>> y = x * x + 1
    >>> y.backward()
    >>> y.data, x.grad
    (10.0, 6.0)
    """

    __slots__ = ("__dict__", "__weakref__", "_args", "_grad", "_number", "_past", "_scope", "op")

    _number: float  # the numbers behind `data` and `grad`, which value/base.py checks
    _grad: float
    op: Op | None  # the operation that made this node; None for a leaf
    _args: tuple[Any, ...]  # its operands in order, the number 3 of `x**3` among them; see `args`

    def __init__(
        self,
        data: Any,
        _children: Iterable[Value] = (),
        _op: str = "",
        label: str = "",
        *,
        children: Iterable[Value] = (),
        local_grads: LocalGrads | None = None,
    ) -> None:
        self._number = to_float(data)
        self._grad = 0.0
        self.op = None
        self._args = ()
        if _children or _op or label or children or local_grads is not None:
            custom_nodes.set_up(self, _children or children, _op, label, local_grads)
        if hooks.on_new is not None:
            hooks.on_new(self)

    @staticmethod
    def node(data: Any, parents: Iterable[Value], local_grads: LocalGrads, _op: str = "") -> Value:
        """Make a node of any arity from its value and its local derivatives, one per parent.

        `local_grads` are numbers, which cannot be differentiated again, or a function that
        backward() calls on the parents' data and the result, like a rule of the table. Raises
        ValueError when there is not one per parent.

        >>> x, y = Value(3.0), Value(4.0)
        >>> Value.node(5.0, (x, y), local_grads=lambda x, y, out: (x / out, y / out)).backward()
        >>> x.grad, y.grad
        (0.6, 0.8)
        """
        return Value(data, parents, _op, local_grads=local_grads)

    @property
    def parents(self) -> tuple[Value, ...]:
        """The Values among the operands, in order; `a + a` has two."""
        return tuple([x for x in self._args if isinstance(x, Value)])

    @property
    def _local_grads(self) -> tuple[float, ...]:
        return custom_nodes.local_grads(self)

    @_local_grads.setter
    def _local_grads(self, given: LocalGrads) -> None:
        custom_nodes.give(self, given)

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Value:
        """Compute an operation on the data of its operands, and record the result as a node.

        As in the original, a number among the operands becomes a leaf, but a number exponent stays
        a number.
        """
        args: list[Any] = []
        for x in operands:
            if isinstance(x, Value):
                if type(x)._apply not in (Value._apply, type(self)._apply):
                    return x._apply(op, operands)  # a subclass that has a way of its own
            elif not is_number(x):
                return NotImplemented  # type: ignore[no-any-return]
            elif op is not ops.power or not args:
                x = Value(x)
                x._is_plain_number = True
            elif x.__class__ is not int:
                x = to_float(x, "an exponent")
            args.append(x)
        try:
            data = op.value(*[x._number if isinstance(x, Value) else x for x in args])
        except ARITHMETIC_ERRORS as error:
            data = value_after(error, op, args)
        out = Value.__new__(Value)
        out._number = to_float(data, f"the value of {op.name}")
        out._grad = 0.0
        out.op = op
        out._args = tuple(args)
        if hooks.on_new is not None:
            hooks.on_new(out)
        return out

    @called_as("v.backward(), which may be repeated, or (2.0 * v).backward() to begin with 2.0")
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
        before: list[tuple[Value, float]] = []  # the leaves, and what they have already
        for v in order:
            if v.parents:
                v._grad = 0.0
            else:
                before.append((v, v._grad))
        custom_nodes.refuse_without_rule(order)
        if hooks.before_backward is not None:
            hooks.before_backward(order)
        self._grad += 1.0  # self rises by one unit per unit of itself
        try:
            for v in reversed(order):
                v._backward()
        except BaseException:
            for leaf, grad in before:
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
        if not hooks.forgets():
            self._closure = closure

    def _pass_on(self) -> None:
        """The chain rule: each operand gets its local derivative times what arrived here."""
        if self._grad == 0:
            return  # nothing arrived: nothing is passed on, even where a slope is infinite
        for operand, slope in zip(self._args, self._local_derivatives()):
            if slope is not None and (slope or self.op not in ops.STOPS):
                operand._grad += slope * self._grad

    def _local_derivatives(self) -> Sequence[float | None]:
        """Evaluate the rule for each operand on the data as it is now; None where there is none."""
        if self.op is None:
            return custom_nodes.given_derivatives(self)
        inputs = [x._number if isinstance(x, Value) else x for x in self._args]
        slopes: list[float | None] = []
        for operand, rule in zip(self._args, self.op.derivatives):
            if rule is None or not isinstance(operand, Value):
                slopes.append(None)
                continue
            try:
                slope = rule(*inputs, self._number)
            except ARITHMETIC_ERRORS as error:
                slope = slope_after(error, self, operand, rule, [*inputs, self._number])
            slopes.append(to_float(slope, f"a local derivative of {self.op.name}"))
        return slopes


# The same in C, where it was built, as heapq has it: all of the above says what it does.
core: str
Value, toposort, core = takeover.in_c(Value, toposort)  # type: ignore[misc]
