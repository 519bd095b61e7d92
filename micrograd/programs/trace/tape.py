"""The tape: what a function did with one row, as lists of operations and of places.

An operation that is applied twice to the same operands is written once; one on constants alone is
its number. Local derivatives are written on the same tape, by calling the rules of the table on
symbols (lift/slopes.py).

A node *varies* if it differs between rows (it depends on an argument), else all rows share it. It
is *active* if a parameter reaches it by operations that have a derivative.
"""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import islice
from types import FunctionType
from typing import Any

from micrograd import ops
from micrograd.derivatives.sweeps import identity, tied
from micrograd.engine import Value
from micrograd.native.takeover import prefer_c
from micrograd.ops import Op
from micrograd.programs.trace.comparisons import Comparison, outcome
from micrograd.value.identity import IdentityDict
from micrograd.value.numbers import is_number
from micrograd.value.operators import Operators

# What leaves a number as it is: the operation, the position of the number, the number. `0 + x` is
# not among them: Python's sum() begins with it, and so a sum of one term is seen to be a sum.
_IDENTITIES = {
    (ops.add, 1, 0.0),
    (ops.subtract, 1, 0.0),
    (ops.multiply, 0, 1.0),
    (ops.multiply, 1, 1.0),
    (ops.divide, 1, 1.0),
    (ops.power, 1, 1.0),
}


class Tape:
    """One entry per node, operands before consumers; a leaf has no operation."""

    passing: tuple[Op, ...] = (identity, tied)  # operations that are left out

    def __init__(self, kind: str = "d") -> None:
        self.kind = kind  # "f" where it will run in float32
        self.ops: list[Op | None] = []
        self.operands: list[tuple[int, ...]] = []
        self.varies: list[bool] = []
        self.active: list[bool] = []
        self.inputs: dict[int, tuple[str, int]] = {}  # the argument, and the column in it
        self.columns: Counter[str] = Counter()  # of each argument, whether they are used or not
        self.parameters: IdentityDict[Value, int] = IdentityDict()
        self.constants: dict[int, float] = {}
        self.guards: dict[int, bool] = {}  # the comparisons that were asked, and their truth
        self.lines: list[str] = []  # of the guards, in their order
        self.numbers: dict[int, float] = {}  # of the row that was traced, where they are known
        self._written: defaultdict[Op, dict[tuple[int, ...], int]] = defaultdict(dict)
        self._constants: dict[float | str, int] = {}

    def _node(self, op: Op | None, operands: tuple[int, ...], varies: bool, active: bool) -> int:
        self.ops.append(op)
        self.operands.append(operands)
        self.varies.append(varies)
        self.active.append(active)
        return len(self.ops) - 1

    def input(self, name: str, column: int, active: bool = False) -> int:
        """Write a leaf for one column of an argument."""
        index = self._node(None, (), True, active)
        self.inputs[index] = (name, column)
        return index

    def parameter(self, v: Value) -> int:
        """Write a leaf for a Value that is read at every call."""
        index = self.parameters.get(v)
        if index is None:
            index = self.parameters[v] = self._node(None, (), False, True)
        return index

    def constant(self, number: float) -> int:
        """Write a leaf for a number."""
        key = _key(number)
        index = self._constants.get(key)
        if index is None:
            index = self._constants[key] = self._node(None, (), False, False)
            self.constants[index] = self.numbers[index] = number
        return index

    def record(self, op: Op, operands: tuple[int, ...]) -> int:
        """Write an operation, unless it is there already or leaves its operand as it is."""
        written = self._written[op]
        index = written.get(operands)
        if index is None:
            index = self._unchanged(op, operands)
            if index is None:
                index = self._new(op, operands)
            written[operands] = index
        return index

    def _new(self, op: Op, operands: tuple[int, ...]) -> int:
        all_varies, all_active, rules = self.varies, self.active, op.derivatives
        if len(operands) == 2:
            x, y = operands
            varies = all_varies[x] or all_varies[y]
            active = (all_active[x] and rules[0] is not None) or (
                all_active[y] and rules[1] is not None
            )
        else:
            varies = any(all_varies[x] for x in operands)
            active = any(all_active[x] and rule is not None for x, rule in zip(operands, rules))
        self.ops.append(op)
        self.operands.append(operands)
        all_varies.append(varies)
        all_active.append(active)
        return len(all_active) - 1

    def _known(self, op: Op, operands: tuple[int, ...], number: float) -> int | None:
        """Return where the result of an operation that is never a new node, or not always, stands.

        Where all operands are constants, it is their `number`.
        """
        if op in self.passing:
            return operands[0]
        if all(x in self.constants for x in operands):
            return self.constant(number)
        return self._unchanged(op, operands)

    def _unchanged(self, op: Op, operands: tuple[int, ...]) -> int | None:
        """Return the operand that an operation leaves unchanged, as `x * 1` does, or None."""
        constants = self.constants
        for i, x in enumerate(operands):
            number = constants.get(x)
            if number != 0.0 and number != 1.0:
                continue
            if (op, i, number) in _IDENTITIES:
                return operands[1 - i]
            if op is ops.multiply and number == 0 and self.ops[operands[1 - i]] in COMPARISONS:
                return x
        return None

    def index_of(self, x: Any) -> int | None:
        """Tell where a number, a symbol or a parameter stands; None for anything else."""
        if x.__class__ is Symbol:
            return x.index
        if isinstance(x, Comparison):
            return self.index_of(x.node())
        if isinstance(x, Value):
            index = self.parameter(x)
            self.numbers[index] = x._number
            return index
        return self.constant(float(x)) if is_number(x) else None

    def guard(self, index: int, truth: bool, line: str) -> None:
        """Note that a comparison was asked for its truth."""
        if index not in self.constants and index not in self.guards:
            self.guards[index] = truth
            self.lines.append(line)

    def symbol(self, index: int) -> Symbol:
        """Make a scalar that stands for a node."""
        v: Symbol = Value.__new__(Symbol)
        v.tape, v.index = self, index
        return v

    def number(self, index: int) -> float:
        """Return the number that a node has for the row that was traced."""
        numbers = self.numbers
        todo = [index]
        while todo:
            op, operands = self.ops[todo[-1]], self.operands[todo[-1]]
            missing = [x for x in operands if x not in numbers]
            if missing and todo[-1] not in numbers:
                todo += missing
                continue
            i = todo.pop()
            if i in numbers or op is None:
                continue
            own = [numbers[x] for x in operands]
            if op in COMPARISONS:
                numbers[i] = float(outcome(op, own, self.kind))
            else:
                numbers[i] = without_raising(op, own)
        return numbers[index]

    def open(self) -> None:
        """Go on writing after `close()`: find again what is there already."""
        if self._written:
            return
        for index, (op, operands) in enumerate(zip(self.ops, self.operands)):
            if op is not None:
                self._written[op][operands] = index
        for index, number in self.constants.items():
            self._constants[_key(number)] = index

    def close(self) -> None:
        """Release what only writing needs."""
        self._written.clear()
        self._constants.clear()
        self.numbers.clear()

    def __getstate__(self) -> dict[str, Any]:
        """Return what a pickle holds: the lists of nodes as few arrays, which are read quickly."""
        kinds = {op: i for i, op in enumerate(dict.fromkeys(self.ops))}
        flat = [x for operands in self.operands for x in operands]
        return {
            **{name: x for name, x in vars(self).items() if name not in _AS_ARRAYS},
            "kinds": list(kinds),
            "ops": array("i", [kinds[op] for op in self.ops]),
            "counts": array("i", map(len, self.operands)),
            "operands": array("i", flat),
            "varies": bytes(self.varies),
            "active": bytes(self.active),
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        kinds, counts, flat = state.pop("kinds"), state.pop("counts"), iter(state["operands"])
        vars(self).update(
            state,
            ops=[kinds[kind] for kind in state["ops"]],
            operands=[tuple(islice(flat, count)) for count in counts],
            varies=[*map(bool, state["varies"])],
            active=[*map(bool, state["active"])],
            _written=defaultdict(dict),
            _constants={},
            numbers={},
        )


# What a pickle holds in another form, or not at all.
_AS_ARRAYS = {
    *("ops", "operands", "varies", "active"),
    *("numbers", "_written", "_constants"),
}


@prefer_c
def write_down(
    tape: Tape,
    ops: list[Op | None],
    operands: list[tuple[int, ...]],
    numbers: Sequence[float],
    wanted: list[bool],
    at: list[int],
) -> None:
    """Write a graph, whose operands are places in these lists, on a tape, as its `record` does.

    `at` says where the places stand on the tape; what is missing is written, if it is wanted. It is
    longer than the lists: behind are those that have negative places.
    """
    are_none_constants = tape.constants.keys().isdisjoint
    for place, op in enumerate(ops):
        if at[place] >= 0 or not wanted[place]:
            continue
        if op is None:
            at[place] = tape.constant(numbers[place])
            continue
        found = tuple([at[x] for x in operands[place]])
        written = tape._written[op]
        index = written.get(found)
        if index is None:
            if op in tape.passing or not are_none_constants(found):
                index = tape._known(op, found, numbers[place])
            if index is None:
                index = tape._new(op, found)
            written[found] = index
        at[place] = index


def _key(number: float) -> float | str:
    # 0.0 and -0.0 differ though they are equal, and nan is one number though it is not.
    return number if abs(number) > 0 else repr(number)


COMPARISONS = (ops.less, ops.less_equal, ops.equal)


def without_raising(op: Op, numbers: Sequence[float]) -> float:
    """Compute an operation by IEEE arithmetic, as on arrays: infinite or nan where floats raise."""
    import numpy as np

    with np.errstate(all="ignore"):
        return float(op(*[np.array([x], float) for x in numbers])[0])


class Symbol(Value):
    """A scalar that stands for a node of a tape; an operation on it is written there."""

    __slots__ = ("index", "tape")

    tape: Tape
    index: int

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Any:
        tape = self.tape
        indices = []
        for x in operands:
            index = tape.index_of(x)
            if index is None:
                return NotImplemented
            indices.append(index)
        found = tape.record(op, tuple(indices))
        number = tape.constants.get(found)
        return tape.symbol(found) if number is None else number

    def _compare(self, op: Op, operands: tuple[Any, Any]) -> Any:
        node = op(*operands)
        truth = bool(self.tape.number(node.index)) if isinstance(node, Symbol) else bool(node)
        return Comparison(op, operands, truth, self._decide)

    def _decide(self, comparison: Comparison) -> None:
        """Note that a rule has asked for the truth of a comparison."""
        index = self.tape.index_of(comparison.node())
        if index is not None:
            self.tape.guard(index, comparison.truth, "a rule for a derivative")

    def __lt__(self, other: Any) -> Any:
        return self._compare(ops.less, (self, other))

    def __le__(self, other: Any) -> Any:
        return self._compare(ops.less_equal, (self, other))

    def __gt__(self, other: Any) -> Any:
        return self._compare(ops.less, (other, self))

    def __ge__(self, other: Any) -> Any:
        return self._compare(ops.less_equal, (other, self))

    def __eq__(self, other: object) -> Any:
        return self._compare(ops.equal, (self, other)) if is_number(other) else self is other

    def __hash__(self) -> int:
        return object.__hash__(self)


# Python asks the right operand of w * x first only where its class has an operator of its own.
for _name, _method in vars(Operators).items():
    if isinstance(_method, FunctionType) and _name != "_apply":
        setattr(Symbol, _name, _method)
