"""Draw the boxes that `scene` decided on, where Graphviz places them; PNG, PDF and DOT are Graphviz's.

May import `scene` and `folding`. Begin with graph_picture.py.
"""
