"""Recognise well-known mistakes: in backward passes, in a student's Value, in a gradient.

May import explain's names and what_if. Begin with wrong_passes.py.
"""
