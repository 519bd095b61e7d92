// Compare a typed answer with the right one, which stands in the form's data attributes.
document.addEventListener("submit", (event) => {
  const form = event.target.closest("form.exercise");
  if (!form) return;
  event.preventDefault();
  const said = form.querySelector("output"), { answer, tolerance, hint } = form.dataset;
  const typed = form.querySelector("input").value.trim().replace(",", ".").replace("\u2212", "-");
  const x = typed === "" ? NaN : Number(typed);
  const fits = (y) => Math.abs(y - answer) <= Number(tolerance) + 1e-12;
  form.dataset.right = String(fits(x));
  if (Number.isNaN(x)) said.textContent = "A number, please, such as -0.25.";
  else if (fits(x)) said.textContent = "Right.";
  else if (fits(-x)) said.textContent = "The right size; now the sign.";
  else said.textContent = `Not yet. Hint: ${hint}.`;
});
