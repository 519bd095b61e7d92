"""A whole case, drawn from a seed and a number alone."""

from __future__ import annotations

import functools
import itertools
import operator
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import micrograd as mg
from micrograd import Value, nn
from random_cases import arguments, layers, scalars, sequences
from random_cases.arguments import Argument
from random_cases.endings import ending
from random_cases.writer import HOLDINGS, Rows, State, Vector, Writer

Steps = Mapping[Any, int]  # functions of a Writer and a State, each with how likely it is
STYLES: dict[str, tuple[Steps, Steps]] = {  # for a Vector, and for Rows
    "network": (layers.STEPS, sequences.STEPS),
    "sequence": ({**layers.STEPS, sequences.reshape: 8}, sequences.STEPS),
    "scalar": (scalars.STEPS, sequences.STEPS),
    "mixed": ({**layers.STEPS, **scalars.STEPS, sequences.reshape: 3}, sequences.STEPS),
}
MOST_STEPS = 7

# What the functions use beside their parameters.
GLOBALS: dict[str, Any] = {
    "mg": mg,
    "functools": functools,
    "itertools": itertools,
    "operator": operator,
    "np": np,
    "bump": mg.Op("bump", lambda v: 1 / (1 + v * v), lambda v, out: -2 * v * out * out),
}


class Case(NamedTuple):
    """A function of one example, and all that is needed to call it and to describe it."""

    name: str  # the seed and the number
    kinds: Counter[str]
    source: str
    function: Callable[..., Any]
    program: Callable[[], Any]  # makes a new one
    held: dict[str, Any]  # the parameters as the function finds them, by name
    parameters: dict[str, list[Value]]  # the leaves of these
    scales: dict[str, float]  # of their numbers
    moves: bool  # whether their numbers may change between calls
    arguments: list[Argument]  # those that are given
    described: str  # the parameters and arguments, for people

    def rng(self, of: object) -> random.Random:
        """Return a generator seeded by the case's name and by what its numbers are `of`."""
        return random.Random(f"{self.name}:{of}")


def draw(seed: int, number: int, without: frozenset[int] = frozenset()) -> Case:
    """Draw the case of these numbers; steps can be left out, to make a failing one smaller."""
    name = f"{seed}:{number}"
    rng = random.Random(name)
    style = STYLES[rng.choices(list(STYLES), (4, 3, 4, 3))[0]]
    w = Writer(rng, rng.choice(list(HOLDINGS)), rng.choices((3000, 60, 150, 300), (1, 8, 16, 8))[0])
    drawn = arguments.draw(rng)
    state, targets = _start(w, drawn)
    for k in range(rng.choice((1, 1, 1, 2, 2, 3, 3, 4, 5, MOST_STEPS))):
        if k not in without:
            w.rng = random.Random(f"{name}:{k}")
            state = _step(w, style, state)
    w.rng = random.Random(f"{name}:end")
    while isinstance(state, Rows):
        small = state.length * state.width <= 17
        state = sequences.flatten(w, state) if small else sequences.pool(w, state)
    if w.chance(0.2) and w.affords(20):
        state = layers.dense(w, state)
    result = ending(w, state, targets)
    w.kind(f"parameters {w.holding}", *[f"argument {a.given}" for a in drawn])
    w.kind(*["nested inputs"] * any(len(a.shape) > 1 for a in drawn))
    w.kind(*["missing numbers"] * any(a.missing for a in drawn))
    w.kind(*["integers"] * any(a.places for a in drawn), *["ragged"] * drawn[0].is_ragged)
    return _compiled(name, w, w.source(arguments.signature(drawn, w.declared()), result), drawn)


def _step(w: Writer, style: tuple[Steps, Steps], state: State) -> State:
    steps = style[isinstance(state, Rows)]
    step = w.rng.choices(list(steps), list(steps.values()))[0]
    if w.exact and not isinstance(state, Rows) and w.chance(0.3):
        step = scalars.ties
    return step(w, state)


def _start(w: Writer, drawn: Sequence[Argument]) -> tuple[State, list[str]]:
    """Return what the first step gets, made of the first argument, and scalars of the others."""
    first, *others = drawn
    w.exact = first.scalars() if first.halves else []
    w.missing = first.missing > 0
    w.labels = [(a.scalars()[0], a.places) for a in others if a.places]
    others = [a for a in others if not a.places]
    targets = [x for a in others if a.given != "left out" for x in a.scalars()]
    if first.places or first.is_ragged:
        return sequences.documents(w, first), targets
    if len(first.shape) == 3:
        rows, k, m = first.shape
        flat = f"[[v for c in row for v in c] for row in {first.name}]"
        return w.rows(flat, rows, k * m, 0), targets
    if len(first.shape) == 2:
        return Rows(first.name, *first.shape), targets
    inputs = first.scalars()
    w.first = (first.name, len(inputs)) if first.shape else ("", 0)
    if w.labels:
        inputs += [scalars.of_label(w, *label) for label in w.labels]
    if others and w.chance(0.5):
        for a in others:  # a default alone is a number, at which no derivative is taken
            left_out = a.given == "left out"
            inputs += [f"{x} * {inputs[0]}" if left_out else x for x in a.scalars()]
    elif first.shape and not w.labels:
        return Vector(first.name, len(inputs)), targets
    return w.vector(f"[{', '.join(inputs)}]", len(inputs), 0), targets


def _compiled(name: str, w: Writer, source: str, drawn: Sequence[Argument]) -> Case:
    names = {**GLOBALS, **w.parameters}
    exec(compile(source, f"<case {name}>", "exec"), names)
    found = names["function"]
    decorated = isinstance(found, mg.programs.Program)
    parameters = [f"{key} {_shape(thing)}" for key, thing in w.parameters.items()]
    given = [f"{a.name} {a.shape} ({a.given})" for a in drawn]
    return Case(
        name=name,
        kinds=w.kinds,
        source=source,
        function=found.__wrapped__ if decorated else found,
        program=(lambda: names["net"].loss) if decorated else (lambda: mg.program(found)),
        held=w.parameters,
        parameters={key: _leaves(thing) for key, thing in w.parameters.items()},
        scales=w.scales,
        moves=w.moves,
        arguments=[a for a in drawn if a.given != "left out"],
        described=f"parameters {', '.join(parameters) or 'none'}; arguments {', '.join(given)}",
    )


def _leaves(thing: Any) -> list[Value]:
    """List the parameters in any structure, each once, and what computed ones are made of."""
    if isinstance(thing, nn.Module):
        return thing.parameters()
    every = np.array(thing, dtype=object).reshape(-1).tolist()
    return list(dict.fromkeys(x for v in every for x in mg.toposort(v) if not x.parents))


def _shape(thing: Any) -> str:
    return repr(thing) if isinstance(thing, nn.Module) else str(np.shape(np.array(thing, object)))
