"""Compare random programs with the eager loop over the rows, values and every gradient.

Every case follows from two numbers, a seed and one of its own: --case 123:456 repeats one.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import textwrap
import time
from collections import Counter

from random_cases import cases
from random_cases.failures import failure, report

import micrograd

MOST_FAILURES = 10  # that are told; each is made smaller first, which takes a while


def main(words: list[str] | None = None) -> int:
    """Do what the command line asks for; give 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="of all cases; without it, one is drawn")
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--cases", type=int, help="how many; without it, as many as time allows")
    parser.add_argument("--seconds", type=float, help="for how long; 60 where neither is given")
    parser.add_argument("--case", metavar="SEED:NUMBER", help="compare this one alone, and show it")
    asked = parser.parse_args(words)
    if asked.case:
        return compare_one(*map(int, asked.case.split(":")))
    seed = secrets.randbits(32) if asked.seed is None else asked.seed
    seconds = 60.0 if asked.cases is None and asked.seconds is None else asked.seconds
    print(f"random programs on the {micrograd.core} core: --seed {seed}", flush=True)
    return compare_many(seed, asked.first, asked.cases, seconds)


def compare_one(seed: int, number: int) -> int:
    """Compare one case and show it; give 1 if it is wrong."""
    if failure(seed, number) is not None:
        print(report(seed, number))
        return 1
    case = cases.draw(seed, number)
    print(f"case {case.name} is right:\n{case.described}\n{case.source}")
    return 0


def compare_many(seed: int, first: int, most: int | None, seconds: float | None) -> int:
    """Compare one case after another; give 1 if one is wrong."""
    began = time.monotonic()
    kinds: Counter[str] = Counter()
    done = wrong = 0
    while wrong < MOST_FAILURES and (most is None or done < most):
        if seconds is not None and time.monotonic() - began >= seconds:
            break
        number = first + done
        if failure(seed, number) is not None:
            wrong += 1
            print(report(seed, number), flush=True)
        kinds.update(cases.draw(seed, number).kinds.keys())
        done += 1
    counts = ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items()))
    print(textwrap.fill(f"Cases of each kind: {counts}.", 100, subsequent_indent="  "))
    print(f"{done} cases of seed {seed} in {time.monotonic() - began:.0f} s, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
