"""Array libraries: which one some arrays belong to, and its namespace by the array API standard."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBRARIES = ("jax", "torch", "cupy", "array_api_strict", "dask")
_WRAPPED = ("torch", "cupy")  # what array-api-compat has to wrap


def library_of(x: Any) -> str | None:
    """Return the name of the array library that an object is of; None for NumPy, and no array."""
    if isinstance(x, (np.ndarray, np.generic, list, tuple, float, int)):
        return None
    for kind in type(x).__mro__:
        name = kind.__module__.partition(".")[0]
        name = "jax" if name == "jaxlib" else name
        if name in LIBRARIES and hasattr(x, "shape"):
            return name
    return None


def name_of(xp: Any) -> str:
    """Return the name of the library of a namespace: `jax` of `jax.numpy`.

    >>> name_of(np)
    'numpy'
    """
    name: str = getattr(xp, "__name__", str(xp))
    parts = name.split(".")
    return parts[1] if parts[0] == "array_api_compat" and len(parts) > 1 else parts[0]


def standard(xp: Any) -> Any:
    """Return a namespace that follows the standard: for `torch`, what array-api-compat makes of it.

    Raises ImportError where that is missing, and TypeError for what is no array library.
    """
    name = name_of(xp)
    if name == "jax":
        import jax.numpy

        return jax.numpy
    if name in _WRAPPED and not xp.__name__.startswith("array_api_compat"):
        try:
            return importlib.import_module(f"array_api_compat.{name}")
        except ImportError:
            raise ImportError(
                f"arrays of {name} need the package array-api-compat: pip install "
                f"'micrograd[{name}]', or pip install array-api-compat"
            ) from None
    if not hasattr(xp, "asarray") or not hasattr(xp, "matmul"):
        raise TypeError(
            f"function(xp) takes an array library, such as jax.numpy or torch, got {xp!r}"
        )
    return xp


def as_one_node(xp: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that torch.compile does not read as Python, but runs to see its operations.

    Others' compilers do so with any function.
    """
    if name_of(xp) != "torch":
        return function
    import torch

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    whole: Callable[..., Any] = torch.compiler.allow_in_graph(call)
    return whole


def on_host(x: Any) -> NDArray[Any]:
    """Return an array as one of NumPy."""
    library = library_of(x)
    if library == "torch":
        x = x.detach().cpu()
    elif library == "cupy":
        x = x.get()
    return np.asarray(x)


def device_of(x: Any) -> Any:
    """Return the device that an array is on; None where its library decides."""
    device = getattr(x, "device", None)
    return None if callable(device) or library_of(x) == "jax" else device
