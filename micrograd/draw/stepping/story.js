// What a story tells: its moments, in lines with the numbers of now.
const S = D.story.map(([title, phase, values, lines, more, asks, why, meaning, stale, end]) => ({ title, phase, values, lines, more, asks, why, meaning, stale, end }));
const read = (part) => (typeof part === "number" ? part : reading[part[0]](...part.slice(1)));
const reading = {
  data: (i) => V[i].data,
  grad: (i) => V[i].total,
  total: (pairs) => pairs.reduce((sum, [x, y]) => sum + read(x) * read(y), 0),
  slope(z, a) {
    const step = V[a].from.length === 1 && steps.find((s) => s.consumer === a && s.operand === z);
    return step?.local ?? V[z].total / V[a].total;
  },
};
const product = ([x, y], n) => {
  const [p, q] = [read(x), read(y)], minus = p < 0 !== q < 0;
  return `${n ? (minus ? " - " : " + ") : minus ? "-" : ""}${number(Math.abs(p))}*${number(Math.abs(q))}`;
};
const spelled = (part) =>
  typeof part === "string" ? part
  : part[0] === "products" ? part[1].map(product).join("") + (part[2] ? ` + ${part[2]} more` : "")
  : number(read(part) + 0); // no -0
const line = ([parts, given], secret) => (secret ? [...parts.slice(0, -1), "?"] : parts).map(spelled).join("") + (edited || secret ? "" : given);
const lines = (told) => (edited && told.stale ? [told.stale] : [...told.lines.map((l) => line(l)), ...(told.more ? [told.more] : [])]);

// Each moment holds what must have happened for its Values, and nothing that has been told.
function storyMoments() {
  const done = new Set();
  const gathered = (waiting) => {
    const found = [];
    while (waiting.length) {
      const e = waiting.pop();
      if (!e || done.has(e)) continue;
      done.add(e);
      found.push(e);
      waiting.push(...e.needs);
    }
    return found.sort((a, b) => a.place - b.place);
  };
  const list = S.map((told) => gathered(told.values.map((v) => (told.phase === "forward" ? making : arrived).get(v))));
  const ways = S.map((told) => told.phase), seed = events.find((e) => e.kind === "seed");
  list[ways.indexOf("backward")]?.unshift(seed);
  list[ways.lastIndexOf("backward")]?.push(...events.filter((e) => e.kind === "backward" && !done.has(e)));
  return [[events[0]], ...list.map((found, i) => [...found, teller(i, found)]), [events.at(-1)]];
}
// What a moment does in the picture: the last of it that runs along an arrow to the box of its Value.
// There is one for each, so that the reader's place is found again; `last` is what happens in it.
const tellers = S.map((told) => ({ kind: "told", told, phase: told.phase, get number() { return told.asks && read(told.lines[told.asks[0]][0].at(-1)); } }));
function teller(i, found) {
  const told = S[i], back = told.phase === "backward", operand = told.asks?.[1];
  const place = home[told.values[0]], way = found.filter((e) => operand >= 0 && e.tail === place && e.head !== place).at(-1);
  return Object.assign(tellers[i], {
    tail: back ? place : undefined, head: way?.head ?? place, position: way?.position, operand,
    ask: V[operand] && (told.meaning ? "" : "what is added to ") + V[operand].grad, last: found.at(-1) ?? events.at(-1),
  });
}

const storyEnd = () => view.dataset.view < 0 && !edited && S.at(-1).end;
const preface = () => (view.dataset.view < 0 ? `, in ${S.length} steps. Open a box to see each of them.` : ".");
const storyCards = ({ told }, secret) => [told.meaning ? card(told.title, line(told.lines[0], secret)) : card("", told.title)];
function storyWords({ told }, secret) {
  if (secret) return told.meaning ? "" : line(told.lines[told.asks[0]], true);
  return told.meaning ? line(told.meaning) : lines(told).join("\n");
}
const storyRows = () => S.flatMap((told) => lines(told).map((text, n) => [n ? "" : told.title, text]));
