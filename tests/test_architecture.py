"""The rooms of the package: imports run one way, and a room stays small enough to look round in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import micrograd

PACKAGE = Path(micrograd.__file__).parent
FILES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}

# A room imports what stands before it; `ops` imports nothing.
ROOMS = [
    "ops", "special", "math", "value", "engine", "native", "symbolic", "graph", "derivatives",
    "nn", "losses", "optim", "files", "programs", "draw", "explain",
]  # fmt: skip

# The folders of a room, and those beside them that each may import. "." stands for the files
# directly in the room, which may import all of its folders (but nobody what imports them).
FOLDERS: dict[str, dict[str, list[str]]] = {
    "derivatives": {"equations": ["."], "products": ["."]},
    "value": {"words": []},
    "programs": {
        "trace": [],
        "loops": ["trace"],
        "lift": ["trace"],
        "lower": ["trace", "lift"],
        "straight": ["trace", "lift", "lower"],
        "run": ["trace", "lift", "lower", "straight"],
        "rewrite": ["trace", "lift"],
        "show": ["trace", "loops", "lift", "rewrite"],
        "cluster": ["trace", "lift", "lower", "run"],
        "elsewhere": ["trace", "lift", "lower", "run"],
        "export": [".", "trace", "lift", "lower", "run"],
    },
    "draw": {
        "scene": [],
        "folding": ["scene"],
        "diagram": ["scene", "folding"],
        "stepping": ["scene", "folding", "diagram"],
    },
    "explain": {
        "what_if": ["."],
        "diagnosis": ["."],
        "course": ["."],
        "known_mistakes": [".", "what_if", "course"],
    },
}

EXCEPTIONS = {
    ("engine", "native"): "its last line lets the C core take over, where it was built",
    ("native.takeover", "native"): "the C core is in this room, but no file of Python",
    ("value.copying", "engine"): "the copy of a graph is made of Values",
}

# The lesson and what people build with it. Python looks for `__main__.py` here and nowhere else.
TOP = {
    "__init__.py",
    "__main__.py",
    "ops.py",
    "engine.py",
    "nn.py",
    "losses.py",
    "optim.py",
    "math.py",
}

LONGEST = 400  # lines


def imports(module: str) -> Iterator[str]:
    """List the modules of the package that one imports, wherever in its text it does."""
    found: list[ast.AST] = [ast.parse(FILES[module].read_text(encoding="utf-8"))]
    while found:
        node = found.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            found += node.orelse  # what annotations alone need is not imported
            continue
        found += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{module}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Constant) and re.fullmatch(r"micrograd\.[\w.]+", str(node.value)):
            names = [str(node.value)]  # importlib.import_module("micrograd.native._engine")
        else:
            continue
        for name in names:
            while name.startswith("micrograd.") and name not in FILES:
                name = name.rpartition(".")[0]
            if name in FILES:
                yield name


def arrows() -> set[tuple[str, str]]:
    """List who imports whom, both without the leading "micrograd."."""
    return {
        (module.removeprefix("micrograd."), imported.removeprefix("micrograd."))
        for module in FILES
        # The package offers all rooms, and loads most of them lazily; the command line calls one.
        if module not in ("micrograd", "micrograd.__main__")
        for imported in imports(module)
        if imported not in ("micrograd", module)
    }


def may_import(module: str, imported: str) -> bool:
    """Tell whether an arrow runs the right way."""
    room, *inner = module.split(".")
    other_room, *other_inner = imported.split(".")
    if room != other_room:
        return ROOMS.index(other_room) < ROOMS.index(room)
    folder, other = (names[0] if len(names) > 1 else "." for names in (inner, other_inner))
    if not other_inner:
        return False  # a file of a room does not import all of the room
    return folder in (".", other) or other in FOLDERS[room][folder]


def without_exceptions(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    return {
        (module, imported)
        for module, imported in found
        if (module, imported) not in EXCEPTIONS
        and (module, imported.split(".")[0]) not in EXCEPTIONS
    }


def test_the_imports_are_found() -> None:
    assert {("engine", "ops"), ("programs.calls", "engine")} <= arrows()  # of a name, of a module
    assert ("draw", "draw.training") in arrows()  # within a function
    assert ("native.blocks", "engine") in arrows()
    assert len(arrows()) > 100


def test_arrows_run_one_way() -> None:
    wrong = [a for a in without_exceptions(arrows()) if not may_import(*a)]
    assert sorted(wrong) == []


def test_no_file_imports_itself_by_a_detour() -> None:
    graph: dict[str, set[str]] = {}
    for module, imported in without_exceptions(arrows()):
        graph.setdefault(module, set()).add(imported)
    TopologicalSorter(graph).prepare()  # a CycleError names the files


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("value.base", "engine"),
        ("symbolic.formula", "graph.steps"),
        ("draw.training", "explain"),
        ("programs.lift.groups", "programs.lower.plan"),
        ("programs.show.equations", "programs.run.executable"),
        ("programs.trace.tape", "programs.api"),
        ("draw.scene.outline", "draw"),
    ],
)
def test_a_wrong_arrow_is_told(module: str, imported: str) -> None:
    assert not may_import(module, imported)


def test_every_room_and_folder_has_its_place_in_the_order() -> None:
    inner = {module.split(".")[1] for module in FILES if "." in module}
    assert inner - {"__main__"} == set(ROOMS)
    folders = {
        (path.parent.parent.name, path.parent.name)
        for path in FILES.values()
        if path.name == "__init__.py" and path.parent.parent.parent == PACKAGE
    }
    assert folders == {(room, folder) for room, inside in FOLDERS.items() for folder in inside}


def test_the_c_core_imports_what_its_room_may() -> None:
    """Hold C's own imports to the same order; the sources are not part of an installed package."""
    for path in (PACKAGE / "native").glob("*.[ch]"):
        names = re.findall(r'PyImport_ImportModule\("micrograd\.([\w.]+)"\)', path.read_text())
        assert {name.split(".")[0] for name in names} <= {"ops", "value", "engine", "native"}


def test_the_first_shelf_holds_the_lesson_and_no_more() -> None:
    there = {path.name for path in PACKAGE.iterdir() if path.suffix in (".py", ".c", ".h")}
    assert there == TOP


@pytest.mark.parametrize("init", [f for f in FILES.values() if f.name == "__init__.py"])
def test_a_room_can_be_looked_round_in(init: Path) -> None:
    files = [f for f in init.parent.iterdir() if f.suffix in (".py", ".c") and f != init]
    folders = [f for f in init.parent.iterdir() if (f / "__init__.py").exists()]
    if init.parent != PACKAGE:
        assert len(files) <= 10, sorted(f.name for f in files)
        assert len(files) + len(folders) >= 2, "one file needs no folder"
    text = ast.get_docstring(ast.parse(init.read_text(encoding="utf-8")))
    assert text, f"{init} does not say what the room is for"


def test_no_file_is_long() -> None:
    long = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.suffix in (".py", ".c", ".h", ".js", ".css")
        and len(path.read_text(encoding="utf-8").splitlines()) > LONGEST
    ]
    assert long == []
