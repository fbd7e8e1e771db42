// Line charts by uPlot, with their message in words below them; they follow width and colour scheme.
import {make} from "./dom.js";

const drawn = new Map();
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function axis(more = {}) {
  const line = {stroke: colour("--line"), width: 1};
  return {stroke: colour("--quiet"), grid: line, ticks: line, font: "12px system-ui, sans-serif", ...more};
}

// Times in the viewer's words; days where the chart spans several, seconds where it spans minutes.
function clock(plot, splits) {
  const span = plot.scales.x.max - plot.scales.x.min, close = span < 900 ? {second: "2-digit"} : {};
  const form = span > 2 * 86_400 ? {month: "short", day: "numeric"} : {hour: "2-digit", minute: "2-digit", ...close};
  return splits.map(each => new Date(1000 * each).toLocaleString(undefined, form));
}

// Numbers of an axis with as many digits as its steps need; a share reads as per cent.
function steps(share) {
  const scale = share ? 100 : 1;
  return (plot, splits, place, space, step) => {
    const size = step * scale, least = Math.max(0, -Math.floor(Math.log10(size) + 1e-9));
    const odd = Math.abs(size * 10 ** least - Math.round(size * 10 ** least)) > 1e-6;  // steps of 2.5
    const digits = Math.min(8, least + odd);
    const form = {minimumFractionDigits: digits, maximumFractionDigits: digits};
    return splits.map(each => (scale * each).toLocaleString(undefined, form) + (share ? " %" : ""));
  };
}

// Room for the longest number of an axis, pixels.
export const room = (plot, labels) => Math.max(70, 18 + 7 * Math.max(0, ...(labels ?? []).map(each => each.length)));

// uPlot stretches a level line at zero to 100, which on an axis of shares reads as 10,000 %.
export function range(share) {
  return (plot, low, high) => {
    if (low !== high) return uPlot.rangeNum(low, high, 0.1, true);
    const beside = low === 0 ? (share ? 0.01 : 1) : Math.abs(low) / 20;
    return [low === 0 ? 0 : low - beside, high + beside];
  };
}

// `series` is a list of {label, values, colour, dash, step}; `times` are ms UTC, or plain numbers where `more.plain`
// says so; `text` is what the chart says.
export function chart(place, times, series, text, more = {}) {
  if (!times.length || series.every(each => each.values.every(value => value === null || value === undefined))) {
    drawn.delete(place);
    place.replaceChildren(make("p", {class: "empty"}, "No data yet."));
    return;
  }
  drawn.get(place)?.plot.destroy();
  if (times.length < 2) {
    drawn.delete(place);
    place.replaceChildren(make("p", {class: "quiet"}, `${text} A curve begins with the second report.`));
    return;
  }
  const figure = make("figure", {role: "img", "aria-label": text});
  place.replaceChildren(figure, make("figcaption", {}, text));
  const lines = series.map(each => ({
    label: each.label, stroke: colour(each.colour || "--accent"), width: each.width || 1.5, dash: each.dash,
    paths: each.step ? uPlot.paths.stepped({align: 1}) : undefined, points: {show: each.values.filter(value => value !== null && value !== undefined).length < 3},
  }));
  const options = {
    width: Math.max(200, place.clientWidth), height: more.height || 180, padding: [null, 30, null, null], series: [{}, ...lines],
    scales: {x: {time: !more.plain}, y: {range: range(more.share)}}, axes: [axis(more.plain ? {space: 90} : {space: 90, values: clock}), axis({size: room, space: 24, values: steps(more.share)})],
    legend: {show: series.length > 1, live: false}, cursor: {show: false},
  };
  const plot = new uPlot(options, [more.plain ? times : times.map(time => time / 1000), ...series.map(each => each.values)], figure);
  drawn.set(place, {plot, again: () => chart(place, times, series, text, more)});
}

function redraw() {
  for (const [place, {again}] of drawn) if (place.isConnected && place.clientWidth) again();
}

let waiting = 0;
addEventListener("resize", () => { clearTimeout(waiting); waiting = setTimeout(redraw, 150); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
