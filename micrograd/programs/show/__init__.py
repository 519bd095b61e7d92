"""Print a lifted program as equations, as text or as LaTeX.

May import trace and lift. Begin with equations.py.
"""
