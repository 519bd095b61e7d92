"""Put the live page's parts beside the built site: write(folder).

Python for browsers is Pyodide's core from the npm registry, in the version and with the hash of
docs/live/package-lock.json; micrograd is a wheel of this checkout, without its C core.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import notebooks

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "docs" / "live"
INSTALLED = ROOT / "out" / "npm"

PYODIDE = [
    "pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json",
]  # fmt: skip
WHEEL = ["micrograd", "LICENSE", "README.md", "pyproject.toml", "setup.py"]
LAB = ("class Value", "def backward(", "def relu(")


def write(folder: Path) -> None:
    """Write Python, micrograd, and the page's own files into a folder of the site."""
    python = folder / "pyodide"
    python.mkdir(parents=True, exist_ok=True)
    for name in PYODIDE:
        shutil.copyfile(packages() / "pyodide" / name, python / name)
    for path in SOURCE.iterdir():
        if path.suffix in (".css", ".js", ".py"):
            shutil.copyfile(path, folder / path.name)
    (folder / "lab.py").write_text(lab(), encoding="utf-8")
    _build_wheel(folder / "micrograd.whl")


def packages() -> Path:
    """Return the folder of the npm packages, installed as the lock file says."""
    lock, installed = SOURCE / "package-lock.json", INSTALLED / "package-lock.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        _install()
    return INSTALLED / "node_modules"


def _install() -> None:
    """Install beside the place and move there, so that another build never sees half of it."""
    if shutil.which("npm") is None:
        sys.exit("The live page takes Pyodide from the npm registry: install npm (Node.js)")
    INSTALLED.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=INSTALLED.parent) as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(SOURCE / name, new / name)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        if subprocess.run(command, cwd=new, check=False).returncode:
            sys.exit("npm could not install what docs/live/package-lock.json lists")
        with suppress(FileNotFoundError):
            INSTALLED.rename(old)
        with suppress(OSError):  # another build may have put the same packages there meanwhile
            new.rename(INSTALLED)


def lab() -> str:
    """Return the class of the lab as a student gets it, from its notebook's source."""
    cells = notebooks.cells_of(ROOT / "docs" / "lab" / "lab.md", notebooks.without_solution)
    parts = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    return "\n\n\n".join(part for part in parts if part.startswith(LAB)) + "\n"


def _build_wheel(target: Path) -> None:
    """Build the wheel from a copy, where no C core and no earlier build lies about."""
    with tempfile.TemporaryDirectory() as scratch:
        copy, built = Path(scratch, "source"), Path(scratch, "built")
        copy.mkdir()
        for name in WHEEL:
            if (ROOT / name).is_dir():
                unwanted = shutil.ignore_patterns("*.[ch]", "*.so", "__pycache__")
                shutil.copytree(ROOT / name, copy / name, ignore=unwanted)
            else:
                shutil.copyfile(ROOT / name, copy / name)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
        command += ["--no-deps", "--wheel-dir", str(built), str(copy)]
        environment = {**os.environ, "MICROGRAD_PURE": "1"}
        subprocess.run(command, env=environment, check=True)
        (wheel,) = built.glob("*-py3-none-any.whl")
        shutil.copyfile(wheel, target)
