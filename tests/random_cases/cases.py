"""A whole case, drawn from a seed and an index alone."""

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
from random_cases import layers, scalars, sequences
from random_cases.endings import ending
from random_cases.writer import HOLDINGS, Rows, State, Vector, Writer

Step = Callable[[Writer, Any], Any]
STYLES: dict[str, tuple[Mapping[Step, int], Mapping[Step, int]]] = {
    # For vectors and for rows, how likely each step is.
    "network": (layers.STEPS, sequences.STEPS),
    "sequence": ({**layers.STEPS, sequences.reshape: 8}, sequences.STEPS),
    "scalar": (scalars.STEPS, sequences.STEPS),
    "mixed": ({**layers.STEPS, **scalars.STEPS, sequences.reshape: 3}, sequences.STEPS),
}
# What the functions use beside their parameters.
GLOBALS: dict[str, Any] = {
    "mg": mg,
    "functools": functools,
    "itertools": itertools,
    "operator": operator,
    "bump": mg.Op("bump", lambda v: 1 / (1 + v * v), lambda v, out: -2 * v * out * out),
    "inner": mg.program(lambda v: mg.tanh(v) * 0.5 + 0.1 * v),
}


class Argument(NamedTuple):
    """An argument of the function: its shape for one example, and how it is given."""

    name: str
    shape: tuple[int, ...]
    given: str  # "positional", "keyword" (may stand before others), "only", "rest", "left out"

    def written(self) -> str:
        """How it stands in the signature."""
        if self.given == "rest":
            return f"*{self.name}"
        return f"{self.name}=0.75" if self.given in ("keyword", "left out") else self.name


class Case(NamedTuple):
    """A function of one example, and all that is needed to call it and to describe it."""

    seed: int
    index: int
    style: str
    kinds: Counter[str]
    source: str
    shapes: str  # of the parameters, for people
    function: Callable[..., Any]
    program: Callable[[], Any]  # makes a new one
    parameters: dict[str, list[Value]]  # the leaves, by name
    scales: dict[str, float]
    moves: bool
    arguments: list[Argument]  # those that are given


def draw(seed: int, index: int, without: frozenset[int] = frozenset()) -> Case:
    """The case of these numbers; steps can be left out, to make a failing one smaller."""
    rng = random.Random(f"{seed}:{index}")
    style = rng.choices(list(STYLES), (4, 3, 4, 3))[0]
    holding = rng.choice(list(HOLDINGS))
    most = 1500 if rng.random() < 0.03 else rng.choice((60, 150, 150, 300))
    w = Writer(rng, holding, most)
    arguments = _arguments(rng)
    state, targets = _start(w, arguments)
    count = rng.choice((1, 1, 2, 2, 3, 3, 4, 5, 7))
    for k in range(count):
        if k not in without:
            w.rng = random.Random(f"{seed}:{index}:{k}")
            state = _step(w, STYLES[style], state)
    w.rng = random.Random(f"{seed}:{index}:end")
    for _ in range(4):
        if isinstance(state, Rows):
            state = (
                sequences.flatten(w, state)
                if state.length * state.width <= 17
                else sequences.pool(w, state)
            )
    if w.chance(0.2) and w.affords(20):
        state = layers.dense(w, state)
    result = ending(w, state, targets)
    w.kind(f"parameters: {holding}", *[f"argument {a.given}" for a in arguments])
    if any(len(a.shape) > 1 for a in arguments):
        w.kind("nested inputs")
    signature = ", ".join(_in_order(arguments, holding == "defaults" and bool(w.parameters)))
    source = w.source(signature, result)
    return _compiled(seed, index, style, w, source, arguments)


def _step(w: Writer, style: tuple[Mapping[Step, int], Mapping[Step, int]], state: State) -> State:
    steps = style[isinstance(state, Rows)]
    step = w.rng.choices(list(steps), list(steps.values()))[0]
    return step(w, state)


def _arguments(rng: random.Random) -> list[Argument]:
    """The arguments, of which the first is always given by its place."""
    size = lambda most: rng.randint(1, most)  # noqa: E731
    shapes: list[tuple[int, ...]] = [
        rng.choices(
            [(), (size(5),), (rng.choice((1, 2, 3, 8, 9, 16, 17)),), (size(4), size(4)), (size(6), size(3)), (2, size(2), 2)],
            (2, 6, 2, 3, 3, 1),
        )[0]
    ]  # fmt: skip
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        shapes.append(rng.choice([(), (), (size(3),)]))
    found = [Argument("a", shapes[0], "positional")]
    for name, shape in zip("bcd", shapes[1:]):
        given = rng.choices(["positional", "keyword", "only", "left out", "rest"], (5, 3, 1, 2, 1))[
            0
        ]
        if given == "left out":
            shape = ()
        if given == "rest" and any(a.given in ("rest", "keyword", "left out") for a in found):
            given = "only"
        found.append(Argument(name, shape, given))
    if any(a.given == "rest" for a in found):  # what is given by its place would come after it
        found = [
            a._replace(given="only") if a.given in ("keyword", "left out") else a for a in found
        ]
    return found


def _in_order(arguments: Sequence[Argument], more: bool) -> list[str]:
    """The arguments as the signature has them: those by name only come last, and there may be more."""
    by = lambda *given: [a.written() for a in arguments if a.given in given]  # noqa: E731
    only = by("only")
    star = ["*"] if (only or more) and not by("rest") else []
    return [*by("positional"), *by("keyword", "left out"), *by("rest"), *star, *only]


def _start(w: Writer, arguments: Sequence[Argument]) -> tuple[State, list[str]]:
    """What the first step gets: the first argument; and scalars of the others."""
    first, *others = arguments
    targets = []
    for a in others:
        name = f"{a.name}[0]" if a.given == "rest" else a.name
        targets += [f"{name}[{i}]" for i in range(a.shape[0])] if a.shape else [name]
    if len(first.shape) == 3:
        rows, k, m = first.shape
        return w.rows(
            f"[[v for c in row for v in c] for row in {first.name}]", rows, k * m, 0
        ), targets
    if len(first.shape) == 2:
        return Rows(first.name, *first.shape), targets
    inputs = [first.name] if first.shape == () else [f"*{first.name}"]
    width = first.shape[0] if first.shape else 1
    if targets and w.chance(0.5):
        inputs += targets
        width += len(targets)
    if inputs == [f"*{first.name}"]:
        return Vector(first.name, width), targets
    return w.vector(f"[{', '.join(inputs)}]", width, 0), targets


def _compiled(
    seed: int, index: int, style: str, w: Writer, source: str, arguments: list[Argument]
) -> Case:
    names: dict[str, Any] = {**GLOBALS, **w.parameters}
    exec(compile(source, f"<case {seed}:{index}>", "exec"), names)
    found = names["function"]
    decorated = isinstance(found, mg.programs.Program)
    leaves = {name: _leaves(thing) for name, thing in w.parameters.items()}
    shapes = ", ".join(f"{name} {_shape(thing)}" for name, thing in w.parameters.items())
    return Case(
        seed,
        index,
        style,
        w.kinds,
        source,
        shapes,
        found.function if decorated else found,
        (lambda: names["net"].loss) if decorated else (lambda: mg.program(found)),
        leaves,
        w.scales,
        w.moves,
        [a for a in arguments if a.given != "left out"],
    )


def _leaves(thing: Any) -> list[Value]:
    """The parameters in any structure, each once."""
    if isinstance(thing, nn.Module):
        return thing.parameters()
    flat = [thing] if isinstance(thing, Value) else list(np.array(thing, dtype=object).flat)
    found: dict[Value, None] = {}
    for v in flat:
        found.update(dict.fromkeys(x for x in mg.toposort(v) if not x.parents))
    return list(found)


def _shape(thing: Any) -> str:
    if isinstance(thing, nn.Module):
        return repr(thing)
    return str(np.array(thing, dtype=object).shape)
