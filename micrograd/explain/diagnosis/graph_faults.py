"""Find faults in a recorded graph: the first cause, not the symptom."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import pairwise

from micrograd import ops
from micrograd.engine import Value, toposort
from micrograd.explain.diagnosis.findings import (
    DEAD_RELU,
    INFINITY_BACKWARD,
    INFINITY_FORWARD,
    NAN_BACKWARD,
    NAN_FORWARD,
    NO_DEPENDENCE,
    NO_DERIVATIVE,
    NOT_RUN,
    NOT_ZEROED,
    STALE,
    Diagnosis,
    Finding,
    count_of,
    join_names,
)
from micrograd.explain.diagnosis.model_faults import faults_of_model, interior_parameters
from micrograd.explain.membership import enclosing_modules
from micrograd.explain.names import expression, name_of
from micrograd.graph.scopes import Scope, scope_of
from micrograd.graph.steps import Step, backward_steps
from micrograd.native.gc_pause import uncollected
from micrograd.nn import Module
from micrograd.value.errors import ARITHMETIC_ERRORS
from micrograd.value.identity import IdentityDict, IdentitySet
from micrograd.value.words.calls import called_as

_COMPARISONS = (ops.less, ops.less_equal, ops.equal)


@uncollected()
@called_as("diagnose(loss), for the Value at the end of a graph")
def diagnose(root_or_model: Value | Module) -> Diagnosis:
    """Find what is wrong with the graph of an output, or with the parameters of a Module.

    In a graph: the first NaN or infinity, forward and backward, with its operands and the path
    that it poisoned; a derivative that cannot be computed; data changed after recording;
    backward() not run, or grads not zeroed after an earlier pass; dead ReLUs; leaves that the
    output does not depend on; parameters that are interior nodes. A model alone shows only those
    faults that its parameters reveal. Record within `with micrograd.source_lines():` to see each
    cause with its line of code. No data or grad changes. Raises TypeError for anything but a
    Value or a Module.

    >>> x = Value(1e200, label="x")
    >>> print(diagnose(x * x * 0))
    * (= nan): 2 findings
    1. infinity in the forward pass: x * x is inf, of operands that are finite
      poisoned: * (= inf) -> * (= nan)
      Keep the operands smaller, or compute it in another way: with logarithms, say.
    2. backward not run: the grads of this graph are still 0
      Call backward() on the output, then look at the grads.
    """
    if isinstance(root_or_model, Value):
        return Diagnosis(name_of(root_or_model), _Examination(root_or_model).findings())
    if isinstance(root_or_model, Module):
        return Diagnosis(type(root_or_model).__name__, faults_of_model(root_or_model))
    raise TypeError(
        f"diagnose: a recorded Value (a loss, say) or a Module is needed, got {root_or_model!r}"
    )


class _Examination:
    """The examination of a recorded graph; each method looks for one kind of fault."""

    def __init__(self, root: Value) -> None:
        self.root = root
        self.nodes = toposort(root)
        self.consumers: IdentityDict[Value, list[Value]] = IdentityDict((v, []) for v in self.nodes)
        for v in self.nodes:
            for operand in v.parents:
                self.consumers[operand].append(v)
        self.leaves = [v for v in self.nodes if not v.parents]
        self.models = _models(self.nodes)
        self.names = IdentityDict(
            (p, name) for model in self.models for name, p in model.named_parameters()
        )

    def findings(self) -> list[Finding]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # from nodes without a rule
                self.steps = backward_steps(self.root)
        except ARITHMETIC_ERRORS as error:
            self.steps = []
            return [*self.forward(), *self.underivable(error), *self.stale(), *self.held()]
        return [
            *self.forward(),
            *self.backward(),
            *self.stale(),
            *self.grads(),
            *self.dead(),
            *self.independent(),
            *self.held(),
        ]

    def name(self, v: Value) -> str:
        return v.label or self.names.get(v) or name_of(v)

    def _named(self, leaves: list[Value]) -> list[Value]:
        """Prefer leaves with a name: parameters rather than the numbers in a formula."""
        return [v for v in leaves if v.label or v in self.names] or leaves

    # Numbers that are not finite

    def forward(self) -> Iterable[Finding]:
        causes = [
            v
            for v in self.nodes
            if not _finite(v) and all(map(_finite, v.parents)) and not self._is_bound(v)
        ]
        if not causes:
            return
        cause = causes[0]
        kind = NAN_FORWARD if math.isnan(cause.data) else INFINITY_FORWARD
        others = f"; {count_of(len(causes) - 1, 'other cause')} besides" if causes[1:] else ""
        if not cause.parents:
            text = f"{self.name(cause)} was given as {cause.data}{others}"
            advice = "Look at where this number comes from: the data, an update, a weight."
        else:
            text = f"{expression(cause)} is {cause.data}, of operands that are finite{others}"
            advice = (
                "Keep the operands smaller, or compute it in another way: with logarithms, say."
            )
        yield Finding(kind, cause, text, advice, self._poisoned_by(cause))

    def _poisoned_by(self, cause: Value) -> list[Value]:
        path = [cause]
        while following := [v for v in self.consumers[path[-1]] if not _finite(v)]:
            path.append(following[0])
        return path

    def backward(self) -> Iterable[Finding]:
        before: IdentityDict[Value, float] = IdentityDict()
        for step in self.steps:
            arrived = before.get(step.operand, 0.0)
            before[step.operand] = step.total
            if math.isfinite(step.total) or not (
                math.isfinite(arrived)
                and math.isfinite(step.upstream)
                and all(map(_finite, (step.consumer, *step.consumer.parents)))
            ):
                continue
            kind = NAN_BACKWARD if math.isnan(step.total) else INFINITY_BACKWARD
            yield Finding(kind, step.consumer, self._step(step, arrived), *self._after(step))
            return

    def _step(self, step: Step, arrived: float) -> str:
        where = f"at {expression(step.consumer)}, towards {self.name(step.operand)}"
        if math.isfinite(step.product):
            return f"{where}, {step.product:.6g} is added to {arrived:.6g}: that is {step.total}"
        if step.local is None or math.isfinite(step.local):
            times = "" if step.local is None else f"{step.local:.6g} times "
            return f"{where}, {times}the gradient that arrived, {step.upstream:.6g}: {step.product}"
        return f"{where}, the local derivative is {step.local}"

    def _after(self, step: Step) -> tuple[str, list[Value]]:
        onward: IdentityDict[Value, Value] = IdentityDict()
        for later in self.steps:
            if not math.isfinite(later.product):
                onward.setdefault(later.consumer, later.operand)
        path = [step.operand]
        while path[-1] in onward:
            path.append(onward[path[-1]])
        advice = "Keep the operand away from this point, or scale what it is computed from."
        return advice, path

    def underivable(self, error: Exception) -> Iterable[Finding]:
        node = next(v for v in reversed(self.nodes) if _fails(v))
        text = str(error).partition(". Keep")[0]
        advice = "Keep the operand away from this point, with maximum(x, 1e-12), say."
        yield Finding(NO_DERIVATIVE, node, text, advice, [node])

    # What was done with the graph

    @cached_property
    def outdated(self) -> IdentityDict[Value, float]:
        """The nodes that would have another number if computed now, with that number."""
        found: IdentityDict[Value, float] = IdentityDict()
        for v in self.nodes:
            if v.op is None or v._closure is not None:
                continue
            try:
                now = float(v.op.value(*[x.data if isinstance(x, Value) else x for x in v.args]))
            except ARITHMETIC_ERRORS:
                now = math.nan
            same = math.isclose(now, v.data, rel_tol=1e-12) or (now != now and v.data != v.data)
            if not same:
                found[v] = now
        return found

    def stale(self) -> Iterable[Finding]:
        if not self.outdated:
            return
        first = next(iter(self.outdated))
        changed = [x for x in self.leaves if self._all_outdated(x)]
        explained = IdentitySet(v for x in changed for v in self.consumers[x])
        if self._all_outdated(first) and not explained >= IdentitySet(self.consumers[first]):
            changed = []  # then its own number was changed
        changed = self._named(changed)
        culprit = changed[0] if changed else first
        more = f" (and {len(changed) - 1} more)" if changed[1:] else ""
        text = (
            f"{self.name(culprit)}{more} was changed after the graph was recorded: "
            f"{expression(first)} is {first.data:.6g} there, and {self.outdated[first]:.6g} now"
        )
        advice = "Compute the output again after an update, and call backward() on the new one."
        yield Finding(STALE, culprit, text, advice, self._upward(first))

    def _all_outdated(self, v: Value) -> bool:
        return bool(self.consumers[v]) and all(c in self.outdated for c in self.consumers[v])

    def _upward(self, v: Value) -> list[Value]:
        path = [v]
        while self.consumers[path[-1]]:
            path.append(self.consumers[path[-1]][0])
        return path

    def grads(self) -> Iterable[Finding]:
        if not self.steps:
            return
        leaves = self._named(self.leaves)
        totals = IdentityDict((step.operand, step.total) for step in self.steps)
        advice = "Call backward() on the output, then look at the grads."
        if not any(v.grad for v in leaves) and (
            self.root.grad != 1 or any(totals.get(v) for v in leaves)
        ):
            text = (
                "the grads of the leaves were set to 0 after it"
                if self.root.grad == 1
                else "the grads of this graph are still 0"
            )
            yield Finding(NOT_RUN, self.root, text, advice, [])
        elif self.root.grad != 1:
            text = "what the leaves hold comes from other outputs"
            yield Finding(NOT_RUN, self.root, text, advice, [])
        elif not self.outdated:
            wrong = [v for v in leaves if not _close(v.grad, totals.get(v, 0.0))]
            yield from self._piled_up(wrong, totals)

    def _piled_up(self, leaves: list[Value], totals: Mapping[Value, float]) -> Iterable[Finding]:
        if not leaves or not all(math.isfinite(totals.get(v, 0.0)) for v in leaves):
            return
        v = leaves[0]
        more = f" (as do {len(leaves) - 1} more)" if leaves[1:] else ""
        text = (
            f"{self.name(v)} holds{more} {v.grad:.6g}, but the derivative of this output is "
            f"{totals.get(v, 0.0):.6g}: the rest was there before"
        )
        advice = (
            "Set the grads to 0 before each pass (zero_grad), unless you mean to add up passes, "
            "as the accumulator of the course does over examples."
        )
        yield Finding(NOT_ZEROED, v, text, advice, [])

    # What no gradient reaches

    def dead(self) -> Iterable[Finding]:
        relus = [v for v in self.nodes if v.op is ops.relu]
        uses: dict[Scope, list[Value]] = {}
        for v in relus:
            scope = scope_of(v)
            if scope is not None:
                uses.setdefault(scope, []).append(v)
        advice = "Give it a larger bias, smaller steps, or another activation: tanh, say."
        dead = {s: found for s, found in uses.items() if found[1:] and all(map(_off, found))}
        if dead:
            found = next(iter(dead.values()))
            names = join_names([self._path(scope) for scope in dead])
            text = f"{names}: off in all {len(found)} uses, so no gradient passes"
            yield Finding(DEAD_RELU, found[0], text, advice, [])
        elif relus and all(map(_off, relus)):
            text = f"every ReLU of this graph ({len(relus)}) is off, so no gradient passes"
            hinge = " (A hinge loss is off where an example is right by the margin.)"
            yield Finding(DEAD_RELU, relus[0], text, advice + hinge, [])
        elif not uses:
            yield from self._blocked(advice)

    def _path(self, scope: Scope) -> str:
        paths = {module: path for model in self.models for path, module in model.named_modules()}
        return (paths.get(scope.module) if scope.module else None) or scope.path

    def _blocked(self, advice: str) -> Iterable[Finding]:
        """Find leaves whose every path leads to a ReLU that is off, and not all to the same."""
        # Two of the first such ReLUs on the paths of each Value.
        gates: IdentityDict[Value, IdentitySet[Value]] = IdentityDict()
        for step in self.steps:
            none = IdentitySet[Value]()
            off = _off(step.consumer)
            found = IdentitySet([step.consumer]) if off else gates.get(step.consumer, none)
            known = gates.setdefault(step.operand, IdentitySet())
            if len(known) < 2:
                known.update(found)
        open_leaves = self._reached([step for step in self.steps if not _off(step.consumer)])
        blocked = [v for v in self.leaves if v not in open_leaves and len(gates.get(v, ())) > 1]
        if blocked:
            names = join_names([self.name(v) for v in blocked])
            text = f"{names}: all paths to the output lead through ReLUs that are off"
            relu = next(v for v in self.nodes if v in gates[blocked[0]])
            yield Finding(DEAD_RELU, relu, text, advice, [])

    def _reached(self, steps: Sequence[Step]) -> IdentitySet[Value]:
        reached = IdentitySet([self.root])
        for step in steps:
            if step.consumer in reached:
                reached.add(step.operand)
        return reached

    def independent(self) -> Iterable[Finding]:
        reached = self._reached(self.steps)
        cut_off = [v for v in self.leaves if v not in reached and self._is_meant(v)]
        if cut_off:
            passing = {(id(step.operand), id(step.consumer)) for step in self.steps}
            ways = pairwise(self._upward(cut_off[0]))
            last = next(consumer for x, consumer in ways if (id(x), id(consumer)) not in passing)
            text = (
                f"{join_names([self.name(v) for v in cut_off])}: no derivative passes through "
                f"{expression(last)}"
            )
            advice = "A comparison, stop_gradient and a node without a rule pass nothing on."
            yield Finding(NO_DEPENDENCE, cut_off[0], text, advice, [])
        nodes = IdentitySet(self.nodes)
        unused = [(name, p) for p, name in self.names.items() if p not in nodes]
        if unused:
            text = f"{join_names([name for name, _ in unused])}: not used in this graph"
            advice = "Use it in what computes the output, or leave it out of the model."
            yield Finding(NO_DEPENDENCE, unused[0][1], text, advice, [])

    def _is_meant(self, v: Value) -> bool:
        """Tell whether anyone may want this leaf's gradient: not that of a bare number."""
        if v.label or v in self.names:
            return True
        return not v._is_plain_number and not self._is_compared(v)

    def _is_bound(self, v: Value) -> bool:
        """Tell whether this is a number that others are only compared with: it may be infinite."""
        return v._is_plain_number and self._is_compared(v)

    def _is_compared(self, v: Value) -> bool:
        return all(consumer.op in _COMPARISONS for consumer in self.consumers[v])

    def held(self) -> Iterable[Finding]:
        for model in self.models:
            yield from interior_parameters(model)


# Helpers --------------------------------------------------------------------------------------


def _models(nodes: Iterable[Value]) -> list[Module]:
    """List the outermost modules that recorded these nodes."""
    found: dict[Module, None] = {}
    for scope in dict.fromkeys(map(scope_of, nodes)):
        modules = enclosing_modules(scope)
        if modules:
            found[modules[-1]] = None
    return list(found)


def _fails(v: Value) -> bool:
    """Tell whether a local derivative of this node cannot be computed."""
    try:
        if v.parents and v._closure is None:
            v._local_derivatives()
    except ARITHMETIC_ERRORS:
        return True
    return False


def _finite(v: Value) -> bool:
    return math.isfinite(v.data)


def _off(v: Value) -> bool:
    return v.op is ops.relu and v.data == 0


def _close(x: float, y: float) -> bool:
    return math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-12)
