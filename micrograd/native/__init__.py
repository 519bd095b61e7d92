"""The Value of engine.py in C, and access to the numbers of many Values at once.

May import `ops`, `value` and `engine`. Begin with takeover.py, then _engine.c; _executor.c is
the programs' own, and programs/run/instructions.py uses it.
"""
