"""Run one contestant of the benchmark in its own process: do a work when told, report the time.

`python benchmarks/contestant.py ENGINE FOLDER` reads the name of a work per line and answers with
seconds per step, or with `none` where the engine cannot do it. ENGINE is one of ENGINES below.
"""

from __future__ import annotations

import gc
import math
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks import works
else:
    sys.path.insert(0, str(Path(__file__).parent))
    import works

FLOATS = works.Functions(
    relu=lambda x: x if x > 0 else 0.0,
    tanh=math.tanh,
    exp=math.exp,
    log=math.log,
    backward=lambda root, parameters: None,
)
METHODS = works.Functions(
    relu=lambda x: x.relu(),
    tanh=lambda x: x.tanh(),
    exp=lambda x: x.exp(),
    log=lambda x: x.log(),
    backward=lambda root, parameters: root.backward(),
)


def micrograd() -> dict[str, Any]:
    """Import this package on the core that the environment chooses, or the original."""
    import micrograd.engine
    import micrograd.nn

    kind = micrograd.engine.Value
    if not hasattr(kind, "exp"):
        _complete_the_original(kind)
    return {"kind": kind, "functions": METHODS, "nn": micrograd.nn}


def _complete_the_original(kind: Any) -> None:
    """Give the original exp and log, written as it writes relu."""

    def exp(self: Any) -> Any:
        out = kind(math.exp(self.data), (self,), "exp")

        def _backward() -> None:
            self.grad += out.data * out.grad

        out._backward = _backward
        return out

    def log(self: Any) -> Any:
        out = kind(math.log(self.data), (self,), "log")

        def _backward() -> None:
            self.grad += out.grad / self.data

        out._backward = _backward
        return out

    kind.exp, kind.log = exp, log


def floats() -> dict[str, Any]:
    return {"kind": float, "functions": FLOATS}


def xad() -> dict[str, Any]:
    """XAD's adjoint mode: one tape, recorded again in each step."""
    from xad import adj_1st
    from xad import math as functions

    tape = adj_1st.Tape()
    tape.activate()

    def begin(parameters: Any) -> None:
        tape.clearAll()
        for p in parameters:
            tape.registerInput(p)
        tape.newRecording()

    def backward(root: Any, parameters: Any) -> None:
        tape.registerOutput(root)
        root.setDerivative(1.0)
        tape.computeAdjoints()
        for p in parameters:
            p.getDerivative()

    def relu(x: Any) -> Any:
        return functions.max(x, 0.0)

    made = works.Functions(relu, functions.tanh, functions.exp, functions.log, backward, begin)
    return {"kind": adj_1st.Real, "functions": made}


def torch() -> dict[str, Any]:
    """PyTorch on its own scalars: what the same code costs there."""
    import torch as package

    made = works.Functions(
        package.relu, package.tanh, package.exp, package.log, lambda root, ps: root.backward()
    )

    def kind(x: float) -> Any:
        return package.tensor(x, dtype=package.float64, requires_grad=True)

    return {"kind": kind, "functions": made}


ENGINES: dict[str, Callable[[], dict[str, Any]]] = {
    "c": micrograd,
    "python": micrograd,
    "original": micrograd,
    "original-without-gc": micrograd,
    "floats": floats,
    "xad": xad,
    "torch": torch,
}


def make(work: str, engine: dict[str, Any], known: Path) -> Callable[[], Any] | None:
    """Prepare a step of a work to be repeated; return None where the engine has none."""
    kind, functions = engine["kind"], engine["functions"]
    if work == "training":
        return works.training(engine["nn"], kind, known) if "nn" in engine else None
    if work in ("relu", "tanh"):
        return works.moons(kind, functions, work, known)
    if work == "chain":
        return works.chain(kind, functions, 1_000_000)
    if work == "lstm":
        return works.lstm(kind, functions, known)
    if work == "gpt":
        return works.gpt(kind, functions)
    if work.startswith("nodes:"):
        return works.chain(kind, functions, int(work.partition(":")[2]) // 2)
    raise ValueError(f"no work is called {work!r}")


def seconds(step: Callable[[], Any]) -> float:
    """Return the mean processor time of the steps that fit into a tenth of a second, at least one.

    Steps come in rows, as in training; one alone would be measured on the caches that another
    contestant has left.
    """
    count, start, elapsed = 0, time.process_time(), 0.0
    while elapsed < 0.1:
        result = step()
        del result  # freeing the graph is part of the work
        count += 1
        elapsed = time.process_time() - start
    return elapsed / count


def main(name: str, known: Path) -> None:
    engine = ENGINES[name]()
    if name == "original-without-gc":
        gc.disable()
    steps: dict[str, Any] = {}
    for line in sys.stdin:
        work = line.strip()
        if work not in steps:
            steps.clear()  # one at a time: its memory is warm, the others' is gone
            gc.collect()
            steps[work] = make(work, engine, known)
            if steps[work]:
                steps[work]()
        print(seconds(steps[work]) if steps[work] else "none", flush=True)
        if name == "original-without-gc":
            gc.collect()  # its cycles stay until then; not counted, since it is to be "off"


if __name__ == "__main__":
    # The original recurses as deep as its graph.
    sys.setrecursionlimit(10**6)
    threading.stack_size(512 * 2**20)
    thread = threading.Thread(target=main, args=(sys.argv[1], Path(sys.argv[2])))
    thread.start()
    thread.join()
