"""Backpropagation in the words and symbols of Andrew Ng's course.

May import all of explain's other rooms. Begin with textbook.py.
"""
