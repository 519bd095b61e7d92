"""A program's JavaScript gives what the program gives; its page has what was asked for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from random_cases import arguments, cases
from test_export_c import CHOSEN, RANDOM, branching, of_structure, uneven

import micrograd as mg
from micrograd import Value
from micrograd.nn import MLP
from micrograd.programs import Program
from micrograd.programs.export.javascript import javascript_of

CALLS = """
const outcome = JSON.parse(require("fs").readFileSync(0)).map(([given, width]) => {
  const result = new Float64Array(width), rows = given.map((x) => Float64Array.from(x));
  let status = 1;
  for (let k = 0; k < paths.length && status === 1; k++) status = paths[k](...rows, result);
  return [status, [...result].map(String)];
});
console.log(JSON.stringify(outcome));
"""


def in_javascript(program: Program, rows: Sequence[Sequence[Any]]) -> list[tuple[int, Any]]:
    """Compute rows in Node.js: the status and the results of each."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node.js is not installed")
    writable = program._writable()
    given = [[[np.ravel(x).tolist() for x in row], writable.width] for row in rows]
    script = f'"use strict";{javascript_of(writable)}{CALLS}'
    done = subprocess.run(
        [node, "-e", script], input=json.dumps(given), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [(status, np.array(x, float)) for status, x in json.loads(done.stdout)]


def check(program: Program, arrays: Sequence[Any], right: Any) -> None:
    rows = list(zip(*arrays))
    for (status, found), expected in zip(in_javascript(program, rows), right):
        assert status == 0
        np.testing.assert_allclose(found, np.ravel(expected), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CHOSEN)
def test_a_program_of_each_structure(name: str) -> None:
    check(*of_structure(name, 3))


@pytest.mark.parametrize("number", RANDOM)
def test_random_programs(number: int) -> None:
    case = cases.draw(777, number)
    program = case.program()
    arrays = [arguments.numbers(np.random.default_rng(number), 3, a) for a in case.arguments]
    check(program, arrays, arguments.call(program, case.arguments, arrays).data)


def test_uneven_sums() -> None:
    program, x = uneven()
    check(program, [x], program(x).data)


def test_paths_and_integers_are_refused_as_in_c() -> None:
    program, _ = branching()
    program([2.0, 0.5])
    found = in_javascript(program, [[2.0], [0.5], [-8.0]])
    assert [status for status, _ in found] == [0, 0, 1]
    np.testing.assert_allclose(found[1][1], program([0.5]).data, rtol=1e-12)
    table = [Value(0.5), 2.0, Value(4.0)]
    chosen = mg.program(lambda token: mg.take(table, token) * 2)
    chosen([0])
    found = in_javascript(chosen, [[2], [-3], [3], [0.5]])
    assert [status for status, _ in found] == [0, 0, 2, 2]
    assert [x.tolist() for _, x in found[:2]] == [[8.0], [1.0]]


# Pages -------------------------------------------------------------------------------------------


def about(path: Path) -> Any:
    """Return what a page says that it shows."""
    [found] = re.findall(r'id="about">(.*?)</script>', path.read_text(encoding="utf-8"))
    return json.loads(found)


def test_the_page_of_a_classifier_is_small(tmp_path: Path) -> None:
    model = MLP(64, [32, 10], activation="sigmoid")
    program = mg.program(lambda x: model(x))
    program(np.zeros((1, 64)))
    program.to_html(tmp_path / "digits.html", image=(8, 8), results="0123456789")
    assert (tmp_path / "digits.html").stat().st_size < 60_000
    assert about(tmp_path / "digits.html") == {
        "arguments": [{"size": 64, "image": [8, 8], "inputs": []}],
        "results": [*"0123456789"],
        "tokens": None,
    }


def test_sliders_have_names_and_ranges(tmp_path: Path) -> None:
    table = [1.0, 2.0, 4.0]
    program = mg.program(lambda x, kind: x[0] * x[1] * mg.take(table, kind))
    program(np.ones((1, 2)), [1])
    program.to_html(tmp_path / "a.html")
    named = [i for a in about(tmp_path / "a.html")["arguments"] for i in a["inputs"]]
    assert [i["name"] for i in named] == ["x[0]", "x[1]", "kind"]
    assert named[1:] == [
        {"name": "x[1]", "low": -1, "high": 1, "step": 0.01, "value": 0},
        {"name": "kind", "low": 0, "high": 2, "step": 1, "value": 1},
    ]
    ranges = {"<b>&": (0, 10), "width": (2, 3), "kind": (0, 1)}
    program.to_html(tmp_path / "a.html", inputs=ranges, results=["</script>"])
    [first, *_] = about(tmp_path / "a.html")["arguments"][0]["inputs"]
    assert first == {"name": "<b>&", "low": 0, "high": 10, "step": 0.05, "value": 5}
    assert about(tmp_path / "a.html")["results"] == ["</script>"]


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        ({"inputs": ["a"]}, r"inputs has 1 names, and f takes 3 numbers: x\[0\], x\[1\], y"),
        ({"inputs": {"a": (1, 1), "b": (0, 1), "c": (0, 1)}}, "the range of a goes from a number"),
        ({"results": ["a"]}, "results has 1 names, and f gives 2"),
        ({"image": (8, 8)}, "needs an argument of 64 numbers; f has x: 2, y: 1"),
        ({"tokens": ["a", "b"]}, 'one of the tokens is ""'),
        ({"tokens": ["a", ""]}, "takes one argument, a list of integers"),
    ],
)
def test_looks_that_do_not_fit_are_said(
    looks: dict[str, Any], message: str, tmp_path: Path
) -> None:
    def f(x: Any, y: Any) -> Any:
        return [x[0] * y, x[1]]

    program = mg.program(f)
    program([[1.0, 2.0]], [3.0])
    with pytest.raises(ValueError, match=message):
        program.to_html(tmp_path / "a.html", **looks)
    assert not list(tmp_path.iterdir())


def test_an_image_has_two_sides_and_a_file_a_folder(tmp_path: Path) -> None:
    program = mg.program(lambda x: x[0] * 2)
    program([[1.0]])
    with pytest.raises(TypeError, match=r"got 8: write image=\(8, 8\)"):
        program.to_html(tmp_path / "a.html", image=8)  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"create its folder first.*nowhere.a\.html'"):
        program.to_html(tmp_path / "nowhere" / "a.html")


def test_a_model_of_tokens_has_scores_for_each(tmp_path: Path) -> None:
    w = [[Value(0.1 * i + j) for j in range(3)] for i in range(3)]
    program = mg.program(lambda tokens: [s for t in tokens for s in mg.take(w, t)])
    program([[0, 1, 2, 0]])
    program.to_html(tmp_path / "a.html", tokens=["a", "b", ""])
    assert about(tmp_path / "a.html")["tokens"] == ["a", "b", ""]
    with pytest.raises(ValueError, match=r"for each of the 4 positions, 16 in all; .* gives 12"):
        program.to_html(tmp_path / "a.html", tokens=["a", "b", "c", ""])
