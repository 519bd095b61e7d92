"""Save parameters and the state of an optimiser to a file, and load them.

May import everything up to `optim`. Begin with saving.py.
"""

from micrograd.files.saving import load, save

__all__ = ["load", "save"]
