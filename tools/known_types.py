"""Ask pyright which of the package's types it knows; fail below 95 %.

Run it as `python tools/known_types.py`. pyright looks for an installed package, and not where an
editable installation leads, so it is given an environment with a copy.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).parent.parent
LEAST = 0.95


def main() -> None:
    """Print the share of the public symbols whose types are known, and the others."""
    with tempfile.TemporaryDirectory() as folder:
        environment = Path(folder, "environment")
        venv.create(environment, with_pip=False)
        (packages,) = environment.glob("lib/python*/site-packages")
        shutil.copytree(ROOT / "micrograd", packages / "micrograd")
        for name in ("numpy", "typing_extensions.py"):
            (packages / name).symlink_to(Path(sysconfig.get_path("purelib"), name))
        pyright = Path(sys.executable).parent / "basedpyright"
        command = [pyright, "--verifytypes", "micrograd", "--ignoreexternal", "--outputjson"]
        path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        variables = {**os.environ, "VIRTUAL_ENV": str(environment), "PATH": path}
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=variables)
    found = json.loads(done.stdout)["typeCompleteness"]
    for symbol in found["symbols"]:
        if symbol["isExported"] and not symbol["isTypeKnown"] and symbol["diagnostics"]:
            print(f"{symbol['name']}: {symbol['diagnostics'][0]['message'].splitlines()[0]}")
    score = found["completenessScore"]
    print(f"pyright knows the types of {score:.1%} of the public symbols")
    if score < LEAST:
        sys.exit(f"less than {LEAST:.0%}: annotate those above")


if __name__ == "__main__":
    main()
