"""Draw the pictures of README.md, neuron.svg and stepper.svg in docs: python tools/pictures.py."""

from __future__ import annotations

from pathlib import Path

from micrograd import Value
from micrograd.draw import graph, stepper
from micrograd.explain.examples import lecture_neuron

DOCS = Path(__file__).parent.parent / "docs"


def main() -> None:
    """Draw the neuron of the lecture, as a graph and moving."""
    example = lecture_neuron()
    out = example.model([Value(x, label=f"x{i}") for i, x in enumerate(example.X[0], start=1)])
    out.label = "out"
    out.backward()
    graph(out, fold=None, derivatives=True).save(DOCS / "neuron.svg")
    stepper(out, fold=None).save(DOCS / "stepper.svg")


if __name__ == "__main__":
    main()
