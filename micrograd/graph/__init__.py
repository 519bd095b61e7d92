"""Read a recorded graph: every `+=` of a backward pass, and where each Value came from.

May import `ops`, `value`, `engine`, `native` and `symbolic`. Begin with steps.py.
"""
