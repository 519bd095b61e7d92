"""Record what a function does with one example.

May import the engine and what it stands on. Begin with tape.py.
"""
