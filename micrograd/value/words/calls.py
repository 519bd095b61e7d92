"""Functions that say how they are called to whoever calls them otherwise.

May import nothing of the package.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])


def called_as(example: str) -> Callable[[Function], Function]:
    """Let the error for arguments that a function does not take end in an example of a call.

    Its own errors pass as they are.

    >>> @called_as("half(3.0)")
    ... def half(x):
    ...     return x / 2
    >>> half()
    Traceback (most recent call last):
        ...
    TypeError: half: missing a required argument: 'x'; write half(3.0)
    """

    def decorate(function: Function) -> Function:
        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except TypeError:
                misfit = _misfit(function, args, kwargs)
                if misfit is None:
                    raise
            name = function.__qualname__.removesuffix(".__init__").removesuffix(".__call__")
            raise TypeError(f"{name}: {misfit}; write {example}")

        return cast("Function", call)

    return decorate


def _misfit(function: Callable[..., Any], args: Any, kwargs: Any) -> str | None:
    """Return what is wrong with the arguments; None if the function takes them."""
    try:
        inspect.signature(function).bind(*args, **kwargs)
    except TypeError as error:
        return str(error)
    return None
