// Draws the charts in the colours that the reader's system asks for, as wide as the page allows.
"use strict";
const specs = Object.fromEntries(
  Object.entries(JSON.parse(document.getElementById("specs").textContent))
    .map(([name, spec]) => [name, JSON.stringify(spec)]));
// The palette's blue, lit up for a dark page; the other colours are light enough on both.
const LIT = "#4aa3df";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const views = new Map();

function config() {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--ink-soft", "--line"].map((name) => style.getPropertyValue(name).trim());
  const font = getComputedStyle(document.body).fontFamily;
  return {
    background: "transparent", aria: false, font, view: { stroke: null }, text: { color: ink },
    axis: { labelColor: ink, titleColor: ink, gridColor: line, domainColor: line, tickColor: line,
            labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", titlePadding: 10 },
    legend: { labelColor: ink, labelFontSize: 12, symbolOpacity: 1, labelLimit: Math.min(420, document.body.clientWidth - 90) },
    header: { labelColor: ink, labelFontSize: 12 },
  };
}

async function draw(name) {
  const place = document.getElementById(`chart-${name}`);
  const width = Math.max(260, place.clientWidth);
  const spec = JSON.parse(specs[name].replaceAll("#0072B2", dark.matches ? LIT : "#0072B2"));
  // Strips below one another cannot ask for their container's width; the page tells them.
  const room = Math.min(spec.usermeta?.room ?? 0, 0.45 * width);
  if (spec.spec) spec.spec.width = width - room;
  else Object.assign(spec, { width, autosize: { type: "fit-x", contains: "padding" } });
  const legend = { ...config().legend, columns: Math.max(1, Math.floor(width / 150)) };
  const drawn = await vegaEmbed(place, spec,
    { actions: false, ast: true, renderer: "svg", config: { ...config(), legend, axisY: { labelLimit: Math.max(60, room - 12) } } });
  // The picture is described as a whole; its parts have roles without names.
  for (const part of place.querySelectorAll("svg, svg [role]")) part.removeAttribute("role");
  views.get(name)?.finalize();
  views.set(name, drawn);
}

function drawAll() {
  for (const name of Object.keys(specs)) {
    draw(name).catch((error) => {
      document.getElementById(`chart-${name}`).textContent = `This chart failed: ${error.message}`;
    });
  }
}

// The page's width, not the window's: a phone may settle on its width after the first drawing.
const main = document.querySelector("main");
let waiting;
let last = main.clientWidth;
new ResizeObserver(() => {
  if (main.clientWidth === last) return;
  last = main.clientWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 150);
}).observe(main);
dark.addEventListener("change", drawAll);
// Paper has no click: everything that is folded away is opened for it.
window.addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details")) each.open = true;
});
drawAll();
