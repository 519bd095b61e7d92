"""Run the examples in the docstrings that need no NumPy, on the micrograd that is installed."""

import doctest
import importlib
import sys

import micrograd

MODULES = ["engine", "losses", "nn", "ops", "optim", "symbolic.formula", "value.numbers"]
WITH_NUMPY = {"micrograd.ops.by_ieee"}

runner = doctest.DocTestRunner()
for name in MODULES:
    module = importlib.import_module(f"micrograd.{name}")
    for test in doctest.DocTestFinder().find(module):
        if test.name not in WITH_NUMPY:
            runner.run(test)
failed, tried = runner.summarize()
python = f"Python {sys.version.split()[0]} on {sys.platform}"
print(f"{tried - failed} of {tried} examples hold on {python}, core: {micrograd.core}")
assert tried > 50
assert not failed
