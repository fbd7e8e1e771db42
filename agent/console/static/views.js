// The other pages; each is fetched when it is looked at, and again while it is.
import {at, facts, get, make, number, percent, show, signed, table, when} from "./dom.js";
import {chart} from "./charts.js";

const reasonsOf = row => [...new Set([...row.reasons, ...row.pairs.flatMap(pair => pair.reasons)])];

export async function pairs() {
  const found = (await get("/api/pairs")).pairs;
  const place = at("pairs");
  if (!found.length) return show(place, make("p", {class: "empty"}, "No pairs are selected."));
  const open = new Set([...place.querySelectorAll("details[open]")].map(each => each.dataset.pair));
  place.replaceChildren(...found.map(pair => card(pair, open.has(pair.pair))));
  for (const pair of found) curve(pair);
}

function card(pair, open) {
  const status = `${pair.status || "no signal yet"}${pair.reasons.length ? ` (${pair.reasons.join(", ")})` : ""}`;
  const trades = table([["Bar", row => when(row.time), "text"], ["From", row => percent(row.from)], ["To", row => percent(row.to)],
    ["Because", row => row.reasons.join(", ") || "policy", "text"]], pair.trades, "No trades in this window.");
  return make("article", {class: "pair", "aria-label": pair.pair}, make("h2", {}, pair.pair),
    make("p", {}, `z ${signed(pair.z)} · action ${signed(pair.action)} · ${status}`),
    make("p", {}, `β ${number(pair.beta, 3)} · correlation ${number(pair.correlation, 3)} · p at selection ${number(pair.pvalue, 4)}, now ${number(pair.pvalue_now, 4)} · half-life ${pair.half_life ? `${number(pair.half_life, 0)} bars` : "none"}`),
    make("div", {class: "chart", id: `spread ${pair.pair}`}), make("div", {class: "chart", id: `weight ${pair.pair}`}),
    make("details", {"data-pair": pair.pair, open: open ? "" : null}, make("summary", {}, `Trades (${pair.trades.length})`), trades));
}

function curve(pair) {
  const times = pair.curve.map(point => point[0]);
  const flat = value => times.map(() => value);
  const high = pair.mean + pair.band * pair.std, low = pair.mean - pair.band * pair.std;
  chart(at(`spread ${pair.pair}`), times, [
    {label: "spread", values: pair.curve.map(point => point[1])}, {label: "mean", values: flat(pair.mean), colour: "--quiet", width: 1},
    {label: `mean + ${pair.band} standard deviations`, values: flat(high), colour: "--quiet", dash: [4, 4], width: 1},
    {label: `mean − ${pair.band} standard deviations`, values: flat(low), colour: "--quiet", dash: [4, 4], width: 1},
  ], `Spread of ${pair.pair}: z is ${signed(pair.z)} now.`);
  chart(at(`weight ${pair.pair}`), times, [{label: "weight", values: pair.curve.map(point => point[3]), step: true, colour: "--good"}],
    "Target weight of the first leg, share of equity.", {height: 130, share: true});
}

const signalPage = {reason: "", rows: []};

export async function signals() {
  const found = await get(`/api/signals?reason=${encodeURIComponent(signalPage.reason)}`);
  const times = found.curve.map(point => point[0]);
  chart(at("exposure"), times, [{label: "gross", values: found.curve.map(point => point[1]), step: true}], `Gross target over the last ${found.of} signals.`, {share: true});
  chart(at("delay"), times, [{label: "seconds", values: found.curve.map(point => point[2] / 1000), colour: "--warn"}], "Seconds from the bar's close to the signal.", {height: 120});
  at("counted").textContent = `In the last ${found.of} signals. Choose one to see its signals alone.`;
  show(at("codes"), ...Object.entries(found.counts).sort((a, b) => b[1] - a[1]).map(([code, count]) =>
    make("li", {}, make("button", {type: "button", "data-code": code, "aria-pressed": String(code === signalPage.reason)}, `${code} ${count}`))));
  // Pages that were read stay while newer signals come in before them.
  const oldest = found.rows.at(-1)?.seq ?? 0;
  const read = signalPage.rows.filter(row => row.seq < oldest);
  signalPage.rows = [...found.rows, ...read].slice(0, 2000);
  if (!read.length) at("older").hidden = !found.more;
  drawSignals();
}

function drawSignals() {
  show(at("signals"), table([
    ["No.", row => row.seq], ["Bar", row => when(row.bar_close), "text"], ["Gross", row => percent(row.gross)], ["Delay", row => `${number(row.delay_ms / 1000)} s`],
    ["Pairs", row => row.pairs.map(pair => `${pair.pair} ${pair.status}`).join(", ") || "none", "text wide"], ["Reasons", row => reasonsOf(row).join(", ") || "policy", "text"],
  ], signalPage.rows, "No signals yet."));
}

at("codes").addEventListener("click", event => {
  const code = event.target.dataset.code;
  if (!code) return;
  Object.assign(signalPage, {reason: signalPage.reason === code ? "" : code, rows: []});
  signals();
});
at("older").addEventListener("click", async () => {
  const before = signalPage.rows.at(-1)?.seq;
  if (before === undefined) return;
  const found = await get(`/api/signals?before=${before}&reason=${encodeURIComponent(signalPage.reason)}`);
  signalPage.rows = [...signalPage.rows, ...found.rows].slice(0, 2000);
  at("older").hidden = !found.more;
  drawSignals();
});

export async function performance() {
  const found = await get("/api/performance");
  const last = name => found[name].at(-1);
  const draw = (id, name, label, text, look = {}, more = {}) => chart(at(id), found.time, [{label, values: found[name], ...look}], text, more);
  show(at("breakeven"), ...facts(breakEven(found.break_even)));
  draw("equity", "equity", "equity", `Equity is ${number(last("equity"))}.`);
  draw("drawdown", "drawdown", "drawdown", `The account is ${percent(last("drawdown"))} below its peak.`, {colour: "--bad"}, {share: true});
  chart(at("parts"), found.time, [{label: "price", values: found.price_pnl}, {label: "funding", values: found.funding, colour: "--good"},
    {label: "fees", values: found.fees.map(fee => fee === null ? null : -fee), colour: "--bad"}], "Price, funding and fees add up to what was earned.");
  draw("slippage", "slippage_bps", "slippage", `Fills were ${number(last("slippage_bps"))} bps worse than the signals' prices on average.`, {colour: "--warn"});
  chart(at("latency"), found.time, [{label: "seconds", values: found.latency_ms.map(each => each === null ? null : each / 1000)}], "Median seconds from signal to fill.", {height: 120});
}

const sides = value => value === null ? "–" : `${number(value)} bps per side`;
const breakEven = each => [["Earned before fees, per side traded", sides(each.realised)], ["Fee paid", sides(each.fee)],
  ["Break-even cost in the book", each.book === null ? "not evaluated in this run" : sides(each.book)], ["Traded", number(each.turnover)]];

export async function log() {
  const form = new FormData(at("filter"));
  const found = await get(`/api/log?level=${form.get("level")}&text=${encodeURIComponent(form.get("text"))}`);
  show(at("lines"), table([["Time", row => when(Date.parse(row.time)), "text"], ["Level", row => row.level, "text level"], ["Tick", row => row.kind, "text"],
    ["Message", row => row.message, "text wide"], ["Details", row => row.details, "text wide"]], found.rows, "No lines of that kind."));
}
at("filter").addEventListener("submit", event => { event.preventDefault(); log(); });
