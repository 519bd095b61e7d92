"""Find what is wrong with a graph or a model: the first cause, not the symptom.

May import explain's names and membership. Begin with graph_faults.py.
"""
