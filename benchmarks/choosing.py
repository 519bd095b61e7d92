"""Value and gradient of ten scalar programs, beside others: `--jax PYTHON`, `--casadi`, `--numba`.

Each library runs in the Python given for it, on the programs of tests/problems/science.py as they
stand. Times are in calls of the same program on plain floats in that Python: the first gradient,
with whatever is traced and compiled, and later ones.
"""

from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import math
import statistics
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SCIENCE = Path(__file__).parent.parent / "tests" / "problems" / "science.py"
ROUNDS = 7
# JAX unrolls Python's loops, and compiles what comes of it for long: it wants lax.scan, which is
# another way of writing.
LOOPS = {"orbit", "garch", "kalman", "equilibrium", "epidemic"}
NOT_TAKEN = {"jax": LOOPS, "numba": {"ratings"}}  # the latter has a generator


def programs() -> dict[Any, list[float]]:
    """Load the programs by their path: another Python does not have this package."""
    spec = importlib.util.spec_from_file_location("science", SCIENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["science"] = module
    spec.loader.exec_module(module)
    return module.AT  # type: ignore[no-any-return]


def square(p: Any, m: Any) -> Any:
    """Return a square, the smallest program."""
    return p[0] * p[0]


def with_micrograd(f: Any, n: int) -> Callable[[list[float]], Any]:
    import micrograd

    gradient = micrograd.value_and_grad(f)
    return lambda at: gradient(at, micrograd.math)


def with_jax(f: Any, n: int) -> Callable[[list[float]], Any]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    compiled = jax.jit(jax.value_and_grad(lambda p: f(list(p), jnp)))
    return lambda at: jax.block_until_ready(compiled(jnp.array(at)))


def with_casadi(f: Any, n: int) -> Callable[[list[float]], Any]:
    import casadi

    casadi.pi = math.pi
    p = casadi.SX.sym("p", n)
    value = f([p[i] for i in range(n)], casadi)
    function = casadi.Function("f", [p], [value, casadi.gradient(value, p)])
    return lambda at: function(at)


def with_numba(f: Any, n: int) -> Callable[[list[float]], Any]:
    """Compile the value alone; the gradient is by differences, to half of the digits."""
    import numba

    source = textwrap.dedent(inspect.getsource(f)).replace("(p: Any, m: Any)", "(p: Any)")
    names = {k: tuple(v) if isinstance(v, list) else v for k, v in f.__globals__.items()}
    names["m"] = math  # numba takes no module as an argument, and no lists from outside
    exec(compile(source, f.__code__.co_filename, "exec"), names)
    compiled = numba.njit(names[f.__name__])

    def gradient(at: list[float]) -> tuple[float, list[float]]:
        value, slopes = compiled(tuple(at)), []
        for i, x in enumerate(at):
            step = 1e-8 * max(1.0, abs(x))
            slopes.append((compiled((*at[:i], x + step, *at[i + 1 :])) - value) / step)
        return value, slopes

    return gradient


MAKERS = {
    "micrograd": with_micrograd,
    "jax": with_jax,
    "casadi": with_casadi,
    "numba": with_numba,
}


def seconds(call: Callable[[], Any]) -> float:
    """Return the time of one call, the median of several rounds of a hundredth of a second."""
    rounds = []
    for _ in range(ROUNDS):
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < 0.01 or not count:
            call()
            count += 1
        rounds.append((time.perf_counter() - start) / count)
    return statistics.median(rounds)


def measure(name: str) -> dict[str, tuple[float, float]]:
    """Return for each program the first and a later gradient, in calls on plain floats."""
    found = {}
    MAKERS[name](square, 1)([1.0])  # what is imported now is not counted
    for f, at in programs().items():
        if f.__name__ in NOT_TAKEN.get(name, ()):
            continue
        plain = seconds(lambda f=f, at=at: f(at, math))  # type: ignore[misc]
        start = time.perf_counter()
        gradient = MAKERS[name](f, len(at))
        gradient(at)
        first = time.perf_counter() - start
        later = seconds(lambda at=at, gradient=gradient: gradient(at))  # type: ignore[misc]
        found[f.__name__] = first / plain, later / plain
    return found


def main() -> None:
    """Measure each library in its Python, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jax", metavar="PYTHON")
    parser.add_argument("--casadi", metavar="PYTHON")
    parser.add_argument("--numba", metavar="PYTHON")
    parser.add_argument("--child", choices=MAKERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        print(json.dumps(measure(given.child)))
        return
    pythons = {"micrograd": sys.executable} | {n: getattr(given, n) for n in list(MAKERS)[1:]}
    tables = {}
    for name, python in pythons.items():
        if python:
            command = [python, __file__, "--child", name]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            tables[name] = json.loads(done.stdout)
    print("| program | " + " | ".join(f"{name}: first, later" for name in tables) + " |")
    print("|---" * (len(tables) + 1) + "|")
    for program in tables["micrograd"]:
        cells = [
            "{:,.0f}, {:.2g}".format(*table[program]) if program in table else "-"
            for table in tables.values()
        ]
        print(f"| {program} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
