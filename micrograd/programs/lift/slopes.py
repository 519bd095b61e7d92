"""The local derivatives along which gradients come to the parameters.

The rules of the table are called on symbols, and write what they do on the tape, behind the
function; no derivative is written here. Sums and products need none: what passes through a term is
what else it is multiplied by, see reverse.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Union

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.ops import Op
from micrograd.programs.lift.forest import SUMS, is_square
from micrograd.programs.trace.tape import Tape
from micrograd.value.numbers import is_number
from micrograd.value.selection import Selection

# What a node passes on: to which operand, with which sign, and multiplied by which node, if any.
Slope = tuple[int, int, Union[int, None]]


class Slopes:
    """The slopes of a tape: `of` each node that is no sum and no product, `twice` what is squared.

    `arrives` says at which nodes a gradient arrives on its way to a parameter.
    """

    def __init__(self, tape: Tape, outputs: Iterable[int]) -> None:
        self.arrives: list[bool] = _arrives(tape, outputs)
        self.of: dict[int, list[Slope]] = {}
        self.twice: dict[int, int] = {}
        self._tape = tape
        self._known: dict[Any, _Written] = {}
        without = {None, *SUMS}
        for i, arrives in enumerate(self.arrives):
            op = tape.ops[i]
            if not arrives or op in without:
                continue
            operands = tape.operands[i]
            if op is ops.multiply and operands[0] != operands[1]:
                continue
            if is_square(tape, i):
                x = operands[0]
                self.twice[x] = tape.record(ops.multiply, (tape.constant(2.0), x))
            else:
                self.of[i] = self._slopes(i)
        self.arrives += [False] * (len(tape.ops) - len(self.arrives))

    def nodes(self) -> list[int]:
        """Return the nodes of all slopes, as often as they are used."""
        found = [node for slopes in self.of.values() for *_, node in slopes if node is not None]
        return [*found, *self.twice.values()]

    def _slopes(self, i: int) -> list[Slope]:
        """Write the slopes of a node; what the rules of the table do, they do at each of a kind."""
        tape, op, operands = self._tape, self._tape.ops[i], self._tape.operands[i]
        assert op is not None
        arrives = tuple([self.arrives[x] for x in operands])
        numbers = tuple([tape.constants.get(x) for x in operands])
        nodes = (*operands, i)
        if not asks_nothing(op) or len(set(operands)) < len(operands):
            arguments = [tape.constants.get(x, tape.symbol(x)) for x in nodes]
            return _slopes(tape, op, arguments, operands, arrives)
        key = op, arrives, tuple([None if x is None else repr(x) for x in numbers])
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = _Written(op, numbers, arrives)
        return known.again(tape, nodes)


def asks_nothing(op: Op) -> bool:
    """Return whether the rules of an operation ask for no truth: so are those of the table."""
    return ops.TABLE.get(op.name) is op or isinstance(op, (Selection, Choice))


class _Written:
    """What the rules of an operation of the table write, on a tape of its own, to be written again.

    `numbers` are those of the operands that are constants, None for others.
    """

    def __init__(self, op: Op, numbers: Sequence[float | None], arrives: Sequence[bool]) -> None:
        self._tape = Tape()
        places = range(len(numbers) + 1)
        leaves = [self._tape.input("", k) for k in places]
        self._tape.numbers = dict.fromkeys(leaves, 1.0)  # any: nothing is asked of them
        symbols: list[Any] = [self._tape.symbol(leaf) for leaf in leaves]
        arguments = [
            x if number is None else number for x, number in zip(symbols, (*numbers, None))
        ]
        self._slopes = _slopes(self._tape, op, arguments, places[:-1], arrives)

    def again(self, tape: Tape, nodes: Sequence[int]) -> list[Slope]:
        """Write it on a tape, where the operands and the result are these nodes."""
        at = [*nodes]
        own = self._tape
        for k in range(len(at), len(own.ops)):
            op = own.ops[k]
            if op is None:
                at.append(tape.constant(own.constants[k]))
            else:
                at.append(tape.record(op, tuple([at[x] for x in own.operands[k]])))
        return [(at[x], sign, None if node is None else at[node]) for x, sign, node in self._slopes]


def _slopes(
    tape: Tape, op: Op, arguments: list[Any], operands: Sequence[int], arrives: Sequence[bool]
) -> list[Slope]:
    """Call the rules of an operation on symbols."""
    found: list[Slope] = []
    for x, wanted, rule in zip(operands, arrives, op.derivatives):
        if wanted and rule is not None:
            slope = rule(*arguments)
            if not is_number(slope) or abs(slope) not in (0, 1):
                node = tape.index_of(slope)
                assert node is not None
                while isinstance(tape.ops[node], Choice):  # nobody differentiates it again
                    node = tape.operands[node][0]
                found.append((x, 1, node))
            elif slope:
                found.append((x, int(slope), None))
    return found


def _arrives(tape: Tape, outputs: Iterable[int]) -> list[bool]:
    arrives = [False] * len(tape.ops)
    for output in outputs:
        arrives[output] = tape.active[output]
    # Nodes that pass something on to all of their operands are most of them.
    passing = {op: all(op.derivatives) for op in set(tape.ops) if op is not None}
    active, ops, operands = tape.active, tape.ops, tape.operands
    for i in range(len(arrives) - 1, -1, -1):
        op = ops[i]
        if arrives[i] and op is not None:
            if passing[op]:
                for x in operands[i]:
                    arrives[x] = active[x]
            else:
                for x, rule in zip(operands[i], op.derivatives):
                    if rule is not None and active[x]:
                        arrives[x] = True
    return arrives
