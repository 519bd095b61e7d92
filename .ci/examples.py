"""Run the examples in the docstrings that need no NumPy, on the micrograd that is installed."""

import doctest
import importlib
import sys

import micrograd

MODULES = ["engine", "losses", "nn", "ops", "optim", "symbolic.formula", "value.numbers"]

failed = tried = 0
for name in MODULES:
    result = doctest.testmod(importlib.import_module(f"micrograd.{name}"))
    failed, tried = failed + result.failed, tried + result.attempted
python = f"Python {sys.version.split()[0]} on {sys.platform}"
print(f"{tried - failed} of {tried} examples hold on {python}, core: {micrograd.core}")
assert tried > 50
assert not failed
