"""Time `import micrograd` over starting Python: python benchmarks/import_time.py."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time

ROUNDS = 30
# Compiled modules are kept, as they are by default.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


def seconds(program: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=ENVIRONMENT, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Time both programs in turn, after one round that compiles the modules."""
    seconds("import micrograd")
    rounds = [(seconds("pass"), seconds("import micrograd")) for _ in range(ROUNDS)]
    start = statistics.median(bare for bare, _ in rounds)
    more = statistics.median(full - bare for bare, full in rounds)
    print(f"import micrograd: {1000 * more:.1f} ms over the {1000 * start:.1f} ms of Python itself")


if __name__ == "__main__":
    main()
