"""The past: Values that a derivative has left behind, so that the next ones need not look there.

A derivative walks from its outputs down to its variables, and would walk on through all that was
computed before them: quadratic work where a loop takes inner derivatives. So each derivative leaves
behind, and numbers, the Values that it met and that its variables are no part of. All that a *past*
Value was made of is past too, by the same number or a lower one. Hence it is not made of a Value
that is not past, or is so by a higher number: a walk to such variables stops there.

Where operands of a past Value are set by hand, so that this would be so no more, all numbers up to
then count no more. The C core has the same in _past.h.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import Any

from micrograd.native.takeover import prefer_c
from micrograd.value import hooks

_numbers = itertools.count(1)
_leaving = threading.Lock()
_rewired = 0  # the last number that counts no more


def walk(roots: Iterable[Any], stops: Callable[[Any], bool]) -> tuple[list[Any], list[Any]]:
    """List what the roots are made of, operands first, and where `stops` said to go no further."""
    order: list[Any] = []
    stopped: list[Any] = []
    seen: set[int] = set()
    path: list[tuple[Any, Iterator[Any]]] = [(None, iter(roots))]
    while path:
        v, operands = path[-1]
        for x in operands:
            if id(x) in seen:
                continue
            seen.add(id(x))
            if stops(x):
                stopped.append(x)
                continue
            path.append((x, iter(x.parents)))
            break
        else:
            order.append(v)
            path.pop()
    return order[:-1], stopped


def walk_to(variables: Sequence[Any], roots: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """List what the roots are made of, but for what cannot be made of the variables.

    Also returns the past Values that the walk has stopped at.
    """
    below = min([_number(v) or math.inf for v in variables], default=math.inf)
    below, above = min(below, next(_numbers)), _rewired
    return walk(roots, lambda v: above < _number(v) < below)


def leave(nodes: Iterable[Any], reached: Container[int], rewired: int) -> None:
    """Leave behind those of these nodes, operands first, that are made of none of the reached.

    Nothing is done if operands have been set by hand since `rewirings()` was `rewired`.
    """
    with _leaving:
        number = next(_numbers)
        if rewired != _rewired:
            return
        for v in nodes:
            if id(v) not in reached and not _number(v) and all(map(_number, v.parents)):
                v._past = number


@prefer_c
def rewirings() -> int:
    """Return a number that changes when operands of a past Value are set."""
    return _rewired


@prefer_c
def sink(original: Any, leaf: Any) -> None:
    """Let the operand that a past leaf is about to get be past by the leaf's number or a lower one.

    So with all that it is made of. A number that is lower than need be is right, too: what is past
    by a lower one is not made of it.
    """
    number = _number(leaf)
    todo = [original] if number else []
    while todo:
        v = todo.pop()
        if not 0 < _number(v) <= number:
            v._past = number
            todo += v.parents


def operands_were_set(v: Any) -> None:
    """Let no number count any more, if the Value is past and an operand is so later, or is not."""
    global _rewired
    number = _number(v)
    if number and not all(0 < _number(x) <= number for x in v.parents):
        with _leaving:
            _rewired = next(_numbers)


hooks.set_on_operands(operands_were_set)


def _number(v: Any) -> int:
    return getattr(v, "_past", 0)  # a slot, which most Values never fill
