"""What makes a Value pleasant and is no part of the lesson.

Operators and methods, text and comparisons, which numbers are accepted, nodes made by hand, error
messages, copies. May import `ops` only (copying looks at the engine too). Begin with base.py.
"""
