"""Draw graphs, step through them, and plot training.

May import anything but `explain`. Begin with scene/, then folding/, diagram/, stepping/.

>>> import micrograd as mg
>>> x = mg.Value(2.0, label="x")
>>> y = x * x
>>> y.backward()
>>> print(mg.draw.graph(y))
A graph of 2 Values: 1 input (x), 1 result. The result is *, data 4, grad 1
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from micrograd.draw.diagram.graph_picture import Diagram, draw_dot, graph
from micrograd.draw.stepping.page import Stepper, stepper

if TYPE_CHECKING:
    from micrograd.draw.training import decision_boundary, loss_curve

__all__ = [
    "Diagram",
    "Stepper",
    "decision_boundary",
    "draw_dot",
    "graph",
    "loss_curve",
    "stepper",
]

# These need NumPy, so they load when they are first used.
_OF_TRAINING = ("decision_boundary", "loss_curve")


def __getattr__(name: str) -> Any:
    if name in _OF_TRAINING:
        from micrograd.draw import training

        return getattr(training, name)
    raise AttributeError(f"module 'micrograd.draw' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_TRAINING})
