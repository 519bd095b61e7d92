"""A lifted tape as equations: the forward pass, then the reverse pass, as a textbook writes them.

Matrices stand beside each other where they are multiplied, `.*` multiplies element by element, `'`
transposes; the examples are columns. A group gets a line of its own where the textbook has a name
for it: z for what a layer adds up, a for its activation, delta for what arrives at z in reverse,
Delta for the gradients, summed over the examples. The rest is written where it is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from micrograd import ops
from micrograd.programs.lift.groups import INPUT, Group, Terms
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.loops.parts import Part
from micrograd.programs.rewrite.cross_entropy import write_differences
from micrograd.programs.rewrite.softmax import SOFTMAX, Rewritten
from micrograd.programs.show.axes import Axes
from micrograd.programs.show.expressions import Expressions
from micrograd.programs.show.indexed import Indices, NeedsLineError
from micrograd.programs.show.indexing import OTHER, index_text
from micrograd.programs.show.layout import Line
from micrograd.programs.show.names import ParameterNames
from micrograd.programs.show.notation import ATOM, Style, Written

FEW = 3  # names and functions in an expression that may be written twice


class Equations:
    """The equations of one path; `forward` and `backward` are lists of lines."""

    def __init__(
        self,
        lifted: Lifted,
        names: ParameterNames,
        shapes: Mapping[str, tuple[Any, ...]],
        result: str,
        several: bool,
        style: Style,
        part: Part | None = None,
    ) -> None:
        self.lifted = lifted
        self.names = names
        self.style = style
        self.forward: list[Line] = []
        self.backward: list[Line] = []
        rewritten = Rewritten(lifted)
        write_differences(rewritten)
        self._groups = rewritten.groups
        self._order = rewritten.order
        self._reverse = self._after_seeds(rewritten.like)
        axes = Axes(lifted, rewritten, names, shapes)
        self._whole = Expressions(lifted, rewritten, names, axes, style, self._reverse)
        self._name = self._whole.name
        self._runs = self._runs_of_results(lifted.outputs)
        self._results = {lifted.group_of[i] for i in lifted.outputs}
        self._handed = _handed_on(lifted, part) if part is not None else {}
        self._uses = self._count_uses()
        self._count = 0
        for runs in [self._runs[1:], *map(self._runs_of_results, self._handed.values())]:
            self._uses.update(lifted.group_of[run[0]] for run in runs)
        patterns = [group.name for group in self._order]
        self._given = {result, *(p.rpartition(".")[2].replace("[]", "") for p in patterns)}
        self._find_names(result if part is None or "" in part.gives else "")
        for group in self._order:
            self._write(group)
        self._write_other_gradients()
        gives_result = part is None or "" in part.gives
        if gives_result and (several or result not in self._name.values()):
            self._write_results(result)
        for name, nodes in self._handed.items():
            self._write_handed_on(name, nodes)
        self.forward.sort(key=lambda line: line.left == style.name(result))

    def _count_uses(self) -> Counter[int]:
        """Count how often each group is read by those that are written: what leads to a result."""
        uses: Counter[int] = Counter()
        gradients = [self.lifted.group_of[i] for i in self.lifted.gradients.values()]
        handed = [self.lifted.group_of[i] for nodes in self._handed.values() for i in nodes]
        wanted = {*self._results, *gradients, *handed}
        for group in reversed(self._order):
            if group.index in wanted and group.members:
                read = [g for terms in group.terms for g in terms.groups]
                uses.update(read)
                wanted.update(read)
        self._wanted = wanted
        return uses

    # Names -------------------------------------------------------------------------------------

    def _after_seeds(self, like: Sequence[int]) -> set[int]:
        """Return the groups of the reverse pass: they depend on what arrives at the results."""
        seeds = self.lifted.seeds
        found = {g.index for g in self.lifted.groups if g.kind == INPUT and g.name in seeds}
        for group in self.lifted.groups:
            if any(g in found for terms in group.terms for g in terms.groups):
                found.add(group.index)
        return {g for g, original in enumerate(like) if original in found}

    def _find_names(self, result: str) -> None:
        layer = 1
        for group in self._order:
            weights = [t for t in group.terms if self._whole.weight(group, t) is not None]
            terms = sum(t.positions.shape[1] for t in group.terms)
            if weights and terms > 1 and group.varies and group.index not in self._reverse:
                layer += 1
                while self._given & {f"{of}{layer}" for of in ("z", "a", "delta")}:
                    layer += 1
                self._name[group.index] = f"z{layer}"
        layers = {index: name[1:] for index, name in self._name.items()}
        self._name_activations(layers)
        for index, number in layers.items():
            self._name_delta(self._groups[index], f"delta{number}")
        if result and len(self._runs) == 1 and not (self._results & self._name.keys()):
            [run] = self._runs
            if self._groups[self.lifted.group_of[run[0]]].terms and not self._order_of(run):
                self._name[min(self._results)] = result

    def _name_activations(self, layers: Mapping[int, str]) -> None:
        """Name what the next layer multiplies by its weights; in the last layer, delta's parts."""
        forward = set(self._results)
        for group in reversed(self._order):
            if group.index in forward:
                forward.update(g for terms in group.terms for g in terms.groups)
        passed_on = {
            g
            for group in self._groups
            for t in group.terms
            for g in t.groups
            if self._whole.weight(group, t) is not None
        }
        for group in self._order:
            number = layers.get(group.terms[0].groups[0]) if group.kind == "row" else None
            if number is None or len(group.terms[0].groups) > 1 or group.op is ops.sign:
                continue
            needed = group.index in passed_on or group.index not in forward or group.op is SOFTMAX
            if needed and f"a{number}" not in self._name.values():
                self._name[group.index] = f"a{number}"

    def _name_delta(self, layer: Group, name: str) -> None:
        """Name the group of what arrives at all that a layer adds up."""
        nodes = [self.lifted.adjoints.get(i) for i in layer.members]
        groups = {None if i is None else self.lifted.group_of[i] for i in nodes}
        for g in groups if len(groups) == 1 else ():
            if g is not None and set(nodes) == {*self._groups[g].members} and g in self._reverse:
                self._name.setdefault(g, name)

    # Lines -------------------------------------------------------------------------------------

    def _write(self, group: Group) -> None:
        if not group.terms or not group.members or group.index not in self._wanted:
            return
        if group.gradient:
            self._write_gradients(group)
            if not self._uses[group.index]:
                return
        right = self._whole.of_group(group)
        if OTHER in right.text and self._whole.is_product(group.index):
            self._write_operands(group)
            right = self._whole.of_group(group)
        self._whole.written[group.index] = right
        often = self._uses[group.index] > 1 and right.size > FEW
        if group.index in self._name or (often and not group.gradient):
            self._write_line(group, right)

    def _write_line(self, group: Group, right: Written) -> None:
        """Give a group a line of its own."""
        lines = self.backward if group.index in self._reverse else self.forward
        index, text = self._with_indices(group, right)
        name = self._name.get(group.index) or self._next_name()
        self._name[group.index] = name
        left = self.style.name(name)
        lines.append(Line(left + index, "=", text, self._shape(group)))
        self._whole.written[group.index] = Written(left, ATOM, 1)

    def _with_indices(self, group: Group, right: Written) -> tuple[str, str]:
        """Return the index of the left side, and the right side, with indices where these help."""
        while OTHER in right.text:
            try:
                found = Indices(self._whole, self._given).line(group)
            except NeedsLineError as error:
                self._write_line(error.group, self._whole.of_group(error.group))
                continue
            if found is None:
                break
            return f"[{found.left}]" if found.left else "", found.right.text
        return "", right.text

    def _write_operands(self, group: Group) -> None:
        """Give what a matrix multiplies a line of its own."""
        for g in {g for terms in group.terms for g in terms.groups}:
            if g in self._whole.written and OTHER in self._whole.written[g].text:
                self._write_line(self._groups[g], self._whole.written[g])

    def _write_gradients(self, group: Group) -> None:
        """Write the gradients of the parameters of each name."""
        ranks = self.lifted.position[group.members]
        for chosen in self.names.by_pattern(ranks.tolist()):
            left, shape = self.names.gradient(ranks[chosen].tolist(), self.style)
            own = group.only(chosen)
            index, text = self._with_indices(own, self._whole.of_group(own))
            self.backward.append(Line(left + index, ":=", text, shape))

    def _write_other_gradients(self) -> None:
        """Those that are computed further after the sum over the examples, as by w of exp(w) x."""
        gradient_of = {i: rank for rank, i in self.lifted.gradients.items()}
        for group in self._order:
            ranks = [gradient_of[i] for i in group.members if i in gradient_of]
            if ranks and group.terms and not group.gradient:
                for chosen in self.names.by_pattern(sorted(ranks)):
                    own = [sorted(ranks)[i] for i in chosen]
                    left, shape = self.names.gradient(own, self.style)
                    right = self._whole.whole(group.index)
                    self.backward.append(Line(left, ":=", right.text, shape))

    def _next_name(self) -> str:
        self._count += 1
        while f"t{self._count}" in self._given:
            self._count += 1
        return f"t{self._count}"

    def _write_results(self, result: str) -> None:
        """Write the results, where they have other names, or stand in several groups."""
        texts = [self._of_run(run) for run in self._runs]
        left = self.style.name(result)
        if texts != [left]:
            self.forward.append(Line(left, "=", "; ".join(texts), (len(self.lifted.outputs), "n")))

    def _write_handed_on(self, name: str, nodes: Sequence[int]) -> None:
        """Write what another part is given."""
        texts = [self._of_run(run) for run in self._runs_of_results(nodes)]
        if len({*texts}) == 1:
            texts = texts[:1]
        group = self._groups[self.lifted.group_of[nodes[0]]]
        if group.kind == INPUT and [*self.lifted.position[nodes]] == [*range(len(group.members))]:
            texts = [self._whole.whole(group.index).text]
        lines = self.backward if name.startswith("d_") else self.forward
        lines.append(Line(self.style.name(name), "<-", "; ".join(texts), (len(nodes), "n")))

    def _runs_of_results(self, nodes: Sequence[int]) -> list[list[int]]:
        """Split the results where the group changes or one comes again; a leaf is by itself."""
        runs: list[list[int]] = []
        seen: set[int] = set()
        for i in nodes:
            group = self.lifted.group_of[i]
            goes_on = runs and group == self.lifted.group_of[runs[-1][0]] and i not in seen
            if goes_on and self._groups[group].terms:
                runs[-1].append(i)
            else:
                runs.append([i])
                seen.clear()
            seen.add(i)
        return runs

    def _of_run(self, run: list[int]) -> str:
        """Write results of one group."""
        group = self.lifted.group_of[run[0]]
        if not self._groups[group].terms:
            return self._leaf(run[0])
        return self._whole.part(self._whole.whole(group), self._order_of(run)).text

    def _order_of(self, run: list[int]) -> str:
        """Write which members of their group results are, "" for all in order."""
        size = len(self._groups[self.lifted.group_of[run[0]]].members)
        return index_text(self.lifted.position[run].reshape(-1, 1), size)

    def _leaf(self, i: int) -> str:
        """Write an argument, a parameter or a number that is itself a result."""
        g, place = self.lifted.group_of[i], int(self.lifted.position[i])
        if self._groups[g].kind == INPUT:
            index = ", ".join([str(column[place]) for column in self._whole.axes.of[g]])
            return self._whole.part(self._whole.whole(g), index).text
        terms = Terms(1, (g,), self.lifted.position)
        terms.flat = [i]
        return self._whole.factor(self._groups[g], terms, 0).text

    def _shape(self, group: Group) -> tuple[Any, ...]:
        dims = self._whole.axes.dims(group.index) or (1,)
        return (*dims, "n") if group.varies else dims


def _handed_on(lifted: Lifted, part: Part) -> dict[str, list[int]]:
    """Return the nodes of what a part hands on, forward and in reverse, by name."""
    handed: dict[str, list[int]] = {}
    outputs = iter(lifted.outputs)
    for name, nodes in part.gives.items():
        own = [next(outputs) for _ in nodes]
        if name:
            handed[name] = own
    leaves = [leaf for own in part.takes.values() for leaf in own]
    arrived = {leaf: lifted.arrived.get(k) for k, leaf in enumerate(leaves)}
    for name, own in part.takes.items():
        found = [node for leaf in own if (node := arrived[leaf]) is not None]
        if found:
            handed[f"d_{name}"] = found
    return handed
