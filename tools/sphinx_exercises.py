"""A Sphinx directive for exercises whose answer is a number that the reader types.

    ```{exercise} A unit gives 0.8, its label is 1. What is its delta?
    :answer: -0.2
    :tolerance: 0.001
    :hint: a - y
    ```

`exercise.js`, beside the pages, compares the answer; nothing leaves the page.
"""

from __future__ import annotations

from html import escape
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Exercise(SphinxDirective):
    """A question, with a field for the answer."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec: ClassVar = {
        "answer": directives.unchanged_required,
        "tolerance": directives.unchanged_required,
        "hint": directives.unchanged_required,
    }

    def run(self) -> list[nodes.Node]:
        """Make the nodes: the question, then the form as HTML."""
        answer, tolerance = (float(self.options[name]) for name in ("answer", "tolerance"))
        question, messages = self.parse_inline(self.arguments[0])
        form = (
            f'<form class="exercise" data-answer="{answer!r}" data-tolerance="{tolerance!r}" '
            f'data-hint="{escape(self.options["hint"])}"><label>Your answer '
            '<input type="text" inputmode="decimal" autocomplete="off" size="9"></label> '
            '<button type="submit">Check</button> <output aria-live="polite"></output></form>'
        )
        label = nodes.strong(text="Exercise. ")
        shown = nodes.raw("", form, format="html")
        return [nodes.container("", nodes.paragraph("", "", label, *question), shown), *messages]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive, and the script that checks answers."""
    app.add_directive("exercise", Exercise)
    app.add_js_file("exercise.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
