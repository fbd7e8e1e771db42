// Experiments beside each other.
import {at, get, make, number, percent, show, table} from "./dom.js";
import {chart} from "./charts.js";

const training = row => {
  const each = row.training;
  if (!each) return "–";
  const share = each.total ? percent(each.steps / each.total, 0) : `${number(each.steps, 0)} steps`;
  return `${share}, ${number(each.steps_per_second, 0)} steps/s${each.eta_seconds ? `, ${number(each.eta_seconds / 60, 0)} min to go` : ""}`;
};

export async function runs() {
  const found = (await get("/api/runs")).runs;
  show(at("runs"), table([["Run", row => row.run, "text"], ["Last stage", row => row.last, "text"], ["Minutes", row => number(row.minutes, 1)],
    ["Training", training, "text"], ["Stages", row => row.stages, "text wide"]], found, "No runs yet."));
  for (const select of at("pick").querySelectorAll("select")) {
    const chosen = select.value;
    show(select, ...found.map(row => make("option", {value: row.run}, row.run)));
    if (chosen) select.value = chosen;
  }
}

const PARTS = [["return", percent], ["sharpe", number], ["max_drawdown", percent], ["turnover_per_day", number], ["break_even_bps", number]];

at("pick").addEventListener("submit", async event => {
  event.preventDefault();
  const form = new FormData(at("pick"));
  try {
    const found = await get(`/api/compare?a=${encodeURIComponent(form.get("a"))}&b=${encodeURIComponent(form.get("b"))}`);
    draw(found);
  } catch (error) { show(at("compared"), make("p", {class: "empty"}, error.message)); }
});

function draw(found) {
  const missing = found.missing.map(text => make("p", {class: "empty"}, `Not there: ${text}.`));
  const settings = table([["Setting", row => row.setting, "text"], [found.a, row => JSON.stringify(row.a), "text"], [found.b, row => JSON.stringify(row.b), "text"]],
    found.settings, "No setting is known to differ.");
  const columns = PARTS.flatMap(([name, form]) => [[`${name} ${found.a}`, row => form(row[`${name} a`])], [found.b, row => form(row[`${name} b`])]]);
  const results = table([["Agent", row => row.agent, "text"], ["Trained at, bps", row => number(row.train_fee_bps)], ["Tested at, bps", row => number(row.test_fee_bps)], ...columns],
    found.results, "There are no results to compare.");
  show(at("compared"), ...missing, settings, results);
  const curves = Object.entries(found.curves).map(([run, each]) => [run, each[0]]).filter(([, each]) => each);
  if (curves.length < 2) return;
  const times = [...new Set(curves.flatMap(([, each]) => each.time))].sort((a, b) => a - b);
  chart(at("curves"), times, curves.map(([run, each], place) => {
    const known = new Map(each.time.map((time, index) => [time, each.equity[index]]));
    return {label: `${run}: ${each.agent} at ${each.fee_bps} bps`, values: times.map(time => known.get(time)), colour: place ? "--bad" : "--accent"};
  }), "Equity, mean over seeds.");
}
