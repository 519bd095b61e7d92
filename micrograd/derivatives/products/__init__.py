"""Derivatives times vectors: along one direction, without the Jacobian or the Hessian.

Begin with directions.py, for Values and for functions; curvature.py has Hessians in numbers.
"""
