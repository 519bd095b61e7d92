"""Shared by the tests: known answers, and where those that belong to others are found."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

HERE = Path(__file__).parent

# Examples are drawn the same way in every run; no single one is timed. HYPOTHESIS_PROFILE=few draws
# a tenth of them, for runs that repeat what another run has shown; HYPOTHESIS_PROFILE=long draws
# twenty times as many, and others in every run.
settings.register_profile("suite", derandomize=True, deadline=None)
settings.register_profile("few", settings.get_profile("suite"), max_examples=10)
settings.register_profile("long", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))


def known(name: str) -> Any:
    """Load a file of this project's own known answers."""
    return json.loads((HERE / "known" / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def outside_known() -> Path:
    """Return the folder of answers that belong to others; skip the test where there is none.

    A folder named in MICROGRAD_KNOWN must be there: then its absence is an error.
    """
    named = os.environ.get("MICROGRAD_KNOWN")
    folder = Path(named) if named else HERE.parent.parent / "shared" / "known"
    if not folder.is_dir():
        message = f"the folder of outside answers is missing: {folder}"
        if named:
            pytest.fail(message)
        pytest.skip(message)
    return folder
