// Runs the doctests that need no NumPy on a wheel in Pyodide: node pyodide.mjs WHEEL.
// It is copied to where the npm package pyodide is installed.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const program = `
import doctest, importlib, sys
import micrograd
assert micrograd.core == "python", micrograd.core
failed = tried = 0
for name in ("engine", "formula", "losses", "nn", "ops", "optim", "scalars"):
    result = doctest.testmod(importlib.import_module("micrograd." + name))
    failed, tried = failed + result.failed, tried + result.attempted
assert tried > 50 and not failed, (tried, failed)
print(f"{tried} examples hold on {sys.platform}, Python {sys.version.split()[0]}")
`;

const python = await loadPyodide();
python.unpackArchive(new Uint8Array(readFileSync(process.argv[2])), "wheel");
try {
  python.runPython(program);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
