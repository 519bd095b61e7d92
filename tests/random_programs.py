"""Compare random programs with the eager loop over the rows: python tests/random_programs.py.

Every case follows from two numbers, a seed and an index: `--case 123:456` repeats one.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections import Counter

import micrograd
from random_cases import cases
from random_cases.failures import failure, report

MOST_FAILURES = 10


def main(arguments: list[str] | None = None) -> int:
    """Run what the command line asks for; give 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of all cases; drawn anew where it is not given")
    parser.add_argument("--seconds", type=float, help="how long to go on")
    parser.add_argument("--cases", type=int, help="how many to compare")
    parser.add_argument("--start", type=int, default=0, help="the index of the first")
    parser.add_argument("--case", metavar="SEED:INDEX", help="compare this one, and show it")
    asked = parser.parse_args(arguments)
    if asked.case:
        return _one(*map(int, asked.case.split(":")))
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    seconds, most = asked.seconds, asked.cases
    if seconds is None and most is None:
        seconds = 60.0
    print(f"random programs on the {micrograd.core} core, --seed {seed}", flush=True)
    return _many(seed, asked.start, most, seconds)


def _one(seed: int, index: int) -> int:
    case = cases.draw(seed, index)
    if failure(seed, index) is not None:
        print(report(seed, index))
        return 1
    print(f"case {seed}:{index} is right; parameters {case.shapes}\n{case.source}")
    return 0


def _many(seed: int, start: int, most: int | None, seconds: float | None) -> int:
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    failures = 0
    index = start
    while (most is None or index < start + most) and (
        seconds is None or time.monotonic() - began < seconds
    ):
        if failure(seed, index) is not None:
            failures += 1
            print(report(seed, index), flush=True)
            if failures == MOST_FAILURES:
                break
        kinds.update(set(cases.draw(seed, index).kinds))
        index += 1
    took = time.monotonic() - began
    print(f"{index - start} cases in {took:.0f} s, {failures} wrong; of each kind:")
    print("\n".join(f"{count:8} {kind}" for kind, count in kinds.most_common()))
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
