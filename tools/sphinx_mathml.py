"""Sphinx extension that turns formulas written in LaTeX into MathML while the site is built.

The pages then need no script and no network for their formulas. docutils does the translation;
a formula that it does not know is a warning, and so an error in our builds.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)


def mathml(formula: nodes.Element, as_block: bool) -> str:
    """Translate the LaTeX in a node of math; where that fails, warn and show it as it is."""
    latex = formula.astext().strip()
    try:
        return tex2mathml(latex, as_block=as_block)
    except MathError as error:
        logger.warning("no MathML for %r: %s", latex, error, location=formula)
        return f"<code>{nodes.literal(text=latex)}</code>"


def visit_inline(translator: Any, formula: nodes.Element) -> None:
    translator.body.append(mathml(formula, as_block=False))
    raise nodes.SkipNode


def visit_block(translator: Any, formula: nodes.Element) -> None:
    translator.body.append(f'<div class="math">{mathml(formula, as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer, which conf.py chooses by `html_math_renderer`."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
