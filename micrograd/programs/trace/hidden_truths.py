"""Find where a function asks for the truth of a comparison in a way that cannot be seen.

`(x > 0) is True` and `match x > 0: case True:` compare objects; a comparison that is traced is none
of Python's two, so the answer would be wrong.
"""

from __future__ import annotations

import dis
import itertools
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

from micrograd.programs.trace.called import called, codes
from micrograd.programs.trace.recording import ProgramError
from micrograd.value.errors import described

# Where a truth comes from that no traced function made.
_FROM_OUTSIDE = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_ATTR", "LOAD_CONST"}


def refuse_hidden_truths(first: Any, functions: list[FunctionType]) -> None:
    """Raise ProgramError where the first of these, or what it calls, asks what `is` True."""
    for function in called(first, functions):
        for code in codes(function.__code__):
            for line in _lines(code):
                raise ProgramError(
                    "a program cannot see whether a comparison is True or False "
                    f"({described(code.co_filename, line)}): leave `is` and `match` out, "
                    "`if x > 0` asks the same"
                )


def _lines(code: CodeType) -> Iterator[int]:
    instructions = [i for i in dis.get_instructions(code) if i.opname != "CACHE"]
    plain = _plain_variables(code, instructions)
    compared = _compared_variables(instructions)
    starts, line = dict(dis.findlinestarts(code)), 0
    for k, instruction in enumerate(instructions):
        line = starts.get(instruction.offset) or line
        if instruction.argval in ("is_", "is_not"):  # of the module operator
            yield line
        if instruction.opname not in ("IS_OP", "COMPARE_OP"):
            continue
        asked, constant = instructions[k - 2], instructions[k - 1]
        if constant.argval == "bool":  # type(x > 0) is bool
            yield line
        if instruction.opname == "COMPARE_OP":
            continue
        is_truth = constant.argval is True or constant.argval is False
        if is_truth and asked.opname not in _FROM_OUTSIDE and _names(asked)[-1] not in plain:
            yield line
        elif constant.opname == "COMPARE_OP" or not compared.isdisjoint(_names(constant)):
            yield line  # (x > 0) is (y > 0)


def _compared_variables(instructions: list[dis.Instruction]) -> set[Any]:
    """Return the local variables that are set to comparisons."""
    return {
        name
        for before, i in itertools.pairwise(instructions)
        if i.opname.startswith("STORE_FAST") and before.opname == "COMPARE_OP"
        for name in _names(i)[:1]
    }


def _plain_variables(code: CodeType, instructions: list[dis.Instruction]) -> set[Any]:
    """Return the local variables that hold nothing but what comes from outside."""
    held: dict[Any, bool] = dict.fromkeys(code.co_varnames[: code.co_argcount], False)
    held |= dict.fromkeys(code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount], False)
    for before, i in itertools.pairwise(instructions):
        if i.opname.startswith("STORE_FAST"):
            stored = _names(i)[: 1 + (i.opname == "STORE_FAST_STORE_FAST")]
            for name in stored:
                plain = before.opname in _FROM_OUTSIDE and len(stored) == 1
                held[name] = held.get(name, True) and plain
    return {name for name, plain in held.items() if plain}


def _names(instruction: dis.Instruction) -> tuple[Any, ...]:
    """Return the variables of an instruction, of which Python 3.13 may join two."""
    names = instruction.argval
    return names if isinstance(names, tuple) else (names,)
