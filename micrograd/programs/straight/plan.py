"""Plans of straight-line code: the chain rule, number by number, and where each number stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.engine import Value
from micrograd.programs.lift.forest import is_square
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lift.slopes import Slope, Slopes
from micrograd.programs.lower.buffers import is_one_call
from micrograd.programs.lower.operands import Storage
from micrograd.programs.lower.plan import Plan
from micrograd.programs.straight.line import Code, StraightLine, is_straight
from micrograd.programs.trace.tape import Tape

TOGETHER = 32  # registers that are summed over the examples in one call


def planned(
    tape: Tape,
    outputs: Sequence[int],
    guards: Mapping[int, bool],
    slopes: Slopes,
    parameters: Sequence[Value],
    patterns: Mapping[Value, str],
) -> Plan:
    """Plan a tape: as groups, or number by number where that would find hardly any."""
    if is_straight(tape, [*outputs, *guards]):
        return StraightPlan(tape, outputs, guards, slopes, parameters)
    lifted = Lifted(tape, outputs, guards, slopes, parameters, patterns)
    return Plan(lifted, [*guards.values()])


class StraightPlan(Plan):
    """A plan that computes each number of a tape by itself, and what arrives at it."""

    passes = None  # it runs on all examples at once

    def __init__(
        self,
        tape: Tape,
        outputs: Sequence[int],
        guards: Mapping[int, bool],
        slopes: Slopes,
        parameters: Sequence[Value],
    ) -> None:
        self.constants = [*tape.constants.values()]
        code = _Written(tape, outputs, slopes, parameters)
        roots = code.compute([*outputs, *guards])
        end = len(code)
        code.pass_back()
        places = _Places(code, len(parameters), len(self.constants))
        places.keep(roots[: len(outputs)], roots[len(outputs) :])
        places.assign(0, end)
        places.assign(end, len(code))
        self.storages = places.storages
        self.gradients = places.gradients
        of, rows = np.array(places.of, np.int32), np.array(places.rows, np.int32)
        self.forward = StraightLine(code, 0, end, of, rows)
        self.backward = StraightLine(code, end, len(code), of, rows)
        self._read_outputs([(places.of[x], places.rows[x]) for x in roots], [*guards.values()])
        copied: dict[int, list[tuple[int, int]]] = {}
        for rank, x in code.gradients.items():
            copied.setdefault(places.of[x], []).append((rank, places.rows[x]))
        self.copied = [(s, *np.array(pairs).T) for s, pairs in copied.items()]
        self.memories = []


class _Written(Code):
    """The code of a tape, and of its reverse pass.

    `inputs` has the registers of arguments and of seeds, `gradients` those of the parameters'
    gradients, by their ranks; `together` those that are to stand one behind the other. Where a sum
    or a product can take a sign along, nothing is computed for it: ~x is minus register x.
    """

    def __init__(
        self, tape: Tape, outputs: Sequence[int], slopes: Slopes, parameters: Sequence[Value]
    ) -> None:
        super().__init__()
        self.gradients: dict[int, int] = {}
        self.together: list[list[int]] = []
        self._tape, self._slopes = tape, slopes
        self._at: dict[int, int] = {}  # the register of each node
        own = [tape.parameters[p] for p in parameters]
        for node in (*own, *tape.constants):
            self._at[node] = self.leaf(False)
        self.inputs: dict[int, tuple[str, int]] = {}
        for node, place in tape.inputs.items():
            self._at[node] = register = self.leaf(True)
            self.inputs[register] = place
        self._rank: dict[int, int] = {node: rank for rank, node in enumerate(own)}
        self._seeds: list[tuple[int, int]] = []  # an output, and the register of what arrives there
        for k, output in enumerate(outputs):
            if slopes.arrives[output]:
                self._seeds.append((output, self.leaf(True)))
                self.inputs[self._seeds[-1][1]] = "", k
        # What arrived at a node so far; what is yet to be summed over the examples there; and what
        # is summed with the next, by rank.
        self._arrived: dict[int, int] = {}
        self._varying: dict[int, int] = {}
        self._waiting: dict[int, int] = {}
        self._passed: set[int] = set()  # registers that arrive as they are, at several nodes
        self._oldest = 0  # the first register since the last sums

    def _times(self, x: int, y: int, varies: bool) -> int:
        """Multiply two registers."""
        found = self.write(ops.multiply, (x if x >= 0 else ~x, y if y >= 0 else ~y), varies)
        return found if (x < 0) is (y < 0) else ~found

    def _plus(self, x: int, y: int, varies: bool) -> int:
        """Add two registers."""
        if x < 0 and y < 0:
            return ~self.write(ops.add, (~x, ~y), varies)
        if x >= 0 and y >= 0:
            return self.write(ops.add, (x, y), varies)
        return self.write(ops.subtract, (x, ~y) if y < 0 else (y, ~x), varies)

    def _plain(self, x: int) -> int:
        """Return a register without a sign."""
        return x if x >= 0 else self.write(ops.negative, (~x,), bool(self.varies[~x]))

    # Forward ------------------------------------------------------------------------------------

    def compute(self, roots: Sequence[int]) -> list[int]:
        """Write what the roots are made of in the order of the tape; return their registers."""
        operands = self._tape.operands
        wanted = bytearray(len(operands))
        for root in roots:
            wanted[root] = True
        for i in range(len(operands) - 1, -1, -1):
            if wanted[i]:
                for x in operands[i]:
                    wanted[x] = True
        for i, is_wanted in enumerate(wanted):
            if is_wanted and i not in self._at:
                self._compute(i)
        return [self._root(root) for root in roots]

    def _root(self, i: int) -> int:
        found = self._at[i] = self._plain(self._value(i))
        return found

    def _compute(self, i: int) -> None:
        """Write a node, whose operands are computed."""
        tape, at = self._tape, self._at
        op, operands, varies = tape.ops[i], tape.operands[i], tape.varies[i]
        x, y = at[operands[0]], at[operands[-1]]
        assert op is not None
        if op is ops.stop_gradient or isinstance(op, Choice):
            at[i] = x
        elif op is ops.negative:
            at[i] = ~x
        elif op is ops.multiply:
            at[i] = self._times(x, y, varies)
        elif op is ops.add or op is ops.subtract:
            at[i] = self._plus(x, y if op is ops.add else ~y, varies)
        elif op is ops.power and is_square(tape, i):
            at[i] = self._times(x, x, varies)
        else:
            at[i] = self.write(op, [self._root(x) for x in operands], varies)

    def _value(self, node: int) -> int:
        """Return the register of a node, which may be a slope that was not computed yet."""
        at, operands = self._at, self._tape.operands
        todo = [node]
        while todo:
            i = todo[-1]
            missing = [x for x in operands[i] if x not in at] if i not in at else []
            todo += missing
            if not missing:
                todo.pop()
                if i not in at:
                    self._compute(i)
        return at[node]

    # Reverse ------------------------------------------------------------------------------------

    def pass_back(self) -> None:
        """Write what arrives at the parameters, from the last node to the first."""
        for output, seed in self._seeds:
            self._passed.add(seed)
            self._add(output, seed)
        tape, arrives = self._tape, self._slopes.arrives
        passing = [i for i, here in enumerate(arrives) if here and tape.ops[i] is not None]
        ends: dict[int, int] = {}  # of parameters: the node at which all has arrived
        for i in reversed(passing):
            ends.update((x, i) for x in tape.operands[i] if x in self._rank)
        complete: dict[int, list[int]] = {}
        for x, i in ends.items():
            complete.setdefault(i, []).append(x)
        for i in reversed(passing):
            arrived = self._all(i)
            if arrived is not None:
                self._pass_on(i, arrived)
            for x in complete.get(i, ()):
                self._finish(x)
        for x in self._rank:  # a parameter may be a result itself
            self._finish(x)
        self._sum()

    def _pass_on(self, i: int, arrived: int) -> None:
        arrives = self._slopes.arrives
        for x, sign, slope in self._edges(i):
            if not arrives[x]:
                continue
            found = arrived if sign > 0 else ~arrived
            if slope is None:
                self._passed.add(arrived if arrived >= 0 else ~arrived)
            else:
                factor = self._value(slope)
                varies = self._varies(arrived) or self._varies(factor)
                found = self._times(factor, found, varies)
            self._add(x, found)

    def _varies(self, x: int) -> bool:
        return bool(self.varies[x if x >= 0 else ~x])

    def _edges(self, i: int) -> Sequence[Slope]:
        """Return what a node passes on to its operands."""
        known = self._slopes.of.get(i)
        if known is not None:
            return known
        op, operands = self._tape.ops[i], self._tape.operands[i]
        x, y = operands[0], operands[-1]
        if op is ops.negative:
            return [(x, -1, None)]
        if op is ops.add or op is ops.subtract:
            return [(x, 1, None), (y, 1 if op is ops.add else -1, None)]
        if is_square(self._tape, i):
            return [(x, 1, self._slopes.twice[x])]
        return [(x, 1, y), (y, 1, x)]

    def _add(self, i: int, found: int) -> None:
        """Add to what arrived at a node."""
        varies = self._varies(found)
        arrived = self._varying if varies and not self._tape.varies[i] else self._arrived
        before = arrived.get(i)
        arrived[i] = found if before is None else self._plus(before, found, varies)

    def _all(self, i: int) -> int | None:
        """Return all that arrived at a node, and forget it."""
        if i in self._varying:
            found = self._varying.pop(i)
            added = self.write_sums([found if found >= 0 else ~found])
            self._add(i, added if found >= 0 else ~added)
        return self._arrived.pop(i, None)

    def _finish(self, x: int) -> None:
        """Take what arrived at a parameter for its gradient."""
        if x in self._arrived:  # also what does not vary
            found = self._all(x)
            assert found is not None
            self.gradients[self._rank[x]] = self._plain(found)
        elif x in self._varying:
            found = self._plain(self._varying.pop(x))
            if found in self._passed or found < self._oldest:
                found = self.write(ops.stop_gradient, (found,), True)
            self._waiting[self._rank[x]] = found
            if len(self._waiting) == TOGETHER:
                self._sum()

    def _sum(self) -> None:
        """Sum those that wait over the examples."""
        if self._waiting:
            registers = [*self._waiting.values()]
            first = self.write_sums(registers)
            self.gradients.update(zip(self._waiting, range(first, first + len(registers))))
            self.together.append(registers)
            self._waiting = {}
        self._oldest = len(self.varies)


class _Places:
    """Where the registers of a code stand: the storages, and the row in it, of each register."""

    def __init__(self, code: _Written, parameters: int, constants: int) -> None:
        self._code = code
        self.storages: list[Storage] = []
        self.of: list[int] = [-1] * len(code.varies)
        self.rows: list[int] = [-1] * len(code.varies)
        self._put(self._store(PARAMETERS, 0, False), range(parameters))
        self._put(self._store(CONSTANTS, 0, False), range(parameters, parameters + constants))
        self.gradients: int = self._store("gradients", parameters, False)
        by_name: dict[str, int] = {}
        for register, (name, column) in code.inputs.items():
            if name not in by_name:
                by_name[name] = self._store(INPUT, 0, True, name)
            storage = self.storages[by_name[name]]
            storage.rows = max(storage.rows, column + 1)
            self.of[register], self.rows[register] = by_name[name], column
        self._shared, self._varying, added = (
            self._store("computed", 0, varies) for varies in (False, True, True)
        )
        for registers in code.together:
            self.storages[added].rows = 0
            self._put(added, registers)
        self.storages[added].rows = max(map(len, code.together), default=0)
        self._free: list[int] = []  # rows of what varies
        self._last: list[int] = [-1] * len(code.varies)  # what reads each register last
        start = 0
        for k, end in enumerate(code.ends):
            for x in code.operands[start:end]:
                self._last[x] = k
            start = end

    def _store(self, kind: str, rows: int, varies: bool, name: str = "") -> int:
        self.storages.append(Storage(kind, rows, varies, name))
        return len(self.storages) - 1

    def _put(self, index: int, registers: Sequence[int]) -> None:
        """Put registers behind what is in a storage."""
        storage = self.storages[index]
        for x in registers:
            self.of[x], self.rows[x] = index, storage.rows
            storage.rows += 1

    def keep(self, outputs: Sequence[int], guards: Sequence[int]) -> None:
        """Leave the results where they are when all is computed, and the guards side by side."""
        for x in outputs:
            self._last[x] = len(self._code)
        for varies in (False, True):
            own = [x for x in dict.fromkeys(guards) if self._code.varies[x] == varies]
            own = [x for x in own if self.of[x] < 0]
            if own:
                self._put(self._store("computed", 0, varies), own)

    def assign(self, start: int, stop: int) -> None:
        """Give the results of some operations, forward or backward, their places.

        What is read afterwards keeps its place, since the backward part may run again.
        """
        code, last, of = self._code, self._last, self.of
        oldest = code.results[start] if start < stop else 0
        in_place = [kind is not None and is_one_call(kind) for kind in code.kinds]
        for k in range(start, stop):
            reads, out = code.reads(k), code.results[k]
            over = in_place[code.ops[k]]
            ending = {
                self.rows[x]
                for x in reads
                if last[x] == k and x >= oldest and of[x] == self._varying
            }
            if over:
                self._free += ending
            if of[out] < 0 and code.varies[out]:
                if not self._free:
                    self._put(self._varying, [out])
                else:
                    of[out], self.rows[out] = self._varying, self._free.pop()
            elif of[out] < 0:
                self._put(self._shared, range(out, out + code.count(k)))
            if not over:
                self._free += ending
