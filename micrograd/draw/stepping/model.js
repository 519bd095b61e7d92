// The numbers of the graph: read from the page, computed anew when a leaf is edited.
const D = JSON.parse(document.getElementById("narration").textContent);
const real = (x) => (typeof x === "number" ? x : { inf: Infinity, "-inf": -Infinity }[x] ?? NaN);
const V = D.values.map(([name, data, parent, how, from], i) => {
  const op = from ? D.ops[how] : null, given = D.gradients[i];
  return {
    name, parent, op, kind: op ? "result" : how, from: from ?? [], own: D.own[i], symbol: op ? op[0] : "", notes: [],
    grad: given ?? `${name}.grad`, rows: [["data", "data", [i]], [given ?? "grad", "grad", [i]]], data: real(data), first: real(data),
  };
});
const G = D.parts.map(([name, parent, symbol, notes, rows]) => ({ name, parent, kind: "part", symbol, notes, rows }));
// Boxes have keys: "v" and the place of a Value, "g" and that of a part.
const index = (key) => +key.slice(1), folds = (key) => key?.[0] === "g", thing = (key) => (folds(key) ? G : V)[index(key)], name = (key) => thing(key).name;
const root = V.length - 1;

// Four significant digits, as Python's ".4g" writes them: ties go to the even digit.
function number(x) {
  if (!Number.isFinite(x)) return Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
  if (x === 0) return Object.is(x, -0) ? "-0" : "0";
  let [digits, exponent] = x.toExponential(3).split("e");
  const [finer] = x.toExponential(4).split("e");
  if (+x.toExponential(4) === x && finer.at(-1) === "5" && +finer.at(-2) % 2 === 0) digits = finer.slice(0, -1);
  const power = +exponent, trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power >= -4 && power < 4) return trim((+`${digits}e${power}`).toFixed(3 - power));
  return `${trim(digits)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

// Templates: parentheses around an operand are for negative numbers alone.
const named = (i) => (/^[\p{L}\p{N}_]([\p{L}\p{N}_.']|\[[\p{L}\p{N}_,' ]*\])*$/u.test(V[i].name) ? V[i].name : `(${V[i].name})`);
const fill = (template, texts) => template.replace(/(?<![\p{L}\p{N}_])\(⟨(\d+)⟩\)|⟨(\d+)⟩/gu, (whole, wrapped, plain) => {
  const text = texts[wrapped ?? plain];
  return wrapped && text[0] === "-" ? `(${text})` : text;
});
const made = (v) => fill(v.op[1], v.from.map(named));
const filled = (v) => fill(v.op[1], v.from.map((i) => number(V[i].data)));

// A value from its operands by the table; `undefined` where the table does not know.
const operands = (v) => {
  let next = 0;
  return v.op[3].map((x) => (x === null ? V[v.from[next++]].data : real(x)));
};
const opaque = V.map((v) => v.op && !v.op[2]);
const uses = V.map(() => []);
V.forEach((v, i) => v.from.forEach((x) => uses[x].includes(i) || uses[x].push(i)));
const fixed = V.map(() => false); // leads to what cannot be computed anew
for (let i = root; i >= 0; i--) fixed[i] = uses[i].some((j) => opaque[j] || fixed[j]);
const editable = (i) => !V[i].op && !fixed[i];
let edited = false;

function edit(leaf, x) {
  V[leaf].data = x;
  const changed = new Set([leaf]);
  V.forEach((v, i) => {
    if (!v.from.some((x) => changed.has(x))) return;
    v.data = F[v.op[2]](...operands(v));
    changed.add(i);
  });
  edited = true;
  differentiate();
}

// Every += of the backward pass, in the engine's order: nodes in reverse, operands in order.
const steps = [];
for (let i = root; i >= 0; i--) {
  const v = V[i];
  if (v.own) for (const [position, local, product] of v.own) steps.push({ consumer: i, position, operand: v.from[position], rule: "", local: local === null ? null : real(local), product: real(product) });
  else if (v.op?.[2]) {
    let position = 0;
    v.op[3].forEach((x, slot) => {
      if (x !== null) return;
      const here = position++;
      if (RULES[v.op[2]][slot]) steps.push({ consumer: i, position: here, operand: v.from[here], slot, rule: v.op[4][here] ?? "" });
    });
  }
}
function differentiate() {
  const arrived = new Map([[root, 1]]);
  for (const s of steps) {
    const v = V[s.consumer];
    s.upstream = arrived.get(s.consumer) ?? 0;
    if (s.slot !== undefined) {
      s.local = RULES[v.op[2]][s.slot](...operands(v), v.data);
      s.product = s.local * s.upstream;
    }
    s.before = arrived.get(s.operand) ?? 0;
    s.total = s.before + s.product;
    arrived.set(s.operand, s.total);
  }
  V.forEach((v, i) => (v.total = arrived.get(i) ?? 0));
}
differentiate();
const ruleOf = (s) => {
  const v = V[s.consumer], text = s.rule && !(edited && v.op[5]) ? fill(s.rule, [...v.from, s.consumer].map(named)) : "";
  return text && text !== number(s.local) ? text : "";
};
