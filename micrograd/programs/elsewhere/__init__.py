"""Compute a plan elsewhere: on the arrays of other libraries than NumPy.

May import trace, lift, lower and run. Begin with functional.py.
"""
