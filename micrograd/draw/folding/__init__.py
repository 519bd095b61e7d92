"""Decide which Values of a graph share a box: modules, sums, Values made alike, steps that repeat.

May import `scene`. Begin with levels.py.
"""
