"""Write a file as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from errno import ENOENT
from pathlib import Path


def replace_file(path: Path, contents: bytes) -> None:
    """Write a file so that, whatever happens, its name leads to the old contents or to the new.

    The contents go to a temporary file beside it, reach the disk, and then get the name. Raises
    FileNotFoundError if its folder does not exist.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(ENOENT, "create its folder first, for the file", str(path))
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with open(draft, "xb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the name, too, must reach the disk
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
