"""Formulas that print themselves, and how Python, C and LaTeX are spelled.

May import `ops`, `value` and `engine`. Begin with formula.py.
"""
