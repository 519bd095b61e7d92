"""Lay out and draw the boxes that `scene` decided on: as SVG, PNG, PDF or DOT, with Graphviz.

May import `scene` and `folding`. Begin with graph_picture.py.
"""
