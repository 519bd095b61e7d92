"""Do random things on both cores at once and compare all that can be seen of them.

    python tests/fuzz_cores.py [--seconds 60] [--seed N] [--case N]

A case is a list of Values per core and some fifty random actions on both lists: arithmetic, nodes
of all kinds, closures, attributes that form cycles, changed numbers, derivatives, copies, numbers
in bulk, blocks, modes, subclasses, collections. What each returns or raises must be the same, and
so must the numbers of all Values afterwards. Without a seed each run has a new one, and of a case
that differs it prints the command that repeats it. `tools/sanitize` runs it on a core that was
built with sanitizers.
"""

from __future__ import annotations

import argparse
import copy
import gc
import random
import sys
import time
import warnings
import weakref
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from both_cores import CORES
from test_cores import bits, outcome

STEPS = 50
warnings.simplefilter("ignore")  # of nodes without a rule
Action = Callable[["Side", random.Random], Any]
ACTIONS: list[Action] = []


class Side:
    """What a case has on one of the cores."""

    def __init__(self, mg: Any) -> None:
        self.mg = mg
        self.values: list[Any] = [mg.Value(0.5), mg.Value(-1.25, label="w")]
        self.refs: list[Any] = []

        class Own(mg.Value):  # type: ignore[misc]
            pass

        class Stepping(mg.Value):  # type: ignore[misc]
            def _apply(self, op: Any, operands: Any) -> Any:
                return super()._apply(op, operands)

        self.kinds = [mg.Value, Own, Stepping]

    def some(self, rng: random.Random) -> Any:
        return self.values[rng.randrange(len(self.values))]

    def few(self, rng: random.Random, most: int = 4) -> list[Any]:
        return [self.some(rng) for _ in range(rng.randrange(1, most + 1))]

    def keep(self, v: Any) -> Any:
        """Keep a Value, and describe what came."""
        if isinstance(v, self.mg.Value):
            self.values.append(v)
            return type(v).__name__, bits(v.data), v._op, len(v.parents)
        return bits(v) if isinstance(v, float) else v

    def seen(self) -> Any:
        """Return what can be seen of all Values."""
        return [
            (bits(v.data), bits(v.grad), v.label, v._op, len(v.args), len(v.parents))
            for v in self.values
        ]


def action(function: Action) -> Action:
    ACTIONS.append(function)
    return function


def number(rng: random.Random) -> Any:
    if rng.random() < 0.6:
        return rng.uniform(-3, 3)
    return rng.choice([0, 1, -1, 2, 3, 0.0, -0.0, 0.5, 1e200, 1e-300, True, 10**17, float("inf")])


# Values and operations -------------------------------------------------------------------------


@action
def leaf(side: Side, rng: random.Random) -> Any:
    kind, x = rng.choice(side.kinds), number(rng)
    return side.keep(kind(x, label="p") if rng.random() < 0.3 else kind(x))


@action
def operation(side: Side, rng: random.Random) -> Any:
    op = side.mg.ops.TABLE[rng.choice(sorted(side.mg.ops.TABLE))]
    operands = [side.some(rng) for _ in op.derivatives]
    if rng.random() < 0.3:
        operands[rng.randrange(len(operands))] = number(rng)
    return side.keep(op(*operands))


@action
def operator(side: Side, rng: random.Random) -> Any:
    v, x = side.some(rng), rng.choice([side.some(rng), number(rng)])
    made = [
        lambda: v + x, lambda: x - v, lambda: v * x, lambda: v / x, lambda: x / v, lambda: v**x,
        lambda: x**v, lambda: -v, lambda: abs(v), lambda: v.tanh(), lambda: v.maximum(x),
        lambda: v + "a", lambda: v < x, lambda: v == x, lambda: v != x, lambda: v * 1j,
    ]  # fmt: skip
    return side.keep(rng.choice(made)())


@action
def dot(side: Side, rng: random.Random) -> Any:
    ws, xs = side.few(rng), [rng.choice([side.some(rng), number(rng)]) for _ in range(3)]
    return side.keep(side.mg.dot(ws, xs[: len(ws)], *side.few(rng, 1)[: rng.randrange(2)]))


@action
def node(side: Side, rng: random.Random) -> Any:
    parents, slope = side.few(rng), number(rng)
    slopes: Any = [slope] * len(parents)
    rule = rng.choice([slopes, lambda *_: slopes, slopes[1:], lambda *xs: [x * 2 for x in xs[:-1]]])
    return side.keep(side.mg.Value.node(number(rng), parents, rule, "n"))


@action
def bare_node(side: Side, rng: random.Random) -> Any:
    return side.keep(rng.choice(side.kinds)(number(rng), tuple(side.few(rng)), "bare"))


@action
def closure(side: Side, rng: random.Random) -> Any:
    parents, factor, fails = side.few(rng, 2), rng.uniform(-2, 2), rng.random() < 0.1
    out = side.mg.Value(parents[0].data * factor, tuple(parents), "own")

    def pass_on() -> None:
        for p in parents:
            p.grad += factor * out.grad
        if fails:
            raise RuntimeError("on purpose")

    out._backward = pass_on
    return side.keep(out)


@action
def operands_by_hand(side: Side, rng: random.Random) -> Any:
    v = side.mg.Value(number(rng))
    op = side.mg.ops.TABLE[rng.choice(sorted(side.mg.ops.TABLE))]
    v.op = op
    v.args = tuple(side.some(rng) for _ in op.derivatives)
    return side.keep(v)


# Attributes, changes, ends ---------------------------------------------------------------------


@action
def attribute(side: Side, rng: random.Random) -> None:
    v = side.some(rng)
    x = rng.choice([1.0, "text", None, [side.some(rng)], side.some(rng), (1, 2), lambda: v])
    if rng.random() < 0.3:
        vars(v)["hung"] = x
    else:
        setattr(v, rng.choice(["m", "hung", "label"]), x if rng.random() < 0.9 else [])
    if not isinstance(v.label, str):
        v.label = ""


@action
def leaf_closure(side: Side, rng: random.Random) -> None:
    side.some(rng)._backward = lambda: None


@action
def changed(side: Side, rng: random.Random) -> None:
    setattr(side.some(rng), rng.choice(["data", "grad"]), rng.choice([number(rng), "a", None, 0]))


@action
def dropped(side: Side, rng: random.Random) -> None:
    for _ in range(rng.randrange(4)):
        if len(side.values) > 2:
            side.values.pop(rng.randrange(len(side.values)))


@action
def watched(side: Side, rng: random.Random) -> None:
    side.refs.append(weakref.ref(side.some(rng), lambda _: side.mg.Value(1.0) * 2))


@action
def collected(side: Side, rng: random.Random) -> int:
    gc.collect(rng.randrange(3))
    gc.collect()
    return sum(ref() is not None for ref in side.refs)


@action
def copied(side: Side, rng: random.Random) -> Any:
    v = side.some(rng)
    return side.keep(copy.copy(v) if rng.random() < 0.5 else copy.deepcopy(v))


# Passes ----------------------------------------------------------------------------------------


@action
def backward(side: Side, rng: random.Random) -> None:
    with side.mg.strict() if rng.random() < 0.2 else side.mg.ieee():
        side.some(rng).backward()


@action
def plain_backward(side: Side, rng: random.Random) -> None:
    side.some(rng).backward()


@action
def zeroed(side: Side, rng: random.Random) -> None:
    for v in side.values:
        v.grad = 0


@action
def sorted_graph(side: Side, rng: random.Random) -> Any:
    return [(bits(v.data), v._op) for v in side.mg.toposort(*side.few(rng))]


@action
def derivatives(side: Side, rng: random.Random) -> Any:
    mg, y, xs = side.mg, side.some(rng), side.few(rng)
    numbers = [rng.choice([1.0, 0.0, -2.5]) for _ in xs]
    made = [
        lambda: mg.grad(y, xs),
        lambda: mg.jvp([y, *side.few(rng)], xs, numbers),
        lambda: mg.hvp(y, xs, numbers),
    ]
    found = rng.choice(made)()
    if rng.random() < 0.5:
        side.keep(rng.choice(found))
    return [bits(v.data) for v in found]


@action
def of_function(side: Side, rng: random.Random) -> Any:
    mg, w, ops = side.mg, side.some(rng), [rng.randrange(6) for _ in range(6)]

    def f(x: Any) -> Any:
        values = list(x)
        for k, which in enumerate(ops):
            a, b = values[which % len(values)], values[k % len(values)]
            values.append([a * b, a + w, a.tanh(), a / (1 + b * b), mg.maximum(a, b), a**2][which])
        return values[-1] + values[-2]

    derive = rng.choice([mg.grad, mg.hessian, mg.value_and_grad, mg.jacobian, mg.hvp])
    x = [rng.uniform(-1, 1) for _ in range(3)]
    return repr(derive(f)(x, [1.0, 0.0, -2.5]) if derive is mg.hvp else derive(f)(x))


# Many at once, modes, hooks --------------------------------------------------------------------


@action
def bulk(side: Side, rng: random.Random) -> Any:
    values: list[Any] = side.few(rng)
    if rng.random() < 0.2:
        values.append("no Value")
    numbers = array("d", [rng.uniform(-1, 1) for _ in range(rng.choice([len(values), 2]))])
    getattr(side.mg.bulk, rng.choice(side.mg.bulk.FUNCTIONS))(values, numbers)
    return [bits(x) for x in numbers]


@action
def block(side: Side, rng: random.Random) -> Any:
    leaves = [v for v in side.values if not v.parents and v._closure is None][:3]
    found = side.mg.blocks.block_of(leaves)
    uses = [found.pull_data, found.pull_grads, found.push_data, found.push_grads, found.zero_grads]
    rng.choice(uses)()
    found.pull_data(), found.pull_grads()
    return list(map(bits, found.data)), list(map(bits, found.grad))


@action
def forgotten(side: Side, rng: random.Random) -> Any:
    with side.mg.no_grad():
        return side.keep(side.some(rng) * side.some(rng))


@action
def within_scope(side: Side, rng: random.Random) -> Any:
    with side.mg.scope("block"):
        return side.keep(side.some(rng) + side.some(rng))


@action
def interrupted(side: Side, rng: random.Random) -> Any:
    def stop(_: Any) -> None:
        raise KeyError("on purpose")

    before = side.mg.hooks.on_new
    side.mg.hooks.set_on_new(stop)
    try:
        return outcome(lambda: side.some(rng) * 2)
    finally:
        side.mg.hooks.set_on_new(before)


# The driver ------------------------------------------------------------------------------------


def run_case(seed: int) -> str | None:
    """Run a case; return what differs, if anything does."""
    sides = [Side(mg) for mg in CORES.values()]
    plan = random.Random(seed)
    for step in range(STEPS):
        act, own = plan.choice(ACTIONS), plan.randrange(2**32)
        results = [outcome(partial(act, side, random.Random(own))) for side in sides]
        if results[0] != results[1]:
            return f"step {step}, {act.__name__}: {results[0]!r} != {results[1]!r}"
        first, second = (side.seen() for side in sides)
        if first != second:
            place = next(i for i, (a, b) in enumerate(zip(first, second)) if a != b)
            return f"after step {step}, {act.__name__}: {first[place]} != {second[place]}"
    return None


def main(arguments: list[str] | None = None) -> int:
    """Run cases for a while; return 1 at the first that differs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    parser.add_argument("--case", type=int, help="run this case alone")
    options = parser.parse_args(arguments)
    gc.freeze()  # what is loaded already is no garbage, and need not be searched each time
    end, cases = time.monotonic() + options.seconds, 0
    while options.case is None or not cases:
        case = options.case if options.case is not None else options.seed * 10**6 + cases
        found = run_case(case)
        cases += 1
        if found is not None:
            print(f"{found}\n    python tests/fuzz_cores.py --case {case}")
            return 1
        if time.monotonic() > end:
            break
    print(f"{cases} cases of {STEPS} actions on both cores, seed {options.seed}: none differs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
