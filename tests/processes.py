"""Start Python in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import Any


def run(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run Python with these words behind it, and wait; `options` are those of subprocess.run."""
    return subprocess.run([sys.executable, *words], **{**_USUAL, **options})


def printed(script: str, *words: str, **options: Any) -> str:
    """Run a script, which may be indented, and return what it prints; it has to succeed."""
    done = run("-c", textwrap.dedent(script), *words, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(**changes: str) -> dict[str, str]:
    """Return the variables that processes get, with changes."""
    return {**os.environ, **changes}


_USUAL = {"capture_output": True, "text": True, "timeout": 600, "check": False}
