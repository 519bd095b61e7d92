"""Solutions of equations, with the derivatives of what is found: linear systems, roots.

May import the files of `derivatives`. Begin with linear.py.
"""
