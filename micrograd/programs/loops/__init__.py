"""Find what is done again and again, and part a function into one step, what is before and behind.

May import trace. Begin with loop.py.
"""
