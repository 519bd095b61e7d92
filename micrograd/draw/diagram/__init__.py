"""Still pictures of graphs, laid out by Graphviz.

May import scene. Begin with graph_picture.py.
"""
