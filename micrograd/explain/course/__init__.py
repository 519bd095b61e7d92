"""Backpropagation in the words and symbols of Andrew Ng's course.

Begin with textbook.py.
"""
