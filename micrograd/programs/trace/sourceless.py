"""What stands for the function of a program that was loaded where its source is not."""

from __future__ import annotations

import inspect
from types import FunctionType
from typing import Any, NoReturn

from micrograd.engine import Value
from micrograd.programs.trace.captures import Name
from micrograd.programs.trace.recording import ProgramError
from micrograd.value.identity import IdentityDict


class UntracedError(ProgramError):
    """A call needs what was not traced, and the function is not there to be traced."""

    row: int | None  # the first that does, if it is a matter of rows


class Sourceless:
    """The name and signature of a function that is not here; to call it raises UntracedError."""

    def __init__(self, function: Any) -> None:
        self.__name__: str = getattr(function, "__name__", "program")
        self.__qualname__: str = getattr(function, "__qualname__", self.__name__)
        self.__module__ = getattr(function, "__module__", "") or ""
        self.__doc__ = function.__doc__
        self.__signature__ = inspect.Signature(
            [  # whatever a default is, it has been traced
                inspect.Parameter(
                    p.name, p.kind, default=p.default if p.default is p.empty else ...
                )
                for p in inspect.signature(function).parameters.values()
            ]
        )

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        raise self.error("to run on scalars, within another program's function, it needs that")

    def error(self, why: str, row: int | None = None) -> UntracedError:
        """Make the error for a call that would have to trace the function."""
        error = UntracedError(
            f"{self.__name__} was loaded without the source of its function, and {why}. It can "
            "compute what was traced before it was pickled: call the original on such examples, "
            "and pickle it again"
        )
        error.row = row
        return error


class Settled:
    """The references of a function that is not here: nothing can change them."""

    def __init__(self, names: IdentityDict[Value, Name]) -> None:
        self.names = names
        self.first: Any = None
        self.functions: list[FunctionType] = []

    def unchanged(self) -> bool:
        """Return True."""
        return True
