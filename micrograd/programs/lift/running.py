"""Running sums: partial sums that are used, and go on.

`s = s + q * x`, with `s` used at each step, is one sum more for each step, of which each is made of
the one before: no two of a kind. Written out, each is a sum of what was added so far; these are of
one kind, of unlike lengths, and are computed one from the other all the same (ragged.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from micrograd.programs.trace.tape import Tape

MOST = 4000  # terms, in all sums that are written out


def written_out(tape: Tape, uses: Any, added: Iterable[int]) -> set[int]:
    """Return the nodes that should be sums of all that they and their partial sums add up.

    `added` are those that may be, operands first.
    """
    begins: dict[int, int] = {}  # where the sum begins that a node is a part of
    used: set[int] = set()  # the sums that go on after a use
    operands, constants = tape.operands, tape.constants
    for i in added:
        x, y = operands[i]
        if x in begins:
            begin = begins[i] = begins[x]
            if uses[x] > 1 and _shape(tape, y) == _shape(tape, operands[begin][1]):
                used.add(begin)
        elif constants.get(x) == 0:
            begins[i] = i
    steps = {i: begin for i, begin in begins.items() if begin in used}
    if sum(n * (n + 1) // 2 for n in Counter(steps.values()).values()) > MOST:
        return set()
    own = _made_of_themselves(tape, steps, used)
    return {
        i
        for i, begin in steps.items()
        if begin not in own
        and _shape(tape, operands[i][1]) == _shape(tape, operands[begin][1])
        and tape.varies[i] == tape.varies[begin]
    }


def _shape(tape: Tape, i: int) -> Any:
    """Return what a node is like: its operation, and those of its operands."""
    return _kind(tape, i), *[_kind(tape, x) for x in tape.operands[i]]


def _kind(tape: Tape, i: int) -> Any:
    return tape.ops[i] or (i in tape.constants, tape.varies[i])


def _made_of_themselves(tape: Tape, begins: dict[int, int], sums: set[int]) -> set[int]:
    """Return the sums to which something is added that is made of the sum so far."""
    if not sums:
        return set()
    bits = {begin: 1 << k for k, begin in enumerate(sums)}
    made_of = [0] * len(tape.ops)  # bits of the sums that a node is made of
    found: set[int] = set()
    for i, operands in enumerate(tape.operands):
        for x in operands:
            made_of[i] |= made_of[x]
        bit = bits.get(begins.get(i, -1))
        if bit is not None:
            if made_of[operands[1]] & bit:
                found.add(begins[i])
            made_of[i] |= bit
    return found
