// The picture of the inside of a part, in the shapes that picture.py draws.
const LINE = 18, PAD = 9, TOP = 20, LONGEST = 22;
const escaped = (text) => text.replace(/[&<>"']/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" })[c]);
const HALF = LONGEST / 2 - 1, shortened = (name) => (name.length <= LONGEST ? name : `${name.slice(0, HALF)}\u2026${name.slice(-HALF - 1)}`);

function shape(kind, w, h) {
  const outline = {
    parameter: () => `M0 4A${w / 2} 4 0 0 1 ${w} 4V${h - 4}A${w / 2} 4 0 0 1 0 ${h - 4}ZM0 4A${w / 2} 4 0 0 0 ${w} 4`,
    leaf: () => `M0 0H${w}V${h}H0ZM0 5H${w}`,
    input: () => `M0 0H${w - 8}L${w} ${h / 2}L${w - 8} ${h}H0Z`,
    constant: () => `M0 0H${w - 9}L${w} 9V${h}H0ZM${w - 9} 0V9H${w}`,
    part: () => `M0 ${h}V-5H${+(w / 3).toPrecision(6)}L${+(w / 3 + 5).toPrecision(6)} 0H${w}V${h}Z`,
  }[kind];
  return outline ? `<path class="shape" d="${outline()}"/>` : `<rect class="shape" width="${w}" height="${h}" rx="6"/>`;
}

const rowsOf = (key) => (key[0] === "g" ? G[key.slice(1)].rows : [["data", "data", [+key.slice(1)]], [V[key.slice(1)].caption, "grad", [+key.slice(1)]]]);

function drawBox(key, name, [x, y, w, h]) {
  const part = key[0] === "g", one = (part ? G : V)[key.slice(1)], lines = [], right = w - PAD;
  let base = TOP;
  for (const note of part ? one.notes : []) lines.push(`<text class="key" x="${PAD}" y="${(base += LINE)}">${escaped(note)}</text>`);
  rowsOf(key).forEach(([caption, slot], i) => {
    base += LINE;
    lines.push(`<text class="key" x="${PAD}" y="${base}">${escaped(caption)}</text>` +
      `<text class="${slot}" data-slot="${slot}" data-row="${i}" x="${right}" y="${base}"></text>`);
  });
  return `<g class="box ${part ? "part" : one.kind}" data-box="${key}" transform="translate(${x} ${y})"><title>${escaped(one.name)}</title>${shape(part ? "part" : one.kind, w, h)}` +
    `<text class="name" x="${PAD}" y="${TOP}">${escaped(shortened(name))}</text><text class="op" x="${right}" y="${TOP}">${escaped(one.symbol)}</text>${lines.join("")}</g>`;
}

// Within the frame of a module, names leave out its path.
function within(name, part) {
  const path = part >= 0 ? `${G[part].name}.` : "", place = name.lastIndexOf(path);
  return path.length > 1 && place >= 0 ? name.slice(place + path.length) : name;
}

function drawPart(part) {
  const [place, keys] = D.views[part], { size: [w, h], boxes, arrows, frame } = D.layouts[place];
  const lines = arrows.map(([tail, head, position, path]) => {
    const [x, y] = path.match(/-?\d+ -?\d+$/)[0].split(" ").map(Number);
    const key = `${keys[tail]}-${keys[head]}${position < 0 ? "" : "-" + position}`;
    return `<g class="arrow" data-arrow="${key}"><path d="${path}"/><polygon points="${x},${y} ${x - 8},${y - 3.5} ${x - 8},${y + 3.5}"/></g>`;
  });
  const around = `<g class="frame" data-frame="${part}" transform="translate(${frame[0]} ${frame[1]})"><rect width="${frame[2]}" height="${frame[3]}" rx="8"/><text x="10" y="18">${escaped(G[part].name)}</text></g>`;
  const all = keys.map((key, i) => drawBox(key, within((key[0] === "g" ? G : V)[key.slice(1)].name, part), boxes[i]));
  const label = escaped(`Inside ${G[part].name}`);
  return `<svg class="picture" role="group" aria-label="${label}" data-view="${part}" style="--width:${w}px" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}"><rect class="sheet" width="100%" height="100%" rx="8"/>${around}${lines.join("")}${all.join("")}</svg>`;
}
