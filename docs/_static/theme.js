// A stepper within a page follows the theme that the reader has chosen for the site.
const theme = () => document.body.dataset.theme === "auto"
  ? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")
  : document.body.dataset.theme;
const tell = () => document.querySelectorAll("iframe.live-neuron")
  .forEach((frame) => frame.contentWindow?.postMessage({ theme: theme() }, "*"));
document.querySelectorAll("iframe.live-neuron").forEach((frame) => frame.addEventListener("load", tell));
new MutationObserver(tell).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
tell();
