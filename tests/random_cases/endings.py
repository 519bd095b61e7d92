"""What the function returns: a loss, one scalar, or several."""

from __future__ import annotations

from random_cases.layers import dense
from random_cases.writer import Vector, Writer


def ending(w: Writer, x: Vector, targets: list[str]) -> str:
    """Return the source of the result; `targets` are arguments that are given."""
    name, n = x.name, x.width
    if not w.result_is_scalar:
        w.kind("several results")
        chosen = w.pick(name, name, f"tuple({name})", f"[{name}[0]]", f"{name}[:3]")
        if w.chance(0.2):
            chosen = f"[*{name}, {w.pick(f'{name}[0]', w.values(), w.number())}]"
        return chosen
    choosing = [label for label in w.labels if label[1] <= n]
    if choosing and w.chance(0.5):
        w.kind("label chooses")
        label, places = w.rng.choice(choosing)
        return f"-mg.log(mg.sigmoid(mg.take({name}[:{places}], {label})))"
    target = targets[0] if targets else f"{name}[0]"
    if n > 1 and w.chance(0.35):
        w.kind("cross-entropy")
        labels = ", ".join(w.pick(*targets, f"mg.sin({name}[{i}])") for i in range(n - 1))
        positive = f"[mg.sigmoid(v) for v in [{labels}, mg.sin({name}[0])]]"
        if w.chance(0.2) or w.missing:  # a label that is nan raises
            positive = f"[1] * {n}"
        probabilities = f"(lambda y: [v / sum(y) for v in y])({positive})"
        return f"mg.losses.cross_entropy({name}, {probabilities})"
    if n > 1 and w.chance(0.4):
        x = dense(w, x)
        name, n = x.name, x.width
    if targets and w.chance(0.6):
        w.kind("loss")
        return w.pick(
            f"sum(({name}[i] - {target}) ** 2 for i in range({n}))",
            f"mg.losses.squared_error({name}[0], {target})",
            f"mg.losses.binary_cross_entropy({name}[0], mg.sigmoid({target}))",
            f"mg.losses.hinge({name}[0], mg.where({target} > 0, 1, -1))",
            f"sum(abs(v - {target}) for v in {name}) / {n}",
        )
    w.kind("one result")
    return w.pick(
        f"sum({name})",
        f"sum(mg.tanh(v) for v in {name})",
        f"{name}[{w.rng.randrange(n)}]",
        f"sum(v * v for v in {name}) / {n}",
        f"functools.reduce(mg.logaddexp, {name})",
        f"mg.tanh(sum({name})) * {w.values()}",
    )
