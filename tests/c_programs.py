"""Compile the C that programs write, and call it."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from micrograd.programs import Program

STRICT = ["-std=c99", "-Wall", "-Wextra", "-pedantic", "-Wmissing-prototypes", "-Werror"]


class Outcome(NamedTuple):
    """What a call in C gave."""

    status: int
    result: Any
    gradient: Any


class InC:
    """A program in C, called as a program is: with arrays of rows."""

    def __init__(self, program: Program, folder: Path, gradient: bool = True) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler is installed")
        self.program = program
        self.writable = program._writable()
        self.path = folder / f"{len(list(folder.iterdir()))}.c"
        program.to_c(self.path, gradient)
        library = self.path.with_suffix(".so")
        command: list[str | Path] = [
            compiler,
            *STRICT,
            "-O0",
            "-shared",
            "-fPIC",
            self.path,
            "-o",
            library,
            "-lm",
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        name = self.path.read_text().split("(const double")[0].rpartition("int ")[2]
        self._function = ctypes.CDLL(str(library))[name]
        self._has_gradient = gradient and len(self.writable.numbers) > 0

    def __call__(self, row: Sequence[Any], weights: Any = None) -> Outcome:
        """Call it on one row, with the parameters' numbers of now."""
        writable = self.writable
        numbers = np.array([p.data for p in writable.parameters])
        given = [np.array(x, float).reshape(-1) for x in row]
        given = [numbers] * (len(numbers) > 0) + [x for x in given if x.size]
        result, gradient = np.full(writable.width, 99.0), np.full(len(numbers), 99.0)
        if self._has_gradient:
            given += [np.array(weights, float)] if writable.is_list else []
            given += [result, gradient]
        else:
            given += [result]
        status = self._function(*[ctypes.c_void_p(x.ctypes.data) for x in given])
        return Outcome(status, result, gradient)

    def check(self, arrays: Sequence[Any]) -> list[int]:
        """Compare each row with the program, to 1e-12; return the statuses."""
        statuses = []
        for row in range(len(arrays[0])):
            weights = np.linspace(0.5, 1.5, self.writable.width)
            found = self([array[row] for array in arrays], weights)
            statuses.append(found.status)
            if found.status in (0, 3):
                self._compare(found, [array[row : row + 1] for array in arrays], weights)
        return statuses

    def _compare(self, found: Outcome, row: Sequence[Any], weights: Any) -> None:
        for p in self.writable.parameters:
            p.grad = 0.0
        result = self.program(*row)
        right = result.data.reshape(-1)
        np.testing.assert_allclose(found.result, right, rtol=1e-12, atol=1e-12 * _largest(right))
        if found.status == 0 and self._has_gradient:
            parts = result[0] if self.writable.is_list else [result[0]]
            total = sum(weights[k] * parts[k] for k in range(self.writable.width))
            if not self.writable.is_list:
                total = parts[0]
            total.backward()
            gradient = np.array([p.grad for p in self.writable.parameters])
            tolerance = 1e-12 * _largest(gradient)
            np.testing.assert_allclose(found.gradient, gradient, rtol=1e-12, atol=tolerance)


def _largest(numbers: Any) -> float:
    return float(np.abs(numbers[np.isfinite(numbers)]).max(initial=1.0))
