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
    if (chosen) select.value = chosen; else if (select.name === "b" && found.length > 1) select.selectedIndex = 1;
  }
  learners(found);
}

// A run in training first; else the one that was chosen, or the last one that was trained.
async function learners(found) {
  const trained = found.filter(row => row.training || row.stages.split(" ").includes("train"));
  const select = at("learner"), chosen = select.value;
  show(select, ...trained.map(row => make("option", {value: row.run}, row.run)));
  const now = trained.find(row => row.training)?.run || trained.at(-1)?.run;
  select.value = trained.some(row => row.run === chosen) ? chosen : now || "";
  await learning(found.find(row => row.run === select.value));
}

async function learning(row) {
  const curves = row ? (await get(`/api/learning?run=${encodeURIComponent(row.run)}`)).agents : [];
  at("learned").textContent = row?.training ? `In training: ${training(row)}.` : "";
  const steps = [...new Set(curves.flatMap(each => each.steps))].sort((a, b) => a - b);
  const colours = ["--accent", "--good", "--bad", "--warn", "--quiet", "--text"];
  chart(at("learning"), steps, curves.map((each, place) => {
    const known = new Map(each.steps.map((step, index) => [step, each.utility[index]]));
    return {label: each.agent, values: steps.map(step => known.get(step)), colour: colours[place % colours.length]};
  }), "Utility on the validation span by environment steps.", {plain: true});
}

at("learner").addEventListener("change", runs);

const PARTS = [["return", percent], ["sharpe", number], ["max_drawdown", percent], ["turnover_per_day", number], ["break_even_bps", number]];

at("pick").addEventListener("submit", async event => {
  event.preventDefault();
  const form = new FormData(at("pick"));
  try {
    const found = await get(`/api/compare?a=${encodeURIComponent(form.get("a"))}&b=${encodeURIComponent(form.get("b"))}`);
    draw(found);
  } catch (error) { at("compared").hidden = false; show(at("compared"), make("p", {class: "empty"}, error.message)); }
});

function draw(found) {
  const missing = found.missing.map(text => make("p", {class: "empty"}, `Not there: ${text}.`));
  const settings = table([["Setting", row => row.setting, "text"], [found.a, row => JSON.stringify(row.a), "text"], [found.b, row => JSON.stringify(row.b), "text"]],
    found.settings, "No setting is known to differ.");
  const columns = PARTS.flatMap(([name, form]) => [[`${name} ${found.a}`, row => form(row[`${name} a`])], [found.b, row => form(row[`${name} b`])]]);
  const results = table([["Agent", row => row.agent, "text"], ["Trained at, bps", row => number(row.train_fee_bps)], ["Tested at, bps", row => number(row.test_fee_bps)], ...columns],
    found.results, "There are no results to compare.");
  at("compared").hidden = false;
  show(at("compared"), ...missing, settings, results);
  const trained = Object.entries(found.curves).map(([run, all]) => [run, all.filter(each => each.trained)]);
  if (trained.length < 2) return at("curves").replaceChildren();
  const times = [...new Set(trained.flatMap(([, all]) => all.flatMap(each => each.time)))].sort((a, b) => a - b);
  const lines = trained.flatMap(([run, all], place) => all.map((each, fee) => {
    const known = new Map(each.time.map((time, index) => [time, each.equity[index]]));
    return {label: `${run} at ${each.fee_bps} bps`, values: times.map(time => known.get(time)), colour: place ? "--bad" : "--accent", dash: fee ? [6, 3 * fee] : undefined};
  }));
  chart(at("curves"), times, lines, "Equity of the agents at the fee that they were trained with, mean over seeds.");
}
