"""The command line: python -m micrograd grade student.py [--operations "+ * relu"] [--json].

The student's file runs in a process of its own, so that nothing in it (a print, an endless loop, an
`os._exit(0)`) can pass for a grade.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import sys
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from micrograd.explain.known_mistakes.grading import Grade, Graded, grade

LOADING = 30.0  # seconds to import the file
GRADING = 120.0  # seconds for all graphs; each has a limit of its own


class NotGradedError(Exception):
    """The reason why no class in a file could be graded."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Grade the class Value in a file, print the result, and return 0 if every graph passed.

    Returns 1 if one failed or nothing could be graded; exits with 2 where the command is wrong.
    """
    parser = argparse.ArgumentParser(prog="python -m micrograd")
    command = parser.add_subparsers(dest="command", required=True).add_parser(
        "grade", help="grade the class Value that a student wrote"
    )
    command.add_argument("file", type=Path, help="a Python file that defines the class Value")
    command.add_argument(
        "--operations",
        default="+ * relu",
        help='the operations that the class must have (default: "%(default)s")',
    )
    command.add_argument(
        "--json", action="store_true", help="print the results.json that Gradescope reads"
    )
    options = parser.parse_args(arguments)
    if not options.file.is_file():
        parser.error(f"there is no file {options.file}")
    try:
        nothing = grade(_nothing, options.operations)
    except ValueError as error:
        parser.error(str(error))
    try:
        graded, output = grade_file(options.file, options.operations), ""
    except NotGradedError as error:
        graded, output = nothing, str(error)
    if options.json:
        print(json.dumps(for_gradescope(graded, output), indent=2))
    else:
        print(f"{output}: 0 of {graded.out_of} points" if output else graded)
    return 0 if graded.passed else 1


def grade_file(file: Path, operations: str, seconds: float = GRADING) -> Grade:
    """Grade the class Value in a file, in a process of its own, for at most so many seconds.

    Raises NotGradedError where the file cannot be imported, defines no class Value, or ends or
    blocks its process.
    """
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_grade_in_process, args=(file, operations, sender)
    )
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        fault = _receive(receiver, LOADING, f"{file.name} was not imported within {LOADING:g} s")
        if fault:
            raise NotGradedError(fault)
        rows = _receive(receiver, seconds, f"{file.name} was not graded within {seconds:g} s")
        return Grade("Value", [Graded(*row) for row in rows])
    except EOFError:
        raise NotGradedError(f"{file.name} ended Python before it was graded") from None
    finally:
        process.kill()
        process.join()


def _receive(receiver: Connection, seconds: float, late: str) -> Any:
    if not receiver.poll(seconds):
        raise NotGradedError(late)
    return json.loads(receiver.recv_bytes())


def _grade_in_process(file: Path, operations: str, sender: Connection) -> None:
    """Send the fault of a file, or "", and then the rows of its grade."""
    os.dup2(2, 1)  # what the student prints is no part of the result
    try:
        value, fault = _load(file), ""
    except (Exception, SystemExit) as error:
        traceback.print_exc()
        fault = f"{file.name} could not be imported: {type(error).__name__}: {error}"
    else:
        fault = "" if callable(value) else f"{file.name} defines no class Value"
    _send(sender, fault)
    if not fault:
        _send(sender, grade(value, operations).data)


def _send(sender: Connection, result: Any) -> None:
    sys.stdout.flush()  # the process is killed when its last word has arrived
    sender.send_bytes(json.dumps(result).encode())


def _load(file: Path) -> Any:
    """Import a file, with the files beside it within reach, and return its Value, or None."""
    sys.path.insert(0, str(file.parent.resolve()))
    spec = importlib.util.spec_from_file_location("__student__", file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file.name} is no Python file")
    module = sys.modules["__student__"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, "Value", None)


def _nothing(number: float) -> Any:
    raise NotGradedError


def for_gradescope(graded: Grade, output: str = "") -> dict[str, Any]:
    """Lay a grade out as Gradescope's results.json: a test for each graph, a point for each.

    `output` says why nothing could be graded.

    >>> from micrograd import Value
    >>> for_gradescope(grade(Value, "+"))["tests"][0]
    {'name': 'a + b', 'score': 1, 'max_score': 1, 'status': 'passed', 'output': ''}
    """
    return {
        "output": output or graded.table().note,
        "tests": [
            {
                "name": row.test,
                "score": row.points,
                "max_score": int(not row.optional),
                "status": "passed" if row.passed else "failed",
                "output": output or _explain(row),
            }
            for row in graded.data
        ],
    }


def _explain(row: Graded) -> str:
    numbers = f"{row.number}: expected {row.expected}, got {row.got}" if row.number else ""
    return "; ".join(filter(None, [row.error, numbers, row.mistake]))
