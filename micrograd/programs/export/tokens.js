// A model of tokens: it makes up texts, one token after another, as probable as its scores say.
const edge = about.tokens.indexOf("");
const spell = (tokens) => tokens.map((token) => about.tokens[token]).join("");

// Split a text into tokens, the longest that fits first; null if there are none.
const tokensOf = (text) => {
  const tokens = [];
  while (text) {
    const fits = about.tokens.filter((token) => token && text.startsWith(token));
    if (!fits.length) return null;
    const longest = fits.reduce((x, y) => (y.length > x.length ? y : x));
    tokens.push(about.tokens.indexOf(longest));
    text = text.slice(longest.length);
  }
  return tokens;
};

const draw = (scores, temperature) => {
  const largest = Math.max(...scores);
  const weights = Array.from(scores, (score) => Math.exp((score - largest) / temperature));
  let left = Math.random() * weights.reduce((x, y) => x + y);
  return Math.max(0, weights.findIndex((weight) => (left -= weight) < 0));
};

const complete = (beginning, temperature) => {
  const tokens = [edge, ...beginning], count = about.tokens.length;
  while (tokens.length < rows[0].length) {
    rows[0].fill(edge); // what stands behind is not seen
    rows[0].set(tokens);
    const refusal = compute();
    if (refusal) throw new RangeError(refusal);
    const token = draw(results.subarray((tokens.length - 1) * count, tokens.length * count), temperature);
    if (token === edge) break;
    tokens.push(token);
  }
  return spell(tokens.slice(1));
};

const startTokens = () => {
  const labelled = (name, input) => {
    const line = make("label", "row", element("inputs"));
    make("span", "name", line).textContent = name;
    return Object.assign(make("input", "", line), input);
  };
  const beginning = labelled("Begin with", { type: "text", autocomplete: "off", spellcheck: false });
  make("span", "", beginning.parentNode);
  const heat = labelled("Temperature", { type: "range", min: 0.1, max: 1.5, step: 0.05, value: 0.5 });
  const output = make("output", "", heat.parentNode);
  const tell = () => { output.textContent = shown(+heat.value); };
  heat.addEventListener("input", tell);
  tell();
  const button = make("button", "", element("inputs"));
  button.textContent = "Make up ten";
  const makeUp = () => {
    const tokens = tokensOf(beginning.value);
    const fits = tokens && tokens.length < rows[0].length - 1;
    element("answer").textContent = fits ? "" : "The model cannot begin with this.";
    element("results").replaceChildren();
    for (let k = 0; fits && k < 10; k++)
      make("li", "made", element("results")).textContent = complete(tokens, +heat.value);
  };
  button.addEventListener("click", makeUp);
  beginning.addEventListener("change", makeUp);
  makeUp();
};
