"""Read matrices as people write them down: Octave's and NumPy's brackets, or printed in columns."""

from __future__ import annotations

import re

Rows = list[list[float]]


def named_matrices(text: str) -> dict[str, Rows]:
    """Return the matrices of `name = ...` lines by their names.

    Raises ValueError for what is no number, and for rows of several lengths.

    >>> named_matrices("Theta1 = [0.1 0.3; 0.2 0.4]\\ny =\\n\\n   4\\n   2")
    {'Theta1': [[0.1, 0.3], [0.2, 0.4]], 'y': [[4.0], [2.0]]}
    """
    first, *parts = re.split(r"^[ \t]*([A-Za-z_]\w*)\s*=(?!=)", _uncommented(text), flags=re.M)
    if first.strip() or not parts:
        raise ValueError("write each matrix with its name, as in Theta1 = [0.1 0.3; 0.2 0.4]")
    return {name: _matrix(name, body) for name, body in zip(parts[::2], parts[1::2])}


def matrices(text: str) -> list[Rows]:
    """Return all matrices in a text: named, each in brackets, or with a blank line between them.

    >>> matrices("[[1, 2], [3, 4]]\\n[5 6]"), matrices("1 2\\n3 4\\n\\n5 6")
    ([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]], [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]])
    """
    text = _uncommented(text)
    if re.search(r"^[ \t]*[A-Za-z_]\w*\s*=(?!=)", text, flags=re.M):
        return list(named_matrices(text).values())
    parts = _in_brackets(text) if "[" in text else re.split(r"\n[ \t]*\n", text.strip())
    return [_matrix(f"matrix {n}", part) for n, part in enumerate(parts, start=1)]


def written(rows: Rows) -> str:
    """Write a matrix as Octave does.

    >>> written([[0.1, 0.3], [0.2, 4.0]])
    '[0.1 0.3; 0.2 4]'
    """
    if len(rows) == len(rows[0]) == 1:
        return f"{rows[0][0]:.12g}"
    return f"[{'; '.join(' '.join(f'{x:.12g}' for x in row) for row in rows)}]"


def _uncommented(text: str) -> str:
    return re.sub(r"[%#].*", "", text)


def _in_brackets(text: str) -> list[str]:
    """Split a text after each bracket that closes the outermost one."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "]" and depth == 0:
            parts.append(text[start : at + 1])
            start = at + 1
    return parts


def _matrix(name: str, body: str) -> Rows:
    body = re.sub(r"\barray\b|\bdtype\s*=\s*[\w.]+|[()]", "", body)
    if "columns" in body.lower():
        raise ValueError(f"{name} is printed in pieces: print it with mat2str({name}, 12)")
    if re.search(r"\[\s*\[", body):  # NumPy's: a bracket per row, which may go over several lines
        lines = re.findall(r"\[([^\[\]]*)\]", body)
    else:
        lines = re.split(r"[;\n]", body.strip(" \t\n[],;"))
    rows = [[_number(name, word) for word in re.split(r"[\s,]+", line) if word] for line in lines]
    rows = [row for row in rows if row]
    if len({len(row) for row in rows}) != 1:
        lengths = ", ".join(str(len(row)) for row in rows) or "no"
        raise ValueError(f"a matrix has rows of one length; those of {name} have {lengths} numbers")
    return rows


def _number(name: str, word: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise ValueError(f"{name} holds {word!r}, which is no number") from None
