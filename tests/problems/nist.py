"""The 27 nonlinear regressions of NIST's Statistical Reference Datasets.

https://www.itl.nist.gov/div898/strd/nls/nls_main.shtml: the data files give the observations, two
starting points, and the parameters and the residual sum of squares, certified to 11 digits. The
models here are those that the files state; `b` and `x` may be numbers, Values or arrays of them.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import least_squares

from micrograd import arctan, cos, exp, jacobian, sin


class Regression(NamedTuple):
    name: str
    y: Any
    x: Any
    starts: list[Any]  # two
    certified: Any
    sum_of_squares: float

    def residuals(self, b: Any) -> Any:
        return self.y - MODELS[self.name](b, self.x)


def read(path: Path) -> Regression:
    lines = path.read_text(encoding="ascii").splitlines()
    rows = [re.match(r"\s*b\d+ =(.*)", line) for line in lines]
    table = np.array([[float(word) for word in row[1].split()] for row in rows if row])
    (total,) = (line.split(":")[1] for line in lines if line.startswith("Residual Sum of Squares"))
    start = max(i for i, line in enumerate(lines) if line.startswith("Data:")) + 1
    data = np.array([[float(word) for word in line.split()] for line in lines[start:] if line])
    y, x = data[:, 0], data[:, 1:].T
    if path.stem == "Nelson":  # its model is of log y
        y = np.log(y)
    return Regression(
        path.stem,
        y,
        x if len(x) > 1 else x[0],
        [table[:, 0], table[:, 1]],
        table[:, 2],
        float(total),
    )


def _gauss(b: Any, x: Any) -> Any:
    return (
        b[0] * exp(-b[1] * x)
        + b[2] * exp(-((x - b[3]) ** 2) / b[4] ** 2)
        + b[5] * exp(-((x - b[6]) ** 2) / b[7] ** 2)
    )


def _lanczos(b: Any, x: Any) -> Any:
    return b[0] * exp(-b[1] * x) + b[2] * exp(-b[3] * x) + b[4] * exp(-b[5] * x)


def _cubics(b: Any, x: Any) -> Any:
    above = b[0] + b[1] * x + b[2] * x**2 + b[3] * x**3
    return above / (1 + b[4] * x + b[5] * x**2 + b[6] * x**3)


def _enso(b: Any, x: Any) -> Any:
    turn = 2 * math.pi * x
    return (
        b[0]
        + (b[1] * np.cos(turn / 12) + b[2] * np.sin(turn / 12))
        + (b[4] * cos(turn / b[3]) + b[5] * sin(turn / b[3]))
        + (b[7] * cos(turn / b[6]) + b[8] * sin(turn / b[6]))
    )


MODELS = {
    "Bennett5": lambda b, x: b[0] * (b[1] + x) ** (-1 / b[2]),
    "BoxBOD": lambda b, x: b[0] * (1 - exp(-b[1] * x)),
    "Chwirut1": lambda b, x: exp(-b[0] * x) / (b[1] + b[2] * x),
    "Chwirut2": lambda b, x: exp(-b[0] * x) / (b[1] + b[2] * x),
    "DanWood": lambda b, x: b[0] * x ** b[1],
    "ENSO": _enso,
    "Eckerle4": lambda b, x: (b[0] / b[1]) * exp(-0.5 * ((x - b[2]) / b[1]) ** 2),
    "Gauss1": _gauss,
    "Gauss2": _gauss,
    "Gauss3": _gauss,
    "Hahn1": _cubics,
    "Kirby2": lambda b, x: (b[0] + b[1] * x + b[2] * x**2) / (1 + b[3] * x + b[4] * x**2),
    "Lanczos1": _lanczos,
    "Lanczos2": _lanczos,
    "Lanczos3": _lanczos,
    "MGH09": lambda b, x: b[0] * (x**2 + x * b[1]) / (x**2 + x * b[2] + b[3]),
    "MGH10": lambda b, x: b[0] * exp(b[1] / (x + b[2])),
    "MGH17": lambda b, x: b[0] + b[1] * exp(-x * b[3]) + b[2] * exp(-x * b[4]),
    "Misra1a": lambda b, x: b[0] * (1 - exp(-b[1] * x)),
    "Misra1b": lambda b, x: b[0] * (1 - (1 + b[1] * x / 2) ** -2),
    "Misra1c": lambda b, x: b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5),
    "Misra1d": lambda b, x: b[0] * b[1] * x * (1 + b[1] * x) ** -1,
    "Nelson": lambda b, x: b[0] - b[1] * x[0] * exp(-b[2] * x[1]),
    "Rat42": lambda b, x: b[0] / (1 + exp(b[1] - b[2] * x)),
    "Rat43": lambda b, x: b[0] / (1 + exp(b[1] - b[2] * x)) ** (1 / b[3]),
    "Roszman1": lambda b, x: b[0] - b[1] * x - arctan(b[2] / (x - b[3])) / math.pi,
    "Thurber": _cubics,
}


def fit(regression: Regression, start: int, method: str) -> Any:
    """Return the parameters that scipy.optimize.least_squares finds with our Jacobian."""
    with np.errstate(all="ignore"):  # a trial step may go where the model overflows
        return least_squares(
            regression.residuals,
            regression.starts[start],
            jac=jacobian(regression.residuals),
            method=method,
            x_scale="jac",
            xtol=1e-15,
            ftol=1e-15,
            gtol=1e-15,
            max_nfev=2000,
        ).x
