// What the pages do beyond links: follow what changes, keep a choice of two, keys, charts.
// Every page is whole without it; it asks no other address than its own page.
"use strict";

// --- following: ask again with the digest of what is shown; an answer comes only if it differs ---
let mark = null;
let misses = 0;
const shown = new Map();
const pieces = (root) => [...root.querySelectorAll("[data-live]")];
const remember = (root) => { for (const each of pieces(root)) shown.set(each.id, each.outerHTML); };

async function follow() {
  const main = document.querySelector("main");
  const every = Number(main.dataset.follow);
  if (!every) return;
  if (!document.hidden) await ask().then(connected, disconnected);
  // After a miss ever more slowly, so that a server that comes back is found and none is pressed.
  setTimeout(follow, 1000 * Math.min(30, every * 2 ** Math.min(misses, 5)));
}

async function ask() {
  const answer = await fetch(location.href, { cache: "no-store", headers: mark ? { "If-None-Match": mark } : {} });
  if (answer.status === 304) return;
  mark = answer.headers.get("etag");
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  const names = (root) => pieces(root).map((each) => each.id).join(" ");
  if (names(next) === names(document) && next.title.split(":")[0] === document.title.split(":")[0]) swap(next);
  else {
    document.querySelector("main").replaceWith(next.querySelector("main"));
    remember(document);
  }
  document.title = next.title;
  for (const name of ["h1", ".bar nav"]) {
    const [old, made] = [document.querySelector(name), next.querySelector(name)];
    if (old && made && old.innerHTML !== made.innerHTML) old.innerHTML = made.innerHTML;
  }
  const header = [...next.querySelectorAll('script[src="/static/vega.js"]')];
  if (header.length && !document.querySelector('script[src="/static/vega.js"]')) {
    const script = document.createElement("script");
    Object.assign(script, { src: "/static/vega.js", type: "module", onload: drawAll });
    document.head.append(script);
  }
  mend();
}

function swap(next) {
  for (const made of pieces(next)) {
    const html = made.outerHTML;
    if (shown.get(made.id) === html) continue;
    shown.set(made.id, html);
    const old = document.getElementById(made.id);
    const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
    const open = [...old.querySelectorAll("details[open][id]")].map((each) => each.id);
    old.replaceWith(document.importNode(made, true));
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}

function connected() {
  misses = 0;
  tell("");
}
function disconnected() {
  misses += 1;
  tell("roofmark view does not answer; this is what it said last");
}
function tell(text) {
  const place = document.getElementById("connection");
  if (place.textContent !== text) place.textContent = text;
}

// --- clocks --------------------------------------------------------------------------------------
function tick() {
  for (const each of document.querySelectorAll("[data-since]")) {
    const seconds = Math.max(0, Math.floor(Date.now() / 1000 - Number(each.dataset.since)));
    each.textContent = `${seconds} s of `;
  }
}

// --- a choice of two, kept over pages and filters ------------------------------------------------
const choice = {
  get: () => JSON.parse(sessionStorage.getItem("chosen") ?? "[]"),
  set: (names) => sessionStorage.setItem("chosen", JSON.stringify(names.slice(-2))),
};
function showChoice() {
  const form = document.getElementById("compare");
  if (!form) return;
  const names = choice.get();
  for (const box of document.querySelectorAll("input[name=with]")) box.checked = names.includes(box.value);
  document.getElementById("compare-button").disabled = names.length < 2;
  document.getElementById("chosen-clear").hidden = names.length === 0;
  form.classList.toggle("none", names.length === 0);
  const text = ["Choose two bundles to compare them.", `A: ${names[0]}; choose one more.`, `A: ${names[0]}, B: ${names[1]}`];
  const place = document.getElementById("chosen");
  if (place.textContent !== text[names.length]) place.textContent = text[names.length];
}
function toggle(name) {
  const names = choice.get();
  choice.set(names.includes(name) ? names.filter((each) => each !== name) : [...names, name]);
  showChoice();
}
function compare() {
  const names = choice.get();
  if (names.length === 2) location.assign(`/compare?${new URLSearchParams(names.map((each) => ["with", each]))}`);
}
document.addEventListener("change", (event) => {
  if (event.target.name === "with") toggle(event.target.value);
  if (event.target.closest("#filters") && event.target.tagName === "SELECT") event.target.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  if (event.target.id === "compare") {
    event.preventDefault();
    compare();
  }
  // What was not filled in is no part of the address.
  if (event.target.id === "filters") for (const each of event.target.elements) if (!each.value) each.disabled = true;
});
document.addEventListener("reset", (event) => {
  if (event.target.id !== "compare") return;
  choice.set([]);
  setTimeout(showChoice);
});
// Coming back by the browser's own button shows the form as it was left.
addEventListener("pageshow", () => {
  for (const each of document.querySelectorAll("#filters :disabled")) each.disabled = false;
  showChoice();
});

// --- keys ----------------------------------------------------------------------------------------
document.addEventListener("keydown", (event) => {
  const typing = event.target.matches("input:not([type=checkbox]), select, textarea");
  if (event.key === "Escape" && typing) event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const links = [...document.querySelectorAll("a.open")];
  const at = links.findIndex((each) => each.closest("tr").contains(document.activeElement));
  const keys = {
    "/": () => document.getElementById("text")?.focus(),
    j: () => links[Math.min(links.length - 1, at + 1)]?.focus(),
    k: () => links[Math.max(0, at - 1)]?.focus(),
    x: () => { const box = links[at]?.closest("tr").querySelector("input[name=with]"); if (box) toggle(box.value); },
    c: compare,
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
});

// --- charts, in the colours that the reader's system asks for ------------------------------------
const drawn = new Map();
function colours() {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--ink-soft", "--line"].map((name) => style.getPropertyValue(name).trim());
  const label = { labelColor: ink, labelFontSize: 12 };
  return {
    background: "transparent", aria: false, font: getComputedStyle(document.body).fontFamily, view: { stroke: null },
    axis: { ...label, titleColor: ink, titleFontSize: 12, titleFontWeight: "normal", gridColor: line, domainColor: line, tickColor: line },
    legend: { ...label, titleColor: ink, symbolOpacity: 1 }, header: label, mark: { aria: false },
  };
}
async function draw(place) {
  const spec = JSON.parse(document.getElementById(`spec-${place.dataset.chart}`).textContent);
  const width = Math.max(260, place.clientWidth);
  // Strips cannot ask for their container's width; the page tells them.
  if (spec.spec) spec.spec.width = width - 72;
  else Object.assign(spec, { width, autosize: { type: "fit-x", contains: "padding" } });
  const made = await vegaEmbed(place, spec,
    { actions: false, ast: true, renderer: "svg", defaultStyle: false, tooltip: { disableDefaultStyle: true }, config: colours() });
  drawn.get(place.id)?.finalize();
  drawn.set(place.id, made);
  place.dataset.drawn = "yes";
}
function drawAll() {
  if (typeof vegaEmbed === "undefined") return;
  for (const place of document.querySelectorAll("[data-chart]")) {
    draw(place).catch((error) => { place.textContent = `This chart failed: ${error.message}`; });
  }
}
function mend() {
  showChoice();
  tick();
  for (const place of document.querySelectorAll("[data-chart]:not([data-drawn])")) {
    if (typeof vegaEmbed !== "undefined") draw(place);
  }
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
let width = document.documentElement.clientWidth;
let waiting;
addEventListener("resize", () => {
  if (document.documentElement.clientWidth === width) return;
  width = document.documentElement.clientWidth;
  clearTimeout(waiting);
  waiting = setTimeout(drawAll, 150);
});

remember(document);
mend();
setInterval(tick, 1000);
setTimeout(follow, 1000);
addEventListener("load", drawAll);
document.addEventListener("visibilitychange", () => { if (!document.hidden) misses = 0; });
