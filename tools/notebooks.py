"""Make the notebooks in demos/ from the pages in docs/, so that each text is written once.

    python tools/notebooks.py           # write and run them, so that they hold their outputs
    python tools/notebooks.py --check   # only check that their cells are those of the pages

A page is Markdown with cells in fences (MyST). The lab holds its solutions between the marks
`### BEGIN SOLUTION` and `### END SOLUTION`, its tests between `### BEGIN HIDDEN TESTS` and `### END
HIDDEN TESTS`: nbgrader's marks, whose metadata its cells get. The student's notebook has places to
write instead of solutions, no hidden tests, and no outputs, which would give the answers away.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
DEMOS = ROOT / "demos"

Cell = dict[str, Any]

NOT_RUN = {"lab.ipynb"}

LICENCE: Cell = {
    "cell_type": "markdown",
    "metadata": {},
    "source": "*Texts: CC BY 4.0. Code: MIT. From the documentation of micrograd.*",
}


def main(arguments: list[str]) -> None:
    """Write the notebooks, or compare them."""
    for name, cells in sorted(notebooks().items()):
        path = DEMOS / name
        if "--check" not in arguments:
            path.write_text(file_of(cells, run=name not in NOT_RUN), encoding="utf-8")
        elif sources(json.loads(path.read_text(encoding="utf-8"))["cells"]) != sources(cells):
            sys.exit(f"{path} is not what its page says: run python tools/notebooks.py")


def notebooks() -> dict[str, list[Cell]]:
    """Return the cells of every notebook, by its name in demos/."""
    folder = DOCS / "backpropagation"
    lesson = [folder / "index.md", *sorted(folder.glob("[0-9]*.md"), key=_number)]
    lab = DOCS / "lab" / "lab.md"
    return {
        "backpropagation.ipynb": [
            *(cell for page in lesson for cell in cells_of(page, with_light_pictures)),
            LICENCE,
        ],
        "lab.ipynb": [*graded(cells_of(lab, without_solution), cells_of(lab)), LICENCE],
        "lab_solved.ipynb": [*graded(cells_of(lab), cells_of(lab)), LICENCE],
    }


def _number(page: Path) -> int:
    return int(page.name.partition("-")[0])


def cells_of(page: Path, change: Callable[[str], str] = lambda code: code) -> Iterator[Cell]:
    """Yield the cells of a page, each code cell passed through `change`."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text(encoding="utf-8"), flags=re.S)
    parts = re.split(r"^```\{code-cell\} ipython3\n(.*?)^```$", text, flags=re.S | re.M)
    for i, part in enumerate(parts):
        if i % 2:
            options, code = _options_and_code(part)
            folded = re.search("remove-input|hide-input|hide-cell", options)
            hidden: Cell = {"jupyter": {"source_hidden": True}} if folded else {}
            if points := re.search(r"^:points: (\d+)$", options, flags=re.M):
                hidden = {"points": int(points[1])}
            yield {"cell_type": "code", "metadata": hidden, "source": change(code.strip())}
        elif markdown(part, page.parent):
            source = markdown(part, page.parent)
            yield {"cell_type": "markdown", "metadata": {}, "source": source}


def _options_and_code(cell: str) -> tuple[str, str]:
    found = re.match(r"(---\n.*?\n---\n|(?::[^\n]*\n)+)", cell, flags=re.S)
    return (found[0], cell[found.end() :]) if found else ("", cell)


def markdown(text: str, folder: Path) -> str:
    """Return text that any notebook shows: without Sphinx's fences, links relative to demos/."""
    text = re.sub(r"^```\{(toctree|raw)\}.*?^```$", "", text, flags=re.S | re.M)
    text = re.sub(
        r"^```\{admonition\} ([^\n]*)\n(?::[^\n]*\n)*(.*?)^```$",
        r"**\1.**\n\2",
        text,
        flags=re.S | re.M,
    )
    text = re.sub(r"^```\{exercise\} (.*?)^```$", _exercise, text, flags=re.S | re.M)

    def link(found: re.Match[str]) -> str:
        target = (folder / found[2]).resolve().relative_to(ROOT)
        return f"[{found[1]}](../{target}{found[3]})"

    text = re.sub(r"\[([^\]]+)\]\((?!https?:)([^)#\s]+)(#[^)]*|)\)", link, text)
    return text.strip()


def _exercise(found: re.Match[str]) -> str:
    """Write an exercise with its answer folded; only the site compares what is typed."""
    question, *options = found[1].strip().splitlines()
    values = dict(re.findall(r"^:(\w+): (.*)$", "\n".join(options), flags=re.M))
    answer = f"{values['answer']} ({values['hint']})"
    return (
        f"**Exercise.** {question}\n\n<details><summary>Answer</summary>\n\n{answer}\n\n</details>"
    )


def with_light_pictures(code: str) -> str:
    """Let matplotlib draw PNG: a fraction of its SVG, in which each letter is an outline."""
    return code.replace('figure_formats = ["svg"]', 'figure_formats = ["png"]')


def without_solution(code: str) -> str:
    """Replace each solution by a place to write, and leave the hidden tests out."""
    code = re.sub(
        r"^( *)### BEGIN SOLUTION\n.*?### END SOLUTION$",
        r"\1...  # your code",
        code,
        flags=re.S | re.M,
    )
    return re.sub(
        r"\n### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS$", "", code, flags=re.S | re.M
    )


def graded(cells: Iterable[Cell], solved: Iterable[Cell]) -> Iterator[Cell]:
    """Give cells nbgrader's metadata: solutions are editable, tests are locked and have points."""
    for number, (cell, original) in enumerate(zip(cells, solved)):
        points = cell["metadata"].pop("points", 0)
        solution = "### BEGIN SOLUTION" in original["source"]
        if points or solution:
            cell["metadata"]["nbgrader"] = {
                "grade": bool(points),
                "grade_id": f"lab-{number:02d}",
                "locked": not solution,
                "schema_version": 3,
                "solution": solution,
                "task": False,
                **({"points": points} if points else {}),
            }
        yield cell


def sources(cells: list[Cell]) -> list[tuple[str, str]]:
    """Return the types and sources of cells, without their outputs."""
    return [(cell["cell_type"], "".join(cell["source"])) for cell in cells]


def file_of(cells: list[Cell], run: bool) -> str:
    """Return the file of a notebook, with its outputs if it is to be run."""
    import nbformat
    from nbclient import NotebookClient

    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": kernel})
    for i, cell in enumerate(cells):
        made = getattr(nbformat.v4, f"new_{cell['cell_type']}_cell")(
            cell["source"], metadata=cell["metadata"], id=f"cell-{i:02d}"
        )
        notebook.cells.append(made)
    if run:
        NotebookClient(notebook, timeout=300, record_timing=False).execute()
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            lighten(output.get("data", {}))
    notebook.metadata.pop("language_info", None)
    return f"{nbformat.writes(notebook)}\n"


def lighten(shown: dict[str, str]) -> None:
    """Keep of an output the picture that is shown before the notebook is run, and trusted.

    A stepper's tables are in its text, too.
    """
    if "<script" in shown.get("text/html", ""):
        unused = r"<script>.*?</script>|<details.*</details>"
        shown["text/html"] = re.sub(unused, "", shown["text/html"], flags=re.S)
    if "image/png" in shown:
        shown["image/png"] = of_few_colours(shown["image/png"])


def of_few_colours(png: str) -> str:
    """Return a PNG, in base64, with a palette: line drawings need no more."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    file = io.BytesIO()
    few = picture.quantize(24, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    main(sys.argv[1:])
