"""A lifted tape as equations: the forward pass, then the reverse pass, as a textbook writes them.

Matrices stand beside each other where they are multiplied, `.*` multiplies element by element, `'`
transposes; the examples are columns. A group gets a line of its own where the textbook has a name
for it: z for what a layer adds up, a for its activation, delta for what arrives at z in reverse,
Delta for the gradients, summed over the examples. The rest is written where it is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS, Group, Terms
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.show.indexing import index_text, is_matrix, order_text
from micrograd.programs.show.layout import Line
from micrograd.programs.show.names import ParameterNames
from micrograd.programs.show.notation import ATOM, Style, Written
from micrograd.value.selection import Take

FEW = 3  # names and functions in an expression that may be written twice


class Equations:
    """The equations of one path; `forward` and `backward` are lists of lines."""

    def __init__(
        self, lifted: Lifted, names: ParameterNames, result: str, several: bool, style: Style
    ) -> None:
        self.lifted = lifted
        self.names = names
        self.style = style
        self.forward: list[Line] = []
        self.backward: list[Line] = []
        self._groups = lifted.groups
        self._uses = Counter(
            g for group in self._groups if group.members for t in group.terms for g in t.groups
        )
        self._reverse = self._after_seeds()
        self._count = 0
        self._name: dict[int, str] = {}
        self._written: dict[int, Written] = {}
        self._results = {lifted.group_of[i] for i in lifted.outputs}
        self._runs = self._runs_of_results()
        self._uses.update(lifted.group_of[run[0]] for run in self._runs[1:])
        patterns = [group.name for group in self._groups]
        self._given = {result, *(p.rpartition(".")[2].replace("[]", "") for p in patterns)}
        self._find_names(result)
        for group in self._groups:
            self._write(group)
        self._write_other_gradients()
        if several or result not in self._name.values():
            self._write_results(result)
        self.forward.sort(key=lambda line: line.left == style.name(result))

    # Names -------------------------------------------------------------------------------------

    def _after_seeds(self) -> set[int]:
        """Return the groups of the reverse pass: they depend on what arrives at the results."""
        found = {g.index for g in self._groups if g.kind == INPUT and not g.name}
        for group in self._groups:
            if any(g in found for terms in group.terms for g in terms.groups):
                found.add(group.index)
        return found

    def _find_names(self, result: str) -> None:
        layer = 1
        for group in self._groups:
            weights = [t for t in group.terms if self._weight(group, t) is not None]
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
        if len(self._runs) == 1 and not (self._results & self._name.keys()):
            [run] = self._runs
            if self._groups[self.lifted.group_of[run[0]]].terms and not self._order_of(run):
                self._name[min(self._results)] = result

    def _name_activations(self, layers: Mapping[int, str]) -> None:
        """Name what the next layer multiplies by its weights; in the last layer, delta's parts."""
        forward = set(self._results)
        for group in reversed(self._groups):
            if group.index in forward:
                forward.update(g for terms in group.terms for g in terms.groups)
        passed_on = {
            g
            for group in self._groups
            for t in group.terms
            for g in t.groups
            if self._weight(group, t) is not None
        }
        for group in self._groups:
            number = layers.get(group.terms[0].groups[0]) if group.kind == "row" else None
            if number is None or len(group.terms[0].groups) > 1 or group.op is ops.sign:
                continue
            needed = group.index in passed_on or group.index not in forward
            if needed and f"a{number}" not in self._name.values():
                self._name[group.index] = f"a{number}"

    def _name_delta(self, layer: Group, name: str) -> None:
        """Name the group of what arrives at all that a layer adds up."""
        nodes = [self.lifted.adjoints.get(i) for i in layer.members]
        groups = {None if i is None else self.lifted.group_of[i] for i in nodes}
        for g in groups if len(groups) == 1 else ():
            if g is not None and set(nodes) == {*self._groups[g].members} and g in self._reverse:
                self._name.setdefault(g, name)

    def _weight(self, group: Group, terms: Terms) -> int | None:
        """Which of two factors is a parameter that multiplies what varies."""
        if group.op is not ops.add or group.summed or len(terms.groups) != 2:
            return None
        kinds = [self._groups[g] for g in terms.groups]
        for at in (0, 1):
            if kinds[at].kind == PARAMETERS and kinds[1 - at].varies:
                tables = terms.positions[:, :, at], terms.positions[:, :, 1 - at]
                return at if is_matrix(*tables) else None
        return None

    # Lines -------------------------------------------------------------------------------------

    def _write(self, group: Group) -> None:
        if not group.terms or not group.members:
            return
        right = self._of_group(group)
        name = self._name.get(group.index)
        lines = self.backward if group.index in self._reverse else self.forward
        if group.gradient:
            self._write_gradients(group)
        elif name is not None or (self._uses[group.index] > 1 and right.size > FEW):
            left = self.style.name(name or self._next_name())
            lines.append(Line(left, "=", right.text, self._shape(group)))
            right = Written(left, ATOM, 1)
        self._written[group.index] = right

    def _write_gradients(self, group: Group) -> None:
        """Write the gradients of the parameters of each name."""
        ranks = self.lifted.position[group.members]
        for chosen in self.names.by_pattern(ranks.tolist()):
            left, shape = self.names.gradient(ranks[chosen].tolist(), self.style)
            right = self._of_group(group.only(chosen))
            self.backward.append(Line(left, ":=", right.text, shape))

    def _write_other_gradients(self) -> None:
        """Those that are computed further after the sum over the examples, as by w of exp(w) x."""
        gradient_of = {i: rank for rank, i in self.lifted.gradients.items()}
        for group in self._groups:
            ranks = [gradient_of[i] for i in group.members if i in gradient_of]
            if ranks and group.terms and not group.gradient:
                for chosen in self.names.by_pattern(sorted(ranks)):
                    own = [sorted(ranks)[i] for i in chosen]
                    left, shape = self.names.gradient(own, self.style)
                    self.backward.append(Line(left, ":=", self._factor(group.index).text, shape))

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

    def _runs_of_results(self) -> list[list[int]]:
        """Split the results where the group changes or one comes again; a leaf is by itself."""
        runs: list[list[int]] = []
        seen: set[int] = set()
        for i in self.lifted.outputs:
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
        return self._part(self._factor(group), self._order_of(run)).text

    def _order_of(self, run: list[int]) -> str:
        """Write which members of their group results are, "" for all in order."""
        size = len(self._groups[self.lifted.group_of[run[0]]].members)
        return index_text(self.lifted.position[run].reshape(-1, 1), size)

    def _leaf(self, i: int) -> str:
        """Write an argument, a parameter or a number that is itself a result."""
        terms = Terms(1, (self.lifted.group_of[i],), self.lifted.position)
        terms.flat = [i]
        return self._factor(terms.groups[0], terms).text

    def _shape(self, group: Group) -> tuple[Any, ...]:
        return (len(group.members), "n") if group.varies else (len(group.members),)

    # Expressions -------------------------------------------------------------------------------

    def _of_group(self, group: Group) -> Written:
        if isinstance(group.op, Take):
            return self._of_take(group)
        if group.kind == "row":
            factors = [
                self._factor(g, group.terms[0], f) for f, g in enumerate(group.terms[0].groups)
            ]
            return self.style.call(group.op, factors)
        if group.op is not None and group.op is not ops.add:
            return self.style.extreme(group.op, [self._of_terms(group, t) for t in group.terms])
        ordered = sorted(group.terms, key=lambda t: (-t.sign, self._weight(group, t) is None))
        return self.style.sum([(t.sign, self._of_terms(group, t)) for t in ordered])

    def _of_take(self, group: Group) -> Written:
        """Write `table[index]`, the table as a whole."""
        [terms] = group.terms
        index = self._factor(terms.groups[0], terms)
        runs = groupby(range(1, len(terms.groups)), key=lambda f: terms.groups[f])
        parts = [part for g, run in runs for part in self._of_table(g, terms, list(run))]
        named = len(parts) == 1 and parts[0].size > 0
        return self.style.taken(parts[0] if named else self.style.table(parts), index)

    def _of_table(self, g: int, terms: Terms, factors: Sequence[int]) -> list[Written]:
        """Write the entries of a table that are of one group: numbers one by one."""
        group, places = self._groups[g], terms.positions[:, 0, factors]
        if group.kind == CONSTANTS:
            return [self._constant(terms, f) for f in factors]
        if group.kind == PARAMETERS:
            return [self._parameters(places.T)]
        return [self._part(self._factor(g), index_text(places, len(group.members)))]

    def _of_terms(self, group: Group, terms: Terms) -> Written:
        at = self._weight(group, terms)
        if at is not None:
            matrix, transposed = self._matrix(group, terms, at)
            vector = self._factor(terms.groups[1 - at], terms, 1 - at)
            return self.style.matrix_product(matrix, transposed, vector)
        factors = [
            (f, g)
            for f, g in enumerate(terms.groups)
            if not (self._groups[g].kind == INPUT and not self._groups[g].name)
        ]
        # A matrix product comes first, as in (Theta' delta) .* a .* (1 - a).
        factors.sort(key=lambda fg: (not self._is_product(fg[1]), fg[1]))
        product = self._narrow_product(group, terms, factors)
        written = [self._factor(g, terms, f) for f, g in factors]
        if product is not None:
            written.insert(0, product)
        if group.summed and len(written) == 2 and self._is_grid(terms, [f for f, _ in factors]):
            if factors[0][1] not in self._reverse or self._groups[factors[0][1]].kind == INPUT:
                written.reverse()
            return self.style.outer(*written)
        if group.op is not ops.add:
            return written[0]
        again = [False] * (product is not None) + self._again(terms, factors)
        product = self.style.times(written, again)
        summed = group.summed or terms.positions.shape[1] > 1
        return self.style.total(product) if summed else product

    def _again(self, terms: Terms, factors: Sequence[tuple[int, int]]) -> list[bool]:
        """Whether each factor has the elements of the one before it."""
        places = [(g, terms.positions[:, :, f].tobytes()) for f, g in factors]
        return [k > 0 and places[k] == places[k - 1] for k in range(len(places))]

    def _is_grid(self, terms: Terms, factors: Sequence[int]) -> bool:
        """Return whether each of the one factor meets each of the other: a column times a row."""
        if terms.positions.shape[1] > 1:
            return False
        if not all(self._groups[terms.groups[f]].varies for f in factors):
            return False
        met = [len(set(terms.positions[:, 0, f].tolist())) for f in factors]
        return met[0] * met[1] == len(terms.positions)

    def _is_product(self, g: int) -> bool:
        group = self._groups[g]
        named = g in self._name
        return not named and any(self._weight(group, t) is not None for t in group.terms)

    def _narrow_product(
        self, group: Group, terms: Terms, factors: list[tuple[int, int]]
    ) -> Written | None:
        """Theta' delta for a layer of width 1, where it is no sum: two factors among others."""
        deltas = [fg for fg in factors if self._name.get(fg[1], "").startswith("delta")]
        weights = [fg for fg in factors if self._groups[fg[1]].kind == PARAMETERS]
        if group.summed or len(deltas) != 1 or len(weights) != 1:
            return None
        factors.remove(deltas[0])
        factors.remove(weights[0])
        matrix, transposed = self._matrix(group, terms, weights[0][0])
        return self.style.matrix_product(matrix, transposed, self._factor(deltas[0][1]))

    def _factor(self, g: int, terms: Terms | None = None, f: int = 0) -> Written:
        group = self._groups[g]
        if group.kind == INPUT:
            whole = Written(self.style.name(group.name or "seed"), ATOM, 1)
            return self._elements(whole, self.lifted.tape.columns[group.name], terms, f)
        if group.kind == CONSTANTS:
            assert terms is not None
            return self._constant(terms, f)
        if group.kind == PARAMETERS:
            assert terms is not None
            places = terms.positions[:, :, f]
            permuted = np.unique(places).size == places.size
            return self._parameters(places.reshape(-1, 1) if permuted else np.unique(places))
        return self._elements(self._written[g], len(group.members), terms, f)

    def _parameters(self, places: Any) -> Written:
        """Write parameters, or rows of them, in the order in which they are used."""
        name = self.names.display(np.unique(places).tolist(), self.style)
        return self._part(Written(name, ATOM, 1), order_text(places))

    def _elements(self, whole: Written, size: int, terms: Terms | None, f: int) -> Written:
        """Write the elements that a factor uses; without terms, all of them."""
        if terms is None:
            return whole
        return self._part(whole, index_text(terms.positions[:, :, f], size))

    def _part(self, whole: Written, index: str) -> Written:
        return self.style.taken(whole, Written(index, ATOM, 0)) if index else whole

    def _constant(self, terms: Terms, f: int) -> Written:
        places = {int(i) for i in terms.positions[:, :, f].reshape(-1)}
        numbers = list(self.lifted.tape.constants.values())
        if len(places) > 1:
            return Written(self.style.name("c"), ATOM, 1)
        return self.style.number(numbers[places.pop()])

    def _matrix(self, group: Group, terms: Terms, at: int) -> tuple[str, bool]:
        """Return the name of a matrix of parameters, and whether it is transposed."""
        table = terms.positions[:, :, at]
        ranks = sorted({int(r) for r in table.reshape(-1)})
        rows = [int(table[0, 0]), int(table[-1, 0])]
        columns = [int(table[0, 0]), int(table[0, -1])]
        transposed = self.names.is_transposed(ranks, rows, columns)
        if transposed is None:
            transposed = group.index in self._reverse
        return self.names.display(ranks, self.style), transposed
