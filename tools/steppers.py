"""Write the steppers that the site offers for slides, each a file of its own: write(folder)."""

from __future__ import annotations

from pathlib import Path

from micrograd import Value
from micrograd.draw import Stepper, stepper
from micrograd.examples import lecture_neuron, ng_ex4


def write(folder: Path) -> None:
    """Write a neuron as a page and as an animated picture, and the course's example as a page."""
    folder.mkdir(parents=True, exist_ok=True)
    neuron = lecture_neuron_steps()
    neuron.save(folder / "neuron.html")
    neuron.save(folder / "neuron.svg")
    course_steps().save(folder / "backpropagation.html")


def lecture_neuron_steps() -> Stepper:
    """The lecture's neuron, nothing folded."""
    example = lecture_neuron()
    out = example.model([Value(x, label=f"x{i}") for i, x in enumerate(example.X[0], start=1)])
    out.label = "o"
    return stepper(out, fold=None)


def course_steps() -> Stepper:
    """The cost of exercise 4's first example, folded by layer, in the course's words."""
    net = ng_ex4()
    names, gradients = {}, {}
    units = net.X[0]
    for level, layer in enumerate(net.model.layers, start=2):
        units = layer(units)
        for k, a in enumerate(units, start=1):
            z = a.parents[0]
            names[a], names[z] = f"a{level}[{k}]", f"z{level}[{k}]"
            gradients[z] = f"delta{level}[{k}]"
    cost = Value(0.0)
    for k, a in enumerate(units, start=1):
        cost = cost - (a.log() if k == net.y[0] else (1 - a).log())
    names[cost] = "cost(1)"
    return stepper(cost, fold="layer", names=names, gradients=gradients)
