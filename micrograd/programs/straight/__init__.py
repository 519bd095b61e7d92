"""Plan a long chain of operations, in which there is nothing to group, number by number.

May import trace, lift and lower. Begin with line.py.
"""
