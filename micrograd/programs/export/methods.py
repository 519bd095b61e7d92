"""The methods of a program that write it as a file."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from micrograd.programs.export.page import Inputs
    from micrograd.programs.export.writable import Writable

# What writes a file is imported when one is written: programs come without it.


class Exports:
    """What a program writes for other languages: one row, of the shape that it was called with.

    It writes the paths that it knows, with the parameters' numbers as they are.
    """

    _name: str
    _known: Any  # what was traced of its function

    def _writable(self) -> Writable:
        from micrograd.programs.export.writable import Writable

        version = self._known.version
        known = [item for item in version.paths.items() if item[1].found] if version else []
        if version is None or not known or not version.references.unchanged():
            raise ValueError(f"{self!r} is not traced as it is now: call it, then write the file")
        return Writable(self._name, known, version.references.names)

    def to_c(self, path: str | PathLike[str], gradient: bool = True) -> None:
        """Write the value of one row, and its gradient by the parameters, as a file of C99.

        The file needs the C library only and allocates nothing; its first comment says how it is
        called. Its function returns 0, or another number for a row that it refuses: one that takes
        a path which was not traced, or whose integer argument is none.

        Raises ValueError before the first call, for a program that was called with arguments of
        several shapes, and for an operation that is known to Python alone.

        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from micrograd import Value, program
        >>> w = Value(2.0)
        >>> @program
        ... def scaled(x):
        ...     return w * x
        >>> _ = scaled([1.0])
        >>> with TemporaryDirectory() as folder:
        ...     scaled.to_c(f"{folder}/scaled.c")
        ...     print(Path(folder, "scaled.c").read_text().splitlines()[1])
         * The program scaled, for one row, in C99. Written by micrograd.
        """
        from micrograd.programs.export.c_file import c_file

        _write(path, c_file(self._writable(), gradient).encode())

    def to_html(
        self,
        path: str | PathLike[str],
        *,
        inputs: Inputs = None,
        results: Sequence[str] | None = None,
        image: tuple[int, int] | None = None,
        tokens: Sequence[str] | None = None,
    ) -> None:
        """Write a page in which the program runs: one file, which needs no network.

        `inputs` names the sliders, and may say from where to where each goes; `results` names the
        results. With `image`, a height and a width, an argument of as many numbers from 0 to 1 is
        drawn on a pad. With `tokens`, what each token writes, "" for the one that stands before and
        behind a text, the program takes a list of tokens, gives the scores of the next one at each
        position, and the page makes up texts. In the page, `predict(...)` computes one row.

        Raises what `to_c` raises, and ValueError for names that do not fit the program.

        >>> import os, tempfile
        >>> from micrograd import program
        >>> doubled = program(lambda x: 2 * x)
        >>> _ = doubled([1.0])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     doubled.to_html(f"{folder}/doubled.html", inputs={"kilos": (0, 10)})
        ...     os.listdir(folder)
        ['doubled.html']
        """
        from micrograd.programs.export.page import Looks, page

        looks = Looks(inputs, results, image, tokens)
        _write(path, page(self._writable(), looks).encode())

    def to_onnx(self, path: str | PathLike[str], dtype: str = "float32") -> None:
        """Write the results as an ONNX model, for any number of rows at a time.

        Its inputs are called as the arguments are, with the examples along the first axis; its
        output is called result. Where the model does not know the path of a row, or an index is out
        of range, the results of this row are nan. `dtype` is float32 or float64, for which some
        operations are missing.

        Raises what `to_c` raises, ImportError without the package onnx, and ValueError for what
        ONNX lacks.
        """
        from micrograd.programs.export.onnx.model import onnx_model

        _write(path, onnx_model(self._writable(), dtype))


def _write(path: str | PathLike[str], contents: bytes) -> None:
    from micrograd.files.atomic import replace_file

    replace_file(Path(path), contents)
