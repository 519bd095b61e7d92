"""Tell what counts as a number, and convert it to the float that a Value holds."""

from __future__ import annotations

import numbers
from typing import Any


def is_number(x: Any) -> bool:
    """Tell whether `x` is a real scalar: int, float, Fraction, Decimal, NumPy scalar, 0-d array.

    >>> is_number(3), is_number("3"), is_number([3.0])
    (True, False, False)
    """
    if issubclass(type(x), (float, int)):  # not what says so of itself
        return True
    if hasattr(x, "_apply") or isinstance(x, (list, tuple)):
        return False  # the common cases first: asking an abstract class takes long
    if isinstance(x, numbers.Complex):
        return isinstance(x, numbers.Real)
    if not hasattr(x, "__float__") or getattr(x, "shape", ()) != ():
        return False
    kind = getattr(getattr(x, "dtype", None), "kind", "f")  # of a 0-d array
    return is_number(x.item()) if kind == "O" else kind in "biuf"


def to_float(x: Any, what: str = "data") -> float:
    """Convert a number to float; TypeError, naming `what` it was meant for, if it is not one.

    >>> to_float(2)
    2.0
    """
    if x.__class__ is float:
        return float(x)
    if is_number(x):
        refuse_masked(x, what)
        return float(x)
    advice = "give a real number"
    if hasattr(x, "_apply"):
        advice = f"it is a {type(x).__name__} already; use it as it is, or its .data for the number"
    elif x is None and what == "grad":
        advice = "to reset it, write v.grad = 0"
    elif isinstance(x, str):
        advice = "convert it with float(...) first"
    elif hasattr(x, "__len__"):
        advice = "make one Value per element, as in [Value(e) for e in row]"
    raise TypeError(f"{what} must be a real number, got {shortened(x)}: {advice}")


def refuse_masked(x: Any, what: str) -> None:
    """Raise ValueError for an array with masked elements: what they stand for is not known.

    NumPy's own functions leave such elements out; here each one would count as a number.

    >>> refuse_masked([1.0, 2.0], "x")
    """
    if not (hasattr(x, "mask") and hasattr(x, "compressed")):
        return
    masked = int(x.mask.sum())
    if masked:
        raise ValueError(
            f"{what} has {masked} masked element{'s' * (masked > 1)}, for which there is no "
            "number: leave them out (x.compressed()), or say what they are (x.filled(0.0))"
        )


def shortened(x: Any) -> str:
    """Return the text of an object for a message, of at most 80 characters.

    >>> shortened("a" * 100)[-8:]
    'aaaaa...'
    """
    text = repr(x)
    return text if len(text) <= 80 else f"{text[:77]}..."
