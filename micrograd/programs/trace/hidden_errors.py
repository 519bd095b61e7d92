"""Find where a function waits for an arithmetic error, which a program never raises.

`try: y = log(x)` with `except ValueError` chooses by the number of each row; a program computes all
rows at once, by IEEE arithmetic, and the handler would never run.
"""

from __future__ import annotations

import contextlib
import dis
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from micrograd import ops
from micrograd.programs.trace.called import called, codes, variables
from micrograd.programs.trace.recording import ProgramError
from micrograd.value.errors import described

_RAISED = (ValueError, ZeroDivisionError, OverflowError)  # by arithmetic with floats


def refuse_hidden_errors(first: Any, functions: list[FunctionType]) -> None:
    """Raise ProgramError where the first of these, or what it calls, handles arithmetic errors."""
    for function in called(first, functions):
        if function.__module__ == ops.__name__:
            continue  # an operation by itself: it says what went wrong on numbers
        for code in codes(function.__code__):
            for line in _handlers(code, variables(function)):
                raise ProgramError(
                    "a program computes all rows at once, and none of them raises an arithmetic "
                    f"error that could be handled ({described(code.co_filename, line)}): ask "
                    "before, as in `if x > 0`; handle other errors outside of the function"
                )


def _handlers(code: CodeType, names: Mapping[str, Any]) -> Iterator[int]:
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
        suppresses = any(x is contextlib.suppress for x in loaded)  # others may be arrays
        if name.startswith("CALL") and suppresses and any(map(_catches, loaded)):
            yield line
        if name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF"):
            loaded.append(names.get(value))
        elif name in ("LOAD_ATTR", "LOAD_METHOD") and loaded:
            loaded.append(getattr(loaded.pop(), value, None))
        elif name not in _KEEPING:
            loaded = []
        previous = name


_KEEPING = ("BUILD_TUPLE", "CACHE", "PUSH_NULL", "PRECALL")  # what was loaded


def _catches(kinds: Any) -> bool:
    """Return whether a handler of these kinds of errors catches those of arithmetic."""
    several: Iterable[Any] = kinds if isinstance(kinds, tuple) else (kinds,)
    return any(isinstance(k, type) and issubclass(x, k) for k in several for x in _RAISED)
