// Plays the story of a backward pass on the pictures in this page. Every number comes with the
// page: nothing is computed here but what is shown when.
(() => {
"use strict";
const D = JSON.parse(document.getElementById("story").textContent);
const $ = (query, within = document) => within.querySelector(query);
const $$ = (query, within = document) => [...within.querySelectorAll(query)];
const still = matchMedia("(prefers-reduced-motion: reduce)");
const stage = $("#stage"), panel = $("#panel"), words = $("#words"), slider = $("#slider");
const V = D.values, shown = (i) => D.numbers[i][0], exact = (i) => D.numbers[i][1];
const sign = (i) => (/^-?0(\.0)?$/.test(exact(i)) ? "0" : exact(i) === "nan" ? "" : exact(i)[0] === "-" ? "-" : "+");
const SIGNS = { "+": "positive", "-": "negative", 0: "zero" };

// What happens, in order: the numbers run forward, a 1 is put in at the root, gradients run back.
const events = [{ kind: "start" }];
V.forEach((v, i) => v.made && events.push({ kind: "forward", value: i, number: v.data }));
events.push({ kind: "seed", value: V.length - 1 });
D.steps.forEach(([consumer, position, operand, rule, local, upstream, product, total]) =>
  events.push({ kind: "backward", consumer, position, operand, rule, local, upstream, product, total, number: product }));
events.push({ kind: "end" });
const asked = events.filter((e) => "number" in e && sign(e.number));
const shares = new Map(); // how many additions each Value receives
for (const e of events) if (e.kind === "backward") {
  shares.set(e.operand, (shares.get(e.operand) ?? 0) + 1);
  e.share = shares.get(e.operand);
}

let view, home, moments, at = 0, timer = 0, flight = 0, predicting = false;
const guesses = new Map(); // event -> the sign that the reader chose

// The pictures: one for each module that may stand open; what is in a folded one stands for it.
function open(group) {
  const last = moments ? moments[at][moments[at].length - 1] : 0;
  const opened = new Set();
  for (let g = group; g >= 0; g = D.groups[g].parent) opened.add(g);
  home = V.map((v, i) => {
    let box = "v" + i;
    for (let g = v.group; g >= 0; g = D.groups[g].parent) if (!opened.has(g)) box = "g" + g;
    return box;
  });
  $$("svg", stage).forEach((svg) => {
    svg.toggleAttribute("hidden", +svg.dataset.view !== group);
    if (!svg.hasAttribute("hidden")) view = svg;
  });
  moments = [];
  events.forEach((e, i) => {
    e.tail = home[e.operand]; // undefined, but in the backward pass
    e.head = home[e.consumer ?? e.value];
    const before = events[i - 1];
    const folded = e.head?.[0] === "g" || e.tail?.[0] === "g";
    if (folded && before.kind === e.kind && before.head === e.head && before.tail === e.tail) {
      moments[moments.length - 1].push(i);
    } else moments.push([i]);
  });
  slider.max = moments.length - 1;
  at = moments.findIndex((m) => m[m.length - 1] >= last);
  show();
}

const box = (key) => $(`[data-box="${key}"]`, view);
const arrow = (e) => $(`[data-arrow="${e.tail}-${e.head}${e.head[0] + e.tail[0] === "vv" ? "-" + e.position : ""}"]`, view);
const unanswered = (m) => predicting && m.length === 1 && asked.includes(events[m[0]]) && !guesses.has(events[m[0]]);

function show(moving = false) {
  cancelAnimationFrame(flight);
  $$(".chip", view).forEach((chip) => chip.remove());
  $$(".now, .from, .landed, .flow", view).forEach((x) => x.classList.remove("now", "from", "landed", "flow"));
  const moment = moments[at], last = moment[moment.length - 1], e = events[last];
  const secret = unanswered(moment);
  const data = new Map(), grad = new Map();
  V.forEach((v, i) => v.made || data.set(i, v.data));
  for (let i = 1; i <= last; i++) {
    const past = events[i];
    if (secret && i === last) break;
    if (past.kind === "forward") data.set(past.value, past.number);
    if (past.kind === "seed") grad.set(past.value, D.one);
    if (past.kind === "backward") grad.set(past.operand, past.total);
  }
  let before = D.zero; // what the operand had before this moment
  for (let i = 1; i < moment[0]; i++) if (e.operand !== undefined && events[i].operand === e.operand) before = events[i].total;
  if (e.operand === V.length - 1) before = D.one;
  for (const node of $$("[data-box]", view)) {
    const key = node.dataset.box;
    if (key[0] === "g") continue;
    const i = +key.slice(1);
    fill(node, "data", data.get(i), secret && e.value === i);
    fill(node, "grad", grad.get(i), secret && e.operand === i);
    node.setAttribute("aria-label", `${V[i].name}: data ${data.has(i) ? shown(data.get(i)) : "not computed yet"}` +
      (grad.has(i) ? `, ${V[i].grad} ${shown(grad.get(i))}` : ""));
  }
  view.dataset.phase = e.kind;
  if (e.head) box(e.head).classList.add("now");
  if (e.kind === "forward") forward(moment, e);
  if (e.kind === "backward") backward(moment, e, secret, before, grad, moving && !still.matches);
  tell(moment, e, secret, before);
  follow(e);
}

function fill(node, slot, number, secret) {
  const text = $(`[data-slot=${slot}]`, node);
  text.textContent = secret ? "?" : number === undefined ? "\u2013" : shown(number);
  text.classList.toggle("odd", number !== undefined && /n/.test(shown(number)));
}

function forward(moment, e) {
  for (const i of moment) V[events[i].value].from.forEach((operand, position) => {
    const way = { tail: home[operand], head: e.head, position };
    if (way.tail === way.head) return;
    arrow(way).classList.add("flow");
    box(way.tail).classList.add("from");
  });
}

function backward(moment, e, secret, before, grad, moving) {
  const target = box(e.tail);
  target.classList.add("from");
  const line = arrow(e);
  if (!line) return; // inside a folded module
  line.classList.add("flow");
  const path = $("path", line), length = path.getTotalLength();
  if (moment.length === 1 && e.local >= 0) {
    const middle = path.getPointAtLength(length / 2);
    move(chip(secret ? "\u00d7 ?" : `\u00d7 ${shown(e.local)}`, "rule"), middle.x, middle.y);
  }
  const pill = chip(moment.length > 1 ? `+= ${moment.length} times` : `+= ${secret ? "?" : shown(e.product)}`, "add");
  const corner = target.transform.baseVal[0].matrix, size = $(".shape", target).getBBox();
  const dock = { x: corner.e + size.width / 2, y: corner.f + size.height + 6 };
  const land = () => {
    move(pill, dock.x, dock.y);
    if (secret) return;
    if (e.tail[0] === "v") fill(target, "grad", grad.get(e.operand));
    target.classList.add("landed");
  };
  if (!moving) return land();
  if (e.tail[0] === "v" && !secret) fill(target, "grad", before);
  const start = performance.now();
  const frame = (now) => {
    const t = Math.min(1, (now - start) / 1000), eased = t * t * (3 - 2 * t);
    const p = path.getPointAtLength(length * (1 - eased)), near = Math.max(0, eased * 4 - 3);
    move(pill, p.x + (dock.x - p.x) * near, p.y + (dock.y - p.y) * near);
    if (t < 1) flight = requestAnimationFrame(frame);
    else land();
  };
  frame(start);
}

function chip(text, kind) {
  const NS = "http://www.w3.org/2000/svg", width = text.length * 7.3 + 12;
  const g = document.createElementNS(NS, "g"), rect = document.createElementNS(NS, "rect"), label = document.createElementNS(NS, "text");
  g.setAttribute("class", `chip ${kind}`);
  Object.entries({ x: -width / 2, y: -10, width, height: 20, rx: 10 }).forEach(([k, v]) => rect.setAttribute(k, v));
  label.setAttribute("y", 4.5);
  label.textContent = text;
  g.append(rect, label);
  view.append(g);
  return g;
}
const move = (g, x, y) => g.setAttribute("transform", `translate(${x} ${y})`);

// Where the picture is wider than its place, what happens is brought to the middle.
function follow(e) {
  const node = e.tail ? box(e.tail) : e.head && box(e.head);
  if (stage.scrollWidth <= stage.clientWidth) return;
  const middle = stage.getBoundingClientRect(), spot = (node ?? view).getBoundingClientRect();
  const other = node && e.head ? box(e.head).getBoundingClientRect() : spot;
  const left = node ? (spot.left + spot.right + other.left + other.right) / 4 - middle.left - middle.width / 2 : -1e6;
  stage.scrollBy({ left: e.kind === "end" ? 0 : left, behavior: still.matches ? "auto" : "smooth" });
}

// The same in words.
function make(tag, name, ...children) {
  const node = document.createElement(tag);
  node.className = name;
  node.append(...children);
  return node;
}
const card = (caption, ...content) => make("div", "card", make("small", "", caption), make("b", "", ...content));
const times = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;

function tell(moment, e, secret, before) {
  const n = moments.filter((m) => events[m[0]].kind === e.kind).indexOf(moment) + 1;
  const of = moments.filter((m) => events[m[0]].kind === e.kind).length;
  const title = { start: "Start", seed: "Backward begins", end: "Done" }[e.kind] ?? `${e.kind === "forward" ? "Forward" : "Backward"} ${n} of ${of}`;
  $("#phase").textContent = title;
  panel.dataset.phase = e.kind;
  const cards = $("#cards"), number = (i) => make("span", "number", secret ? "?" : shown(i));
  cards.replaceChildren();
  let text;
  if (moment.length > 1 || (e.tail && e.tail === e.head)) {
    const inner = e.head === e.tail || !e.tail;
    const [a, b] = [e.head, e.tail].map((k) => k && (k[0] === "g" ? D.groups[+k.slice(1)].name : V[+k.slice(1)].name));
    text = e.kind === "forward" ? `${times(moment.length, "number")} computed inside ${a}.`
      : inner ? `${times(moment.length, "addition")} inside ${a}.`
      : `${a} passes gradients on to ${b}: ${times(moment.length, "addition")}.`;
    if (e.tail?.[0] === "v") text += ` ${V[e.operand].grad} is then ${shown(e.total)}.`;
    text += " Click the folded box to open it.";
  } else if (e.kind === "forward") {
    const v = V[e.value];
    cards.append(card(v.name, `${v.made} = `, ...(v.filled === v.made ? [] : [`${v.filled} = `]), number(e.number)));
    text = `${v.name} is computed: ${v.made}${secret ? "." : ` is ${shown(e.number)}.`}`;
  } else if (e.kind === "seed") {
    cards.append(card(V[e.value].grad, "1"));
    text = `The backward pass begins at ${V[e.value].name}: when it rises by one small unit, it rises by that same unit, so its gradient is 1.`;
  } else if (e.kind === "backward") {
    const c = V[e.consumer], o = V[e.operand], plus = `${shown(before)} + `;
    if (e.local >= 0) {
      const rule = e.rule && e.rule !== shown(e.local) ? `${e.rule} = ` : "";
      cards.append(
        card(`local derivative, \u2202${c.name} / \u2202${o.name}`, rule, number(e.local)), make("i", "", "\u00d7"),
        card(`arrives, ${c.grad}`, shown(e.upstream)), make("i", "", "="));
    }
    cards.append(card("is added", make("em", "", "+= ", number(e.product))), make("i", "", "\u2192"),
      card(o.grad, plus, number(e.product), " = ", number(e.total)));
    const share = shares.get(e.operand) > 1 ? ` This is addition ${e.share} of ${shares.get(e.operand)} to ${o.grad}.` : "";
    text = secret ? `${c.name} passes ${c.grad} = ${shown(e.upstream)} on to ${o.name}.`
      : e.local < 0 ? `${c.name} has a backward function of its own, which adds ${shown(e.product)} to ${o.grad}: ${plus}${shown(e.product)} = ${shown(e.total)}.`
      : `${c.name} passes its gradient on to ${o.name}. Per unit of ${o.name}, ${c.name} rises by ${rule(e)}; per unit of ${c.name}, ${V[V.length - 1].name} rises by ${shown(e.upstream)}. ` +
        `By this way it rises by ${shown(e.local)} \u00d7 ${shown(e.upstream)} = ${shown(e.product)}, which is added: ${o.grad} = ${plus}${shown(e.product)} = ${shown(e.total)}.${share}`;
  } else if (e.kind === "end") {
    text = `Every gradient is there: each says by how much ${V[V.length - 1].name} rises per unit of its Value.`;
  } else {
    text = `The leaves have their data. ${times(V.filter((v) => v.made).length, "operation")} forward, then ${times(D.steps.length, "addition")} backward.`;
  }
  if (predicting && e.kind === "end") text += ` You chose the sign of ${guesses.size} numbers, ${[...guesses].filter(([g, s]) => sign(g.number) === s).length} of them right.`;
  ask(e, secret, moment);
  const guess = moment.length === 1 && guesses.get(e);
  if (predicting && guess) text = (guess === sign(e.number) ? "Right. " : `No, it is ${SIGNS[sign(e.number)]}. `) + text;
  words.textContent = text;
  slider.value = at;
  slider.setAttribute("aria-valuetext", title);
  $("[data-do=start]").disabled = $("[data-do=back]").disabled = at === 0;
  $("[data-do=next]").disabled = $("[data-do=end]").disabled = at === moments.length - 1;
}
const rule = (e) => (e.rule && e.rule !== shown(e.local) ? `${e.rule} = ${shown(e.local)}` : shown(e.local));

// Predict first: the numbers of a step stay hidden until their sign has been chosen.
function ask(e, secret) {
  const question = $("#question");
  question.hidden = !secret;
  if (!secret) return;
  $("span", question).textContent = e.kind === "forward" ? `What sign will ${V[e.value].name} have?` : `What sign has that which is added to ${V[e.operand].grad}?`;
}
function answer(choice) {
  if (!unanswered(moments[at])) return;
  guesses.set(events[moments[at][0]], choice);
  show(true);
  if (timer) wait();
}
function predict(on) {
  predicting = on;
  $("[data-do=predict]").setAttribute("aria-pressed", on);
  guesses.clear();
  on ? go(at) : show();
}

// Moving about.
function go(to, moving = false) {
  to = Math.max(0, Math.min(moments.length - 1, to));
  const first = moments.findIndex(unanswered);
  if (first >= 0 && to > first) {
    if (at === first) $("#question button").focus();
    to = first;
  }
  at = to;
  show(moving);
}
function play(on) {
  clearTimeout(timer);
  timer = 0;
  $("[data-do=play]").textContent = on ? "Pause" : "Play";
  if (!on) return;
  go(at === moments.length - 1 ? 0 : at + 1, true);
  wait();
}
function wait() {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (unanswered(moments[at])) return wait();
    if (at === moments.length - 1) return play(false);
    go(at + 1, true);
    wait();
  }, events[moments[at][0]].kind === "backward" ? 2600 : 1500);
}
function visit(key) { // a folded module opens; a Value's box leads to its next moment, round and round
  if (key[0] === "g") return D.groups[+key.slice(1)].opens && open(+key.slice(1));
  play(false);
  const about = (m) => m.some((i) => "v" + (events[i].operand ?? events[i].value) === key);
  const next = moments.findIndex((m, i) => i > at && about(m));
  const found = next >= 0 ? next : moments.findIndex(about);
  if (found >= 0) go(found);
}
const actions = {
  start: () => { play(false); go(0); },
  back: () => { play(false); go(at - 1); },
  play: () => play(!timer),
  next: () => { play(false); go(at + 1, true); },
  end: () => { play(false); go(moments.length - 1); },
  predict: () => predict(!predicting),
};
const keys = { ArrowLeft: "back", ArrowRight: "next", Home: "start", End: "end", " ": "play", p: "predict" };
document.addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey) return;
  const target = press.target.closest("[data-box], [data-frame]");
  if (target && (press.key === "Enter" || press.key === " ")) target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  else if (press.key in SIGNS && predicting) answer(press.key);
  else if (press.key === "Escape" && view.dataset.view !== "-1") open(D.groups[+view.dataset.view].parent);
  else if (press.key in keys && !(press.key === " " && press.target.closest("button, summary")) && press.target !== slider) actions[keys[press.key]]();
  else return;
  press.preventDefault();
});
document.addEventListener("click", (click) => {
  const hit = (name) => click.target.closest(`[data-${name}]`)?.dataset[name];
  if (hit("do")) actions[hit("do")]();
  else if (hit("sign")) answer(hit("sign"));
  else if (hit("box")) visit(hit("box"));
  else if (hit("frame")) open(D.groups[+hit("frame").slice(1)].parent);
});
slider.addEventListener("input", () => { play(false); go(+slider.value); });

$$("#bar, #panel, #keys").forEach((part) => (part.hidden = false));
$$("svg", stage).forEach((svg) => svg.setAttribute("role", "group"));
$$("[data-box], [data-frame]", stage).forEach((node) => {
  node.setAttribute("tabindex", "0");
  node.setAttribute("role", "button");
});
open(D.opened);
if (parent !== window) new ResizeObserver(() => parent.postMessage({ height: document.documentElement.offsetHeight }, "*")).observe(document.documentElement);
})();
