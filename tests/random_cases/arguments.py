"""Arguments of every kind that Python has: how they are declared, and how they are given."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

SIZES = (1, 2, 3, 8, 9, 16, 17)


class Argument(NamedTuple):
    """An argument of the function: its shape for one example, and how it is given.

    `given` is "positional"; "keyword", with a default, but given by name; "only" by name; "rest",
    the one of *args; or "left out", so that its default counts.
    """

    name: str
    shape: tuple[int, ...]
    given: str
    places: int = 0  # of the tables in which it holds indices, where it is one of integers
    is_ragged: bool = False  # whether examples have up to as many parts as the shape says
    halves: bool = False  # whether its numbers are multiples of 1/2, which are equal now and then
    missing: float = 0.0  # the share of examples in which one number is nan

    def declared(self) -> str:
        """Write it as in the signature."""
        if self.given == "rest":
            return f"*{self.name}"
        return f"{self.name}=0.75" if self.given in ("keyword", "left out") else self.name

    def scalars(self) -> list[str]:
        """Name all its scalars."""
        name = f"{self.name}[0]" if self.given == "rest" else self.name
        return [name + "".join(f"[{i}]" for i in place) for place in np.ndindex(*self.shape)]


def draw(rng: random.Random) -> list[Argument]:
    """Draw up to four arguments, of which the first is given by its place."""
    found = [_first(rng)]
    for name in "bcd"[: rng.choice((0, 0, 1, 1, 2, 3))]:
        k = rng.randint(1, 3)
        shape = rng.choices([(), (k,), (2, k)], (4, 2, 1))[0]
        given = rng.choices(["positional", "keyword", "only", "left out", "rest"], (5, 3, 1, 2, 1))
        if given[0] == "left out":
            found.append(Argument(name, (), given[0]))
        elif rng.random() < 0.15:
            found.append(Argument(name, (), given[0], places=rng.randint(1, 5)))
        else:
            found.append(Argument(name, shape, given[0]))
    rest = [a.name for a in found if a.given == "rest"]
    if rest:  # one at most, and what has a default cannot stand before it
        found = [
            a._replace(given="only")
            if a.given in ("keyword", "left out") or a.name in rest[1:]
            else a
            for a in found
        ]
    return found


def _first(rng: random.Random) -> Argument:
    def size(most: int) -> int:
        return rng.randint(1, most)

    if rng.random() < 0.15:
        is_ragged = rng.random() < 0.6
        if is_ragged and rng.random() < 0.4:
            return Argument("a", (size(4), size(3)), "positional", is_ragged=True)
        return Argument("a", (size(4),), "positional", places=size(6), is_ragged=is_ragged)
    kinds: list[Callable[[], tuple[int, ...]]] = [
        lambda: (),
        lambda: (size(5),),
        lambda: (rng.choice(SIZES),),
        lambda: (size(4), size(4)),
        lambda: (size(6), size(3)),
        lambda: (2, size(2), 2),
    ]
    shape = rng.choices(kinds, (2, 6, 2, 3, 3, 1))[0]()
    halves, missing = rng.random() < 0.15, 0.2 * (rng.random() < 0.1)
    return Argument("a", shape, "positional", halves=halves, missing=missing)


def numbers(rng: Any, n: int, argument: Argument) -> Any:
    """Draw n examples: integers, or numbers that single precision holds as well."""

    def example(shape: tuple[int, ...]) -> Any:
        if argument.places:
            return rng.integers(-argument.places, argument.places, shape)
        if argument.halves:
            return rng.integers(-3, 4, shape) / 2
        return rng.uniform(-1, 1, shape).astype(np.float32).astype(np.float64)

    if not argument.is_ragged:
        found = example((n, *argument.shape))
        if argument.missing:
            rows = np.flatnonzero(rng.random(n) < argument.missing)
            found.reshape(n, -1)[rows, rng.integers(found[0].size, size=len(rows))] = np.nan
        return found
    found = np.empty(n, object)
    for i in range(n):
        most, *rest = argument.shape
        found[i] = example((rng.integers(1, most + 1), *rest)).tolist()
    return found


def signature(arguments: Sequence[Argument], more: Sequence[str]) -> str:
    """Write the signature; `more` are declared behind, to be given by name only."""

    def declared(*given: str) -> list[str]:
        return [a.declared() for a in arguments if a.given in given]

    only = [*declared("only"), *more]
    star = ["*"] if only and not declared("rest") else []
    by_place = [*declared("positional"), *declared("keyword", "left out"), *declared("rest")]
    return ", ".join([*by_place, *star, *only])


def call(function: Any, arguments: Sequence[Argument], given: Sequence[Any]) -> Any:
    """Call a function with what is given for each argument, but those left out."""
    by_name = {a.name: x for a, x in zip(arguments, given) if a.given in ("keyword", "only")}
    by_place = [x for a, x in zip(arguments, given) if a.given == "positional"]
    rest = [x for a, x in zip(arguments, given) if a.given == "rest"]
    return function(*by_place, *rest, **by_name)
