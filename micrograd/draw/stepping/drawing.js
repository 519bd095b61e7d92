// The inside of a part, and on a narrow screen the whole, in the shapes that picture.py draws.
const slim = matchMedia("(max-width:600px)");
const LINE = 18, PAD = 9, TOP = 20, LONGEST = 22, ROOM = 130;
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

// A box that is too narrow for the captions of its numbers has none.
function drawBox(key, part, [x, y, w, h]) {
  const { name, parent, kind, symbol, notes, rows } = thing(key), right = w - PAD;
  let base = TOP;
  const text = (style, x, words, more = "") => `<text class="${style}"${more} x="${x}" y="${base}">${escaped(words)}</text>`;
  const head = text("name", PAD, shortened(within(name, part < 0 ? parent : part))) + text("op", right, symbol);
  const lines = [...notes.map((note) => [note]), ...rows].map(([words, slot], i) => {
    base += LINE;
    return text("key", PAD, w < ROOM ? "" : words) + (slot ? text(slot, right, "", ` data-slot="${slot}" data-row="${i - notes.length}"`) : "");
  });
  return `<g class="box ${kind}" data-box="${key}" transform="translate(${x} ${y})"><title>${escaped(name)}</title>${shape(kind, w, h)}${head}${lines.join("")}</g>`;
}

// Within the frame of a module, names leave out its path.
function within(name, part) {
  const path = part >= 0 ? `${G[part].name}.` : "", place = name.lastIndexOf(path);
  return path.length > 1 && place >= 0 ? name.slice(place + path.length) : name;
}

function drawPart(part) {
  const [wide, keys, upright] = D.views[part], { size: [w, h], boxes, arrows, frames } = D.layouts[slim.matches ? upright : wide];
  const lines = arrows.map(([tail, head, position, path]) => {
    const [x, y] = path.match(/-?\d+ -?\d+$/)[0].split(" ").map(Number), tips = slim.matches ? [x - 3.5, y - 8, x + 3.5, y - 8] : [x - 8, y - 3.5, x - 8, y + 3.5];
    const key = `${keys[tail]}-${keys[head]}${position < 0 ? "" : "-" + position}`;
    return `<g class="arrow" data-arrow="${key}"><path d="${path}"/><polygon points="${[x, y, ...tips]}"/></g>`;
  });
  const around = frames.map(([x, y, w, h, of = part]) => `<g class="frame" data-frame="${of}" transform="translate(${x} ${y})"><rect width="${w}" height="${h}" rx="8"/><text x="10" y="18">${escaped(G[of].name)}</text></g>`);
  const all = keys.map((key, i) => drawBox(key, part, boxes[i]));
  const label = part < 0 ? document.title : `Inside ${G[part].name}`;
  return `<svg class="picture" aria-label="${escaped(label)}" data-view="${part}" style="--width:${w}px" width="${w}" height="${h}" viewBox="0 0 ${w} ${h}"><rect class="sheet" width="100%" height="100%" rx="8"/>${[...around, ...lines, ...all].join("")}</svg>`;
}
