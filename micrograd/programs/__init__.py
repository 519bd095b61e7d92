"""Programs: scalar code of one example, traced once, lifted to matrix equations, run on arrays."""

from micrograd.programs.functions import Program, program
from micrograd.programs.results import Result
from micrograd.programs.trace import ProgramError

__all__ = ["Program", "ProgramError", "Result", "program"]
