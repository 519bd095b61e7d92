// The live page: what the reader does becomes a request to Python, its answer is drawn.

const at = (name) => document.getElementById(`live-${name}`);
const waiting = []; // requests that Python has not answered; the first one is with it
let worker, state, ready = false, slow = 0, heard = 0; // the last two are timers

// Python ------------------------------------------------------------------------------------------

function startPython() {
  at("failed").hidden = true;
  ready = false;
  say("Loading Python, about 14 MB the first time ...");
  slow = setTimeout(() => say("Still loading. If nothing comes, check the connection, then load the page again."), 60_000);
  try {
    worker = new Worker(at("page").dataset.worker, { type: "module" });
  } catch (error) {
    return fail(error.message);
  }
  worker.onerror = (event) => fail(event.message || "it is not where it should be");
  worker.onmessage = ({ data }) => {
    if (data.failed) fail(data.failed);
    if (data.doing) say(data.doing);
    if (data.ready) {
      clearTimeout(slow);
      ready = true;
      say("");
      waiting.unshift({ request: { do: "start" }, then: show });
      send();
    }
    if (data.answer) answered(JSON.parse(data.answer));
  };
}

function fail(why) {
  clearTimeout(slow);
  worker?.terminate();
  waiting.length = 0;
  say("");
  at("why").textContent = why;
  at("failed").hidden = false;
}

// Ask Python; of changes that wait, only the last is sent.
function ask(request, then, bytes) {
  const same = waiting.findIndex((other, i) => i > 0 && other.request.do === "change" && request.do === "change");
  if (same > 0) waiting.splice(same, 1);
  waiting.push({ request, then, bytes });
  if (ready && waiting.length === 1) send();
}

function send() {
  const { request, bytes } = waiting[0];
  worker.postMessage({ request, bytes });
  clearTimeout(heard);
  heard = setTimeout(stuck, 60_000);
}

function stuck() {
  worker.terminate();
  waiting.length = 0;
  say("That took longer than a minute, so it was stopped. Python starts again ...");
  startPython();
}

function answered(found) {
  clearTimeout(heard);
  const { then, request } = waiting.shift();
  if (waiting.length) send();
  if (found.error) (OUTPUTS[request.do] || say)(found.error);
  else then(found);
}

const OUTPUTS = {
  step: (text) => { at("moved").textContent = text; },
  use: (text) => { at("read").textContent = text; },
  paste: (text) => { at("read").textContent = text; },
  file: (text) => { at("read").textContent = text; },
  check: (text) => { at("verdict").textContent = text; },
  grade: (text) => { at("grade").textContent = text; },
};

const say = (text) => { at("status").textContent = text; };

// Showing -----------------------------------------------------------------------------------------

// A table that is wider than the page scrolls, by keys too.
function write(name, html) {
  at(name).innerHTML = html;
  for (const table of at(name).querySelectorAll("table")) table.tabIndex = 0;
}

function show(found) {
  state = found;
  say("");
  drawNetwork(at("network"), state);
  at("J").textContent = state.J.toFixed(5);
  at("cost").textContent = state.cost.toFixed(5);
  write("tables", state.tables.map((table) => `<div>${table}</div>`).join(""));
  fill(at("example"), Array.from({ length: state.count }, (_, i) => [i + 1, `example ${state.first + i}`]), state.example);
  at("other").hidden = !state.layers.some((layer) => layer.more);
  at("hand").open = false; // it is written out when it is opened
  const { first, count, examples } = state;
  at("range").hidden = examples <= count && first === 1;
  at("examples").textContent = `${count} of ${examples} examples, from`;
  at("first").value = first;
  at("count").value = count;
  showChosen(state.chosen);
  if (found.text !== undefined) at("matrices").value = found.text;
  if (found.moved) at("moved").textContent = found.moved;
  if (found.read) at("read").textContent = found.read;
}

function showChosen({ name, subscripts, label, number, lines, nudge }) {
  const key = `${name}:${subscripts}`, numbers = state.edges.map(([level, k, j]) => [`Theta${level}`, `${k},${j}`]);
  numbers.push(...state.layers[0].a.map((_, i) => ["x", i + 1]), ...state.y.map((_, i) => ["y", i + 1]), ["lambda", ""]);
  if (!numbers.some(([n, s]) => `${n}:${s}` === key)) numbers.push([name, subscripts]); // of a unit that is not drawn
  fill(at("chosen"), numbers.map(([n, s]) => [`${n}:${s}`, s === "" ? n : `${n}(${s})`]), key);
  const slider = at("slider"), box = at("number"), reach = name === "y" ? [0, 1] : name === "lambda" ? [0, 10] : [-5, 5];
  if (slider.dataset.of !== label) [slider.min, slider.max] = reach;
  slider.dataset.of = label;
  slider.min = Math.min(slider.min, number);
  slider.max = Math.max(slider.max, number);
  if (document.activeElement !== box) box.value = +number.toPrecision(6);
  slider.value = number;
  slider.setAttribute("aria-valuetext", `${label} is ${+number.toPrecision(4)}, J is ${state.J.toFixed(4)}`);
  at("lines").textContent = lines.join("\n");
  at("lines").hidden = !lines.length;
  write("nudge", nudge);
}

function fill(list, options, value) {
  const made = options.map(([key, text]) => `<option value="${key}">${text}</option>`).join("");
  if (list.dataset.made !== made) list.innerHTML = list.dataset.made = made;
  list.value = value;
}

// Listening ---------------------------------------------------------------------------------------

const spot = (text) => { // "Theta2:1,0"
  const [name, subscripts] = text.split(":");
  return { name, subscripts: subscripts ? subscripts.split(",").map(Number) : [] };
};

function change(text) {
  if (waiting.some(({ request }) => request.do === "choose")) return; // it was meant for the number before
  const number = Number(String(text).replace(",", ".").replace("\u2212", "-"));
  if (String(text).trim() && Number.isFinite(number)) ask({ do: "change", ...spot(at("chosen").value), number }, show);
}

function dragging(svg) {
  let start;
  svg.addEventListener("pointerdown", (event) => {
    const { name, at: subscripts } = event.target.closest("[data-name]")?.dataset ?? {};
    if (!name) return;
    const value = `${name}:${subscripts}`;
    start = null;
    ask({ do: "choose", ...spot(value) }, (found) => {
      show(found);
      if (svg.hasPointerCapture(event.pointerId)) start = { x: event.clientX, number: found.chosen.number };
    });
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!start || !svg.hasPointerCapture(event.pointerId)) return;
    const number = start.number + (event.clientX - start.x) / 100;
    change(state.chosen.name === "y" ? Math.max(0, Math.min(1, number)) : +number.toFixed(2));
  });
  svg.addEventListener("pointerup", () => { start = null; });
}

async function readFiles(files) {
  for (const file of files) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    ask({ do: "file" }, (found) => (found.J === undefined ? OUTPUTS.file(found.read) : show(found)), bytes);
  }
}

function dropping(place) {
  place.addEventListener("dragover", (event) => event.preventDefault());
  place.addEventListener("drop", (event) => {
    event.preventDefault();
    readFiles(event.dataTransfer.files);
  });
}

const on = (name, kind, act) => at(name).addEventListener(kind, act);

function listen() {
  on("retry", "click", startPython);
  on("example", "change", () => ask({ do: "look", example: +at("example").value }, show));
  on("chosen", "change", () => ask({ do: "choose", ...spot(at("chosen").value) }, show));
  on("name", "change", () => ask({ do: "choose", ...spot(at("name").value.replace(/[()\s]+/g, (s) => (s.includes("(") ? ":" : ""))) }, show));
  on("hand", "toggle", () => at("hand").open && ask({ do: "by_hand" }, ({ html }) => write("written", html)));
  on("slider", "input", () => change(at("slider").value));
  on("number", "input", () => change(at("number").value));
  on("step", "click", () => ask({ do: "step", alpha: Number(at("alpha").value.replace(",", ".")) }, show));
  on("again", "click", () => ask({ do: "start" }, (found) => { at("moved").textContent = ""; show(found); }));
  on("use", "click", () => ask({ do: "use", first: +at("first").value, count: +at("count").value }, show));
  on("paste", "click", () => ask({ do: "paste", text: at("matrices").value }, (found) => show({ ...found, read: "In use now." })));
  on("files", "change", () => readFiles(at("files").files));
  on("check", "click", () => ask({ do: "check", text: at("gradient").value }, ({ html }) => write("verdict", html)));
  on("wrong", "click", () => ask({ do: "accumulators" }, ({ text }) => { at("gradient").value = text; at("check").click(); }));
  on("grading", "click", () => {
    at("grade").textContent = "Grading ...";
    ask({ do: "grade", code: at("code").value, operations: at("operations").value }, ({ html }) => write("grade", html));
  });
  on("code", "keydown", indenting);
  on("code", "input", () => { localStorage.setItem("micrograd-lab", at("code").value); });
  on("anew", "click", () => {
    localStorage.removeItem("micrograd-lab");
    showLab();
  });
  dragging(at("network"));
  dropping(at("drop"));
  addEventListener("resize", () => state && drawNetwork(at("network"), state));
}

function indenting(event) { // a new line begins where the last one did
  if (event.key !== "Enter" || event.ctrlKey) return;
  event.preventDefault();
  const box = event.target, line = box.value.slice(0, box.selectionStart).split("\n").pop();
  const margin = /^ */.exec(line)[0] + (line.trimEnd().endsWith(":") ? "    " : "");
  box.setRangeText(`\n${margin}`, box.selectionStart, box.selectionEnd, "end");
}

async function showLab() { // what was written here before, or the class as the lab begins it
  const lab = new URL("lab.py", new URL(at("page").dataset.worker, location));
  at("code").value = localStorage.getItem("micrograd-lab")
    ?? await fetch(lab).then((response) => response.text(), () => "");
}

listen();
startPython();
showLab();
