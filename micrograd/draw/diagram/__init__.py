"""Draw the boxes that `scene` decided on, where Graphviz places them: SVG, PNG, PDF and DOT.

May import `scene` and `folding`. Begin with graph_picture.py.
"""
