"""The same Value in C, and the numbers of many Values at once.

May import `ops`, `value` and `engine`. Begin with bulk.py.
"""
