"""A machine of random steps that builds, mutates, zeroes, backpropagates, copies and drops graphs
on both cores at once, and compares all that can be seen of them after each."""

from __future__ import annotations

import copy
import gc
from functools import partial
from typing import Any

from both_cores import CORES, python
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from test_cores import bits, outcome

numbers = st.sampled_from([0.0, -1.0, 0.5, 2.0, -3.5, 1e200]) | st.floats(-3, 3)
indices = st.integers(0, 10**6)


class BothCores(RuleBasedStateMachine):
    """Keep one list of Values per core; entries at the same place are the same Value."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, list[Any]] = {name: [] for name in CORES}

    def on_both(self, action: Any) -> None:
        """Run it on both cores; both return the same, or raise the same."""
        results = [outcome(partial(action, mg, self.values[n])) for n, mg in CORES.items()]
        assert results[0] == results[1]

    @rule(x=numbers, label=st.sampled_from(["", "w"]))
    def leaf(self, x: float, label: str) -> None:
        self.on_both(lambda mg, vs: vs.append(mg.Value(x, label=label)))

    @precondition(lambda self: self.values["c"])
    @rule(
        name=st.sampled_from(sorted(python.ops.TABLE)), at=st.lists(indices, min_size=3, max_size=3)
    )
    def row(self, name: str, at: list[int]) -> None:
        def act(mg: Any, vs: list[Any]) -> None:
            op = mg.ops.TABLE[name]
            vs.append(op(*[vs[i % len(vs)] for i in at[: len(op.derivatives)]]))

        self.on_both(act)

    @precondition(lambda self: self.values["c"])
    @rule(at=indices, x=numbers | st.integers(-3, 3), which=st.integers(0, 7))
    def with_number(self, at: int, x: float, which: int) -> None:
        def act(mg: Any, vs: list[Any]) -> None:
            v = vs[at % len(vs)]
            made = [
                lambda: v + x, lambda: x - v, lambda: v * x, lambda: v / x,
                lambda: x / v, lambda: v**x, lambda: x**v, lambda: v.maximum(x),
            ]  # fmt: skip
            vs.append(made[which]())

        self.on_both(act)

    @precondition(lambda self: self.values["c"])
    @rule(at=st.lists(indices, min_size=1, max_size=4), x=numbers, call=st.booleans())
    def node(self, at: list[int], x: float, call: bool) -> None:
        def act(mg: Any, vs: list[Any]) -> None:
            parents = [vs[i % len(vs)] for i in at]
            slopes: Any = [x] * len(at)
            vs.append(mg.Value.node(x, parents, (lambda *_: slopes) if call else slopes, "n"))

        self.on_both(act)

    @precondition(lambda self: self.values["c"])
    @rule(at=indices, x=numbers, fails=st.booleans())
    def closure(self, at: int, x: float, fails: bool) -> None:
        def act(mg: Any, vs: list[Any]) -> None:
            v = vs[at % len(vs)]
            out = mg.Value(v.data * x, (v,), "own")

            def pass_on() -> None:
                v.grad += x * out.grad
                if fails:
                    raise RuntimeError("on purpose")

            out._backward = pass_on
            vs.append(out)

        self.on_both(act)

    @precondition(lambda self: self.values["c"])
    @rule(at=indices, to=indices)
    def attribute(self, at: int, to: int) -> None:
        """Set a foreign attribute, perhaps on a Value with consumers, perhaps leading to one."""
        self.on_both(lambda mg, vs: setattr(vs[at % len(vs)], "seen", [vs[to % len(vs)]]))

    @precondition(lambda self: self.values["c"])
    @rule(at=indices, x=numbers)
    def change(self, at: int, x: float) -> None:
        self.on_both(lambda mg, vs: setattr(vs[at % len(vs)], "data", x))

    @precondition(lambda self: self.values["c"])
    @rule(at=indices)
    def backward(self, at: int) -> None:
        self.on_both(lambda mg, vs: vs[at % len(vs)].backward())

    @rule()
    def zero(self) -> None:
        def act(mg: Any, vs: list[Any]) -> None:
            for v in vs:
                v.grad = 0

        self.on_both(act)

    @precondition(lambda self: self.values["c"])
    @rule(at=indices, deep=st.booleans())
    def copied(self, at: int, deep: bool) -> None:
        make = copy.deepcopy if deep else copy.copy
        self.on_both(lambda mg, vs: vs.append(make(vs[at % len(vs)])))

    @precondition(lambda self: self.values["c"])
    @rule(at=indices)
    def dropped(self, at: int) -> None:
        def act(mg: Any, vs: list[Any]) -> None:
            vs.pop(at % len(vs))

        self.on_both(act)

    @rule()
    def collected(self) -> None:
        gc.collect()

    @invariant()
    def all_is_the_same(self) -> None:
        seen = []
        for name, mg in CORES.items():
            values = self.values[name]
            place = {v: i for i, v in enumerate(values)}
            seen.append(
                [
                    (
                        bits(v.data),
                        bits(v.grad),
                        v.label,
                        v._op,
                        v.op and v.op.name,
                        *tuple(place.get(p, bits(p.data)) for p in v.parents),
                        *tuple(bits(u.grad) for u in mg.toposort(v)),
                    )
                    for v in values
                ]
            )
        assert seen[0] == seen[1]


TestBothCores = BothCores.TestCase
TestBothCores.settings = settings(
    max_examples=settings().max_examples * 2 // 5, stateful_step_count=30, deadline=None
)
