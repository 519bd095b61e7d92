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
// Each is as high as what is in it.
addEventListener("message", (event) => {
  document.querySelectorAll("iframe.live-neuron").forEach((frame) => {
    if (event.source === frame.contentWindow && event.data.height) frame.style.height = `${event.data.height}px`;
  });
});
