"""Find what has a name in textbooks, in copies of the lifted groups that are to be printed.

May import trace and lift. Begin with softmax.py.
"""
