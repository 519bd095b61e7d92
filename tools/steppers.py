"""Write the steppers that the site offers for slides, each a file of its own: write(folder)."""

from __future__ import annotations

from pathlib import Path

from micrograd import Value
from micrograd.draw import Stepper, stepper
from micrograd.explain import deltas
from micrograd.explain.examples import lecture_neuron, ng_ex4


def write(folder: Path) -> None:
    """Write neurons as pages, one as an animated picture too, and the course's example."""
    folder.mkdir(parents=True, exist_ok=True)
    first_steps().save(folder / "first.html")
    neuron = lecture_neuron_steps()
    neuron.save(folder / "neuron.html")
    neuron.save(folder / "neuron.svg")
    net = ng_ex4()
    deltas(net.model, net.X, net.y).stepper(1).save(folder / "backpropagation.html")


def first_steps() -> Stepper:
    """Return the neuron of the first page, small enough for its column."""
    w, x, b = Value(-1.5, label="w"), Value(0.5, label="x"), Value(1.0, label="b")
    out = (w * x + b).tanh()
    out.label = "out"
    return stepper(out, fold=None)


def lecture_neuron_steps() -> Stepper:
    """Return the lecture's neuron, unfolded."""
    example = lecture_neuron()
    out = example.model([Value(x, label=f"x{i}") for i, x in enumerate(example.X[0], start=1)])
    out.label = "o"
    return stepper(out, fold=None)
