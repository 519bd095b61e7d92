// Runs a script on a wheel in Pyodide: node pyodide.mjs WHEEL SCRIPT.
// It is copied to where the npm package pyodide is installed.
import { readFileSync } from "node:fs";
import { loadPyodide } from "pyodide";

const python = await loadPyodide();
python.unpackArchive(new Uint8Array(readFileSync(process.argv[2])), "wheel");
try {
  python.runPython(readFileSync(process.argv[3], "utf8"));
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
