"""Find where a function waits for an arithmetic error, which a program never raises.

`try: y = log(x)` with `except ValueError` chooses by the number of each row; a program computes all
rows at once, by IEEE arithmetic, and the handler would never run.
"""

from __future__ import annotations

import builtins
import dis
from collections.abc import Iterable, Iterator
from types import CodeType, FunctionType
from typing import Any

from micrograd.programs.trace.recording import ProgramError
from micrograd.value.errors import described

_RAISED = (ValueError, ZeroDivisionError, OverflowError)  # by arithmetic with floats


def refuse_hidden_errors(first: Any, functions: list[FunctionType]) -> None:
    """Raise ProgramError where the first of these, or what it calls, handles arithmetic errors."""
    for function in _called(first, functions):
        for code in _codes(function.__code__):
            for line in _handlers(code, function.__globals__):
                raise ProgramError(
                    "a program computes all rows at once, and none of them raises an arithmetic "
                    f"error that could be handled ({described(code.co_filename, line)}): ask "
                    "before, as in `if x > 0`; handle other errors outside of the function"
                )


def _called(first: Any, functions: list[FunctionType]) -> Iterator[FunctionType]:
    """Leave out methods that none of the others names: they may be for other code."""
    todo = [f for f in functions if f is first or not _is_plain_method(f)]
    waiting = [f for f in functions if f not in todo]
    names: set[str] = set()
    while todo:
        yield from todo
        names.update(n for f in todo for code in _codes(f.__code__) for n in code.co_names)
        todo = [f for f in waiting if f.__name__ in names]
        waiting = [f for f in waiting if f not in todo]


def _is_plain_method(f: FunctionType) -> bool:
    """Return whether this is a function in the body of a class, but not an operator or a call."""
    return "." in f.__qualname__.rpartition("<locals>.")[2] and not f.__name__.startswith("__")


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _handlers(code: CodeType, variables: dict[str, Any]) -> Iterator[int]:
    """Yield the lines of handlers that arithmetic errors reach."""
    starts, line = dict(dis.findlinestarts(code)), 0
    loaded: list[Any] = []  # what was loaded just before
    handlers: set[int] = set()  # where they begin, before Python 3.11
    previous = ""
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset) or line
        name, value = instruction.opname, instruction.argval
        if name == "SETUP_FINALLY":
            handlers.add(value)
        begins = previous == "PUSH_EXC_INFO" or instruction.offset in handlers
        if begins and name == "POP_TOP":  # `except:` looks at no kind
            yield line
        if name in ("CHECK_EXC_MATCH", "JUMP_IF_NOT_EXC_MATCH") and any(map(_catches, loaded)):
            yield line
        if name == "LOAD_GLOBAL":
            loaded.append(variables.get(value, getattr(builtins, value, None)))
        elif name == "LOAD_ATTR" and loaded:
            loaded.append(getattr(loaded.pop(), value, None))
        elif name not in ("BUILD_TUPLE", "CACHE"):
            loaded = []
        previous = name


def _catches(kinds: Any) -> bool:
    """Return whether a handler of these kinds of errors catches those of arithmetic."""
    several: Iterable[Any] = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(isinstance(k, type) and issubclass(x, k) for k in several for x in _RAISED)
