"""Load the package twice in one process: once on the C core, once on pure Python."""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType

import pytest


def load(pure: bool) -> ModuleType:
    """Import micrograd again, on one of its cores, beside what is already imported."""
    saved = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_ours(name)}
    environment = os.environ.pop("MICROGRAD_PURE", None)
    if pure:
        os.environ["MICROGRAD_PURE"] = "1"
    try:
        module = importlib.import_module("micrograd")
        importlib.import_module("micrograd.nn")
        importlib.import_module("micrograd.bulk")
        derivatives = importlib.import_module("micrograd.derivatives")
        for name in derivatives.__all__:  # which would load later, and from another copy
            setattr(module, name, getattr(derivatives, name))
        for name in ("ieee", "no_grad", "scope", "strict"):
            setattr(module, name, getattr(module, name))
        for name in ("native.blocks", "value.hooks"):
            part = importlib.import_module(f"micrograd.{name}")
            setattr(module, name.rpartition(".")[2], part)
        return module
    finally:
        for name in [name for name in sys.modules if _is_ours(name)]:
            del sys.modules[name]
        sys.modules.update(saved)
        os.environ.pop("MICROGRAD_PURE", None)
        if environment is not None:
            os.environ["MICROGRAD_PURE"] = environment


def _is_ours(name: str) -> bool:
    return name == "micrograd" or name.startswith("micrograd.")


python = load(pure=True)
c = load(pure=False)
if c.engine.core != "c":
    if os.environ.get("MICROGRAD_REQUIRE_C"):
        raise ImportError("the C core is required here (MICROGRAD_REQUIRE_C), but it is not built")
    pytest.skip("the C core is not built: python setup.py build_ext -i", allow_module_level=True)
CORES = {"python": python, "c": c}
