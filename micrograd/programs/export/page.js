// The page of a program: inputs, what the program makes of them, and the results.
// `paths` is written above, and `about` says what there is to show.
const about = JSON.parse(document.getElementById("about").textContent);
const newRows = () => about.arguments.map((argument) => new Float64Array(argument.size));
const newResults = () => new Float64Array(about.results.length);
const rows = newRows(), results = newResults();
const REFUSALS = [
  "",
  "This row takes a path through an if that was not traced in Python.",
  "An integer is out of its range.",
];
const element = (id) => document.getElementById(id);
const make = (tag, className, parent) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  parent.append(made);
  return made;
};
const shown = (x) => `${+x.toPrecision(4)}`;

// Compute the results of these numbers; give why they cannot be, or nothing.
const compute = (given = rows, out = results) => {
  let status = 1;
  for (let k = 0; k < paths.length && status === 1; k++) status = paths[k](...given, out);
  if (status) out.fill(NaN);
  return REFUSALS[status];
};

// For whoever calls the program from elsewhere: numbers, or lists of them, one for each argument.
const asked = newRows(), answers = newResults();
window.predict = (...given) => {
  if (given.length !== asked.length) throw new TypeError(`predict takes ${asked.length} arguments`);
  given.forEach((x, k) => {
    const numbers = [x].flat(Infinity);
    if (numbers.length !== asked[k].length)
      throw new TypeError(`argument ${k + 1} of predict has ${asked[k].length} numbers`);
    asked[k].set(numbers);
  });
  const refusal = compute(asked, answers);
  if (refusal) throw new RangeError(refusal);
  return [...answers];
};

// Results ------------------------------------------------------------------------------------
const lines = [];
const listResults = () => {
  for (const name of about.results) {
    const line = make("li", "row", element("results"));
    make("span", "name", line).textContent = name;
    const bar = make("i", "", make("span", "track", line));
    lines.push({ line, bar, output: make("output", "", line) });
  }
};
const update = () => {
  const refusal = compute();
  const low = Math.min(0, ...results), high = Math.max(0, ...results);
  const width = low === 0 && high <= 1 ? 1 : high - low;
  const best = results.indexOf(Math.max(...results));
  lines.forEach(({ line, bar, output }, k) => {
    const x = results[k];
    bar.style.left = `${(100 * (Math.min(x, 0) - low)) / width}%`;
    bar.style.width = `${(100 * Math.abs(x)) / width}%`;
    output.textContent = refusal ? "" : shown(x);
    line.classList.toggle("best", k === best && results.length > 1 && !refusal);
  });
  const one = results.length === 1 ? shown(results[0]) : about.results[best];
  element("answer").textContent = refusal || `${one ?? "not a number"}`;
};

// Inputs -------------------------------------------------------------------------------------
const addSlider = (array, place, input) => {
  const line = make("label", "row", element("inputs"));
  make("span", "name", line).textContent = input.name;
  const slider = make("input", "", line);
  Object.assign(slider, { type: "range", min: input.low, max: input.high, step: input.step });
  const output = make("output", "", line);
  slider.value = input.value;
  const take = () => {
    array[place] = +slider.value;
    output.textContent = shown(array[place]);
  };
  slider.addEventListener("input", () => { take(); update(); });
  take();
};

// A pad of pixels from 0 (paper) to 1 (ink). A stroke darkens what is near it.
const addPad = (array, [height, width]) => {
  const canvas = make("canvas", "", element("inputs"));
  const scale = Math.ceil(320 / Math.max(height, width));
  Object.assign(canvas, { width: width * scale, height: height * scale, tabIndex: 0 });
  canvas.setAttribute("role", "img");
  canvas.setAttribute(
    "aria-label",
    `Drawing pad of ${width} by ${height} pixels. Arrow keys move, space draws.`,
  );
  const pen = canvas.getContext("2d"), reach = Math.max(1.1, Math.min(height, width) / 14);
  let cursor = null, from = null;
  const paint = () => {
    for (let k = 0; k < array.length; k++) {
      const shade = Math.round(255 * (1 - array[k]));
      pen.fillStyle = `rgb(${shade},${shade},${shade})`;
      pen.fillRect((k % width) * scale, Math.floor(k / width) * scale, scale, scale);
    }
    if (cursor) {
      pen.strokeStyle = "#c04a00";
      pen.lineWidth = 3;
      pen.strokeRect(cursor[0] * scale + 2, cursor[1] * scale + 2, scale - 4, scale - 4);
    }
    update();
  };
  const stroke = ([x0, y0], [x1, y1]) => {
    const dx = x1 - x0, dy = y1 - y0, length = dx * dx + dy * dy || 1;
    for (let k = 0; k < array.length; k++) {
      const x = (k % width) + 0.5, y = Math.floor(k / width) + 0.5;
      const t = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length));
      const ink = reach - Math.hypot(x - x0 - t * dx, y - y0 - t * dy);
      array[k] = Math.max(array[k], Math.min(1, Math.max(0, ink)));
    }
    paint();
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * width,
      ((event.clientY - box.top) / box.height) * height,
    ];
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    cursor = null;
    from = place(event);
    stroke(from, from);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = place(event);
    stroke(from, to);
    from = to;
  });
  for (const end of ["pointerup", "pointercancel"])
    canvas.addEventListener(end, () => { from = null; });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step && event.key !== " ") return;
    event.preventDefault();
    cursor ??= [0, 0];
    if (!step) return stroke(...[cursor, cursor].map(([x, y]) => [x + 0.5, y + 0.5]));
    cursor = [
      Math.min(width - 1, Math.max(0, cursor[0] + step[0])),
      Math.min(height - 1, Math.max(0, cursor[1] + step[1])),
    ];
    paint();
  });
  canvas.addEventListener("blur", () => { cursor = null; paint(); });
  make("p", "soft", element("inputs")).textContent =
    "Draw as large as the frame, with a finger, the mouse, or the arrow keys and the space bar.";
  const clear = make("button", "", element("inputs"));
  clear.textContent = "Clear";
  clear.addEventListener("click", () => { array.fill(0); paint(); });
  return paint;
};

const start = () => {
  listResults();
  let paint = update;
  about.arguments.forEach((argument, k) => {
    if (argument.image) paint = addPad(rows[k], argument.image);
    else argument.inputs.forEach((input, i) => addSlider(rows[k], i, input));
  });
  paint();
};
