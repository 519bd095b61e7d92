"""The standard errors of the recipe "Fit a model", against all that NIST certifies."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from problems import nist

from micrograd import jacobian

pytestmark = pytest.mark.outside


@pytest.mark.parametrize("name", sorted(nist.MODELS))
def test_standard_errors_are_nists_to_four_digits(name: str, outside_known: Path) -> None:
    path = outside_known / "nist_strd" / f"{name}.dat"
    regression = nist.read(path)
    rows = re.findall(r"^\s*b\d+ =.* (\S+)\s*$", path.read_text(encoding="ascii"), re.M)
    certified = np.array([float(error) for error in rows])
    J = jacobian(regression.residuals)(regression.certified)  # noqa: N806
    _, R = np.linalg.qr(J)  # noqa: N806 - J'J = R'R, and R has half of its digits at stake
    free = regression.y.size - len(regression.certified)
    spread = np.sqrt(regression.sum_of_squares / free)  # Lanczos1 has residuals below rounding
    errors = spread * np.sqrt((np.linalg.inv(R) ** 2).sum(1))
    np.testing.assert_allclose(errors, certified, rtol=1e-4)
