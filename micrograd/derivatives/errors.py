"""Say what is wrong with a function that is to be differentiated, and what to write instead."""

from __future__ import annotations

import dis
import re
from collections.abc import Iterator
from types import CodeType
from typing import Any

# What drops a gradient without an error of its own, how the bytecode reads it, and what to write.
_WRITE_INSTEAD = {
    "max": ("GLOBAL", "maximum(x, 0) for max(x, 0)"),
    "min": ("GLOBAL", "minimum(x, 0) for min(x, 0)"),
    "round": ("GLOBAL", "x for round(x)"),
    "data": ("ATTR", "x for x.data"),
}


def no_value(f: Any, result: Any, where: str = "") -> TypeError:
    """Return the error for a result that is not a Value, with the line to blame if it shows.

    >>> no_value(max, None)
    TypeError('max returned None: does it end with a return?')
    """
    if result is None:
        return TypeError(f"{name_of(f)} returned None{where}: does it end with a return?")
    found = list(suspects(f))
    if isinstance(result, bool):
        found = ["in a comparison: it gives true or false, of which there is no derivative"]
    likely = "; or ".join(found) or (
        "where it reads .data, or calls max, min or round: write maximum(x, 0) for max(x, 0), "
        "or return Value(...) if the result is meant to be constant"
    )
    return TypeError(
        f"{name_of(f)} returned {result!r}{where}, which is not a Value: the gradient was dropped "
        f"on the way, most likely {likely}"
    )


def suspects(f: Any) -> Iterator[str]:
    """Yield the places in a function where the gradient may have been dropped, with the remedy.

    >>> [place.rpartition(": ")[2] for place in suspects(lambda x: max(x, 0))]
    ['write maximum(x, 0) for max(x, 0)']
    """
    code: CodeType | None = getattr(f, "__code__", None)
    if code is None:
        return
    starts, line = dict(dis.findlinestarts(code)), 0
    for instruction in dis.get_instructions(code):
        line = starts.get(instruction.offset) or line
        name = instruction.argval if instruction.argval.__class__ is str else ""
        read, remedy = _WRITE_INSTEAD.get(name, ("nothing", ""))
        if read in instruction.opname:
            yield (f"in line {line} of {code.co_filename}, where it reads {name}: write {remedy}")


def name_of(f: Any) -> str:
    """Return what a function is called in a message.

    >>> name_of(name_of)
    'name_of'
    """
    return getattr(f, "__name__", None) or getattr(f, "name", None) or repr(f)


# Where NumPy and SciPy refuse an array of Values: their function, and what to write.
_INSTEAD = {
    **dict.fromkeys(("solve", "lstsq"), "micrograd.solve(A, b)"),
    "inv": "micrograd.solve(A, np.eye(n)), or better micrograd.solve(A, b) for inv(A) @ b",
    "det": "the product of the pivots of an elimination; micrograd.solve(A, b) solves equations",
    "norm": "(abs(x) ** p).sum() ** (1 / p)",
    "isnan": "x != x",
    "isfinite": "abs(x) < np.inf",
    "isinf": "abs(x) == np.inf",
    "interp": "fp[i] + (x - xp[i]) * (fp[i + 1] - fp[i]) / (xp[i + 1] - xp[i]) for each x, with "
    "i = np.clip(np.searchsorted(xp, x.data) - 1, 0, len(xp) - 2)",
    "float_power": "x ** y",
    "heaviside": "(micrograd.sign(x) + 1) / 2",
    **dict.fromkeys(("expit",), "micrograd.sigmoid(x)"),
    **dict.fromkeys(("gammaln", "loggamma"), "micrograd.lgamma(x)"),
    **dict.fromkeys(("psi",), "micrograd.digamma(x)"),
}
_REFUSED = re.compile(
    r"ufunc '(?P<ufunc>\w+?)1?' (?:not supported|input)|has no callable (?P<method>\w+) method"
)
_NO_ROOM = (
    "an array of floats holds no Values: make it with np.empty(n, dtype=object), or use a list"
)


def explain(error: Exception) -> None:
    """Raise a TypeError that says what to write, where NumPy or SciPy did not take Values.

    >>> explain(TypeError("ufunc 'isnan' not supported for the input types"))
    Traceback (most recent call last):
    TypeError: np.isnan takes no Values: write x != x
    """
    text = str(error)
    match = _REFUSED.search(text)
    name = (match["ufunc"] or match["method"]) if match else _numpy_function(error)
    is_full = text.startswith("setting an array element")
    if is_full and name not in _INSTEAD:
        raise TypeError(_NO_ROOM) from error
    if not name:
        return
    import micrograd

    operation = getattr(micrograd, name, None)
    several = "x, y" if len(getattr(operation, "derivatives", "x")) == 2 else "x"
    own = "" if operation is None else f"micrograd.{name}({several}), of arrays too"
    instead = _INSTEAD.get(name, own)
    called = _full_name(name)
    if match and match["method"] and own:
        raise TypeError(f"{called} takes no mixture of numbers and Values: write {own}") from error
    if instead and (match or is_full or "dtype" in text):
        raise TypeError(f"{called} takes no Values: write {instead}") from error


def _full_name(name: str) -> str:
    import numpy as np

    homes = {"np": np, "np.linalg": np.linalg}
    home = next((home for home, x in homes.items() if hasattr(x, name)), "scipy.special")
    return f"{home}.{name}"


def _numpy_function(error: Exception) -> str:
    """Return the function of NumPy that the user called and that raised, if one did."""
    name, frame = "", error.__traceback__
    while frame is not None:
        if "numpy" in frame.tb_frame.f_globals.get("__name__", "").split("."):
            return frame.tb_frame.f_code.co_name
        frame = frame.tb_next
    return name
