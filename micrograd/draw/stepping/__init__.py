"""The stepper: a page that plays a graph forward, then backward.

May import scene and diagram. Begin with page.py.
"""
