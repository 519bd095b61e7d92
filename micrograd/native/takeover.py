"""The take-over: the C core replaces what engine.py and other modules define in Python.

MICROGRAD_PURE=1 in the environment keeps Python's versions in place; 0, or nothing, does not.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

from micrograd.native import bulk, gc_cycles, products
from micrograd.value import hooks

Function = TypeVar("Function", bound=Callable[..., Any])

c_core: Any = None  # the module _engine, where it was built and is used


def in_c(value: Any, toposort: Any) -> tuple[Any, Any, str]:
    """Return Value and toposort in C, and "c"; or the given ones, and "python", without a C core.

    What the Value in C lacks itself it gets from the one in Python.
    """
    global c_core
    if os.environ.get("MICROGRAD_PURE", "0") not in ("", "0"):
        return value, toposort, "python"
    try:
        c_core = importlib.import_module("micrograd.native._engine")
    except ImportError:
        return value, toposort, "python"
    fast: Any = c_core.Value
    own = {*vars(fast), *value.__slots__, "__slots__"} - {"__doc__"}
    for name, attribute in vars(value).items():
        if name not in own:
            setattr(fast, name, attribute)
    fast.__name__ = "Value"  # in messages, without the module
    for name in bulk.FUNCTIONS:
        _replace(bulk, name)
    for name in ("set_on_new", "set_scope_here", "set_before_backward", "set_modal"):
        _replace(hooks, name)
    _replace(products, "dot")
    c_core.toposort.__module__ = toposort.__module__
    gc_cycles.watch(c_core.trim)
    return fast, c_core.toposort, "c"


def executor(name: str = "_executor") -> Any:
    """Return the C executor; None where it was not built, or where Python's core was asked for."""
    if c_core is None:
        return None
    try:
        return importlib.import_module(f"micrograd.native.{name}")
    except ImportError:
        return None


def _replace(module: ModuleType, name: str) -> None:
    """Put a function of the C core into the place of Python's; pickles name that place."""
    function = getattr(c_core, name)
    function.__module__ = module.__name__
    setattr(module, name, function)


def prefer_c(function: Function) -> Function:
    """Return the function of this name in the C core, or the given one where there is none."""
    found: Function = getattr(c_core, function.__name__, function)
    return found
