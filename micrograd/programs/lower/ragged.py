"""Sums of unlike lengths: as a table with empty cells, as a list, in pieces, as running sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from micrograd.programs.lift.groups import Terms
from micrograd.programs.lift.regularity import nest


def as_table(terms: Terms) -> tuple[Terms, Any]:
    """Return the terms one by one, the first of each member first, and the places of empty cells.

    In these stands what a longer member has there, if the two have the same terms so far: then
    members read the same rows, by steps. Else it is some other term of the member. Terms go from
    last to first where more factors have steps then.
    """
    members, most, factors = terms.positions.shape
    steps, last = np.arange(most), terms.counts[:, None] - 1
    orders = (np.minimum(steps, last), np.maximum(last - steps, 0))
    tables = [_filled(terms, order).swapaxes(0, 1) for order in orders]
    rows = max([x.reshape(most * members, 1, factors) for x in tables], key=_regular_factors)
    table = terms.only(slice(None))
    table.positions = rows
    empty = steps[:, None] >= terms.counts
    return table, np.flatnonzero(empty.reshape(-1))


def _filled(terms: Terms, order: Any) -> Any:
    """Return the positions of terms in an order, shorter members filled up by longer ones."""
    positions = np.take_along_axis(terms.positions, order[:, :, None], axis=1)
    for f in range(len(terms.groups)):
        rows = positions[:, :, f]
        longest, kind, alike = _longest(rows, terms.counts)
        if alike:
            positions[:, :, f] = rows[longest][kind]
    return positions


def _regular_factors(positions: Any) -> int:
    return sum(nest([positions[:, :, f]]) is not None for f in range(positions.shape[2]))


def _longest(rows: Any, counts: Any) -> tuple[Any, Any, bool]:
    """Return the longest member of each kind, all kinds, and whether others begin as it does.

    Members that begin with the same row are of one kind.
    """
    _, first, kind = np.unique(rows[:, 0], return_index=True, return_inverse=True)
    longest = first.copy()
    by_length = np.argsort(counts, kind="stable")
    longest[kind[by_length]] = by_length
    same = (rows == rows[longest][kind]) | (np.arange(rows.shape[1]) >= counts[:, None])
    return longest, kind, bool(same.all())


def as_list(terms: Terms) -> tuple[Terms, Any]:
    """Return the terms one by one, member by member, and where each member's begin."""
    listed = terms.only(slice(None))
    real = np.arange(terms.positions.shape[1]) < terms.counts[:, None]
    listed.positions = terms.positions[real][:, None]
    return listed, terms.counts.cumsum() - terms.counts


def as_running(terms: Terms) -> tuple[Terms, int, Any] | None:
    """Return the terms of the longest members one by one, the first of each member first.

    Gives how many these are, and where the running sum of each member stands. None if others are
    not the beginnings, or all of them the ends, of the longest, or if that saves too little.
    """
    if len(terms.groups) > 1:
        return None
    most = terms.positions.shape[1]
    steps = np.arange(most)
    last = terms.counts[:, None] - 1
    backwards = np.maximum(last - steps, 0)
    for order in (np.minimum(steps, last), backwards):
        rows = np.take_along_axis(terms.positions[:, :, 0], order, axis=1)
        longest, kind, alike = _longest(rows, terms.counts)
        if alike and 2 * len(longest) * most <= terms.counts.sum():
            table = terms.only(slice(None))
            table.positions = rows[longest].T.reshape(-1, 1, 1)
            return table, len(longest), (terms.counts - 1) * len(longest) + kind
    return None


def by_length(terms: Terms) -> Iterator[tuple[Terms, Any]]:
    """Yield the members of each length, and their places among all."""
    for count in np.unique(terms.counts):
        places = np.flatnonzero(terms.counts == count)
        piece = terms.only(places)
        piece.positions = piece.positions[:, :count]
        yield piece, places
