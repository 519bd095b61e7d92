"""GradBench's nested derivatives at full length: MICROGRAD_KNOWN=... python benchmarks/nested.py.

A particle's trajectory of 353 steps, each by an inner derivative, is differentiated and improved
some hundred times, in all four ways to combine forward and reverse; what comes out is compared
with the published answer to 1e-10.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from micrograd import grad

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from problems import gradbench


def main() -> None:
    """Print each answer, its relative difference from the published one, and the seconds."""
    known = Path(os.environ.get("MICROGRAD_KNOWN", "../shared/known"))
    text = (known / "gradbench" / "nested_and_hello.json").read_text(encoding="utf-8")
    case = json.loads(text)["particle"]
    modes: dict[str, Any] = {"r": grad, "f": gradbench.forward}
    for outer, inner in case["functions"]:
        start = time.perf_counter()
        found = gradbench.particle(modes[outer], modes[inner], case["input"]["w"])
        difference = abs(found / case["output"] - 1)
        print(f"{outer}{inner} {found!r} ({difference:.1e}) {time.perf_counter() - start:.1f} s")
        if difference > 1e-10:
            sys.exit("differs from the published answer")


if __name__ == "__main__":
    main()
