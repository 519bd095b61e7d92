// Plays what the graph computes, forward and backward, on the pictures in this page.
const $ = (query, within = document) => within.querySelector(query);
const $$ = (query, within = document) => [...within.querySelectorAll(query)];
const still = matchMedia("(prefers-reduced-motion: reduce)");
const stage = $("#stage"), whole = stage.innerHTML, panel = $("#panel"), slider = $("#slider");
const sign = (x) => (x > 0 ? "+" : x < 0 ? "-" : x === 0 ? "0" : "");
const SIGNS = { "+": "positive", 0: "zero", "-": "negative" };

// What happens: numbers run forward, a 1 is put in at the root, gradients run back. `then` are the
// events that must wait for one.
const events = [{ kind: "start" }], making = new Map(), shares = new Map(), arrived = new Map();
const link = (first, e) => first && (first.then.push(e), e.needs.push(first), e.waits++);
const happen = (e) => (events.push(Object.assign(e, { then: [], needs: [], waits: 0, place: events.length })), e);
V.forEach((v, value) => {
  if (!v.op) return;
  const e = happen({ kind: "forward", value, get number() { return v.data; } });
  v.from.forEach((operand) => link(making.get(operand), e));
  making.set(value, e);
});
events.push({ kind: "seed", value: root });
for (const step of steps) {
  const { consumer, operand, position } = step, last = arrived.get(operand), share = (last?.share ?? 0) + 1;
  const e = happen({ kind: "backward", consumer, operand, position, step, share, get number() { return step.product; } });
  link(last, e);
  link(arrived.get(consumer), e);
  arrived.set(operand, e);
  shares.set(operand, share);
}
events.push({ kind: "end" });

let view, home, moments, mark = events[0], at = 0, timer, flight, linking, predicting = false;
const guesses = new Map(); // event -> the sign that the reader chose

// Each part that opens has a picture. What happens in a folded part happens in its box, and what
// lies outside of a picture elsewhere: all that can happen there before anything else, at once.
const lineOf = (i) => { const line = []; for (let g = V[i].parent; g >= 0; g = G[g].parent) line.push(g); return line; };
function open(part) {
  const inView = new Set(D.views[part][1]);
  home = V.map((v, i) => ["v" + i, ...lineOf(i).map((g) => "g" + g)].find((key) => inView.has(key)));
  stage.innerHTML = part < 0 && !slim.matches ? whole : drawPart(part);
  view = $("svg", stage);
  view.role = "group"; // an image would hide its boxes from screen readers
  for (const node of $$("[data-box], [data-frame]", view)) prepare(node);
  for (const e of events) {
    e.head = home[e.consumer ?? e.value];
    e.tail = home[e.operand];
    if (e.kind === "backward" && (!e.head || !e.tail)) e.head = e.tail = undefined;
    e.elsewhere = "number" in e && !e.head;
    e.folded = e.elsewhere || folds(e.head) || folds(e.tail);
  }
  moments = D.story && part < 0 ? storyMoments() : [];
  if (!moments.length) for (const kind in stories) for (const e of arranged(events.filter((e) => e.kind === kind))) {
    const last = moments.at(-1)?.[0];
    if (e.folded && "number" in e && last.kind === kind && last.folded && last.head === e.head && last.tail === e.tail) moments.at(-1).push(e);
    else moments.push([e]);
  }
  slider.max = moments.length - 1;
  $("[data-do=fold]").hidden = part < 0;
  const [here, near] = [mark, mark.last].map((e) => moments.findIndex((m) => m.includes(e)));
  at = Math.max(0, here < 0 ? near : here);
  show();
}
function arranged(list) {
  const order = [], ready = list.filter((e) => ((e.left = e.waits), !e.waits));
  for (let last = {}; ready.length; order.push(last)) {
    const next = ready.find((e) => e.head === last.head && e.tail === last.tail) ?? ready.find((e) => e.head === last.head) ??
      ready.reduce((a, b) => (b.place < a.place ? b : a));
    ready.splice(ready.indexOf(next), 1);
    for (const e of next.then ?? []) if (--e.left === 0) ready.push(e);
    last = next;
  }
  return order;
}
const opens = (key) => folds(key) && index(key) in D.views;
const edits = (key) => key?.[0] === "v" && editable(index(key));
function prepare(node) {
  const { box: key, frame } = node.dataset;
  if (frame && !(frame in D.views)) return;
  node.setAttribute("role", "button");
  node.setAttribute("tabindex", "0");
  node.classList.toggle("opens", opens(key));
  node.classList.toggle("editable", edits(key));
}

const box = (key) => $(`[data-box="${key}"]`, view);
const arrow = (tail, head, position) => $(`[data-arrow="${tail}-${head}${tail[0] + head[0] === "vv" ? "-" + position : ""}"]`, view);
// Of a story, signs of what it names are asked for, and of nothing on the way to it.
const asked = (e) => predicting && !e.folded && "number" in e && (!D.story || e.operand in D.gradients) && sign(e.number) && !guesses.has(e);
const unanswered = (moment) => asked(moment.at(-1));

function show(moving = false) {
  cancelAnimationFrame(flight);
  $$(".chip", view).forEach((chip) => chip.remove());
  $$(".now, .from, .landed, .flow", view).forEach((part) => part.classList.remove("now", "from", "landed", "flow"));
  const moment = moments[at], e = moment.at(-1), secret = unanswered(moment);
  const data = new Map(), grad = new Map();
  V.forEach((v, i) => v.op || data.set(i, v.data));
  for (const past of moments.slice(0, at + !secret).flat()) {
    if (past.kind === "forward") data.set(past.value, past.number);
    if (past.kind === "seed") grad.set(root, 1);
    if (past.kind === "backward") grad.set(past.operand, past.step.total);
  }
  for (const node of $$("[data-box]", view)) write(node, data, grad, secret && e);
  const phase = (panel.dataset.phase = view.dataset.phase = e.phase ?? e.kind);
  if (e.head) box(e.head).classList.add("now");
  if (phase === "forward") moment.forEach(bring);
  if (phase === "backward" && e.head) passOn(moment, e, secret, data, grad, moving && !still.matches);
  tell(moment, e, secret);
  follow(e);
}

// A box has a row per quantity: the data or the gradients of one Value, or of several in a part.
// Only what changes is written, since the browser lays out again what is.
function write(node, data, grad, secret) {
  const key = node.dataset.box;
  const said = thing(key).rows.map(([caption, what, values], r) => {
    const known = what === "data" ? data : grad, asked = secret && (what === "data" ? secret.value : secret.operand);
    const many = values.length > 6; // as in views.py
    const text = values.slice(0, many ? 3 : 6).map((v) => (v === asked ? "?" : known.has(v) ? number(known.get(v)) : "\u2013")).join(", ");
    const slot = $(`[data-row="${r}"]`, node), full = text + (many ? " \u2026" : "");
    if (slot.textContent !== full) slot.textContent = full;
    slot.classList.toggle("odd", /nan|inf/.test(text));
    return `${caption} ${text.replaceAll("\u2013", "not there yet")}`;
  });
  const more = opens(key) ? ", opens" : edits(key) ? ", e edits" : "";
  node.setAttribute("aria-label", `${name(key)}: ${said.join("; ")}${more}`);
}

function bring(e) {
  V[e.value]?.from.forEach((operand, position) => {
    const line = e.head && home[operand] && home[operand] !== e.head && arrow(home[operand], e.head, position);
    if (!line) return;
    line.classList.add("flow");
    box(home[operand]).classList.add("from");
  });
}

// The product runs along the arrow and is added where it arrives.
function passOn(moment, e, secret, data, grad, moving) {
  const target = box(e.tail), line = e.tail !== e.head && arrow(e.tail, e.head, e.position);
  target.classList.add("from");
  if (!line) return;
  line.classList.add("flow");
  const path = $("path", line), length = path.getTotalLength(), single = moment.length === 1;
  if (single && e.step.local !== null) {
    const middle = path.getPointAtLength(length * (slim.matches ? 0.7 : 0.5)); // clear of what is added
    move(chip(`\u00d7 ${secret ? "?" : number(e.step.local)}`, "rule"), middle.x, middle.y);
  }
  const pill = chip(e.told ? V[e.operand].grad : `+= ${!single ? moment.length + " times" : secret ? "?" : number(e.number)}`, "add");
  const corner = target.transform.baseVal[0].matrix, size = $(".shape", target).getBBox(), sheet = view.viewBox.baseVal;
  const half = pill.getBBox().width / 2, x = Math.max(half, Math.min(sheet.width - half, corner.e + size.width / 2));
  const y = Math.min(sheet.height - 11, corner.f + size.height + 6);
  const land = () => {
    move(pill, x, y);
    if (!secret) target.classList.add("landed");
    write(target, data, grad, secret && e);
  };
  if (!moving) return land();
  if (single && !secret) write(target, data, new Map(grad).set(e.operand, e.step.before));
  const start = performance.now();
  const frame = (now) => {
    const t = Math.min(1, (now - start) / 1000), way = t * t * (3 - 2 * t), near = Math.max(0, way * 4 - 3);
    const p = path.getPointAtLength(length * (1 - way));
    move(pill, p.x + (x - p.x) * near, p.y + (y - p.y) * near);
    t < 1 ? (flight = requestAnimationFrame(frame)) : land();
  };
  frame(start);
}

function chip(text, kind) {
  const width = text.length * 7.4 + 12;
  view.insertAdjacentHTML("beforeend", `<g class="chip ${kind}"><rect x="${-width / 2}" y="-10" width="${width}" height="20" rx="10"/><text y="4.5"></text></g>`);
  view.lastChild.lastChild.textContent = text;
  return view.lastChild;
}
const move = (g, x, y) => g.setAttribute("transform", `translate(${x} ${y})`);

// Where the picture is wider than its place, what happens is brought to the middle; of a box that is
// wider, too, the numbers, which stand on the right.
function follow(e) {
  if (!e.head) return;
  const [a, b] = [e.told && e.tail ? e.tail : e.head, e.tail ?? e.head].map((key) => box(key).getBoundingClientRect()), place = stage.getBoundingClientRect();
  const off = (low, high, size) => (a[low] + a[high] + b[low] + b[high]) / 4 - place[low] - place[size] / 2;
  stage.scrollBy({ left: Math.max(off("left", "right", "width"), b.right - place.right), top: off("top", "bottom", "height"), behavior: still.matches ? "auto" : "smooth" });
}
