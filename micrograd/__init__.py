"""A small engine for automatic differentiation of scalars, and neural networks on top of it."""

from micrograd.engine import Value, toposort
from micrograd.ops import Op

__all__ = ["Op", "Value", "toposort"]
