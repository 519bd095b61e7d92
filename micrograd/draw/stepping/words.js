// The same in words, and what the reader does: play, predict, edit, open.
function make(tag, ...children) {
  const node = document.createElement(tag);
  node.append(...children);
  return node;
}
const card = (caption, ...content) => make("div", make("small", caption), make("b", ...content));
// A formula, typeset by the browser, of the names of Values.
const typeset = (template, from) => Object.assign(make("span"), { innerHTML: `<math>${template.replace(/⟨(\d+)⟩/g, (_, i) => `<mi>${escaped(V[from[i]].name)}</mi>`)}</math>` });
const times = (n, thing) => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;

const stories = {
  start: () => `The leaves have their data. ${times(V.filter((v) => v.op).length, "operation")} forward, then ${times(steps.length, "addition")} backward` +
    (D.story ? preface() : "."),
  forward: (e, secret) => `${V[e.value].name} is computed: ${made(V[e.value])}${secret ? "" : ` is ${number(e.number)}`}.`,
  seed: () => `The backward pass begins: ${V[root].name} rises by 1 per unit of itself.`,
  backward(e, secret) {
    const c = V[e.consumer], o = V[e.operand], s = e.step, [product, total, up, local, before] = [s.product, s.total, s.upstream, s.local ?? 0, s.before].map(number);
    const first = `${c.name} passes its gradient on to ${o.name}. `;
    if (secret) return first;
    const share = shares.get(e.operand) > 1 ? ` This is addition ${e.share} of ${shares.get(e.operand)}.` : "";
    const added = `is added: ${o.grad} = ${before} + ${product} = ${total}.${share}`;
    if (s.local === null) return `${first}Its own backward function says how much: ${product} ${added}`;
    return `${first}${c.name} rises by ${rule(s) + local} per unit of ${o.name}, and ${V[root].name} by ${up} per unit of ${c.name}: ` +
      `along this arrow, ${V[root].name} rises by ${local} \u00d7 ${up} = ${product} per unit of ${o.name}. This ${added}`;
  },
  end: () => ((D.story && storyEnd()) || `Every gradient is there: by how much ${V[root].name} rises per unit of its Value.`) +
    (predicting ? ` Of ${times(guesses.size, "sign")} you chose ${[...guesses].filter(([e, s]) => sign(e.number) === s).length} right.` : ""),
};
const rule = (s) => (ruleOf(s) ? `${ruleOf(s)} = ` : "");

function folded(moment, e) {
  const many = times(moment.length, e.kind === "forward" ? "number" : "addition");
  if (e.elsewhere) return `${many} outside of this picture.`;
  const text = e.kind === "forward" ? `${many} computed inside ${name(e.head)}.`
    : e.kind === "seed" ? `${stories.seed()} It is inside ${name(e.head)}.`
    : e.head === e.tail ? `${many} inside ${name(e.head)}.`
    : `${name(e.head)} passes gradients on to ${name(e.tail)}: ${many}.`;
  return text + (e.tail && !folds(e.tail) ? ` ${V[e.operand].grad} is then ${number(e.step.total)}.` : "") +
    ([e.head, e.tail].some(opens) ? " Click a folded box to open it." : "");
}

function cards(e, secret) {
  const shown = (x) => (secret ? "?" : number(x)), v = V[e.value];
  if (e.told) return storyCards(e, secret);
  if (e.kind === "forward") return [card(v.name, v.op[6][0] ? typeset(v.op[6][0], v.from) : made(v), filled(v) === made(v) ? " = " : ` = ${filled(v)} = `, shown(e.number))];
  if (e.kind === "seed") return [card(v.grad, "1")];
  if (!e.step) return [];
  const c = V[e.consumer], o = V[e.operand], s = e.step;
  return [
    ...(s.local === null ? [] : [card(`local derivative, \u2202${c.name} / \u2202${o.name}`, ...(rule(s) ? [typeset(c.op[6][s.position + 1], [...c.from, s.consumer]), " = "] : []), shown(s.local)),
      make("i", "\u00d7"), card(`arrives, ${c.grad}`, number(s.upstream)), make("i", "=")]),
    card("is added", make("em", `+= ${shown(e.number)}`)), make("i", "\u2192"),
    card(o.grad, `${number(s.before)} + ${shown(e.number)} = ${shown(s.total)}`),
  ];
}

// Why a product has its sign.
function why(e) {
  if (e.told) return `Why? ${line(e.told.why)}`;
  const s = e.step, what = (x) => SIGNS[sign(x)] ?? "not a number";
  if (!s || s.local === null) return "";
  return `Why? The local derivative ${number(s.local)} is ${what(s.local)}, what arrives, ${number(s.upstream)}, is ${what(s.upstream)}: their product is ${what(s.product)}.`;
}

function tell(moment, e, secret) {
  const alike = moments.filter((m) => m.at(-1).kind === e.kind), n = `${alike.indexOf(moment) + 1} of ${alike.length}`;
  const title = { start: "Start", told: `Step ${n}`, forward: `Forward ${n}`, seed: "Seed", backward: `Backward ${n}`, end: "Done" }[e.kind];
  let text = e.told ? storyWords(e, secret) : e.folded ? folded(moment, e) : stories[e.kind](e, secret);
  const guess = predicting && guesses.get(e), right = guess === sign(e.number ?? 0);
  if (guess) text = right ? `Right. ${text}` : `No, it is ${SIGNS[sign(e.number)]}. ${text} ${why(e)}`;
  $("#cards").replaceChildren(...(e.folded ? [] : cards(e, secret)));
  $("#question").hidden = !secret;
  if (secret) $("#question span").textContent = `What sign has ${e.ask ?? (e.step ? "what is added to " + V[e.operand].grad : V[e.value].name)}?`;
  $("#words").textContent = text;
  $("#phase").textContent = title;
  slider.value = at;
  slider.setAttribute("aria-valuetext", title);
  for (const what in moves) $(`[data-do=${what}]`).disabled = at === inside(moves[what]());
}

// The tables: an open one after an edit, a folded one when it is opened.
function tabulate() {
  const local = (s) => (s.local === null ? "" : number(s.local));
  const rows = [() => V.filter((v) => v.op).map((v) => [v.name, made(v), filled(v), number(v.data)]),
    () => steps.map((s) => [V[s.operand].grad, ruleOf(s) || local(s), local(s), `${V[s.consumer].grad} = ${number(s.upstream)}`, number(s.product), number(s.total)])];
  if (D.story) rows.unshift(storyRows);
  $$("details").forEach((table, i) => table.open && $("tbody", table).replaceChildren(...rows[i]().slice(0, 200).map((row) => make("tr", ...row.map((text) => make("td", text))))));
}

// Edit a leaf: type a number, or drag it to the left and right.
function refresh() {
  tabulate();
  show();
  $("[data-do=reset]").hidden = !edited;
}
function set(leaf, x) {
  edit(leaf, x);
  refresh();
  const name = V[leaf].name, out = V[root];
  $("#words").textContent = `${name} is ${number(x)}, ${out.name} is ${number(out.data)} (it was ${number(out.first)}), ${V[leaf].grad} is ${number(V[leaf].total)}.`;
}
function drag(press, leaf) {
  press.preventDefault();
  const from = V[leaf].data, unit = Math.max(Math.abs(from), 0.5) / 100;
  let moved = false;
  const slide = (e) => {
    if (!moved && Math.abs(e.clientX - press.clientX) < 4) return;
    moved = true;
    set(leaf, +(from + (e.clientX - press.clientX) * unit).toPrecision(4));
  };
  const stop = () => {
    removeEventListener("pointermove", slide);
    if (!moved) type(leaf);
  };
  addEventListener("pointermove", slide);
  addEventListener("pointerup", stop, { once: true });
}
function type(leaf) {
  play(false);
  const slot = $("[data-slot=data]", box("v" + leaf)).getBoundingClientRect(), place = stage.getBoundingClientRect();
  const field = Object.assign(make("input"), { value: V[leaf].data, ariaLabel: `data of ${V[leaf].name}` });
  field.style = `left:${slot.right - place.left + stage.scrollLeft - 96}px;top:${slot.top - place.top + stage.scrollTop - 6}px`;
  let asking = true;
  const done = (keep) => {
    if (!asking) return;
    asking = false;
    const x = Number(field.value.trim() || NaN);
    field.remove();
    if (keep && Number.isFinite(x)) set(leaf, x);
    box("v" + leaf).focus({ preventScroll: true });
  };
  field.addEventListener("keydown", (e) => {
    e.stopPropagation();
    if (e.key === "Enter") done(true);
    if (e.key === "Escape") done(false);
  });
  field.addEventListener("blur", () => done(true));
  stage.append(field);
  field.select();
}
function reset() {
  V.forEach((v) => (v.data = v.first));
  edited = false;
  differentiate();
  refresh();
}

// Predict first: nothing goes on until the sign of the hidden number has been chosen.
function answer(choice) {
  if (!unanswered(moments[at])) return;
  guesses.set(moments[at].at(-1), choice);
  show(true);
}
const inside = (to) => Math.max(0, Math.min(moments.length - 1, to));
function go(to, moving = false) {
  const first = moments.findIndex(unanswered);
  if (first >= 0 && to > first) to = first;
  if (first >= 0 && at === first && to === first) $("#question button").focus();
  at = inside(to);
  mark = moments[at].at(-1);
  show(moving);
  clearTimeout(linking);
  if (parent === window) linking = setTimeout(() => history.replaceState(null, "", `#step=${at}`), 300);
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
  timer = setTimeout(tick, D.story ? 4000 : view.dataset.phase === "backward" ? 2600 : 1500);
}
function visit(key) { // a part opens; a Value's box leads to its next moment, round and round
  if (opens(key)) return open(index(key));
  const about = (m) => m.some((e) => "v" + (e.operand ?? e.value) === key || (folds(key) && (e.tail ?? e.head) === key));
  const next = moments.findIndex((m, i) => i > at && about(m)), found = next < 0 ? moments.findIndex(about) : next;
  play(false);
  if (found >= 0) go(found);
}
function shut(part) {
  do part = part < 0 ? -1 : G[part].parent; while (!(part in D.views));
  open(part);
}
const moves = { start: () => 0, back: () => at - 1, next: () => at + 1, end: () => moments.length - 1 };
function act(what) {
  if (what === "play") return play(!timer);
  if (what === "reset") return reset();
  if (what === "fold") return view.dataset.view >= 0 && shut(+view.dataset.view);
  if (what in moves) {
    play(false);
    return go(moves[what](), what === "next");
  }
  predicting = !predicting;
  $("[data-do=predict]").setAttribute("aria-pressed", predicting);
  guesses.clear();
  go(at);
}
const NUMBER = ".editable [data-slot=data]";
const keys = { ArrowLeft: "back", ArrowRight: "next", Home: "start", End: "end", " ": "play", p: "predict", Escape: "fold" };
document.addEventListener("keydown", (press) => {
  if (press.ctrlKey || press.metaKey || press.altKey) return;
  const on = (query) => press.target.closest(query), push = press.key === "Enter" || press.key === " ";
  if (press.key === "e" && on(".editable")) type(index(on(".editable").dataset.box));
  else if (push && on("[data-box], [data-frame]")) press.target.dispatchEvent(new MouseEvent("click", { bubbles: true }));
  else if (press.key in SIGNS && predicting) answer(press.key);
  else if (press.key in keys && !(push && on("button, summary")) && press.target !== slider) act(keys[press.key]);
  else return;
  press.preventDefault();
});
document.addEventListener("click", (click) => {
  const hit = (what) => click.target.closest(`[data-${what}]`)?.dataset[what];
  if (hit("do")) act(hit("do"));
  else if (hit("sign")) answer(hit("sign"));
  else if (click.target.matches(NUMBER)) return;
  else if (hit("box")) visit(hit("box"));
  else if (hit("frame")) shut(+hit("frame"));
});
slider.addEventListener("input", () => { play(false); go(+slider.value); });
const linked = () => Number(/^#step=(\d+)$/.exec(location.hash)?.[1] ?? 0);
addEventListener("hashchange", () => linked() !== at && go(linked()));
document.addEventListener("pointerdown", (press) => press.target.matches(NUMBER) && drag(press, index(press.target.parentNode.dataset.box)));
slim.onchange = () => open(+view.dataset.view);
$$("details").forEach((table) => (table.ontoggle = tabulate));
addEventListener("beforeprint", () => { $$("details").forEach((table) => (table.open = true)); tabulate(); });

$$("#bar, #panel, #keys").forEach((part) => (part.hidden = false));
open(-1);
if (linked()) go(linked());
if (parent !== window) {
  stage.style.maxHeight = "600px";
  new ResizeObserver(() => parent.postMessage({ height: document.documentElement.offsetHeight }, "*")).observe(document.documentElement);
  addEventListener("message", (e) => e.source === parent && /^(light|dark)$/.test(e.data.theme) && (document.documentElement.dataset.theme = e.data.theme));
}
