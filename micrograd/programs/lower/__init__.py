"""Turn lifted groups into steps on strided views of a few buffers.

May import trace and lift. Begin with plan.py.
"""
