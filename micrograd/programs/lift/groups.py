"""Lifting: many scalars of one kind become one array, many scalar operations one matrix equation.

The running example is a layer of a multi-layer perceptron, two neurons that see x0, x1, x2:

    z0 = b0 + w00 x0 + w01 x1 + w02 x2        a0 = tanh(z0)
    z1 = b1 + w10 x0 + w11 x1 + w12 x2        a1 = tanh(z1)

1. Flatten (sums.py). The tape has seven nodes for z0: `+` and `*`. They become one sum with
   four terms: one of a single factor, three of two.
2. Key. Every node gets a key that says what it is made of, in terms of groups: leaves of one
   origin are a group (the x; the parameters that are called w[...], those called b), and nodes of
   one key are a group. A term's type is its sign and the groups of its factors, the key of a sum
   how many terms of each type it has. z0 and z1 both are {(b): 1, (w x): 3}: one group, Z. So
   a0 and a1 are tanh of a member of Z: one group, A. A network of any width has the same groups.
3. Order. Within a group, members are numbered by the positions of their operands: z0 before z1,
   since w00 stands before w10. Terms within a sum are sorted likewise. (plan.py, from here on)
4. Regularity. The operands of all members are now tables of positions: for the terms (w x)
       w: 0 1 2 / 3 4 5        x: 0 1 2 / 0 1 2        (a line for z0, a line for z1)
   Each table is taken apart into a part for the member and a part for the term, each of these
   into nested runs of equal steps. w moves 3 per member and 1 per term, x 0 and 1: both are
   strided views, nothing is gathered, and the pattern is that of a matrix product, W X.
   Where no steps are found, positions are gathered into an array of their own first.
5. The reverse pass (reverse.py) goes back from group to group. What arrives at a member of Z is a
   sum of products too, of what arrived at its consumers and of what these multiply it by; keyed by
   the same rules, these are a group: delta, the adjoints of Z. The gradient of w01 is the sum over
   examples of delta0 x1; all of these are one group, with operands
       delta: 0 0 0 1 1 1      x: 0 1 2 0 1 2
   which is the outer grid of both: the product delta X' over examples. And x's own adjoint, if
   a layer stands below, is w0i delta0 + w1i delta1: the product W' delta.

What has no such pattern still runs member by member, each operation on all examples at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np

from micrograd import ops
from micrograd.engine import Value
from micrograd.ops import Op
from micrograd.programs.lift.reverse import Reverse
from micrograd.programs.lift.slopes import Slopes
from micrograd.programs.lift.sums import Factors, Flat, Term
from micrograd.programs.trace.tape import Tape

PARAMETERS, CONSTANTS, INPUT = "parameters", "constants", "input"
SAME = "same"  # what only stopped gradients, and stands where its operands do


class Terms:
    """All terms of one type in a group: their factors, as nodes while the group may still grow."""

    gathered: Mapping[int, int] = {}  # the storages of factors that had to be gathered

    def __init__(self, sign: int, groups: tuple[int, ...], position: Any = None) -> None:
        self.sign = sign
        self.groups = groups
        self.flat: list[int] = []  # the nodes, kept for a single term only
        self.position = position  # of all nodes
        self._positions: Any = None

    @property
    def positions(self) -> Any:
        """An array of shape (members, terms, factors)."""
        if self._positions is None:
            self._positions = self.position.take(self.flat).reshape(1, 1, -1)
        return self._positions

    @positions.setter
    def positions(self, positions: Any) -> None:
        self._positions = positions


class Group:
    """Nodes of one kind: leaves of one origin, one row of the table, or sums of one form."""

    name = ""  # of an argument, or the pattern of the parameters' names
    gradient = False  # whether its members are the gradients of parameters
    single = False  # whether there is one member, with one term of each type

    def __init__(self, index: int, kind: str, op: Op | None, varies: bool, summed: bool) -> None:
        self.index = index
        self.kind = kind  # PARAMETERS, CONSTANTS, INPUT, "row", "sum" or SAME
        self.op = op  # the row; how the terms of a sum are combined
        self.varies = varies
        self.summed = summed  # over the examples
        self.members: list[int] = []
        self.terms: list[Terms] = []

    def only(self, chosen: Sequence[int]) -> Group:
        """Return a copy with some of the members."""
        part = copy(self)
        part.members = [self.members[i] for i in chosen]
        part.terms = []
        for terms in self.terms:
            part.terms.append(copy(terms))
            part.terms[-1].positions = terms.positions[chosen]
        return part


class Lifted:
    """A tape as groups, forward and in reverse, in an order in which they can be computed.

    `position[i]` says where node i stands within the storage of `group_of[i]`. Behind the nodes of
    the tape come those of the reverse pass. `gradients` has the nodes of the parameters' gradients,
    by the places of these in their list; `adjoints` the nodes of what arrives at others.
    """

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        guards: Iterable[int],
        slopes: Slopes,
        parameters: Sequence[Value],
        patterns: Mapping[Value, str],
    ) -> None:
        flat = Flat(tape, [*outputs, *guards, *slopes.nodes()], slopes.arrives)
        self.tape = tape
        self.groups: list[Group] = []
        self.group_of: list[int] = [-1] * len(tape.ops)
        self._varies = [*tape.varies]
        self._places: dict[int, int] = {}  # of leaves
        self._keys: dict[Any, Group] = {}
        self._types: list[tuple[int, tuple[int, ...]]] = []  # of terms: the sign, the groups
        self._type_of: dict[tuple[int, tuple[int, ...]], int] = {}
        self._source: dict[int, int] = {}  # the groups of which others stop the gradient
        self.parameters: int = len(parameters)
        self.outputs: list[int] = [flat.same[i] for i in (*outputs, *guards)]
        self._group_leaves(parameters, patterns, set(flat.nodes))
        for i in flat.nodes:
            op = tape.ops[i]
            if op is not None:
                self._put(i, self._group_node(flat, i, op))
        self._reverse(flat, slopes, len(outputs), parameters)
        self.position: Any = np.zeros(len(self.group_of), int)
        self.position[list(self._places)] = list(self._places.values())
        self._mark_gradients()
        for group in self.groups:
            if group.terms:
                self._order(group)

    def _reverse(self, flat: Flat, slopes: Slopes, count: int, parameters: Sequence[Value]) -> None:
        """Make the groups of the reverse pass, from seeds for the first `count` outputs."""
        tape, reverse = self.tape, Reverse(flat, slopes, self._varies, self._make_sum)
        forward = [*self.groups]
        tape.columns[""] = count
        for k, output in enumerate(self.outputs[:count]):
            if slopes.arrives[output]:
                seed = self._node(True)
                self._add_leaf(INPUT, "", seed, k)
                reverse.start(output, seed)
        reverse.walk(forward)
        self.adjoints: dict[int, int] = reverse.adjoints
        found = [reverse.gradient(tape.parameters[p]) for p in parameters]
        self.gradients: dict[int, int] = {rank: i for rank, i in enumerate(found) if i is not None}

    def _node(self, varies: bool) -> int:
        """Return a node behind those of the tape."""
        self.group_of.append(-1)
        self._varies.append(varies)
        return len(self.group_of) - 1

    def _make_sum(self, terms: Sequence[Term], summed: bool) -> int:
        """Return a node for a sum of the reverse pass."""
        varies = not summed and any(self._varies[x] for _, factors in terms for x in factors)
        i = self._node(varies)
        self._put(i, self._group_sum(i, ops.add, terms, 1, summed))
        return i

    def _put(self, i: int, group: Group) -> None:
        group.members.append(i)
        self.group_of[i] = group.index

    def _new(self, key: Any, kind: str, op: Op | None, varies: bool, summed: bool = False) -> Group:
        group = self._keys[key] = Group(len(self.groups), kind, op, varies, summed)
        self.groups.append(group)
        return group

    def _group_leaves(
        self, parameters: Sequence[Value], patterns: Mapping[Value, str], wanted: set[int]
    ) -> None:
        """Leaves first: parameters by the pattern of their names, inputs by argument."""
        tape = self.tape
        for rank, p in enumerate(parameters):
            self._add_leaf(PARAMETERS, patterns.get(p, ""), tape.parameters[p], rank)
        for i, rank in zip(tape.constants, range(len(tape.constants))):
            if i in wanted:
                self._add_leaf(CONSTANTS, "", i, rank)
        for i, (name, column) in tape.inputs.items():
            if i in wanted:
                self._add_leaf(INPUT, name, i, column)

    def _add_leaf(self, kind: str, name: str, i: int, position: int) -> None:
        group = self._keys.get((kind, name))
        if group is None:
            group = self._new((kind, name), kind, None, kind == INPUT)
            group.name = name
        self._put(i, group)
        self._places[i] = position

    def _group_node(self, flat: Flat, i: int, op: Op) -> Group:
        """Find the group of a node by its key, and put down its operands there."""
        found = flat.sums[i]
        if found is None:
            operands = flat.operands(i)
            exponent = self.tape.constants.get(operands[-1]) if op is ops.power else None
            groups = tuple([self.group_of[x] for x in operands])
            return self._of_single(i, op, exponent, False, 1, operands, groups)
        return self._group_sum(i, found.combine, found.terms, found.sign, False)

    def _group_sum(
        self, i: int, combine: Op, terms: Sequence[Term], sign: int, summed: bool
    ) -> Group:
        """Find the group of a sum; its terms' signs count relative to `sign`."""
        if len(terms) > 1:
            return self._of_sum(i, combine, terms, sign, summed)
        [(own_sign, factors)] = terms
        factors, groups = self._by_group(factors)
        return self._of_single(i, combine, "sum", summed, own_sign * sign, factors, groups)

    def _by_group(self, factors: Factors) -> tuple[Factors, tuple[int, ...]]:
        """Return the factors of a term, sorted by group, and their groups."""
        group_of = self.group_of
        if len(factors) == 2:  # most have: to sort them takes three times as long
            x, y = factors
            g, h = group_of[x], group_of[y]
            return (factors, (g, h)) if g <= h else ((y, x), (h, g))
        if len(factors) == 1:
            return factors, (group_of[factors[0]],)
        factors = tuple(sorted(factors, key=group_of.__getitem__))
        return factors, tuple([group_of[x] for x in factors])

    def _of_single(
        self,
        i: int,
        op: Op,
        kind: Any,
        summed: bool,
        sign: int,
        operands: Sequence[int],
        groups: tuple[int, ...],
    ) -> Group:
        """Return the group of a row, or of a sum of one term."""
        key = (op, kind, summed, sign, groups)
        group = self._keys.get(key)
        if group is None:
            written = "sum" if kind == "sum" else "row"
            group = self._new(key, written, op, self._varies[i], summed)
            group.terms = [Terms(sign, groups)]
        group.terms[0].flat += operands
        return group

    def _of_sum(self, i: int, combine: Op, terms: Sequence[Term], sign: int, summed: bool) -> Group:
        """Return the group of a sum, by how many terms of each type it has."""
        factors = self._factors_by_type(terms, sign)
        types = sorted(factors)
        key = (combine, summed, tuple([(t, len(factors[t])) for t in types]))
        group = self._keys.get(key)
        if group is None:
            group = self._new(key, "sum", combine, self._varies[i], summed)
            group.terms = [Terms(*self._types[t]) for t in types]
        for of_type, t in zip(group.terms, types):
            of_type.flat += factors[t]
        return group

    def _factors_by_type(self, terms: Sequence[Term], sign: int) -> dict[int, list[int]]:
        """Return the factors of all terms by type, within each term sorted by group."""
        factors: dict[int, list[int]] = {}
        for own_sign, nodes in terms:
            nodes, groups = self._by_group(nodes)
            written = own_sign * sign, groups
            t = self._type_of.get(written)
            if t is None:
                t = self._type_of[written] = len(self._types)
                self._types.append(written)
            if t in factors:
                factors[t] += nodes
            else:
                factors[t] = [*nodes]
        return factors

    def _mark_gradients(self) -> None:
        """Put a group whose members are gradients, one parameter each, where these belong."""
        of_node: dict[int, int] = {}
        for rank, i in self.gradients.items():
            of_node.setdefault(i, rank)
        for group in self.groups:
            if group.kind == "sum" and group.summed:
                ranks = [of_node.get(i, -1) for i in group.members]
                if -1 not in ranks:
                    group.gradient = True
                    for i, rank in zip(group.members, ranks):
                        self.position[i] = rank

    def _order(self, group: Group) -> None:
        """Sort the terms within each member, and the members by the positions of their operands."""
        count = len(group.members)
        single = count == 1
        for terms in group.terms:
            terms.position = self.position
            terms.groups = tuple([self._source.get(g, g) for g in terms.groups])
            single = single and len(terms.flat) == len(terms.groups)
        if group.op is ops.stop_gradient:
            self._join_source(group)
            return
        group.single = single
        if single:
            return
        for terms in group.terms:
            positions = self.position.take(terms.flat).reshape(count, -1, len(terms.groups))
            terms.flat = []
            terms.positions = _sorted_terms(positions) if positions.shape[1] > 1 else positions
        if count > 1:
            self._order_members(group)

    def _join_source(self, group: Group) -> None:
        """Put the members of a group that only stops gradients where their operands stand."""
        [terms] = group.terms
        source = self._source[group.index] = terms.groups[0]
        self.position[group.members] = self.position[terms.flat]
        for i in group.members:
            self.group_of[i] = source
        group.kind, group.members = SAME, []

    def _order_members(self, group: Group) -> None:
        members = np.array(group.members)
        columns: list[Any] = []
        for terms in group.terms:
            columns += [*terms.positions[:, 0].T, *terms.positions[:, -1].T]
        if group.gradient:
            columns = [self.position[members]]
        order = np.lexsort(columns[::-1])
        group.members = members[order].tolist()
        for terms in group.terms:
            terms.positions = terms.positions[order]
        if not group.gradient:
            self.position[group.members] = np.arange(len(members))


def _sorted_terms(positions: Any) -> Any:
    """Sort along the second axis by the first factor, then by the second, and so on."""
    order = np.lexsort(positions.transpose(2, 0, 1)[::-1], axis=1)
    return np.take_along_axis(positions, order[:, :, None], axis=1)
