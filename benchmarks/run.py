"""Measure the engine: `make bench` prints ratios and writes them to out/benchmarks.json.

Each contestant is a process of its own. In every round each repeats the work for a tenth of a
second, one contestant after the other. Times are of the processor, so that other programs on the
machine count for little; the ratio is taken within the round, and its median over the rounds is
reported.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).parent
ROOT = HERE.parent


class Row(NamedTuple):
    """One line of the table: a work, two contestants, and the ratio aimed at."""

    what: str
    work: str
    slower: str  # the ratio is this contestant's time by the other's
    faster: str
    target: str  # "at least 100" or "at most 3.5"; "" where it is only reported
    rounds: int = 21


TABLE = [
    Row("moons demo, one training step: the original", "training", "original", "c", "at least 100"),
    Row("the same, cyclic collector off", "training", "original-without-gc", "c", "at least 12"),
    Row("the same, pure Python, collector on", "training", "original", "python", "at least 2"),
    Row("moons forward + backward: plain floats", "relu", "c", "floats", "at most 3.5", 41),
    Row("the same with tanh", "tanh", "c", "floats", "at most 3.5", 41),
    Row("chain of 1,000,000 steps: plain floats", "chain", "c", "floats", "at most 5"),
    Row("LSTM of ADBench: plain floats", "lstm", "c", "floats", "at most 4"),
    Row("moons forward + backward: XAD", "relu", "xad", "c", "at least 5"),
    Row("moons forward + backward: PyTorch", "relu", "torch", "c", "", 3),
    Row("GPT, one training step: the original", "gpt", "original", "c", "", 5),
    Row("GPT: the original, collector off", "gpt", "original-without-gc", "c", "", 5),
    Row("GPT: pure Python", "gpt", "python", "c", "", 5),
    Row("GPT: plain floats, forward only", "gpt", "c", "floats", "", 21),
]


class Contestant:
    """A process that does works when told to."""

    def __init__(self, name: str, python: str, known: Path) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "MICROGRAD_PURE"}
        if name == "python":
            environment["MICROGRAD_PURE"] = "1"
        if not name.startswith("original"):
            environment["PYTHONPATH"] = str(ROOT)
        self.process = subprocess.Popen(
            [python, str(HERE / "contestant.py"), name, str(known)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def seconds(self, work: str) -> float:
        """Time one repeat. Raises RuntimeError when the contestant gives up."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{work}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if answer in ("", "none"):
            raise RuntimeError(f"{self.process.args!r} cannot do {work!r}")
        return float(answer)

    def stop(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def measure(row: Row, pythons: dict[str, str], known: Path) -> dict[str, Any]:
    """Fill a line of the table."""
    contestants = [Contestant(name, pythons[name], known) for name in (row.slower, row.faster)]
    rounds = [
        [contestant.seconds(row.work) for contestant in contestants] for _ in range(row.rounds)
    ]
    for contestant in contestants:
        contestant.stop()
    ratio = statistics.median(slower / faster for slower, faster in rounds)
    times = [statistics.median(column) * 1e3 for column in zip(*rounds)]
    return {
        **row._asdict(),
        "ratio": ratio,
        "ms": dict(zip((row.slower, row.faster), times)),
        "reached": reached(row.target, ratio),
    }


def reached(target: str, ratio: float) -> bool | None:
    """Tell whether a ratio meets its target; return None without one."""
    if not target:
        return None
    bound = float(target.split()[-1])
    return ratio >= bound if target.startswith("at least") else ratio <= bound


MEMORY = """
import os
from micrograd import Value
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
n = 10_000_000
x = y = Value(1.0)
before = rss()
for _ in range(n // 2):
    y = y * x + x
print((rss() - before) / n)
"""


def memory_per_node(python: str) -> float:
    """Measure bytes of resident memory per binary node, over a graph of ten million."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, "-c", MEMORY]
    return float(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)


def cost_per_node(python: str, known: Path, rounds: int = 5) -> dict[int, float]:
    """Measure nanoseconds per node for graphs of 10**3 to 10**7, with warm memory."""
    contestant = Contestant("c", python, known)
    costs = {}
    for size in (10**3, 10**4, 10**5, 10**6, 10**7):
        repeats = [contestant.seconds(f"nodes:{size}") for _ in range(max(rounds, 10**6 // size))]
        costs[size] = statistics.median(repeats) / size * 1e9
    contestant.stop()
    return costs


BULK = """
import statistics, timeit
from array import array
from micrograd import Value
from micrograd.native import bulk
values, numbers = [Value(i) for i in range(337)], array("d", bytes(8 * 337))
for name in bulk.FUNCTIONS:
    function = getattr(bulk, name)
    times = timeit.repeat(lambda: function(values, numbers), number=2000, repeat=21)
    print(name, statistics.median(times) / 2000 / 337 * 1e9)
"""


def bulk_access(python: str) -> dict[str, float]:
    """Measure nanoseconds per Value of each bulk function, from and to a buffer."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([python, "-c", BULK], capture_output=True, check=True, env=environment)
    costs = (line.split() for line in done.stdout.splitlines())
    return {name.decode(): round(float(cost), 2) for name, cost in costs}


def shown(result: dict[str, Any]) -> str:
    times = ", ".join(f"{name} {ms:.1f} ms" for name, ms in result["ms"].items())
    verdict = {True: "reached", False: "MISSED", None: ""}[result["reached"]]
    return (
        f"{result['what']:<46} {result['ratio']:8.2f}  {result['target']:<13} {verdict:<8} {times}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--original", help="a Python that has micrograd==0.1.0 installed")
    parser.add_argument("--xad", help="a Python that has xad installed")
    parser.add_argument("--torch", help="a Python that has torch installed")
    parser.add_argument("--known", type=Path, default=ROOT.parent / "shared" / "known")
    parser.add_argument("--only", default="", help="a work, or memory, nodes, bulk")
    options = parser.parse_args()
    pythons = dict.fromkeys(("c", "python", "floats"), sys.executable)
    for name in ("original", "xad", "torch"):
        if getattr(options, name):
            pythons[name] = getattr(options, name)
    if "original" in pythons:
        pythons["original-without-gc"] = pythons["original"]

    results: list[dict[str, Any]] = []
    for row in TABLE:
        if options.only not in ("", row.work) or not {row.slower, row.faster} <= pythons.keys():
            continue
        results.append(measure(row, pythons, options.known))
        print(shown(results[-1]), flush=True)
    report: dict[str, Any] = {"python": platform.python_version(), "ratios": results}
    if options.only in ("", "memory"):
        report["bytes per node"] = memory_per_node(sys.executable)
        print(f"memory per node: {report['bytes per node']:.1f} bytes (at most 112)")
    if options.only in ("", "nodes"):
        costs = report["ns per node"] = cost_per_node(sys.executable, options.known)
        spread = max(costs.values()) / min(costs.values())
        shortened = {n: round(ns) for n, ns in costs.items()}
        print(f"ns per node: {shortened}, spread {spread:.2f} (at most 2)")
    if options.only in ("", "bulk"):
        report["ns per Value"] = bulk_access(sys.executable)
        print(f"ns per Value, 337 of them: {report['ns per Value']} (a few)")
    out = ROOT / "out"
    out.mkdir(exist_ok=True)
    (out / "benchmarks.json").write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
