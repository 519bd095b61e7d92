"""Check the built site: python tools/check_site.py out/docs

Every public name of the package is in the reference, the search finds a page of the tutorial for a
learner's words, no link within the site is dead, and no page loads anything from another site.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar
from urllib.parse import unquote

from sphinx.util.inventory import InventoryFile

import micrograd
from micrograd.ops import Op

# The modules that users import; of a room, what its `__all__` lists is public as well.
MODULES = [
    "engine",
    "explain.examples",
    "graph.modes",
    "graph.scopes",
    "graph.steps",
    "losses",
    "native.bulk",
    "nn",
    "ops",
    "optim",
    "symbolic.formula",
]

# What a student of the course would search for, as the search engine stems it.
WORDS = {"delta", "accumul", "theta", "gradient", "partial", "transpos", "sigmoid", "backprop"}

# What others call what is here: the search leads to the reference.
USUAL = {
    "adam", "mse", "mseloss", "mean", "squar", "softmax", "linear", "item", "detach", "tensor",
    "visual", "topolog", "vanish", "explod", "schedul",
}  # fmt: skip


def main(site: Path) -> None:
    """Print what is wrong, and exit with 1 if anything is."""
    complaints = [f"not in the reference: {name}" for name in sorted(undocumented(site))]
    for words, folder in ((WORDS, "backpropagation/"), (USUAL, "reference/")):
        lost = sorted(not_found(site, words, folder))
        complaints += [f"the search finds no page in {folder} for {word}" for word in lost]
    pages = sorted(site.rglob("*.html"))
    for page in pages:
        complaints += [f"{page} loads {what}" for what in loaded_from_elsewhere(page)]
        complaints += [f"{page} leads to {what}, which is not there" for what in dead_links(page)]
    for style in site.rglob("*.css"):
        outside = re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//[^)\"']+", style.read_text())
        complaints += [f"{style} loads {what}" for what in outside]
    print("\n".join(complaints) or f"{site}: {len(pages)} pages, every public name documented")
    sys.exit(bool(complaints))


def undocumented(site: Path) -> set[str]:
    """Find the public names that the site's index of objects lacks.

    Operations are looked up in the table on their page instead.
    """
    index = InventoryFile.loads((site / "objects.inv").read_bytes(), uri="")
    documented = {name for kind in index.data for name in index.data[kind]}
    last_names = {name.rpartition(".")[2] for name in documented}
    table = (site / "reference" / "operations.html").read_text(encoding="utf-8")
    rows = set(re.findall(r"mg\.(\w+)", table))
    missing = set()
    for module, name, thing in public_names():
        if isinstance(thing, Op) or name.removeprefix("Value.") in rows:
            found = name.removeprefix("Value.") in rows
        elif isinstance(thing, ModuleType):
            found = f"module-{thing.__name__}" in documented or thing.__name__ in documented
        elif module == "micrograd":
            found = name in last_names
        else:
            found = any(full.endswith(f".{name}") for full in documented)
        if not found:
            missing.add(f"{module}.{name}")
    return missing


def public_names() -> Iterator[tuple[str, str, Any]]:
    """List each public name with its module."""
    for name in micrograd.__all__:
        yield "micrograd", name, getattr(micrograd, name)
    rooms = [found.name for found in pkgutil.iter_modules(micrograd.__path__) if found.ispkg]
    for path in MODULES + rooms:
        module = importlib.import_module(f"micrograd.{path}")
        for name in getattr(module, "__all__", []) if path in rooms else _defined_in(module):
            thing = getattr(module, name)
            yield module.__name__, name, thing
            for part, method in vars(thing).items() if isinstance(thing, type) else ():
                method = getattr(method, "__func__", method)  # of a static method
                if not part.startswith("_") and (callable(method) or isinstance(method, property)):
                    yield module.__name__, f"{name}.{part}", method


def _defined_in(module: ModuleType) -> list[str]:
    return [
        name
        for name, thing in vars(module).items()
        if not (name.startswith("_") or isinstance(thing, TypeVar))
        and getattr(thing, "__module__", None) == module.__name__
    ]


def not_found(site: Path, words: set[str], folder: str) -> set[str]:
    """Find the words for which the site's search has no page in a folder."""
    text = (site / "searchindex.js").read_text(encoding="utf-8")
    index = json.loads(text.removeprefix("Search.setIndex(").removesuffix(")"))

    def pages(word: str) -> set[str]:
        found = [index[kind].get(word, []) for kind in ("terms", "titleterms")]
        numbers = [n for pages in found for n in (pages if isinstance(pages, list) else [pages])]
        return {index["docnames"][n] for n in numbers}

    return {w for w in words if not any(folder in page for page in pages(w))}


def loaded_from_elsewhere(page: Path) -> list[str]:
    """List the outside addresses from which a page loads something; links do not count."""
    return [address for address in _addresses(page).loads if re.match(r"(\w+:)?//", address)]


def dead_links(page: Path) -> list[str]:
    """List the files of the site that a page links to and that do not exist."""
    files = {unquote(link.partition("#")[0]) for link in _addresses(page).links}
    return [file for file in files if ":" not in file and not (page.parent / file).exists()]


def _addresses(page: Path) -> _Addresses:
    found = _Addresses()
    found.feed(page.read_text(encoding="utf-8"))
    return found


class _Addresses(HTMLParser):
    """Collect what a page loads by itself, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [given[key] or "" for key in ("src", "data", "poster") if key in given]
        if tag == "link" and given.get("rel") in ("stylesheet", "preload", "icon", "preconnect"):
            self.loads.append(given.get("href") or "")
        if tag == "a":
            self.links.append(given.get("href") or "")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
