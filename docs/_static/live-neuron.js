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

// On a phone, a frame grows with what its stepper says, and does not shrink again.
addEventListener("message", ({ source, data }) => document.querySelectorAll("iframe.live-neuron").forEach((frame) => {
  const grown = Math.max(data.height, parseInt(frame.style.getPropertyValue("--grown")) || 0);
  if (frame.contentWindow === source && grown) frame.style.setProperty("--grown", `${grown}px`);
}));
