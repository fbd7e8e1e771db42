// Draws every `figure.chart` with uPlot: what the pointer is at stands in the legend, dragging zooms, a double click shows all.
const COLOURS = ["#0173b2", "#c26a00", "#007a5a", "#b3123a", "#8e4b9e", "#7a4a1e"];
const DARK = ["#5fb4e6", "#f0a04b", "#45c79c", "#f06a8a", "#c99ad6", "#c9a27e"];
const DASHES = [[], [8, 4], [2, 3], [8, 3, 2, 3]];

const isDark = () => document.documentElement.dataset.theme === "dark";
const colour = (number) => (isDark() ? DARK : COLOURS)[number % COLOURS.length];
const ink = () => getComputedStyle(document.body).color;
const faint = () => (isDark() ? "#ffffff22" : "#00000018");

function axis(label, more) {
  const lines = { stroke: faint(), width: 1 };
  return { label, stroke: ink, grid: lines, ticks: lines, font: "13px system-ui, sans-serif", labelFont: "13px system-ui, sans-serif", ...more };
}

// Times in UTC, as everywhere in the book, as short as the span that the chart shows allows.
function times(plot, splits) {
  const days = (plot.scales.x.max - plot.scales.x.min) / 86400;
  const part = days > 8 ? [5, 10] : days > 1.5 ? [5, 16] : [11, 16];
  return splits.map((second) => new Date(1000 * second).toISOString().slice(...part).replace("T", " "));
}

const moment = (plot, second) => (second === null ? "--" : new Date(1000 * second).toISOString().slice(0, 16).replace("T", " "));
const figureOf = (plot, value) => (value === null || value === undefined ? "--" : Number(value.toPrecision(4)).toString());

// The lines of a chart in the order of its columns: each series, its band's two ends, then levels.
function columns(data) {
  const lines = [], values = [data.x], bands = [];
  data.series.forEach((series, number) => {
    const line = { label: series.label, value: figureOf, stroke: colour(number), width: 2, scale: series.second ? "second" : "y", spanGaps: true };
    if (series.step) {
      line.paths = uPlot.paths.stepped({ align: 1 });
    }
    line.dash = DASHES[Math.floor(number / COLOURS.length) % DASHES.length];
    lines.push(line);
    values.push(series.values);
    if (series.lower) {
      for (const end of ["upper", "lower"]) {
        lines.push({ label: `${series.label}, ${end} end`, value: figureOf, stroke: colour(number), width: 0.7, dash: [3, 3], spanGaps: true, points: { show: false } });
        values.push(series[end]);
      }
      bands.push({ series: [values.length - 2, values.length - 1], fill: colour(number) + "30" });
    }
  });
  (data.levels || []).forEach((level, number) => {
    lines.push({ label: level.label, stroke: ink(), width: 1, dash: DASHES[1 + (number % 3)], points: { show: false } });
    values.push(data.x.map(() => level.value));
  });
  return { lines, values, bands };
}

function draw(figure) {
  const data = JSON.parse(figure.dataset.chart);
  const { lines, values, bands } = columns(data);
  const axes = [axis(data.x_label, data.time ? { space: 100, values: times } : { space: 70 }), axis(data.y_label, { size: 65 })];
  const scales = { x: { time: Boolean(data.time), distr: data.log ? 3 : 1 } };
  if (data.second_label) {
    axes.push(axis(data.second_label, { scale: "second", side: 1, size: 55, grid: { show: false } }));
    scales.second = { range: [-1.05, 1.05] };
  }
  const options = {
    width: figure.clientWidth, height: Math.min(420, Math.max(280, 0.6 * figure.clientWidth)),
    series: [{ label: data.x_label, value: data.time ? moment : figureOf }, ...lines], bands, scales, axes,
    tzDate: (second) => uPlot.tzDate(new Date(1000 * second), "UTC"),
  };
  figure.querySelector(".uplot")?.remove();
  const plot = new uPlot(options, values, (made, ready) => { figure.prepend(made.root); ready(); });
  // A legend entry hides its line on a click: the keyboard can do so, too.
  for (const entry of plot.root.querySelectorAll(".u-series:not(:first-child) th")) {
    entry.tabIndex = 0;
    entry.setAttribute("role", "button");
    entry.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); entry.click(); } });
  }
}

function drawAll() {
  for (const figure of document.querySelectorAll("figure.chart")) {
    draw(figure);
  }
}

// The page's scripts run before its body is there.
window.addEventListener("load", () => {
  if (!document.querySelector("figure.chart")) {
    return;
  }
  drawAll();
  let waiting = 0;
  let width = window.innerWidth;
  window.addEventListener("resize", () => {
    if (width !== window.innerWidth) {
      width = window.innerWidth;
      clearTimeout(waiting);
      waiting = setTimeout(drawAll, 150);
    }
  });
  new MutationObserver(drawAll).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
});
