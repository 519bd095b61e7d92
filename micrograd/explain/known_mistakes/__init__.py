"""Recognise well-known mistakes: in backward passes, in a student's Value, in a gradient.

May import what_if, course, and explain's names. Begin with side_by_side.py.
"""
