"""The parts of Value that are no part of the lesson, from operators and text to error messages.

May import `ops` only (copying.py also uses the engine). Begin with base.py.
"""
