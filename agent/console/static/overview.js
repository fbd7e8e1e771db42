// The first page: five answers, what is wrong, and the numbers behind them.
import {ago, at, facts, make, number, percent, show, signed, table, when} from "./dom.js";

const ANSWERS = [["alive", "Is it alive?"], ["flat", "What does it hold?"], ["match", "Is that what it should hold?"], ["earned", "What has it earned?"]];

function wrong(faults) {
  const worst = faults.filter(fault => fault.severity !== "notice").length;
  return worst ? {state: "bad", text: `${worst} ${worst === 1 ? "thing" : "things"}`} : {state: "good", text: "Nothing"};
}

function fault(each, book) {
  const entry = each.anchor.replaceAll("-", " ");
  const link = book ? make("a", {href: `${book}/runbook.html#${each.anchor}`, rel: "noreferrer", target: "_blank"}, entry) : entry;
  return make("div", {class: `fault ${each.severity}`},
    make("p", {}, make("strong", {}, each.severity), each.what),
    make("p", {}, `${each.response} ${each.remedy}`),
    make("p", {class: "quiet"}, "Runbook: ", link));
}

export function drawOverview(page) {
  const answers = [...ANSWERS.map(([key, question]) => [question, page[key]]), ["What is wrong?", wrong(page.faults)]];
  show(at("answers"), ...answers.map(([question, {state, text}]) =>
    make("div", {class: state}, make("dt", {}, question), make("dd", {}, text))));
  show(at("faults"), ...(page.faults.length ? page.faults.map(each => fault(each, page.book)) : [make("p", {class: "none"}, "Nothing is wrong.")]));
  show(at("positions"), table([
    ["Symbol", row => row.symbol, "text"], ["Held", row => number(row.held, 4)], ["Should hold", row => number(row.target, 4)],
    ["Mark", row => number(row.mark, 4)], ["Worth", row => signed(row.worth)], ["Gap", row => signed(row.gap)],
    ["Gap of equity", row => percent(row.gap_share)],
  ], page.positions, page.performance ? "Nothing is held." : "The executor has not reported yet."));
  account(page.performance, page.report_age_ms);
  standing(page);
  lastSignal(page.signal, page.time);
  health(page.health, page.performance);
  show(at("consequences"), ...facts([["Pause would", page.consequences.pause], ["Kill would", page.consequences.kill], ["Run would", page.consequences.run]]));
}

function health(each, report) {
  show(at("health"), ...facts([["Scheduler seen", ago(each.heartbeat_ms)], ["Last bar closed", ago(each.data_age_ms)], ["Executor reported", ago(each.report_age_ms)],
    ["Bar to signal", each.delay_ms === null ? "–" : `${number(each.delay_ms / 1000)} s`], ["Signal to fill", report ? `${number(report.latency_ms / 1000)} s` : "–"],
    ["Orders rejected", report ? String(report.rejects) : "–"], ["Ledger and exchange", each.ledger], ["Disk free", `${number(each.free_bytes / 2 ** 30, 1)} GiB`]]));
}

function account(report, age) {
  const cover = report?.fee_cover;
  show(at("account"), ...facts(!report ? [["Report", "none yet"]] : [
    ["Equity", number(report.equity)], ["Drawdown", percent(report.drawdown)], ["Price", signed(report.price_pnl)],
    ["Funding", signed(report.funding)], ["Fees", signed(-report.fees)], ["Earned before fees, per fee paid", cover === null ? "–" : number(cover)],
    ["Slippage", `${number(report.slippage_bps)} bps`], ["Fills, rejects", `${report.fills}, ${report.rejects}`],
    ["Reported", ago(age)],
  ]));
}

export function orderFacts(orders) {
  if (!orders) return [["Orders", "none: everything is flat"]];
  const cap = orders.max_exposure === null ? "none" : percent(orders.max_exposure, 0);
  return [["Order", orders.order], ["Cap on exposure", cap], ["Denied", orders.deny.join(", ") || "none"],
    ["Allowed", orders.allow ? orders.allow.join(", ") : "all"], ["By", orders.by], ["At", when(orders.at)], ["Note", orders.note || "–"]];
}

function standing(page) {
  const governor = page.governor;
  const pause = governor?.mode === "pause" ? `pause until ${when(governor.until)}` : governor?.mode;
  show(at("standing"), ...facts(orderFacts(page.orders)));
  const seen = governor?.metrics;
  show(at("governor"), ...facts([["Governor", pause], ["Alarms", governor?.alarms.join(", ") || "none"], ...(!seen ? [] : [
    ["Reports watched", String(seen.snapshots)], ["Drawdown", percent(seen.drawdown)], ["Return over them", percent(seen.window_return)],
    ["Costs over them", percent(seen.cost_share)], ["Slippage", `${number(seen.slippage_bps)} bps`], ["Rejects per fill", number(seen.reject_rate)],
    ["Largest gap", percent(seen.tracking_error)], ["Pairs no longer cointegrated", percent(seen.lost_pairs, 0)]])]));
  show(at("given"), ...facts(orderFacts(page.orders)));
}

function lastSignal(signal, now) {
  show(at("signal"), ...facts(!signal ? [["Signal", "none yet"]] : [
    ["Number", String(signal.seq)], ["Bar", when(signal.bar_close)], ["Written", ago(now - signal.created_at)],
    ["Gross target", percent(signal.gross)], ["Reasons", signal.reasons.join(", ") || "the policy's own"],
  ]));
}
