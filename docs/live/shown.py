"""What the live page draws of an exercise: numbers for the picture, words and tables beside it."""

from __future__ import annotations

from typing import Any

import written
from exercise import Exercise

from micrograd.explain import nudge
from micrograd.explain.course.notation import entry

DRAWN = 6  # units of a layer that are drawn; of larger layers, the first ones
LISTED = 10  # examples whose share in a weight's Delta is listed
WRITTEN = 200  # numbers of a matrix that are written down


def shown(exercise: Exercise, found: Any) -> dict[str, Any]:
    """Return the numbers that the page draws; `found` are the Deltas of the exercise."""
    i = exercise.example
    widths = [len(exercise.inputs[0]), *map(len, exercise.thetas)]
    units = [range(1, 1 + min(DRAWN, width)) for width in widths]
    layers = [
        {
            "a": [found.a[level][i, k] for k in drawn],
            "delta": [found.delta[level][i, k] for k in drawn] if level > 1 else [],
            "more": width - len(drawn),
        }
        for level, (width, drawn) in enumerate(zip(widths, units), start=1)
    ]
    edges = [
        [level, k, j, found.Theta[level][k, j]]
        for level in found.Theta
        for k in units[level]
        for j in (0, *units[level - 1])
    ]
    return {
        "J": found.J.data,
        "cost": found.costs[i - 1],
        "lambda": exercise.lam,
        "example": i,
        "first": exercise.first,
        "count": exercise.count,
        "examples": len(exercise.inputs),
        "layers": layers,
        "edges": edges,
        "y": exercise.targets[exercise.place][:DRAWN],
        "chosen": _chosen(exercise, found),
        "tables": [
            table[level].table().html()
            for table in (found.delta, found.Delta, found.D)
            for level in table
        ],
    }


def _chosen(exercise: Exercise, found: Any) -> dict[str, Any]:
    """Describe the number that the reader has chosen: what it does, and a nudge of it."""
    name, *subscripts = exercise.chosen
    described = {"name": name, "subscripts": subscripts, "lines": [], "nudge": ""}
    i = exercise.example
    if name == "lambda":
        return {**described, "label": name, "number": exercise.lam}
    if name == "y":
        (k,) = subscripts
        a, y = found.a[found.L][i, k], exercise.targets[exercise.place][k - 1]
        line = f"{entry(f'delta{found.L}', k)} = a - y = {a:.4f} - {y:g} = {a - y:.4f}"
        return {**described, "label": entry(name, k), "number": y, "lines": [line]}
    if name == "x":
        v, output = found.a[1].value(i, *subscripts), found.cost(i)
    else:
        v, output = found.Theta[int(name[5:])].value(*subscripts), found.J
        described["lines"] = list(_shares(found, int(name[5:]), *subscripts))
    return {
        **described,
        "label": entry(name, *subscripts),
        "number": v.data,
        "nudge": nudge(v, output).table().html(),
    }


def _shares(found: Any, level: int, k: int, j: int) -> Any:
    """Yield what each example adds to a weight's Delta, then Delta and D."""
    above, below = entry(f"delta{level + 1}", k), entry(f"a{level}", j)
    for i in range(1, min(found.m, LISTED) + 1):
        delta, a = found.delta[level + 1][i, k], found.a[level][i, j]
        product = f"{delta:.4f} * {a:.4f} = {delta * a:.4f}"
        yield f"example {i}: {above} * {below} = {product}"
    if found.m > LISTED:
        yield f"... and {found.m - LISTED} examples more"
    total, d = found.Delta[level][k, j], found.D[level][k, j]
    yield f"added up: {entry(f'Delta{level}', k, j)} = {total:.4f}"
    regularised = found.lam and j
    theta = found.Theta[level][k, j]
    penalty = f" + {found.lam:g} / {found.m} * {theta:.4f}" if regularised else ""
    yield f"{entry(f'D{level}', k, j)} = {total:.4f} / {found.m}{penalty} = {d:.4f}"


def as_text(exercise: Exercise) -> str:
    """Write the exercise down as the page's box takes it; large matrices are only named."""
    units = range(1, len(exercise.targets[0]) + 1)
    one_hot = [[float(k == c) for k in units] for c in units]
    labels = exercise.targets
    if len(units) > 1 and all(y in one_hot for y in labels):
        labels = [[one_hot.index(y) + 1.0] for y in labels]
    named = {f"Theta{n}": theta for n, theta in enumerate(exercise.thetas, start=1)}
    named |= {"X": exercise.inputs, "y": labels, "lambda": [[exercise.lam]]}
    lines = [
        f"{name} = {written.written(rows)}"
        if len(rows) * len(rows[0]) <= WRITTEN
        else f"% {name}: {len(rows)}x{len(rows[0])}, stays as it is"
        for name, rows in named.items()
    ]
    return "\n".join(lines)
