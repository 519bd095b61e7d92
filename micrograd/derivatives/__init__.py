"""Derivatives of any order, of recorded graphs and of functions, and their check by differences.

May import `ops`, `value`, `engine`, `native`, `symbolic` and `graph`. Begin with transforms.py; it
stands on sweeps.py (numbers) and chain_rule.py (Values). equations/ and products/ build on it.
"""

from micrograd.derivatives.equations.implicit import fixed_point, implicit_root
from micrograd.derivatives.equations.linear import solve
from micrograd.derivatives.finite_differences import check_grads
from micrograd.derivatives.products.directions import hvp, jvp
from micrograd.derivatives.transforms import grad, hessian, jacobian, value_and_grad

__all__ = [
    "check_grads",
    "fixed_point",
    "grad",
    "hessian",
    "hvp",
    "implicit_root",
    "jacobian",
    "jvp",
    "solve",
    "value_and_grad",
]
