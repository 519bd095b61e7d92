"""How many paths a function has, and the error where these are too many."""

from __future__ import annotations

from collections import Counter

from micrograd.programs.paths import Fork
from micrograd.programs.trace.recording import ProgramError


def count_branches(root: Fork) -> int:
    """Count the ways that lead on from a fork; where a loop may end, or go on, is none."""
    count = 0
    todo = [root]
    while todo:
        ways = list(todo.pop().next.values())
        ends = sum(not way.next for way in ways)
        count += ends if ends == len(ways) else 0
        todo += ways
    return count


def estimate(seen: Counter[int]) -> float:
    """Estimate how many kinds there are, from how often each was seen in a sample (Chao, 1984)."""
    once, twice = [list(seen.values()).count(times) for times in (1, 2)]
    return len(seen) + once * once / (2 * max(twice, 1))


def too_many(lines: Counter[str], most: int) -> ProgramError:
    """Make the error for more paths than are allowed, with the line at which most part."""
    [(line, times)] = lines.most_common(1)
    return ProgramError(
        f"the function has more than {most} paths: they part {times} times at {line}. "
        "Write micrograd.where(condition, x, y), maximum or minimum instead of the if"
    )
