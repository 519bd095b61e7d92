"""What is drawn: which Values share a box, and what is written in it.

Begin with outline.py.
"""
