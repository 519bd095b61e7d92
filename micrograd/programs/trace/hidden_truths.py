"""Find where a function asks for the truth of a comparison in a way that cannot be seen.

`(x > 0) is True` and `match x > 0: case True:` compare objects; a comparison that is traced is none
of Python's two, so the answer would be wrong.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from types import CodeType, FunctionType

from micrograd.programs.trace.recording import ProgramError
from micrograd.value.errors import described


def refuse_hidden_truths(function: FunctionType) -> None:
    """Raise ProgramError where a function asks whether a comparison `is` true or false."""
    for line in _lines(function.__code__):
        place = described(function.__code__.co_filename, line)
        raise ProgramError(
            f"a program cannot see whether a comparison is True or False ({place}): leave `is` and "
            "`match` out, `if x > 0` asks the same"
        )


def _lines(code: CodeType) -> Iterator[int]:
    starts, line = dict(dis.findlinestarts(code)), 0
    before: list[dis.Instruction] = []  # the latest three
    compared = set()  # the variables that hold comparisons
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset) or line
        name = instruction.argval
        if before and before[-1].opname == "COMPARE_OP" and instruction.opname.startswith("STORE"):
            compared.add(name[0] if isinstance(name, tuple) else name)
        if instruction.opname == "IS_OP" and _is_bool(before[-1].argval):
            holds = any(x.opname == "COMPARE_OP" for x in before)
            if holds or (len(before) > 1 and before[-2].argval in compared):
                yield line
        before = [*before[-2:], instruction]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _lines(constant)


def _is_bool(x: object) -> bool:
    return x is True or x is False
