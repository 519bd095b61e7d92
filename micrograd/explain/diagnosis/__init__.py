"""What is wrong with a graph or a model: the first cause, not the symptom.

Begin with graph_faults.py.
"""
