"""Find what arrives at the scores of a cross-entropy: `p - y`, where y marks what was right.

The loss is some factor times the logarithm of the share that an index takes. Its reciprocal arrives
at that share alone, and goes on through softmax (softmax.py), as `p .* (d - sum(p .* d))`. All but
the factor cancels.
"""

from __future__ import annotations

from copy import copy
from typing import Any, NamedTuple

import numpy as np

from micrograd import ops
from micrograd.programs.lift.groups import CONSTANTS, Group, Terms
from micrograd.programs.rewrite.softmax import SOFTMAX, Centred, Rewritten, terms_of
from micrograd.value.selection import Chosen, Take


class _Quotient(NamedTuple):
    """Factors, by group and place, divided by what a table gave."""

    sign: int
    factors: list[tuple[int, Any]]
    taken: int
    places: Any


def write_differences(rewritten: Rewritten) -> None:
    """Write the difference wherever that is what arrives."""
    for group in [*rewritten.order]:
        for k, terms in enumerate(group.terms):
            if len(terms.groups) == 2 and terms.groups[1] in rewritten.centred:
                found = _difference(rewritten, group, terms)
                if found is not None:
                    written = copy(group)
                    written.terms = [*group.terms[:k], *found, *group.terms[k + 1 :]]
                    rewritten.replace(group, written)
                    break


def _difference(rewritten: Rewritten, group: Group, terms: Terms) -> list[Terms] | None:
    """Return the terms to be written for `p .* (d - sum(p .* d))`."""
    groups = rewritten.groups
    centred = rewritten.centred[terms.groups[1]]
    shares, at = terms.positions[:, 0].T
    arrived = groups[centred.arrived]
    if terms.positions.shape[1] > 1 or not _is_product(arrived):
        return None
    [own] = arrived.terms
    f = 0 if isinstance(groups[own.groups[0]].op, Chosen) else 1
    marks = groups[own.groups[f]]
    places = own.positions[:, 0][centred.places[at]]
    quotient = _quotient(rewritten, own.groups[1 - f], places[:, 1 - f])
    if quotient is None or not isinstance(marks.op, Chosen):
        return None
    if not _is_whole(rewritten, terms.groups[0], centred, at, quotient):
        return None
    [mark], [taken] = marks.terms, groups[quotient.taken].terms
    chosen = mark.positions[:, 0][places[:, f]]
    table = taken.positions[:, 0][quotient.places]
    number = rewritten.numbers[chosen[:, 1]].astype(int)
    if mark.groups[0] != taken.groups[0] or (chosen[:, 0] != table[:, 0]).any():
        return None
    if (table[np.arange(len(table)), 1 + number] != shares).any():
        return None
    sign = -terms.sign * centred.sign * own.sign * quotient.sign
    written = [
        terms_of(sign, (terms.groups[0],), shares),
        terms_of(-sign, (marks.index,), places[:, f]),
    ]
    for g, place in quotient.factors:
        for part in written:
            part.sign *= sign
        difference = rewritten.add(group, group, ops.add, written)
        both = np.stack([place, np.arange(len(place))], -1)[:, None]
        product = terms_of(sign, (g, difference), both)
        written, sign = [product], 1
    return written


def _is_whole(
    rewritten: Rewritten, softmax: int, centred: Centred, at: Any, quotient: _Quotient
) -> bool:
    """Return whether the table has all shares over which softmax sums, and no others."""
    mean = rewritten.groups[centred.mean].terms[0]
    table = rewritten.groups[quotient.taken].terms[0]
    if set(table.groups[1:]) != {softmax} or mean.counts is not None:
        return False
    shares = mean.positions[:, :, 0][centred.by[at]]
    entries = table.positions[:, 0, 1:][quotient.places]
    return shares.shape == entries.shape and bool((np.sort(shares) == np.sort(entries)).all())


def _quotient(rewritten: Rewritten, g: int, places: Any) -> _Quotient | None:
    """Return a group as a quotient by what was taken from softmax, if it is one."""
    groups = rewritten.groups
    group = groups[g]
    if not group.members or not group.terms:
        return None
    [terms, *others] = group.terms
    if group.op is ops.divide:
        dividend, taken = terms.groups
        table = groups[taken]
        if not isinstance(table.op, Take) or groups[table.terms[0].groups[1]].op is not SOFTMAX:
            return None
        own = terms.positions[:, 0][places]
        factors = [(dividend, own[:, 0])]
        if groups[dividend].kind == CONSTANTS and (rewritten.numbers[own[:, 0]] == 1).all():
            factors = []
        return _Quotient(1, factors, taken, own[:, 1])
    if others or group.summed or group.op is not ops.add or terms.positions.shape[1] > 1:
        return None
    if len(terms.groups) > 2:
        return None
    own = terms.positions[:, 0][places]
    for f, factor in enumerate(terms.groups):
        found = _quotient(rewritten, factor, own[:, f])
        if found is not None:
            rest = [(other, own[:, k]) for k, other in enumerate(terms.groups) if k != f]
            seeds = [other for other in rest if rewritten.is_seed(other[0])]
            factors = [*found.factors, *[part for part in rest if part not in seeds]]
            return found._replace(sign=found.sign * terms.sign, factors=factors)
    return None


def _is_product(group: Group) -> bool:
    """Return whether each member is a product of two."""
    if len(group.terms) != 1 or group.op is not ops.add or group.summed:
        return False
    [terms] = group.terms
    return len(terms.groups) == 2 and terms.positions.shape[1] == 1
