"""Formulas, written as Python, C, LaTeX or plain text.

May import `ops`, `value` and `engine`. Begin with formula.py.
"""
