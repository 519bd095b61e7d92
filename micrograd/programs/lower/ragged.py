"""Sums of unlike lengths: as a table with empty cells, as a list, in pieces, as running sums."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from micrograd.programs.lift.groups import Terms


def as_table(terms: Terms) -> tuple[Terms, Any]:
    """Return the terms one by one, the first of each member first, and the places of empty cells.

    In these stands some other term of the member.
    """
    members, most, factors = terms.positions.shape
    table = terms.only(slice(None))
    table.positions = terms.positions.swapaxes(0, 1).reshape(most * members, 1, factors)
    empty = np.arange(most)[:, None] >= terms.counts
    return table, np.flatnonzero(empty.reshape(-1))


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
        _, first, kind = np.unique(rows[:, 0], return_index=True, return_inverse=True)
        longest = first.copy()
        by_length = np.argsort(terms.counts, kind="stable")
        longest[kind[by_length]] = by_length
        same = (rows == rows[longest][kind]) | (steps > last)
        if same.all() and 2 * len(longest) * most <= terms.counts.sum():
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
