from __future__ import annotations

import subprocess


def render(source: str, format: str) -> bytes:
    return subprocess.run(
        ["dot", f"-T{format}"], input=source.encode(), capture_output=True, check=True
    ).stdout
