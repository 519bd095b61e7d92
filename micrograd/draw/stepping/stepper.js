// Plays the narration of a backward pass on the pictures in this page. Every number comes with the
// page; all that is decided here is what is shown when.
(() => {
"use strict";
const D = JSON.parse(document.getElementById("narration").textContent);
const $ = (query, within = document) => within.querySelector(query);
const $$ = (query, within = document) => [...within.querySelectorAll(query)];
const still = matchMedia("(prefers-reduced-motion: reduce)");
const stage = $("#stage"), panel = $("#panel"), slider = $("#slider");
const V = D.values, G = D.groups, root = V.length - 1;
const shown = (i) => D.numbers[i][0];
const sign = (i) => { const x = +D.numbers[i][1].replace("inf", "1"); return x > 0 ? "+" : x < 0 ? "-" : x === 0 ? "0" : ""; };
const SIGNS = { "+": "positive", 0: "zero", "-": "negative" };

// What happens: numbers run forward, a 1 is put in at the root, gradients run back. `then` are the
// events that must wait for one.
const events = [{ kind: "start" }], made = new Map(), shares = new Map(), arrived = new Map();
const link = (first, e) => first && (first.then.push(e), e.waits++);
const happen = (e) => (events.push(Object.assign(e, { then: [], waits: 0, place: events.length })), e);
V.forEach((v, value) => {
  if (!v.made) return;
  const e = happen({ kind: "forward", value, number: v.data });
  v.from.forEach((operand) => link(made.get(operand), e));
  made.set(value, e);
});
events.push({ kind: "seed", value: root });
for (const [consumer, position, operand, rule, local, upstream, product, total] of D.steps) {
  const last = arrived.get(operand), share = (last?.share ?? 0) + 1;
  const before = last?.total ?? (operand === root ? D.one : D.zero);
  const e = happen({ kind: "backward", consumer, position, operand, rule, local, upstream, before, number: product, total, share });
  link(last, e);
  link(arrived.get(consumer), e);
  arrived.set(operand, e);
  shares.set(operand, share);
}
events.push({ kind: "end" });

let view, home, moments, at = 0, timer = 0, flight = 0, predicting = false;
const guesses = new Map(); // event -> the sign that the reader chose

// There is a picture for each module that opens. What is in a folded one happens in its box, all
// that can happen there before anything else does, as one moment.
function open(group) {
  const here = moments?.[at].at(-1), opened = new Set(D.views[group]);
  home = V.map((v, i) => {
    let box = "v" + i;
    for (let g = v.group; g >= 0; g = G[g].parent) if (!opened.has(g)) box = "g" + g;
    return box;
  });
  for (const svg of $$("svg", stage)) {
    svg.style.display = +svg.dataset.view === group ? "block" : "none";
    if (+svg.dataset.view === group) view = svg;
  }
  for (const e of events) {
    e.head = home[e.consumer ?? e.value];
    e.tail = home[e.operand];
    e.folded = e.head?.[0] === "g" || e.tail?.[0] === "g";
  }
  moments = [];
  for (const kind in stories) for (const e of arranged(events.filter((e) => e.kind === kind))) {
    const last = moments.at(-1)?.[0];
    if (e.folded && last.kind === kind && last.head === e.head && last.tail === e.tail) moments.at(-1).push(e);
    else moments.push([e]);
  }
  slider.max = moments.length - 1;
  $("[data-do=fold]").hidden = group < 0;
  at = Math.max(0, moments.findIndex((m) => m.includes(here)));
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

const box = (key) => $(`[data-box="${key}"]`, view);
const arrow = (tail, head, position) => $(`[data-arrow="${tail}-${head}${tail[0] + head[0] === "vv" ? "-" + position : ""}"]`, view);
const name = (key) => (key[0] === "g" ? G : V)[key.slice(1)].name;
const unanswered = ([e]) => predicting && !e.folded && "number" in e && sign(e.number) && !guesses.has(e);

function show(moving = false) {
  cancelAnimationFrame(flight);
  $$(".chip", view).forEach((chip) => chip.remove());
  $$(".now, .from, .landed, .flow", view).forEach((part) => part.classList.remove("now", "from", "landed", "flow"));
  const moment = moments[at], e = moment.at(-1), secret = unanswered(moment);
  const data = new Map(), grad = new Map();
  V.forEach((v, i) => v.made || data.set(i, v.data));
  for (const past of moments.slice(0, at + !secret).flat()) {
    if (past.kind === "forward") data.set(past.value, past.number);
    if (past.kind === "seed") grad.set(root, D.one);
    if (past.kind === "backward") grad.set(past.operand, past.total);
  }
  for (const node of $$("[data-box]", view)) fill(node, data, grad, secret && e);
  view.dataset.phase = e.kind;
  if (e.head) box(e.head).classList.add("now");
  if (e.kind === "forward") moment.forEach(bringOperands);
  if (e.kind === "backward") passOn(moment, e, secret, data, grad, moving && !still.matches);
  tell(moment, e, secret);
  follow(e);
}

// A box has a row per quantity: the data or the gradients of one Value, or of several in a module.
function fill(node, data, grad, secret) {
  const key = node.dataset.box, i = +key.slice(1);
  const rows = key[0] === "g" ? G[i].rows : [["data", [i]], ["grad", [i]]];
  const said = rows.map(([what, values], r) => {
    const known = what === "data" ? data : grad, asked = secret && (what === "data" ? secret.value : secret.operand);
    const text = values.slice(0, 3).map((v) => (v === asked ? "?" : known.has(v) ? shown(known.get(v)) : "\u2013")).join(", ");
    const slot = $(`[data-row="${r}"]`, node);
    slot.textContent = text + (values.length > 3 ? " \u2026" : "");
    slot.classList.toggle("odd", /nan|inf/.test(text));
    return `${slot.previousSibling.textContent} ${text.replaceAll("\u2013", "not there yet")}`;
  });
  node.setAttribute("aria-label", `${name(key)}: ${said.join("; ")}`);
}

function bringOperands(e) {
  V[e.value].from.forEach((operand, position) => {
    const line = home[operand] !== e.head && arrow(home[operand], e.head, position);
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
  if (single && e.local >= 0) {
    const middle = path.getPointAtLength(length / 2);
    move(chip(`\u00d7 ${secret ? "?" : shown(e.local)}`, "rule"), middle.x, middle.y);
  }
  const pill = chip(`+= ${!single ? moment.length + " times" : secret ? "?" : shown(e.number)}`, "add");
  const corner = target.transform.baseVal[0].matrix, size = $(".shape", target).getBBox();
  const x = corner.e + size.width / 2, y = corner.f + size.height + 6;
  const land = () => {
    move(pill, x, y);
    if (!secret) target.classList.add("landed");
    fill(target, data, grad, secret && e);
  };
  if (!moving) return land();
  if (single && !secret) fill(target, data, new Map(grad).set(e.operand, e.before));
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

// Where the picture is wider than its place, what happens is brought to the middle.
function follow(e) {
  if (!e.head) return;
  const [a, b] = [e.head, e.tail ?? e.head].map((key) => box(key).getBoundingClientRect()), place = stage.getBoundingClientRect();
  const off = (low, high, size) => (a[low] + a[high] + b[low] + b[high]) / 4 - place[low] - place[size] / 2;
  stage.scrollBy({ left: off("left", "right", "width"), top: off("top", "bottom", "height"), behavior: still.matches ? "auto" : "smooth" });
}

// The same in words.
function make(tag, ...children) {
  const node = document.createElement(tag);
  node.append(...children);
  return node;
}
const card = (caption, ...content) => make("div", make("small", caption), make("b", ...content));
const times = (n, thing) => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;

const stories = {
  start: () => `The leaves have their data. ${times(V.filter((v) => v.made).length, "operation")} forward, then ${times(D.steps.length, "addition")} backward.`,
  forward: (e, secret) => `${V[e.value].name} is computed: ${V[e.value].made}${secret ? "" : ` is ${shown(e.number)}`}.`,
  seed: () => `The backward pass begins: ${V[root].name} rises by 1 per unit of itself.`,
  backward(e, secret) {
    const c = V[e.consumer], o = V[e.operand], [product, total, up, local] = [e.number, e.total, e.upstream, Math.max(0, e.local)].map(shown);
    const first = `${c.name} passes its gradient on to ${o.name}. `;
    if (secret) return first;
    const share = shares.get(e.operand) > 1 ? ` This is addition ${e.share} of ${shares.get(e.operand)}.` : "";
    const added = `is added: ${o.grad} = ${shown(e.before)} + ${product} = ${total}.${share}`;
    if (e.local < 0) return `${first}Its own backward function says how much: ${product} ${added}`;
    return `${first}${c.name} rises by ${rule(e) + local} per unit of ${o.name}, and ${V[root].name} by ${up} per unit of ${c.name}: ` +
      `along this arrow, ${V[root].name} rises by ${local} \u00d7 ${up} = ${product} per unit of ${o.name}. This ${added}`;
  },
  end: () => `Every gradient is there. Each says by how much ${V[root].name} rises per unit of its Value.` +
    (predicting ? ` Of ${times(guesses.size, "sign")} you chose ${[...guesses].filter(([e, s]) => sign(e.number) === s).length} right.` : ""),
};
const rule = (e) => (e.rule && e.rule !== shown(e.local) ? `${e.rule} = ` : "");

function folded(moment, e) {
  const many = times(moment.length, e.kind === "forward" ? "number" : "addition");
  const text = e.kind === "forward" ? `${many} computed inside ${name(e.head)}.`
    : e.head === e.tail ? `${many} inside ${name(e.head)}.`
    : `${name(e.head)} passes gradients on to ${name(e.tail)}: ${many}.`;
  return text + (e.tail?.[0] === "v" ? ` ${V[e.operand].grad} is then ${shown(e.total)}.` : "") + " Click a folded box to open it.";
}

function cards(e, secret) {
  const number = (i) => (secret ? "?" : shown(i)), v = V[e.value];
  if (e.kind === "forward") return [card(v.name, `${v.made} = `, v.filled === v.made ? "" : `${v.filled} = `, number(e.number))];
  if (e.kind === "seed") return [card(v.grad, "1")];
  if (!e.tail) return [];
  const c = V[e.consumer], o = V[e.operand];
  return [
    ...(e.local < 0 ? [] : [card(`local derivative, \u2202${c.name} / \u2202${o.name}`, secret && !rule(e) ? "?" : rule(e) + number(e.local)),
      make("i", "\u00d7"), card(`arrives, ${c.grad}`, shown(e.upstream)), make("i", "=")]),
    card("is added", make("em", `+= ${number(e.number)}`)), make("i", "\u2192"),
    card(o.grad, `${shown(e.before)} + ${number(e.number)} = ${number(e.total)}`),
  ];
}

function tell(moment, e, secret) {
  const alike = moments.filter(([first]) => first.kind === e.kind), n = `${alike.indexOf(moment) + 1} of ${alike.length}`;
  const title = { start: "Start", forward: `Forward ${n}`, seed: "Seed", backward: `Backward ${n}`, end: "Done" }[e.kind];
  let text = e.folded ? folded(moment, e) : stories[e.kind](e, secret);
  const guess = predicting && guesses.get(e);
  if (guess) text = `${guess === sign(e.number) ? "Right" : `No, it is ${SIGNS[sign(e.number)]}`}. ${text}`;
  panel.dataset.phase = e.kind;
  $("#cards").replaceChildren(...(e.folded ? [] : cards(e, secret)));
  $("#question").hidden = !secret;
  if (secret) $("#question span").textContent = `What sign has ${e.tail ? "what is added to " + V[e.operand].grad : V[e.value].name}?`;
  $("#words").textContent = text;
  $("#phase").textContent = title;
  slider.value = at;
  slider.setAttribute("aria-valuetext", title);
  for (const what in steps) $(`[data-do=${what}]`).disabled = at === within(steps[what]());
}

// Predict first: nothing goes on until the sign of the hidden number has been chosen.
function answer(choice) {
  if (!unanswered(moments[at])) return;
  guesses.set(moments[at][0], choice);
  show(true);
}
const within = (to) => Math.max(0, Math.min(moments.length - 1, to));
function go(to, moving = false) {
  const first = moments.findIndex(unanswered);
  if (first >= 0 && to > first) to = first;
  if (first >= 0 && at === first && to === first) $("#question button").focus();
  at = within(to);
  show(moving);
}
function play(on) {
  clearTimeout(timer);
  timer = 0;
  $("[data-do=play]").textContent = on ? "Pause" : "Play";
  if (on) tick();
}
function tick() {
  if (at === moments.length - 1 && timer) return play(false);
  if (!unanswered(moments[at])) go(at === moments.length - 1 ? 0 : at + 1, true);
  timer = setTimeout(tick, moments[at][0].kind === "backward" ? 2600 : 1500);
}
function visit(key) { // a folded module opens; a Value's box leads to its next moment, round and round
  if (key in D.views) return open(+key);
  const about = (m) => m.some((e) => "v" + (e.operand ?? e.value) === key);
  const next = moments.findIndex((m, i) => i > at && about(m)), found = next < 0 ? moments.findIndex(about) : next;
  play(false);
  if (found >= 0) go(found);
}
function shut(group) {
  do group = G[group].parent; while (!(group in D.views));
  open(group);
}
const steps = { start: () => 0, back: () => at - 1, next: () => at + 1, end: () => moments.length - 1 };
function act(what) {
  if (what === "play") return play(!timer);
  if (what === "fold") return view.dataset.view >= 0 && shut(+view.dataset.view);
  if (what in steps) {
    play(false);
    return go(steps[what](), what === "next");
  }
  predicting = !predicting;
  $("[data-do=predict]").setAttribute("aria-pressed", predicting);
  guesses.clear();
  go(at);
}
const keys = { ArrowLeft: "back", ArrowRight: "next", Home: "start", End: "end", " ": "play", p: "predict", Escape: "fold" };
document.addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey) return;
  const on = (query) => press.target.closest(query), push = press.key === "Enter" || press.key === " ";
  if (push && on("[data-box], [data-frame]")) press.target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  else if (press.key in SIGNS && predicting) answer(press.key);
  else if (press.key in keys && !(push && on("button, summary")) && press.target !== slider) act(keys[press.key]);
  else return;
  press.preventDefault();
});
document.addEventListener("click", (click) => {
  const hit = (what) => click.target.closest(`[data-${what}]`)?.dataset[what];
  if (hit("do")) act(hit("do"));
  else if (hit("sign")) answer(hit("sign"));
  else if (hit("box")) visit(hit("box").replace("g", ""));
  else if (hit("frame")) shut(+hit("frame"));
});
slider.addEventListener("input", () => { play(false); go(+slider.value); });

$$("#bar, #panel, #keys").forEach((part) => (part.hidden = false));
for (const node of $$("svg, [data-box], [data-frame]", stage)) {
  const { view, frame } = node.dataset;
  if (frame && !(frame in D.views)) continue;
  node.setAttribute("role", view ? "group" : "button");
  if (!view) node.setAttribute("tabindex", "0");
}
open(-1);
if (parent !== window) stage.style.maxHeight = "600px", new ResizeObserver(() => parent.postMessage({ height: document.documentElement.offsetHeight }, "*")).observe(document.documentElement);
})();
