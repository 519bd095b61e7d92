"""Time programs against NumPy by hand, PyTorch eager, JAX jit and CasADi, as ratios within rounds.

    python benchmarks/programs.py --torch PYTHON --jax PYTHON --casadi PYTHON --original PYTHON

Each contestant is a process of its own, on one thread; in every round each takes the same steps,
one after the other, and the median of the ratios within the rounds is reported. A ratio is the
other's processor time over the program's: above 1 the program is faster. "Eager" is the same
function on Values, without a program.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
WORKS = [
    "network 2-16-16-1 100",
    "network 64-32-10 100",
    "network 64-32-10 1797",
    "network 784-128-10 128",
    "training 2-16-16-1 100",
    "training 784-128-10 128",
    "moons",
    "options 1000000",
    *[f"rows {kind} 100000" for kind in ("logistic", "mixture", "sabr", "curve", "kepler")],
    *[f"once {kind}" for kind in ("garch", "kalman", "pid", "sir", "drug", "bodies", "atoms")],
]
ONE_THREAD = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MICROGRAD_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}


class Contestant:
    """A process that times one round of a work at a time."""

    def __init__(self, python: str, name: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        script = "programs_original.py" if name == "original" else "programs_contestant.py"
        self._process = subprocess.Popen(
            [python, str(HERE / script), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, **ONE_THREAD},
            text=True,
        )

    def time(self, work: str) -> float:
        """Time one step, in seconds of the processor."""
        return float(self._ask(work))

    def result(self, work: str) -> list[float]:
        """Compute a work of science.py: the value, and then the gradient."""
        return json.loads(self._ask(f"check {work}"))  # type: ignore[no-any-return]

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline()


def contestants(work: str, pythons: dict[str, str]) -> dict[str, Contestant]:
    """Start the program first, then its peers in this work."""
    kind = work.split()[0]
    others = {
        "network": ["numpy", "torch", "jax"],
        "training": ["numpy", "torch"],
        "moons": ["original"],
        "options": ["numpy", "closed"],
        "rows": ["jax"],
        "once": ["eager", "casadi", "jax"],
    }
    names = ["micrograd", *others[kind]]
    return {name: Contestant(pythons[name], name) for name in names if pythons[name]}


def compare(work: str, pythons: dict[str, str], rounds: int) -> str:
    """Time a work in alternating rounds, and report the ratios."""
    found = contestants(work, pythons)
    if work.startswith(("rows", "once")):
        agree(work, found)
    for contestant in found.values():
        contestant.time(work)
    ratios: dict[str, list[float]] = {name: [] for name in found}
    own: list[float] = []
    for _ in range(rounds):
        times = {name: contestant.time(work) for name, contestant in found.items()}
        own.append(times["micrograd"])
        for name in found:
            ratios[name].append(times[name] / times["micrograd"])
    others = [
        f"{name} {statistics.median(r):5.2f} ({min(r):.2f}-{max(r):.2f})"
        for name, r in ratios.items()
        if name != "micrograd"
    ]
    return f"{work:24} {statistics.median(own) * 1e6:10.0f} us   " + "   ".join(others)


def agree(work: str, found: dict[str, Contestant]) -> None:
    """Check that all compute the same value and gradient, to 1e-10 of the largest number."""
    results = {name: contestant.result(work) for name, contestant in found.items()}
    own = results["micrograd"]
    bound = 1e-10 * max(map(abs, own))
    for name, result in results.items():
        if len(result) != len(own) or any(abs(x - y) > bound for x, y in zip(result, own)):
            raise ValueError(f"{work}: {name} computes {result}, micrograd {own}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default="", help="a Python that has torch")
    parser.add_argument("--jax", default="", help="a Python that has jax")
    parser.add_argument("--casadi", default="", help="a Python that has casadi")
    parser.add_argument("--original", default="", help="a Python that has micrograd==0.1.0")
    parser.add_argument("--only", default="", help="the works that begin so")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    pythons = dict.fromkeys(("micrograd", "eager", "numpy", "closed"), sys.executable)
    pythons |= {name: getattr(options, name) for name in ("torch", "jax", "casadi", "original")}
    for work in [work for work in WORKS if work.startswith(options.only)]:
        print(compare(work, pythons, options.rounds), flush=True)


if __name__ == "__main__":
    main()
