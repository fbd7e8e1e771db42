// Small pieces of a page. Text is always set as text, never as markup: logs and notes come from elsewhere.

export const at = id => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter(child => child !== null));
  return node;
}

// Replaces what a place shows, unless it is what it shows already: a screen reader is not told twice.
export function show(place, ...children) {
  const fresh = make("div", {}, ...children);
  if (place.innerHTML !== fresh.innerHTML) place.replaceChildren(...fresh.childNodes);
}

export const facts = rows => rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value ?? "–")]);

export function table(columns, rows, empty) {
  if (!rows.length) return make("p", {class: "empty"}, empty);
  const head = make("tr", {}, ...columns.map(([name, , kind]) => make("th", {scope: "col", class: kind}, name)));
  const body = rows.map(row => make("tr", {class: row.level},
    ...columns.map(([, value, kind]) => make("td", {class: kind}, String(value(row) ?? "–")))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}

const written = new Map();  // of digits; a zero has no sign, however it came about
const form = digits => written.get(digits) ?? written.set(digits, new Intl.NumberFormat(undefined,
  {minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: "negative"})).get(digits);
export const number = (value, digits = 2) => value === null || value === undefined ? "–" : form(digits).format(value);
export const signed = (value, digits = 2) => value === null || value === undefined ? "–" : (value > 0 ? "+" : "") + number(value, digits);
export const percent = (value, digits = 2) => value === null || value === undefined ? "–" : `${number(100 * value, digits)} %`;

// The viewer's own time, with UTC beside it.
export function when(milliseconds) {
  if (!milliseconds) return "–";
  const moment = new Date(milliseconds);
  const utc = moment.toISOString().slice(11, 16);
  return `${moment.toLocaleString(undefined, {dateStyle: "short", timeStyle: "medium"})} (${utc} UTC)`;
}

export function ago(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "never";
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s ago`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min ago` : `${Math.round(seconds / 3600)} h ago`;
}

export async function get(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error || answer.statusText);
  return body;
}
