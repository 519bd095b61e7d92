"""Programs: scalar code of one example, traced once, lifted to matrix equations, run on arrays."""

from micrograd.programs.api import Program, program
from micrograd.programs.cluster.chunks import ClusterResult
from micrograd.programs.objective import Objective
from micrograd.programs.run.results import Result
from micrograd.programs.trace.recording import ProgramError

__all__ = ["ClusterResult", "Objective", "Program", "ProgramError", "Result", "program"]
