"""Pictures of graphs, and of training.

>>> import micrograd as mg
>>> x = mg.Value(2.0, label="x")
>>> print(mg.draw.graph(x * x))
A graph of 2 Values: 1 input (x), 1 result. The result is *, data 4. No backward pass has filled in the grads
"""

from micrograd.draw.diagram import Diagram, draw_dot, graph
from micrograd.draw.page import Stepper, stepper

__all__ = ["Diagram", "Stepper", "draw_dot", "graph", "stepper"]
