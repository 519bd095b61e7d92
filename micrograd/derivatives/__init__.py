"""Derivatives of any order, of recorded graphs and of functions, and their check by differences.

May import `ops`, `value` and `engine`. Begin with transforms.py.
"""

from micrograd.derivatives.finite_differences import check_grads
from micrograd.derivatives.transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad

__all__ = ["check_grads", "grad", "hessian", "hvp", "jacobian", "jvp", "value_and_grad"]
