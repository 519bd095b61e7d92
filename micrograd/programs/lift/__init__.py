"""Find the arrays in a tape of scalars: sums of products, groups of alike nodes.

May import trace. Begin with groups.py.
"""
