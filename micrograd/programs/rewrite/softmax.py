"""Find softmax, and what arrives at what it is taken of, in the operations that they are made of.

`exp(x - c) / sum(exp(x - c))` is softmax, whatever is taken off x, if it is the same for all that
is summed. What arrives there is written in a few steps, by the rules of `/`, `+` and exp:

    e .* ((1 ./ s) .* d + sum(((-p) ./ s) .* d)),   where e is exp(x - c), s its sum, p = e ./ s

which is `p .* (d - sum(p .* d))`. Both are rewritten in copies of the groups, to be printed.
"""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.ops import Op
from micrograd.programs.lift.groups import CONSTANTS, INPUT, Group, Terms
from micrograd.programs.lift.lifted import Lifted

SOFTMAX = Op("softmax", lambda x: x, None)  # a name to print, which nothing computes


class _Softmax(NamedTuple):
    """A group of softmax: its own number, those of the powers and their sums, and how they meet."""

    shares: int
    powers: int
    sums: int
    sum_of: Any  # by the place of a power
    place_of: Any  # of the share that is made of a power; -1 if none is


class Centred(NamedTuple):
    """A group `d - sum(p .* d)`: the groups of d and of the sum, and where their members stand."""

    sign: int
    arrived: int
    places: Any
    mean: int
    by: Any


class Rewritten:
    """The groups to be printed; `order` has them, operands first, and `groups` by their number.

    `like` says which group a new one was made from, with the same members.
    `shared` has for each group of softmax the places of the sums that its members are parts of,
    `centred` what arrives at it, less the mean.
    """

    def __init__(self, lifted: Lifted) -> None:
        groups = lifted.groups
        self.numbers = np.array([*lifted.tape.constants.values()])
        self.groups: list[Group] = [*groups]
        self.order: list[Group] = [*groups]
        self.like: list[int] = [*range(len(groups))]
        self.shared: dict[int, Any] = {}
        self.centred: dict[int, Centred] = {}
        found = [s for group in groups if (s := self._softmax(group)) is not None]
        for softmax in found:
            self._write_softmax(softmax)
            for group in groups:
                if group.index > softmax.shares and group.members:
                    self._write_arrived(softmax, group)

    def add(self, before: Group, like: Group, op: Op, terms: list[Terms]) -> int:
        """Add a group in the place of another, whose members its own stand for."""
        group = copy(like)
        group.index, group.kind, group.op, group.terms = len(self.groups), "sum", op, terms
        self.groups.append(group)
        self.like.append(like.index)
        self.order.insert(self.order.index(before), group)
        return group.index

    def replace(self, group: Group, written: Group) -> None:
        """Write another group in the place of one."""
        self.order[self.order.index(group)] = self.groups[group.index] = written

    def is_seed(self, g: int) -> bool:
        """Return whether a group is what arrives at the results."""
        return self.groups[g].kind == INPUT and not self.groups[g].name

    # Forward -----------------------------------------------------------------------------------

    def _softmax(self, group: Group) -> _Softmax | None:
        if not group.members or group.op is not ops.divide:
            return None
        powers, sums = (self.groups[g] for g in group.terms[0].groups)
        if powers.op is not ops.exp or not _adds_up(sums, powers.index):
            return None
        [terms] = sums.terms
        sum_of = np.full(len(powers.members), -1)
        places = terms.positions[:, :, 0]
        sum_of[places] = np.arange(len(places))[:, None]
        if (sum_of[places] != np.arange(len(places))[:, None]).any():
            return None  # a power is part of several sums
        own = group.terms[0].positions[:, 0]
        if (sum_of < 0).any() or (sum_of[own[:, 0]] != own[:, 1]).any():
            return None
        place_of = np.full(len(powers.members), -1)
        place_of[own[:, 0]] = np.arange(len(own))
        if (place_of >= 0).all():
            return _Softmax(group.index, powers.index, sums.index, sum_of, place_of)
        # Some shares are not used: all of them are a group more, of which this is a part.
        whole = self.add(group, powers, ops.divide, [terms_of(1, (powers.index,), np.arange(0))])
        part = copy(group)
        part.kind, part.op = "sum", ops.add
        part.terms = [terms_of(1, (whole,), own[:, 0])]
        self.replace(group, part)
        return _Softmax(whole, powers.index, sums.index, sum_of, np.arange(len(sum_of)))

    def _write_softmax(self, softmax: _Softmax) -> None:
        """Write softmax of what the powers are powers of, but for what is taken off."""
        before = self.groups[softmax.shares]
        own = np.argsort(softmax.place_of)
        [taken] = self.groups[softmax.powers].terms
        at = taken.positions[:, 0, 0]
        kept = self._without_shift(taken.groups[0], at, softmax)
        if kept is None:
            operand = terms_of(1, taken.groups, at[own])
        elif len(kept) == 1 and kept[0].sign > 0 and len(kept[0].groups) == 1:
            operand = terms_of(1, kept[0].groups, kept[0].positions[:, 0, 0][at[own]])
        else:
            inner = self.groups[taken.groups[0]]
            operand = terms_of(1, (self.add(before, inner, ops.add, kept),), at[own])
        group = copy(before)
        group.kind, group.op, group.terms = "row", SOFTMAX, [operand]
        self.replace(before, group)
        self.shared[softmax.shares] = softmax.sum_of[own]

    def _without_shift(self, g: int, at: Any, softmax: _Softmax) -> list[Terms] | None:
        """Return the terms of an exponent but for a largest one that is taken off all of a sum."""
        group = self.groups[g]
        if group.kind != "sum" or group.op is not ops.add or group.summed or not group.members:
            return None
        for terms in group.terms:
            [largest, *others] = terms.groups
            if terms.sign < 0 and not others and self.groups[largest].op is ops.maximum:
                off = terms.positions[:, 0, 0][at]
                of_sum = np.zeros(softmax.sum_of.max() + 1, int)
                of_sum[softmax.sum_of] = off
                if terms.positions.shape[1] == 1 and (of_sum[softmax.sum_of] == off).all():
                    return [t for t in group.terms if t is not terms]
        return None

    # In reverse --------------------------------------------------------------------------------

    def _write_arrived(self, softmax: _Softmax, group: Group) -> None:
        """Write what arrives at the exponents, if this group is that."""
        group = self.groups[group.index]
        for k, terms in enumerate(group.terms):
            if len(terms.groups) != 2 or softmax.powers not in terms.groups:
                continue
            f = terms.groups.index(softmax.powers)
            e, a = terms.positions[:, :, f], terms.positions[:, :, 1 - f]
            centred = self._centred(softmax, terms.groups[1 - f], softmax.sum_of[e], a)
            if centred is None or (softmax.place_of[e] < 0).any():
                continue
            new = copy(terms)
            new.groups = softmax.shares, centred
            new.positions = np.stack([softmax.place_of[e], a], -1)
            written = copy(group)
            written.terms = [*group.terms[:k], new, *group.terms[k + 1 :]]
            self.replace(group, written)
            return

    def _centred(self, softmax: _Softmax, g: int, sums: Any, at: Any) -> int | None:
        """Return a new group for `d - sum(p .* d)`, if a group is that by the sum, and minus p."""
        arrived = self.groups[g]
        if len(arrived.terms) != 2 or arrived.op is not ops.add or arrived.summed:
            return None
        direct, by_sum = sorted(arrived.terms, key=lambda terms: -len(terms.groups))
        if len(direct.groups) != 2 or len(by_sum.groups) != 1 or by_sum.sign < 0:
            return None
        if direct.positions.shape[1] > 1 or by_sum.positions.shape[1] > 1:
            return None
        slope = self._slope(softmax, direct)
        total = self.groups[by_sum.groups[0]]
        if slope is None or len(total.terms) != 1 or total.op is not ops.add or total.summed:
            return None
        [passed] = total.terms
        share = self._share(softmax, passed)
        if share is None or passed.sign != direct.sign:
            return None
        places, of_share = share
        by = by_sum.positions[:, 0, 0]
        if (slope[at] != sums).any() or (of_share[by[at]] != sums[..., None]).any():
            return None
        d = direct.groups[1 - self._at(softmax, direct)]
        weighted = copy(passed)
        weighted.sign, weighted.groups = 1, (softmax.shares, d)
        other = passed.positions[:, :, passed.groups.index(d)]
        weighted.positions = np.stack([places, other], -1)
        mean = self.add(arrived, total, ops.add, [weighted])
        own = direct.positions[:, 0, direct.groups.index(d)]
        terms = [terms_of(direct.sign, (d,), own), terms_of(-direct.sign, (mean,), by)]
        centred = self.add(arrived, arrived, ops.add, terms)
        self.centred[centred] = Centred(direct.sign, d, own, mean, by)
        return centred

    def _at(self, softmax: _Softmax, terms: Terms) -> int:
        """Return which of two factors is divided by the sums."""
        tests = [self.groups[g].op is ops.divide for g in terms.groups]
        divisors = [
            f
            for f, is_quotient in enumerate(tests)
            if is_quotient and self.groups[terms.groups[f]].terms[0].groups[1] == softmax.sums
        ]
        return divisors[0] if divisors else -1

    def _slope(self, softmax: _Softmax, terms: Terms) -> Any:
        """Return the sum by which 1 is divided, for each member; None if that is not so."""
        f = self._at(softmax, terms)
        if f < 0:
            return None
        [quotient] = self.groups[terms.groups[f]].terms
        if self.groups[quotient.groups[0]].kind != CONSTANTS:
            return None
        if (self.numbers[quotient.positions[:, 0, 0]] != 1).any():
            return None
        return quotient.positions[:, 0, 1][terms.positions[:, 0, f]]

    def _share(self, softmax: _Softmax, terms: Terms) -> tuple[Any, Any] | None:
        """Return the share, and by which sum its negative is divided, of each member and term."""
        f = self._at(softmax, terms) if len(terms.groups) == 2 else -1
        if f < 0:
            return None
        [quotient] = self.groups[terms.groups[f]].terms
        negative = self.groups[quotient.groups[0]]
        if len(negative.terms) != 1:
            return None
        [minus] = negative.terms
        if minus.sign > 0 or minus.groups != (softmax.shares,):
            return None
        if minus.positions.shape[1] > 1:
            return None
        at = terms.positions[:, :, f]
        places = minus.positions[:, 0, 0][quotient.positions[:, 0, 0][at]]
        return places, quotient.positions[:, 0, 1][at]


def _adds_up(group: Group, g: int) -> bool:
    """Return whether each member of a group is the sum of some of another."""
    if group.op is not ops.add or group.summed or len(group.terms) != 1:
        return False
    [terms] = group.terms
    return terms.groups == (g,) and terms.sign > 0


def terms_of(sign: int, groups: tuple[int, ...], places: Any) -> Terms:
    """Return one term for each member."""
    terms = Terms(sign, groups)
    terms.positions = places.reshape(len(places), 1, len(groups))
    terms.counts = None
    return terms
