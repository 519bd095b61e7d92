// The network as circles and edges: drawNetwork(svg, state, choose). JavaScript draws and listens;
// every number comes from Python. An element that stands for a number has it in data-name and
// data-at, "Theta2" and "1,0", say.

const ROUND = 21, DOWN = 66; // radius of a unit, distance between two

function drawNetwork(svg, state) {
  const width = Math.max(320, Math.min(svg.parentNode.clientWidth, 760)), layers = state.layers;
  const last = layers.length - 1, tallest = Math.max(...layers.map((l, i) => l.a.length + (i < last)));
  const room = layers.some((layer) => layer.more) ? 20 : 0; // for how many units are not drawn
  const height = tallest * DOWN + 24 + room, step = (width - 2 * ROUND - 62) / last;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const x = (layer) => ROUND + 4 + layer * step;
  const y = (layer, k) => { // unit 0 is the bias
    const rows = layers[layer].a.length + (layer < last);
    return (height - room - rows * DOWN) / 2 + (k - (layer === last) + 0.5) * DOWN;
  };
  const isChosen = ([level, k, j]) => chosen(state.chosen, `Theta${level}`, [k, j]) !== "";
  const inOrder = [...state.edges].sort((one, other) => isChosen(one) - isChosen(other)); // on top
  const parts = inOrder.map((edge) => drawnEdge(edge, x, y, state.chosen));
  layers.forEach((layer, l) => {
    if (l < last) parts.push(square(x(l), y(l, 0)));
    layer.a.forEach((a, i) => parts.push(unit(l, i + 1, a, layer.delta[i], x(l), y(l, i + 1), state.chosen)));
    if (layer.more) parts.push(words(x(l), height - 6, `+ ${layer.more}`, "delta"));
  });
  state.y.forEach((label, i) => {
    const at = y(last, i + 1), there = chosen(state.chosen, "y", [i + 1]);
    parts.push(`<g class="number ${there}" data-name="y" data-at="${i + 1}">
      <rect x="${x(last) + ROUND + 6}" y="${at - 13}" width="48" height="26" rx="5"/>
      ${words(x(last) + ROUND + 30, at + 4, `y ${digits(label)}`)}</g>`);
  });
  svg.innerHTML = parts.join("");
  svg.setAttribute("aria-label", `Network of ${layers.map((l) => l.a.length + l.more).join(", ")} units; `
    + `outputs ${layers[last].a.map(digits).join(", ")}. Its numbers are chosen in the list below.`);
}

function drawnEdge([level, k, j, theta], x, y, picked) {
  const ends = `x1="${x(level - 1)}" y1="${y(level - 1, j)}" x2="${x(level)}" y2="${y(level, k)}"`;
  const thick = Math.min(6, 0.8 + 1.6 * Math.sqrt(Math.abs(theta)));
  const name = `Theta${level}`, at = `${k},${j}`, mark = chosen(picked, name, [k, j]);
  const middle = [(x(level - 1) + x(level)) / 2, (y(level - 1, j) + y(level, k)) / 2 + 4];
  const label = mark && words(...middle, digits(theta), "theta");
  return `<g class="edge ${theta < 0 ? "negative" : ""} ${mark}"
    data-name="${name}" data-at="${at}"><title>${name}(${at}) = ${digits(theta)}</title>
    <line ${ends} stroke-width="${thick}"/><line class="reach" ${ends}/>${label}</g>`;
}

function unit(layer, k, a, delta, x, y, picked) {
  const circle = `<circle cx="${x}" cy="${y}" r="${ROUND}"/>${words(x, y + 4, digits(a))}`;
  if (layer === 0) return `<g class="number ${chosen(picked, "x", [k])}" data-name="x" data-at="${k}">${circle}</g>`;
  return `<g class="unit">${circle}${words(x, y + ROUND + 14, `δ ${digits(delta)}`, "delta")}</g>`;
}

const square = (x, y) => `<g class="unit"><rect x="${x - 13}" y="${y - 13}" width="26" height="26"/>${words(x, y + 4, "1")}</g>`;

const words = (x, y, text, kind = "") => `<text class="${kind}" x="${x}" y="${y}">${text}</text>`;

const digits = (x) => (Number.isInteger(x) && Math.abs(x) < 1e4 ? String(x)
  : Math.abs(x) >= 1e4 || (x && Math.abs(x) < 5e-4) ? x.toExponential(0) : x.toFixed(3)).replace("-", "−");

const chosen = (picked, name, at) => picked.name === name && String(picked.subscripts) === String(at) ? "chosen" : "";
