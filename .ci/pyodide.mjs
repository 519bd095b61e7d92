// Runs examples.py on a wheel in Pyodide: node pyodide.mjs WHEEL.
// Both are copied to where the npm package pyodide is installed.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const python = await loadPyodide();
python.unpackArchive(new Uint8Array(readFileSync(process.argv[2])), "wheel");
try {
  python.runPython(readFileSync("examples.py", "utf8"));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
