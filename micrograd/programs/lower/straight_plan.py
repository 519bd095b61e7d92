"""Plans of straight-line code: the chain rule, number by number, and where each number stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from micrograd import ops
from micrograd.derivatives.kinks import Choice
from micrograd.engine import Value
from micrograd.programs.lift.forest import is_square
from micrograd.programs.lift.groups import CONSTANTS, INPUT, PARAMETERS
from micrograd.programs.lift.slopes import Slope, Slopes
from micrograd.programs.lower.buffers import is_one_call
from micrograd.programs.lower.operands import Storage
from micrograd.programs.lower.plan import Plan
from micrograd.programs.lower.straight_line import Code, StraightLine
from micrograd.programs.trace.tape import Tape

TOGETHER = 32  # registers that are summed over the examples in one call


class StraightPlan(Plan):
    """A plan that computes each number of a tape by itself, and what arrives at it."""

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
    gradients, by their ranks; `together` those that are to stand one behind the other.
    """

    def __init__(
        self, tape: Tape, outputs: Sequence[int], slopes: Slopes, parameters: Sequence[Value]
    ) -> None:
        super().__init__()
        self.gradients: dict[int, int] = {}
        self.together: list[list[int]] = []
        self._tape, self._slopes = tape, slopes
        self._at: list[int] = [-1] * len(tape.ops)  # the register of each node
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
        # What arrived at a node so far: the sign, the register; what is yet to be summed over the
        # examples; and what is summed with the next, by rank.
        self._arrived: dict[int, tuple[int, int]] = {}
        self._varying: dict[int, tuple[int, int]] = {}
        self._waiting: dict[int, int] = {}
        self._passed: set[int] = set()  # registers that arrive as they are, at several nodes
        self._oldest = 0  # the first register since the last sums

    # Forward ------------------------------------------------------------------------------------

    def compute(self, roots: Sequence[int]) -> list[int]:
        """Write what the roots are made of in the order of the tape; return their registers."""
        tape, at = self._tape, self._at
        wanted = bytearray(len(at))
        for root in roots:
            wanted[root] = True
        for i in range(len(at) - 1, -1, -1):
            if wanted[i]:
                for x in tape.operands[i]:
                    wanted[x] = True
        for i, is_wanted in enumerate(wanted):
            if is_wanted and at[i] < 0:
                self._compute(i)
        return [at[root] for root in roots]

    def _compute(self, i: int) -> None:
        op, operands, at = self._tape.ops[i], self._tape.operands[i], self._at
        assert op is not None
        if op is ops.stop_gradient or isinstance(op, Choice):
            at[i] = at[operands[0]]
        else:
            at[i] = self.write(op, [at[x] for x in operands], self._tape.varies[i])

    def _value(self, node: int) -> int:
        """Return the register of a slope, which is computed here if it was not yet."""
        at, operands = self._at, self._tape.operands
        todo = [node] if at[node] < 0 else []
        while todo:
            missing = [x for x in operands[todo[-1]] if at[x] < 0]
            todo += missing
            if not missing:
                i = todo.pop()
                if at[i] < 0:
                    self._compute(i)
        return at[node]

    # Reverse ------------------------------------------------------------------------------------

    def pass_back(self) -> None:
        """Write what arrives at the parameters, from the last node to the first."""
        for output, seed in self._seeds:
            self._passed.add(seed)
            self._add(output, 1, seed)
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
                self._pass_on(i, *arrived)
            for x in complete.get(i, ()):
                self._finish(x)
        for x in self._rank:  # a parameter may be a result itself
            self._finish(x)
        self._sum()

    def _pass_on(self, i: int, sign: int, register: int) -> None:
        arrives, varies = self._slopes.arrives, self.varies
        for x, own, slope in self._edges(i):
            if not arrives[x]:
                continue
            if slope is None:
                self._passed.add(register)
                self._add(x, own * sign, register)
            else:
                factor = self._value(slope)
                varied = bool(varies[factor] or varies[register])
                self._add(x, own * sign, self.write(ops.multiply, (factor, register), varied))

    def _edges(self, i: int) -> Sequence[Slope]:
        """Return what a node passes on to its operands."""
        known = self._slopes.of.get(i)
        if known is not None:
            return known
        op, (x, *others) = self._tape.ops[i], self._tape.operands[i]
        if op is ops.negative:
            return [(x, -1, None)]
        [y] = others
        if op is ops.add or op is ops.subtract:
            return [(x, 1, None), (y, 1 if op is ops.add else -1, None)]
        if is_square(self._tape, i):
            return [(x, 1, self._slopes.twice[x])]
        return [(x, 1, y), (y, 1, x)]

    def _add(self, x: int, sign: int, register: int) -> None:
        """Add to what arrived at a node."""
        varies = bool(self.varies[register])
        arrived = self._varying if varies and not self._tape.varies[x] else self._arrived
        before = arrived.get(x)
        if before is not None:
            own, other = before
            if own == sign:
                register = self.write(ops.add, (other, register), varies)
            else:
                pair = (other, register) if own > 0 else (register, other)
                sign, register = 1, self.write(ops.subtract, pair, varies)
        arrived[x] = sign, register

    def _all(self, i: int) -> tuple[int, int] | None:
        """Return all that arrived at a node, and forget it."""
        if i in self._varying:
            sign, register = self._varying.pop(i)
            self._add(i, sign, self.write_sums([register]))
        return self._arrived.pop(i, None)

    def _finish(self, x: int) -> None:
        """Take what arrived at a parameter for its gradient."""
        if x in self._arrived:  # also what does not vary
            found = self._all(x)
            assert found is not None
            sign, register = found
            if sign < 0:
                register = self.write(ops.negative, [register], False)
            self.gradients[self._rank[x]] = register
        elif x in self._varying:
            sign, register = self._varying.pop(x)
            if sign < 0 or register in self._passed or register < self._oldest:
                op = ops.negative if sign < 0 else ops.stop_gradient
                register = self.write(op, [register], True)
            self._waiting[self._rank[x]] = register
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
