"""The local derivatives along which gradients come to the parameters.

The rules of the table are called on symbols, and write what they do on the tape, behind the
function; no derivative is written here. Sums and products need none: what passes through a term is
what else it is multiplied by, see reverse.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.programs.lift.forest import SUMS, is_square
from micrograd.programs.trace.tape import Tape
from micrograd.value.numbers import is_number

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
        without = {None, *SUMS}
        for i, arrives in enumerate(self.arrives):
            op = tape.ops[i]
            if not arrives or op in without:
                continue
            x, *others = tape.operands[i]
            if op is ops.multiply and x not in others:
                continue
            if is_square(tape, i):
                self.twice[x] = tape.record(ops.multiply, (tape.constant(2.0), x))
            else:
                self.of[i] = self._rules(i)
        self.arrives += [False] * (len(tape.ops) - len(self.arrives))

    def nodes(self) -> list[int]:
        """Return the nodes of all slopes, as often as they are used."""
        found = [node for slopes in self.of.values() for *_, node in slopes if node is not None]
        return [*found, *self.twice.values()]

    def _rules(self, i: int) -> list[Slope]:
        """Call the rules of a node's operation on symbols."""
        tape, op, operands = self._tape, self._tape.ops[i], self._tape.operands[i]
        assert op is not None
        arguments = [tape.constants.get(x, tape.symbol(x)) for x in (*operands, i)]
        found: list[Slope] = []
        for x, rule in zip(operands, op.derivatives):
            if self.arrives[x] and rule is not None:
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
