"""Make the teacher's kit in docs/kit/ from the pages of the tutorial: python tools/kit.py

Twenty slides (two a page: its question with its picture, and its answer), a worksheet that prints,
its key, and a quiz of 15 minutes for before and after. All texts are those of the pages.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "backpropagation"
KIT = ROOT / "docs" / "kit"
SELF_CONTAINED = range(1, 9)  # pages whose first picture needs no cell before it
QUIZ = (1, 2, 3, 4, 5, 6, 7, 8)  # pages whose first exercise is asked before and after

HEAD = """---
file_format: mystnb
kernelspec:
  name: python3
---

"""

LINE = ":::{container} line\n\\_\n:::\n"  # to write on


class Exercise(NamedTuple):
    """A question, its answer and a hint."""

    question: str
    answer: str
    hint: str


class Page(NamedTuple):
    """What the kit takes from a page of the tutorial."""

    number: int
    title: str
    predict: str
    answer: str
    figure: str  # the fence of its first picture
    result: str
    keep: str
    exercises: list[Exercise]


def main(arguments: list[str]) -> None:
    """Write the kit, or check that it is what the pages say."""
    for name, text in kit().items():
        path = KIT / name
        if "--check" not in arguments:
            KIT.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path} is not what the pages say: run python tools/kit.py")


def kit() -> dict[str, str]:
    """Return the files of the kit by their names."""
    pages = [_read(path) for path in PAGES.glob("[0-9]*.md")]
    pages.sort()
    return {
        "slides.md": HEAD + "\n".join(_slides(pages)),
        "worksheet.md": "\n".join(_worksheet(pages)),
        "key.md": "\n".join(_key(pages)),
        "quiz.md": "\n".join(_quiz(pages)),
    }


def _read(path: Path) -> Page:
    text = path.read_text(encoding="utf-8")

    def found(pattern: str) -> str:
        match = re.search(pattern, text, re.S | re.M)
        if match is None:
            raise ValueError(f"{path.name} has nothing like {pattern}")
        return _links(match[1].strip())

    exercises = re.findall(
        r"^```\{exercise\} (.*)\n:answer: (.*)\n:tolerance: .*\n:hint: (.*)\n```$", text, re.M
    )
    return Page(
        int(path.name.partition("-")[0]),
        found(r"^# \d+\. (.*?)$"),
        found(r"^\*\*Predict\.\*\* (.*?)\n\n<details>"),
        found(r"<details><summary>Answer</summary>\n(.*?)</details>"),
        found(r"^(```\{code-cell\} ipython3\n(?:---\n)?:?tags: \[remove-input\].*?^```$)"),
        found(r"^\*\*The number\.\*\* (.*?)\n\n"),
        found(r"^> \*\*Keep this:\*\* (.*?)\n\n"),
        [Exercise(*map(_links, exercise)) for exercise in exercises],
    )


def _links(text: str) -> str:
    """Let links between the pages lead there from the kit."""
    return re.sub(r"\]\((\d+-[\w-]+\.md)\)", r"](../backpropagation/\1)", text)


def _slides(pages: list[Page]) -> Iterator[str]:
    yield (
        "# Slides\n\nTwenty slides, two for each page of the tutorial: print this page, or scroll, "
        "one slide a screen.\n"
    )
    for page in pages:
        yield f"## {page.number}. {page.title}\n"
        if page.number in SELF_CONTAINED:
            yield f"{page.figure}\n"
        yield f"**Predict.** {page.predict}\n"
        yield f"## {page.number}. The answer\n\n{page.answer}\n"
        yield f"**The number.** {page.result}\n\n> **Keep this:** {page.keep}\n"


def _worksheet(pages: list[Page]) -> Iterator[str]:
    yield (
        "# Worksheet\n\nName: ........................................\n\nFor each question, write "
        "down what you expect before you look at the page. ([Key](key.md))\n"
    )
    for page in pages:
        yield f"## {page.number}. {page.title}\n\n**Predict.** {page.predict}\n\n{LINE}"
        for exercise in page.exercises:
            yield f"**Exercise.** {exercise.question}\n\n{LINE}"


def _key(pages: list[Page]) -> Iterator[str]:
    yield "# Key\n\nTo the [worksheet](worksheet.md) and to the [quiz](quiz.md).\n"
    for page in pages:
        yield f"## {page.number}. {page.title}\n\n{page.answer}\n"
        for exercise in page.exercises:
            yield f"- {exercise.question} **{exercise.answer}** ({exercise.hint})"
        yield ""


def _quiz(pages: list[Page]) -> Iterator[str]:
    chosen = [page for page in pages if page.number in QUIZ]
    yield (
        "# Quiz, before and after\n\n15 minutes, the same questions both times: the difference is "
        f"what was learned. One point each, {len(chosen)} in all. The answers are in the "
        "[key](key.md): they are the first exercises.\n"
    )
    for number, page in enumerate(chosen, start=1):
        yield f"**Question {number}.** {page.exercises[0].question}\n\n{LINE}"


if __name__ == "__main__":
    main(sys.argv[1:])
