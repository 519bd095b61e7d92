"""Answer what the live page asks: requests and answers are JSON, every number is micrograd's."""

from __future__ import annotations

import json
from typing import Any

import matlab
import student
import written
from exercise import Exercise
from shown import as_text, shown

from micrograd.explain import check_gradient

now = Exercise.published()
found = now.computed()
waiting: dict[str, Any] = {}  # matrices from files that fit only with those of another file


def answer(request: str, data: Any = None) -> str:
    """Answer a request: its `do` names the function below, the rest is for that."""
    asked = json.loads(request)
    if data is not None:
        asked["data"] = bytes(data)
    try:
        return json.dumps(globals()[f"do_{asked.pop('do')}"](**asked))
    except (ValueError, TypeError, LookupError, ArithmeticError) as error:
        return json.dumps({"error": str(error)})


def _show(exercise: Exercise) -> dict[str, Any]:
    """Compute an exercise and show it; keep it if that goes well."""
    global now, found
    computed = exercise.computed()
    state = shown(exercise, computed)
    now, found = exercise, computed
    return state


def _show_also(**change: Any) -> dict[str, Any]:
    """Show another part of what was computed."""
    global now
    state = shown(now._replace(**change), found)
    now = now._replace(**change)
    return state


def _show_with_text(exercise: Exercise) -> dict[str, Any]:
    return {**_show(exercise), "text": as_text(exercise)}


# The network -------------------------------------------------------------------------------------


def do_start() -> dict[str, Any]:
    """Begin with the published check case."""
    return _show_with_text(Exercise.published())


def do_change(name: str, subscripts: list[int], number: float) -> dict[str, Any]:
    """Give one place another number."""
    return _show(now.with_number(name, subscripts, number))


def do_choose(name: str, subscripts: list[int]) -> dict[str, Any]:
    """Describe another number."""
    return _show_also(chosen=(name, *subscripts))


def do_look(example: int) -> dict[str, Any]:
    """Draw another example."""
    return _show_also(example=example)


def do_by_hand() -> dict[str, Any]:
    """Write the example out, each number in a line."""
    return {"html": found.by_hand(now.example)._repr_html_()}


def do_use(first: int, count: int) -> dict[str, Any]:
    """Compute with other examples of those that were given."""
    return _show(now.using(first, count))


def do_step(alpha: float) -> dict[str, Any]:
    """Take a step of gradient descent."""
    j = found.J.data
    fall = alpha * sum(d * d for D in found.D.values() for row in D for d in row)
    state = _show_with_text(now.stepped(found, alpha))
    return {**state, "moved": f"J: {j:.4f}, predicted {j - fall:.4f}, now {state['J']:.4f}"}


# The reader's own --------------------------------------------------------------------------------


def do_paste(text: str) -> dict[str, Any]:
    """Take matrices that were written down."""
    return _show_with_text(Exercise.of(written.named_matrices(text), now))


def do_file(data: bytes) -> dict[str, Any]:
    """Take the matrices of a MAT-file, together with those of earlier files that wait for them."""
    matrices = matlab.read(data)
    read = ", ".join(f"{name} {len(rows)}x{len(rows[0])}" for name, rows in matrices.items())
    waiting.update(matrices)
    try:
        state = _show_with_text(Exercise.of(waiting, now))
    except ValueError as error:
        return {"read": f"Read {read or 'no matrices'}. Not in use yet: {error}"}
    waiting.clear()
    return {**state, "read": f"Read {read}: in use now."}


def do_check(text: str) -> dict[str, Any]:
    """Check a gradient for the examples in use."""
    given = written.matrices(text)
    unrolled = len(given) == 1 and 1 in (len(given[0]), len(given[0][0]))
    gradient: Any = [x for row in given[0] for x in row] if unrolled else given
    checked = check_gradient(now.thetas, *now.used, gradient, now.lam)
    return {"html": checked._repr_html_()}


def do_accumulators() -> dict[str, Any]:
    """Write Delta down: a gradient whose 1/m is missing."""
    sums = found.Delta.items()
    lines = [f"Theta{n}_grad = {written.written(m.rows)}" for n, m in sums]
    return {"text": "\n".join(lines)}


def do_grade(code: str, operations: str) -> dict[str, Any]:
    """Grade a student's class."""
    return {"html": student.graded(code, operations)}
