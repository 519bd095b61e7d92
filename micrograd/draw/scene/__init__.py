"""Decide what a picture shows: names and kinds of Values, which of them share a box, its text.

May import what comes before `draw`; draws nothing itself. Begin with outline.py.
"""
