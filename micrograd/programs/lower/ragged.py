"""Sums of unlike lengths: as a table in which some cells are empty, as a list, or in few pieces."""

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


def by_length(terms: Terms) -> Iterator[tuple[Terms, Any]]:
    """Yield the members of each length, and their places among all."""
    for count in np.unique(terms.counts):
        places = np.flatnonzero(terms.counts == count)
        piece = terms.only(places)
        piece.positions = piece.positions[:, :count]
        yield piece, places
