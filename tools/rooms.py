"""Draw the rooms of the package and the order of their imports: python tools/rooms.py.

Writes docs/rooms.svg. The folders of the rooms are those that tests/test_architecture.py holds the
imports to.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.append(str(ROOT / "tests"))

from test_architecture import FOLDERS  # noqa: E402

from micrograd.draw.diagram.layout import render  # noqa: E402

# From the top: each floor imports only what stands below it.
FLOORS = {
    "explained": {"explain/": "where a gradient comes from, what is wrong, in the course's words"},
    "drawn": {"draw/": "pictures of graphs, the stepper, training"},
    "run on arrays": {"programs/": "scalar code lifted to matrix equations"},
    "kept": {"files/": "parameters and optimisers, saved and loaded"},
    "built with": {
        "nn.py": "neurons, layers, networks",
        "losses.py": "how wrong an output is",
        "optim.py": "steps of gradient descent",
    },
    "read off, or faster": {
        "derivatives/": "gradients, Jacobians,<br/>Hessians, checks",
        "graph/": "every += in order,<br/>where a Value came from",
        "symbolic/": "formulas as text,<br/>Python, C, LaTeX",
        "native/": "the same Value in C,<br/>many numbers at once",
    },
    "the lesson": {"engine.py": "records a graph, walks it backward: the chain rule"},
    "underneath": {"value/": "operators, text, comparisons, errors, copies"},
    "for numbers and Values": {"math.py": "the names of Python's math"},
    "the rest of the table": {"special/": "rounding, gamma functions, the normal distribution"},
    "the table": {"ops.py": "each operation, its value and its derivatives, written once"},
}

LESSON, ROOM, LINE = "#fdecc8", "#eaf2fb", "#57606a"


def main() -> None:
    """Lay the floors out and write the picture."""
    svg = render(source(), "svg").decode()
    svg = re.sub(r"<!--.*?-->\n?", "", svg[svg.index("<svg") :], flags=re.S)
    title = "The rooms of the package; each imports only what stands below it"
    svg = svg.replace("<title>rooms</title>", f"<title>{title}</title>")
    (ROOT / "docs" / "rooms.svg").write_text(svg, encoding="utf-8")


def source() -> str:
    """Write the picture in DOT: a table for each floor, an arrow to the next one."""
    floors = "\n".join(f'"{name}" [label=<{table(rooms)}>]' for name, rooms in FLOORS.items())
    arrows = " -> ".join(f'"{name}"' for name in FLOORS)
    return (
        "digraph rooms {\n"
        'node [shape=plain fontname="Helvetica,Arial,sans-serif" fontsize=12]\n'
        f'edge [color="{LINE}" arrowsize=0.7]\nranksep=0.25\nmargin=0.05\n'
        f"{floors}\n{arrows}\n}}\n"
    )


def table(rooms: dict[str, str]) -> str:
    """Write a floor as an HTML-like label: a cell for each room."""
    cells = "".join(cell(name, what) for name, what in rooms.items())
    return (
        f'<table border="0" cellborder="1" cellspacing="6" cellpadding="6"><tr>{cells}</tr></table>'
    )


def cell(name: str, what: str) -> str:
    """Write a room: its name, what it is for, and its folders."""
    color = ROOM if name.endswith("/") else LESSON
    inside = FOLDERS.get(name.rstrip("/"), {})
    folders = f"<br/><i>{'   '.join(f'{folder}/' for folder in inside)}</i>" if inside else ""
    return f'<td bgcolor="{color}" color="{LINE}"><b>{name}</b><br/>{what}{folders}</td>'


if __name__ == "__main__":
    main()
