"""Print a lifted program as equations, as text or as LaTeX.

May import trace, loops, lift and rewrite. Begin with equations.py.
"""
