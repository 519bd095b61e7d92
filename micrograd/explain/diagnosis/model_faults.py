"""Find faults in a model alone: in its parameters, or in what stands in their place."""

from __future__ import annotations

import math
from collections.abc import Iterable

from micrograd.engine import toposort
from micrograd.explain.diagnosis.findings import (
    DEAD_RELU,
    INFINITY_BACKWARD,
    INFINITY_FORWARD,
    INTERIOR_PARAMETER,
    NAN_BACKWARD,
    NAN_FORWARD,
    NOT_RUN,
    Finding,
    join_names,
)
from micrograd.explain.names import expression
from micrograd.nn import Module, Neuron, held_values
from micrograd.value.identity import IdentityDict


def faults_of_model(model: Module) -> list[Finding]:
    """Find what the data and grads of the parameters reveal without a graph."""
    named = model.named_parameters()
    findings: list[Finding] = []
    for name, p in named:
        if not math.isfinite(p.data):
            kind = NAN_FORWARD if math.isnan(p.data) else INFINITY_FORWARD
            text = f"the data of {name} is {p.data}"
        elif not math.isfinite(p.grad):
            kind = NAN_BACKWARD if math.isnan(p.grad) else INFINITY_BACKWARD
            text = f"the grad of {name} is {p.grad}"
        else:
            continue
        advice = "Load or draw the parameters anew, then diagnose the loss, to see what makes it."
        findings.append(Finding(kind, p, text, advice, []))
        break
    if named and not any(p.grad for _, p in named):
        text = "the grads of all parameters are 0"
        advice = "Call backward() on the loss, then look at the grads."
        findings.append(Finding(NOT_RUN, None, text, advice, []))
    else:
        findings += _neurons_without_grads(model)
    return [*findings, *interior_parameters(model)]


def _neurons_without_grads(model: Module) -> Iterable[Finding]:
    idle = [
        (path, module)
        for path, module in model.named_modules()
        if isinstance(module, Neuron) and module.nonlin and module.activation == "relu"
        if not any(p.grad for p in module.parameters())
    ]
    if idle:
        text = f"{join_names([path or repr(module) for path, module in idle])}: no gradient came"
        advice = "Diagnose the loss over all examples, to see whether it is off for each of them."
        yield Finding(DEAD_RELU, idle[0][1].b, text, advice, [])


def interior_parameters(model: Module) -> Iterable[Finding]:
    """Find Values in the model that were computed, and from none of its parameters."""
    parameters = model.named_parameters()
    own = {id(p) for _, p in parameters if not p.parents}
    computed = [(name, v) for name, v in [*parameters, *held_values(model)] if v.parents]
    wrong = IdentityDict((v, name) for name, v in computed if own.isdisjoint(map(id, toposort(v))))
    if wrong:
        first = next(iter(wrong))
        text = (
            f"{join_names(list(wrong.values()))}: computed as {expression(first)}, so it is no "
            "leaf: its grad does not accumulate, and no optimiser sees it"
        )
        advice = "Make it a leaf, Value(number), and update its data: w.data -= rate * w.grad."
        yield Finding(INTERIOR_PARAMETER, first, text, advice, [])
