"""Compare what derivatives predict with what happens when numbers move.

May import explain's names and membership. Begin with nudging.py.
"""
