"""Describe what is drawn: names, kinds and groups of Values; boxes, their text and their colours.

May import what comes before `draw`; draws nothing itself. Begin with outline.py.
"""
