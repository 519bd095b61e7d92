"""How the site is built: `make docs` calls sphinx-build, which reads this file."""

import logging
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
# Building is quiet: what kernels and their clients tell of themselves is no news.
logging.getLogger("traitlets").setLevel(logging.ERROR)
profile = HERE.parent / "out" / "ipython" / "profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_kernel_config.py").write_text('get_config().IPKernelApp.log_level = "ERROR"')
os.environ["IPYTHONDIR"] = str(profile.parent)

sys.path.append(str(HERE.parent / "tools"))  # live, sphinx_exercises ...

# The reference is taken from the docstrings of the readable core; the cells run on the usual one.
os.environ["MICROGRAD_PURE"] = "1"
import micrograd  # noqa: E402, F401

del os.environ["MICROGRAD_PURE"]

project = "micrograd"
copyright = "the authors of micrograd; texts CC BY 4.0, code MIT"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_exercises",
    "sphinx_mathml",
]
exclude_patterns = ["lab/*", "live/*"]  # sources of the notebooks and of the live page's parts
nitpicky = True  # a reference that leads nowhere is an error
nitpick_ignore_regex = [(r"py:.*", r".*")]  # but the types in signatures need not be links

# Pages: Markdown, with cells that run while the site is built.
myst_enable_extensions = ["dollarmath", "colon_fence", "attrs_inline"]
myst_heading_anchors = 3
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_render_markdown_format = "myst"  # what cells show as Markdown may hold formulas and tables

# What a copy button leaves out: prompts, and what was printed.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True

# The reference.
default_role = "code"  # docstrings write `code` like Markdown
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True

# Formulas become MathML while the site is built: browsers set it themselves, screen readers speak
# it, and no script has to be fetched from anywhere.
html_math_renderer = "mathml"


html_theme = "furo"
html_title = "micrograd"
html_static_path = ["_static"]
html_css_files = ["micrograd.css"]
html_show_sourcelink = False
html_copy_source = False


def setup(app):
    """Keep the reference to what users need; put steppers and the live page's parts beside it."""
    app.connect("autodoc-process-docstring", _leave_out_what_a_room_imports)
    app.connect("html-page-context", _give_captions_a_level, priority=900)  # after furo's own
    app.connect("build-finished", _write_beside)


def _leave_out_what_a_room_imports(app, what, name, obj, options, lines):
    if what == "module":
        text = re.sub(r"(May import|Begin with) .*?\.(\s|$)", "", "\n".join(lines), flags=re.S)
        lines[:] = text.split("\n")


def _give_captions_a_level(app, page, template, context, doctree):
    """Say the level of the captions in the sidebar: to ARIA, a heading without one is an error."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace(
        'role="heading"', 'role="heading" aria-level="2"'
    )


def _write_beside(app, error):
    if error is None and app.builder.format == "html":
        import live
        import steppers

        steppers.write(Path(app.outdir) / "steppers")
        live.write(Path(app.outdir) / "live")
