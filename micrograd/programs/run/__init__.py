"""Run a plan on NumPy arrays, and give its results to the ordinary graph.

May import trace, lift and lower. Begin with executor.py.
"""
