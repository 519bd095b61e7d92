"""Run a plan on NumPy arrays, and give its results to the ordinary graph.

May import trace, lift, lower and straight. Begin with executor.py.
"""
