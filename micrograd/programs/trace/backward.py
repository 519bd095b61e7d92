"""The reverse pass, traced: the chain rule walks the tape back, and writes what it does behind it.

The local derivatives are the rules of the table, called on symbols; no derivative is written
here. What arrives at a node that is shared by all examples is summed over them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from micrograd.engine import Value
from micrograd.programs.trace.tape import Symbol, Tape, total
from micrograd.value.identity import IdentityDict


def reverse(
    tape: Tape, outputs: Iterable[int], seeds: Sequence[Symbol]
) -> IdentityDict[Value, int]:
    """Trace the reverse pass: where the gradient of each parameter, over all examples, stands.

    `seeds` are what arrives at each output. The walk is that of `backward()`: outputs first, each
    operand gets the local derivative (the row's rule, called on symbols) times what arrived.
    """
    arrived = _Arrived(tape)
    values = tape.symbols()
    active = tape.active
    for output, seed in zip(outputs, seeds):
        if active[output]:
            arrived.add(output, seed)
    for index in range(len(values) - 1, -1, -1):
        op = tape.ops[index]
        adjoint = None if op is None else arrived.take(index)
        if op is None or adjoint is None:
            continue
        operands = tape.operands[index]
        arguments = [values[i] for i in (*operands, index)]
        for operand, rule in zip(operands, op.derivatives):
            if active[operand] and rule is not None:
                product = _times(rule(*arguments), adjoint)
                if product is not None:
                    arrived.add(operand, product)
    gradients = [(p, arrived.take(index)) for p, index in tape.parameters.items()]
    return IdentityDict((p, adjoint.index) for p, adjoint in gradients if adjoint is not None)


def _times(slope: Any, adjoint: Symbol) -> Symbol | None:
    if isinstance(slope, Value):
        return slope * adjoint  # type: ignore[return-value]
    if slope == 1:
        return adjoint
    if slope == 0:
        return None
    return -adjoint if slope == -1 else adjoint * slope  # type: ignore[return-value]


def _sum(x: Symbol, y: Symbol) -> Symbol:
    return x + y  # type: ignore[return-value]


class _Arrived:
    """The gradient that has arrived at each node so far; at a shared node, from all examples."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.varies = tape.varies
        self.varying: list[Symbol | None] = [None] * len(tape.ops)
        self.shared: list[Symbol | None] = [None] * len(tape.ops)

    def add(self, index: int, adjoint: Symbol) -> None:
        sums = self.varying if self.varies[adjoint.index] else self.shared
        before = sums[index]
        sums[index] = adjoint if before is None else _sum(before, adjoint)

    def take(self, index: int) -> Symbol | None:
        varying, shared = self.varying[index], self.shared[index]
        if varying is None:
            return shared
        if not self.varies[index]:
            varying = self.tape.symbol(self.tape.record(total, (varying.index,)))
        return varying if shared is None else _sum(varying, shared)
