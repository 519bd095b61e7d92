"""Tracing: run a function of one example once, and keep on a tape what it did.

The function gets `Traced` scalars instead of numbers. Each row that it applies to one is written
on the tape: the row, and where its operands stand on the tape. What is computed twice is written
once. reverse.py then traces the reverse pass onto the same tape.

A node *varies* if it differs between examples (it depends on an argument), else it is shared. It is
*active* if a parameter reaches it by operations that have a derivative.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from types import FunctionType
from typing import Any

from micrograd import ops
from micrograd.derivatives.fresh_inputs import identity
from micrograd.engine import Value, toposort
from micrograd.graph.scopes import Scope, scope_of
from micrograd.ops import Op
from micrograd.value.numbers import is_number
from micrograd.value.operators import Operators
from micrograd.value.user_code import described, user_line

# The sum over all examples of what varies: where the gradients of the examples are added up.
total = Op("total", lambda x: x, lambda x, out: 1.0)

COMPARISONS = (ops.less, ops.less_equal, ops.equal)

# What leaves a number as it is: the row, the position of the number, the number.
_IDENTITIES = {
    (ops.add, 0, 0.0),
    (ops.add, 1, 0.0),
    (ops.subtract, 1, 0.0),
    (ops.multiply, 0, 1.0),
    (ops.multiply, 1, 1.0),
    (ops.divide, 1, 1.0),
    (ops.power, 1, 1.0),
}


class ProgramError(TypeError):
    """A function did with a traced scalar what can only be done with a number."""


def users_line() -> str:
    """Name and quote the line of the user's code that is running."""
    return described(*user_line())


def refuse(what: str, instead: str) -> ProgramError:
    """The error for asking a traced scalar for its number."""
    return ProgramError(
        f"{what} needs the number, but a program is traced once for all examples, and here is "
        f"none yet ({users_line()}): {instead}"
    )


class Traced(Value):
    """A scalar that stands for one number per example; what is done with it goes on the tape.

    It is used like a Value. A comparison may decide an `if`; the rows that it decides otherwise
    are traced on their own. Raises ProgramError where the number itself is asked for.
    """

    __slots__ = ("index", "tape")

    tape: Tape
    index: int

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Any:
        tape = self.tape
        if op is identity:
            return tape.again(self.index, op, operands)
        indices = []
        number = False
        for x in operands:
            if x.__class__ is Traced and x.tape is tape:
                indices.append(x.index)
            else:
                index = tape.index_of(x)
                if index is None:
                    return NotImplemented
                indices.append(index)
                # A derivative may be taken by a Value, if it is a constant here too.
                number = number or not isinstance(x, Value)
        found = tape.unchanged(op, indices, operands) if number else None
        return tape.record(op, tuple(indices), operands) if found is None else found

    _is_traced = True

    def _stand_in(self) -> Traced:
        """A leaf in the place of this node, by which a derivative can be taken; see calls.py."""
        return self.tape.again(self.index, None, ())

    def __bool__(self) -> bool:
        if self.tape.ops[self.index] not in COMPARISONS:
            raise refuse(
                "whether a value is true",
                "compare it (v > 0), or use micrograd.where(condition, x, y)",
            )
        return self.tape.decide(self.index)

    def __lt__(self, other: Any) -> Any:
        return self._apply(ops.less, (self, other))

    def __le__(self, other: Any) -> Any:
        return self._apply(ops.less_equal, (self, other))

    def __gt__(self, other: Any) -> Any:
        return self._apply(ops.less, (other, self))

    def __ge__(self, other: Any) -> Any:
        return self._apply(ops.less_equal, (other, self))

    def __eq__(self, other: object) -> bool:
        if is_number(other):
            raise refuse(
                f"== {other!r}", "write micrograd.equal(v, number), or compare with <= and >="
            )
        return self is other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = Value.__hash__

    def _refuse_data(self, _: Any = None) -> Any:
        raise refuse(".data", "use the value itself, or micrograd.stop_gradient(v)")

    data = _data = property(_refuse_data, _refuse_data)

    def __float__(self) -> float:
        raise refuse("float(v) or a function of math", "write the row, v.exp() for math.exp(v)")

    def __int__(self) -> int:
        raise refuse("int(v)", "give what is to count or index as a number from outside")

    __index__ = __int__

    def __round__(self, digits: int | None = None) -> Any:
        raise refuse("round(v)", "there is no derivative of it; use the value itself")

    __trunc__ = __floor__ = __ceil__ = __round__

    def __format__(self, spec: str) -> str:
        raise refuse("printing the value", "print the result of the program's call")

    def __repr__(self) -> str:
        op = self.tape.ops[self.index]
        return f"Traced({op.name if op else 'leaf'})"

    def __deepcopy__(self, memo: dict[int, Any]) -> Traced:
        return self

    __copy__ = Value.__pos__


# Python asks the right operand of w * x first only where its class has an operator of its own.
for _name, _method in vars(Operators).items():
    if isinstance(_method, FunctionType) and _name != "_apply":
        setattr(Traced, _name, _method)


class Tape:
    """What a function did: one row per node, operands before consumers; leaves have no row."""

    def __init__(
        self, known: Collection[Value] = (), decide: Callable[[Tape, int], bool] | None = None
    ) -> None:
        self.ops: list[Op | None] = []
        self.operands: list[tuple[int, ...]] = []
        self.varies: list[bool] = []
        self.active: list[bool] = []
        self.inputs: dict[int, tuple[str, int]] = {}  # the argument, and the column in it
        self.parameters: dict[Value, int] = {}
        self.constants: dict[int, float] = {}
        self.guards: list[tuple[int, bool]] = []
        self.scope: Scope | None = None  # in which the function runs
        self._known = known
        self._decide = decide
        self._values: list[Traced] = []
        self._written: defaultdict[Op, dict[tuple[int, ...], int]] = defaultdict(dict)
        self._numbers: dict[float | str, int] = {}
        self._expanded: dict[Value, int] = {}
        self.in_function = True  # whether the nodes also get args, so that `grad` can walk them

    def _node(self, op: Op | None, operands: tuple[int, ...], varies: bool, active: bool) -> Traced:
        index = len(self.ops)
        self.ops.append(op)
        self.operands.append(operands)
        self.varies.append(varies)
        self.active.append(active)
        v: Traced = _new(Traced)
        v.tape, v.index = self, index
        self._values.append(v)
        return v

    def input(self, name: str, column: int) -> Traced:
        """A leaf for one column of an argument."""
        v = self._node(None, (), True, False)
        v.op, v.args = None, ()
        self.inputs[v.index] = (name, column)
        return v

    def index_of(self, x: Any) -> int | None:
        """Where a number or a Value stands on the tape; None for anything else."""
        if x.__class__ is float:
            return self._constant(x)
        if isinstance(x, Traced):
            if x.tape is not self:
                raise ProgramError(
                    f"a traced value was kept from an earlier trace ({users_line()}): it stands "
                    "for no number; return it from the function instead"
                )
            return x.index
        if isinstance(x, Value):
            return self._index_of_value(x)
        return self._constant(float(x)) if is_number(x) else None

    def _constant(self, number: float) -> int:
        # 0.0 and -0.0 differ though they are equal, and nan is one number though it is not.
        key = number if abs(number) > 0 else repr(number)
        index = self._numbers.get(key)
        if index is None:
            index = self._numbers[key] = self._node(None, (), False, False).index
            self.constants[index] = number
        return index

    def _index_of_value(self, v: Value) -> int:
        """A parameter; or, if the function itself computed `v` from parameters, that arithmetic."""
        index = self.parameters.get(v)
        if index is None:
            index = self._expanded.get(v)
        if index is not None:
            return index
        if not self._is_fresh(v):
            index = self.parameters[v] = self._node(None, (), False, True).index
            return index
        for node in toposort(v):
            if node not in self._expanded and self._is_fresh(node):
                self._expanded[node] = self._expand(node)
        return self._expanded[v]

    def _is_fresh(self, v: Value) -> bool:
        """Whether the function itself made `v`, in this trace."""
        found = None if v in self._known else scope_of(v)
        while found is not None and found is not self.scope:
            found = found.parent
        return found is not None

    def is_constant(self, leaf: Value) -> bool:
        """Whether the function made this leaf, and no parameter stands behind it."""
        return self._is_fresh(leaf) and leaf._original is None

    def _expand(self, v: Value) -> int:
        """A Value that the function made: a number, or arithmetic on parameters."""
        if not v.parents:
            if self.is_constant(v):
                return self._constant(v._data)
            return self._index_of_argument(v._original)
        if v.op is identity:
            return self._index_of_argument(v.args[0])
        if v.op is None:
            raise ProgramError(
                f"a program cannot trace a node that no row made ({users_line()}): write an Op "
                "with its value and derivatives, which works on numbers, Values and programs"
            )
        indices = tuple([self._index_of_argument(x) for x in v.args])
        if all(i in self.constants for i in indices):
            return self._constant(v._data)
        return self.record(v.op, indices, v.args).index

    def _index_of_argument(self, x: Any) -> int:
        index = self.index_of(x)
        assert index is not None  # what stands in a recorded graph is a Value or a number
        return index

    def unchanged(self, op: Op, indices: Sequence[int], operands: Sequence[Any]) -> Any:
        """The operand that a row leaves as it is, as `x * 1` does; None if it computes."""
        for i, index in enumerate(indices):
            number = self.constants.get(index)
            if number not in (0.0, 1.0):
                continue
            if (op, i, number) in _IDENTITIES:
                return operands[1 - i]
            if op is ops.multiply and number == 0 and self.ops[indices[1 - i]] in COMPARISONS:
                return 0.0
        return None

    def record(self, op: Op, indices: tuple[int, ...], operands: tuple[Any, ...]) -> Traced:
        """Write a node, unless it is there already."""
        written = self._written[op]
        found = written.get(indices)
        if found is not None:
            v = self._values[found]
            if self.in_function and not _has_operands(v, operands):
                return self.again(found, op, operands)
            return v
        varies = active = False
        all_varies, all_active = self.varies, self.active
        for index, rule in zip(indices, op.derivatives):
            if all_varies[index]:
                varies = True
            if all_active[index] and rule is not None:
                active = True
        v = self._node(op, indices, varies and op is not total, active)
        if self.in_function:
            v.op, v.args = op, operands
        written[indices] = v.index
        return v

    def again(self, index: int, op: Op | None, operands: tuple[Any, ...]) -> Traced:
        """Another Traced for what is written: the same number, at another place in the graph."""
        v: Traced = _new(Traced)
        v.tape, v.index, v.op, v.args = self, index, op, operands
        return v

    def values(self) -> list[Any]:
        """The nodes as the rules take them: numbers, and traced scalars."""
        values: list[Any] = self._values.copy()
        for index, number in self.constants.items():
            values[index] = number
        return values

    def decide(self, index: int) -> bool:
        """The truth of a comparison on this path, which becomes a guard of it."""
        for guard, truth in self.guards:
            if guard == index:
                return truth
        if self._decide is None:
            raise refuse("whether a comparison is true", "use micrograd.where")
        truth = self._decide(self, index)
        self.guards.append((index, truth))
        return truth

    def close(self) -> None:
        """Let go of the traced scalars: the tape is complete."""
        self._values.clear()
        self._written.clear()
        self._numbers.clear()
        self._expanded.clear()


_new = Value.__new__


def _has_operands(v: Traced, operands: tuple[Any, ...]) -> bool:
    """Whether these are the operands, and not others with the same numbers; numbers are alike."""
    for x, y in zip(v.args, operands):
        if x is not y and (isinstance(x, Value) or isinstance(y, Value)):
            return False
    return True


def nested_inputs(tape: Tape, name: str, shape: Sequence[int]) -> Any:
    """Leaves for one example of an argument: a scalar, or lists of lists of them."""
    count = 0

    def build(sizes: Sequence[int]) -> Any:
        nonlocal count
        if not sizes:
            count += 1
            return tape.input(name, count - 1)
        return [build(sizes[1:]) for _ in range(sizes[0])]

    return build(shape)
