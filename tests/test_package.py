"""The package as its users meet it: light to import, documented, typed."""

from __future__ import annotations

import importlib
import inspect
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
from processes import printed

import micrograd

MODULES = [
    "engine",
    "explain.contribution_table",
    "explain.course.notation",
    "explain.course.textbook",
    "explain.examples",
    "losses",
    "nn",
    "ops",
    "optim",
    "value.numbers",
    "value.words.tables",
]


def test_importing_micrograd_loads_neither_its_dependencies_nor_its_lazy_modules() -> None:
    found = printed(
        "import sys, micrograd\n"
        "heavy = {'numpy', 'graphviz', 'scipy', 'matplotlib', 'random', 'micrograd.nn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    assert found == "[]\n"


def test_everything_but_arrays_works_where_numpy_and_graphviz_are_missing() -> None:
    found = printed(
        "import sys\n"
        "for name in ('numpy', 'graphviz', 'scipy'): sys.modules[name] = None\n"
        "import micrograd as mg\n"
        "model = mg.nn.MLP(2, [3, 2])\n"
        "loss = mg.losses.cross_entropy(model([1.0, -1.0]), 1)\n"
        "loss.backward()\n"
        "mg.optim.AdamW(model.parameters()).step()\n"
        "print(mg.erf(0.0))"
    )
    assert found == "0.0\n"


def test_a_lazy_function_is_imported_once() -> None:
    """An import waits for a lock, which an interrupt within one could keep on Python 3.10."""
    found = printed(
        "import micrograd as mg\n"
        "first = mg.hessian\n"
        "mg.importlib.import_module = None\n"
        "print(mg.hessian is first)"
    )
    assert found == "True\n"


def test_lazy_modules_are_listed_and_unknown_names_are_not_there() -> None:
    assert {"nn", "losses", "optim", "Value", "tanh"} <= set(dir(micrograd))
    assert micrograd.nn.MLP.__name__ == "MLP"
    with pytest.raises(AttributeError, match="micrograd has no tensor: write"):
        micrograd.tensor  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        micrograd.nonsense  # type: ignore[attr-defined]  # noqa: B018


def test_a_star_import_leaves_pythons_own_names_alone() -> None:
    printed("from micrograd import *\nassert abs(-1) == 1 and type(abs(-1)) is int")


def public(module: Any) -> list[tuple[str, Any]]:
    """List the public functions, classes and methods that a module defines."""
    found = []
    for name, thing in vars(module).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module.__name__:
            continue
        if inspect.isfunction(thing) or inspect.isclass(thing):
            found.append((name, thing))
        if inspect.isclass(thing):
            found += [
                (f"{name}.{method}", getattr(thing, method))
                for method in vars(thing)
                if not method.startswith("_") and inspect.isfunction(getattr(thing, method, None))
            ]
    return found


WITHOUT_EXAMPLE = {
    "Optimizer",  # shown by its subclasses
    "Value.conjugate",  # for NumPy
}


@pytest.mark.parametrize("name", MODULES)
def test_what_is_public_has_a_docstring_with_an_example(name: str) -> None:
    module = importlib.import_module(f"micrograd.{name}")
    assert module.__doc__
    for what, thing in public(module):
        assert thing.__doc__, what
        assert ">>>" in thing.__doc__ or what in WITHOUT_EXAMPLE, what


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (Path(micrograd.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize(
    ("former", "home"),
    [
        ("bulk", "native.bulk"),
        ("copying", "value.copying"),
        ("examples", "explain.examples"),
        ("formula", "symbolic.formula"),
        ("scopes", "graph.scopes"),
        ("steps", "graph.steps"),
    ],
)
def test_a_module_can_be_imported_from_where_it_once_stood(former: str, home: str) -> None:
    found = printed(
        f"import micrograd.{former}, micrograd.{home}, sys\n"
        f"print(micrograd.{former} is sys.modules['micrograd.{home}'])"
    )
    assert found == "True\n"


def test_the_citation_has_the_version_of_the_package() -> None:
    root = Path(__file__).parents[1]
    versions = [
        re.search(r'^version[ :=]+"?([\w.]+)"?$', (root / name).read_text("utf-8"), re.M)
        for name in ("pyproject.toml", "CITATION.cff")
    ]
    assert versions[0]
    assert versions[1]
    assert versions[0][1] == versions[1][1]


def test_a_free_threaded_python_gets_the_python_core(monkeypatch: pytest.MonkeyPatch) -> None:
    setuptools = pytest.importorskip("setuptools")
    path = Path(__file__).parent.parent / "setup.py"
    if not path.is_file():
        pytest.skip("setup.py is not part of what is installed")
    monkeypatch.chdir(path.parent)
    monkeypatch.delenv("MICROGRAD_PURE", raising=False)
    built: list[int] = []
    monkeypatch.setattr(
        setuptools, "setup", lambda **given: built.append(len(given["ext_modules"]))
    )
    for disabled in (None, 0, 1):
        monkeypatch.setattr(sysconfig, "get_config_var", lambda name, found=disabled: found)
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), {})
    assert built == [3, 3, 0]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc reads the C; there is none")
@pytest.mark.parametrize(
    ("source", "macros"),
    [("_engine", ""), ("_executor", ""), ("_vectors", ""), ("_vectors", "SINGLE")],
)
def test_the_c_core_compiles_without_extensions_of_gcc(source: str, macros: str) -> None:
    path = Path(__file__).parent.parent / "micrograd" / "native" / f"{source}.c"
    if not path.is_file():
        pytest.skip("the sources are not part of what is installed")
    headers = ["Python", "math", "stddef", "stdint", "string", "structmember"]
    lines = [
        *(f"#include <{name}.h>" for name in headers),  # which know GCC
        "#undef __GNUC__",
        "#undef __x86_64__",
        "#pragma GCC poison __attribute__ __typeof__ __builtin_shuffle __builtin_shufflevector",
        *(f"#define {macro}" for macro in macros.split()),
        f'#include "{path}"',
    ]
    include = sysconfig.get_paths()["include"]
    command = ["gcc", "-std=c11", "-fsyntax-only", "-I", include, "-x", "c", "-"]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
