"""A bias is the weight of an input that is always 1.

`W x + b` is one product, [W b] [x; 1], where b stands behind the last weight of each row and a row
of ones behind the last row of x; its gradient, delta [x; 1]', is one product too. Both are found on
the tables of positions, before the steps are planned.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from micrograd import ops
from micrograd.programs.lift.groups import INPUT, PARAMETERS, Group, Terms
from micrograd.programs.lift.lifted import Lifted
from micrograd.programs.lift.regularity import nest


def absorb(lifted: Lifted) -> set[int]:
    """Turn biases into weights where that is regular; give the groups that need a row of ones.

    A group of gradients whose members went into another has no members afterwards.
    """
    ones: set[int] = set()
    for group in lifted.groups:
        if not group.single and group.kind == "sum" and group.op is ops.add and not group.summed:
            _absorb_bias(lifted, group, ones)
    gradients = [g for g in lifted.groups if g.gradient and len(g.terms) == 1]
    biases = [g for g in gradients if _is_bias(g.terms[0])]
    products: dict[int, list[Group]] = {bias.terms[0].groups[0]: [] for bias in biases}
    for group in gradients if biases else ():
        factors = group.terms[0].groups
        if len(factors) == 2:
            for factor in set(factors) & products.keys():
                products[factor].append(group)
    readers = _first_readers(lifted.groups) if biases else {}
    for bias in biases:
        # Its members move to the product's place in the order: what reads them must stand behind.
        end = readers.get(bias.index, len(lifted.groups))
        in_time = [g for g in products[bias.terms[0].groups[0]] if g.index < end]
        _absorb_gradient(lifted, bias, in_time, ones)
    return ones


def _first_readers(groups: list[Group]) -> dict[int, int]:
    """Return the first group that reads each group."""
    return {g: group.index for group in groups[::-1] for terms in group.terms for g in terms.groups}


def _rows(lifted: Lifted, group: Group) -> int:
    if group.kind == INPUT:
        return int(lifted.position[group.members].max()) + 1
    return len(group.members)


def _absorb_bias(lifted: Lifted, group: Group, ones: set[int]) -> None:
    """Add one more term to the product of a layer: the bias times the row of ones."""
    groups = lifted.groups
    for bias in group.terms:
        if len(bias.groups) > 1 or groups[bias.groups[0]].kind != PARAMETERS or bias.sign < 0:
            continue
        for terms in group.terms:
            if not _is_product(groups, terms) or bias.positions.shape[1] > 1:
                continue
            source = terms.groups[1]
            term = np.empty((len(group.members), 1, 2), int)
            term[:, 0, 0] = bias.positions[:, 0, 0]
            term[:, 0, 1] = _rows(lifted, groups[source])
            longer = np.concatenate([terms.positions, term], axis=1)
            if nest([longer[:, :, 0], longer[:, :, 1]]) is not None:
                terms.positions = longer
                group.terms.remove(bias)
                ones.add(source)
                return


def _is_product(groups: list[Group], terms: Terms) -> bool:
    """Return whether parameters multiply something that varies, and several of these are summed."""
    if len(terms.groups) != 2 or terms.sign < 0 or terms.positions.shape[1] < 2:
        return False
    if terms.counts is not None:
        return False
    weight, source = [groups[g] for g in terms.groups]
    return weight.kind == PARAMETERS and source.varies and not source.gradient


def _is_bias(terms: Terms) -> bool:
    """Return whether a gradient of these terms is the sum of one number over the examples."""
    return len(terms.groups) == 1 and terms.positions.shape[1] == 1


def _absorb_gradient(lifted: Lifted, bias: Group, products: list[Group], ones: set[int]) -> None:
    """Add one more column to the outer product of a layer: that of the row of ones."""
    [delta] = bias.terms
    for group in products:
        [terms] = group.terms
        if terms.sign != delta.sign or terms.positions.shape[1] > 1:
            continue
        at = terms.groups.index(delta.groups[0])
        source = lifted.groups[terms.groups[1 - at]]
        if not source.varies:
            continue  # a parameter or constant, which has no row of ones
        if group.single and source.index not in ones:
            continue  # two products of rows take about as long, and need no row of ones
        more = np.empty((len(bias.members), 1, 2), int)
        more[:, 0, at] = delta.positions[:, 0, 0]
        more[:, 0, 1 - at] = _rows(lifted, source)
        members = np.array(group.members + bias.members)
        order = np.argsort(lifted.position[members])
        positions = np.concatenate([terms.positions, more])[order]
        tables: list[Any] = [positions[:, :, 0], positions[:, :, 1]]
        if nest([*tables, lifted.position[members[order]][:, None]]) is not None:
            terms.positions = positions
            group.members = members[order].tolist()
            group.single = False
            bias.members = []
            ones.add(source.index)
            return
