// Python with micrograd, in a thread of its own: the page asks, answers.py answers.

const MODULES = ["answers.py", "exercise.py", "matlab.py", "shown.py", "student.py", "written.py"];

async function bytesOf(name) {
  const response = await fetch(new URL(name, import.meta.url));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

async function start() {
  const names = ["micrograd.whl", "arrays.py", ...MODULES];
  const [wheel, arrays, ...sources] = names.map(bytesOf); // they load while Python does
  const { loadPyodide } = await import("./pyodide/pyodide.mjs");
  const python = await loadPyodide();
  postMessage({ doing: "Starting micrograd ..." });
  const folder = "/home/pyodide/";
  python.unpackArchive(await wheel, "wheel", { extractDir: folder });
  python.FS.writeFile(folder + "numpy.py", await arrays); // what stands in for NumPy
  for (const [i, name] of MODULES.entries()) python.FS.writeFile(folder + name, await sources[i]);
  const { answer } = python.pyimport("answers");
  onmessage = ({ data: { request, bytes } }) => postMessage({ answer: answer(JSON.stringify(request), bytes && python.toPy(bytes)) });
  postMessage({ ready: true });
}

// When its code does not arrive whole, Pyodide only logs that, and waits for ever.
const failed = (error) => postMessage({ failed: String(error?.message ?? error) });
const instantiate = WebAssembly.instantiateStreaming;
WebAssembly.instantiateStreaming = (...code) => {
  const made = instantiate(...code);
  made.catch(failed);
  return made;
};
addEventListener("unhandledrejection", ({ reason }) => failed(reason));
start().catch(failed);
