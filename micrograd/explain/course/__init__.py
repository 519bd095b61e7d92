"""Backpropagation in the words and symbols of Andrew Ng's course.

May import explain's report. Begin with textbook.py.
"""
