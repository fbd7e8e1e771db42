// Which page is shown, and what keeps it up to date.
import {at} from "./dom.js";
import {drawOverview} from "./overview.js";
import {log, pairs, performance, signals} from "./views.js";
import {known, orders} from "./orders.js";
import {runs} from "./runs.js";

const PAGES = {overview: null, pairs, signals, performance, log, orders, runs};
const REFRESH_MS = 10_000;
let current = "overview";

function told(text, lost = false) {
  if (at("live").textContent !== text) at("live").textContent = text;
  at("live").classList.toggle("lost", lost);
}

async function refresh() {
  const load = PAGES[current];
  if (!load || document.hidden) return;
  try { await load(); } catch (error) { told(`not loaded: ${error.message}`, true); }
}

function turn() {
  const wanted = location.hash.slice(1);
  current = wanted in PAGES ? wanted : "overview";
  for (const page of Object.keys(PAGES)) at(`page-${page}`).hidden = page !== current;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${current}`) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  refresh();
}

const stream = new EventSource("/events");
stream.addEventListener("overview", event => {
  const page = JSON.parse(event.data);
  document.title = `${page.faults.some(fault => fault.severity === "critical") ? "⚠ " : ""}${page.profile}: ${page.flat.text}`;
  at("profile").textContent = page.profile;
  told("live");
  known(page.orders);
  drawOverview(page);
});
stream.addEventListener("error", () => told("connection lost: what is shown is old", true));

addEventListener("hashchange", turn);
document.addEventListener("visibilitychange", refresh);
// Not while a person is choosing or typing.
setInterval(() => { if (!["orders"].includes(current)) refresh(); }, REFRESH_MS);
turn();
