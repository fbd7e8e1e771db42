"""Figures that a reader can zoom and read off: the cost frontier, equity curves, a spread with what an agent held.

Each is an HTML element that carries its data as JSON; the book's ``charts.js`` draws it with uPlot.
"""

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration.stage import load_pair_days
from perpfut_lib.env import load_episodes
from perpfut_lib.evaluate import ALL_SEEDS, load_curves, load_metrics
from perpfut_lib.evaluate.measure import Trial
from perpfut_lib.evaluate.stage import ledger_name
from perpfut_lib.frontier import CHOSEN
from perpfut_lib.report.figures import formation_spread
from perpfut_lib.report.frontier import FEES, UNPUBLISHED, frontier_of
from perpfut_lib.types import Float1D, Json, JsonObject

MOST_POINTS: Final = 1500
"""Points of a line; more than that are thinned."""
DIGITS: Final = 5


def frontier_chart() -> str:
    """Return the frontier on recorded minutes, decided at every bar: one line per delay, a band for one bar later."""
    rows = [row for row in frontier_of(simulated=False) if row.bar == 1 and row.interval == 1 and row.rule == CHOSEN]
    if not rows:
        return UNPUBLISHED
    x = sorted({round(row.holding_minutes, 1) for row in rows})
    series = []
    for delay in sorted({row.delay for row in rows}):
        own = {round(row.holding_minutes, 1): row.break_even for row in rows if row.delay == delay}
        label = "filled at the next open" if delay == 0 else f"{delay} bar{'s' * (delay > 1)} later"
        line: JsonObject = {
            "label": label,
            "values": _brief([own[each].estimate if each in own else np.nan for each in x]),
        }
        if delay == 1:
            line["lower"], line["upper"] = (
                _brief([getattr(own[each], end) if each in own else np.nan for each in x]) for end in ("lower", "upper")
            )
        series.append(line)
    levels = [{"label": name, "value": level} for name, level in FEES.items()]
    about = {"x_label": "mean holding time (minutes)", "y_label": "break-even cost (bps per side)", "log": True}
    text = "Break-even cost of rules, by delay of the fill; the band is the 95 % interval one bar late."
    return _element({"x": x, "series": series, "levels": levels, **about}, text)


def equity_chart(run: Run) -> str:
    """Return the test equity of the first seed's agent at each fee, charged that fee."""
    curves = load_curves(run)
    own = curves[curves["train_fee_bps"] == curves["test_fee_bps"]]
    own = own[own["seed"] == own["seed"].min()]
    wide = own.pivot_table(index="time", columns="test_fee_bps", values="equity", aggfunc="last")
    thin = wide.iloc[_thinned(len(wide))]
    series = [{"label": f"{fee:g} bps", "values": _percent(thin[fee].to_numpy(np.float64))} for fee in thin.columns]
    about = {"x_label": "UTC", "y_label": "return (%)", "time": True}
    text = "Out of sample: net return of the agent at each fee that it was trained and charged with."
    return _element({"x": _seconds(thin.index), "series": series, **about}, text)


def spread_chart(run: Run) -> str:
    """Return the spread of a test pair-day and the exposures that agents held in it, by fee.

    The pair-day is the one that the agents traded most.
    """
    episodes, pairs = load_episodes(run), load_pair_days(run)
    test = np.flatnonzero(pairs["split"].to_numpy() == "test")
    ledgers = dict(_ledgers(run))
    traded = sum(table.groupby("episode")["turnover"].sum().to_numpy() for table in ledgers.values())
    chosen = int(np.argmax(traded))
    place = int(test[chosen])
    pair = pairs.iloc[place]
    spread = _brief(formation_spread(episodes, pair, place))
    series: list[JsonObject] = [{"label": "spread (formation std)", "values": spread}]
    for fee, table in ledgers.items():
        held = table.loc[table["episode"] == chosen, "action"].to_numpy(np.float64)
        series.append({"label": f"exposure at {fee:g} bps", "values": _brief(held), "step": True, "second": True})
    about = {"x_label": "UTC", "y_label": "spread (std)", "second_label": "exposure", "time": True}
    text = f"{pair['y']} against {pair['x']}: the spread that decisions saw, and the exposure that agents held, by fee."
    return _element({"x": _seconds(episodes.fill_times[place, :-1]), "series": series, **about}, text)


def _ledgers(run: Run) -> Iterable[tuple[float, pd.DataFrame]]:
    """Yield the ledger of the first seed's agent, by the fee that it was trained and is charged with."""
    metrics = load_metrics(run)
    own = metrics[(metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] != ALL_SEEDS)]
    for fee, group in own.groupby("test_fee_bps"):
        trial = Trial(str(group["agent"].iloc[0]), float(fee), float(fee), int(group["seed"].min()))
        yield float(fee), run.stage("evaluate").read_table(f"ledgers/{ledger_name(trial)}")


def _element(content: JsonObject, text: str) -> str:
    """Return a chart as HTML on one line, which Markdown takes as it is."""
    data = escape(json.dumps(content, separators=(",", ":"), allow_nan=False), quote=True)
    return f'<figure class="chart" data-chart="{data}"><figcaption>{escape(text)}</figcaption></figure>'


def _thinned(count: int) -> list[int]:
    """Return at most :data:`MOST_POINTS` equally spaced positions, the last one among them."""
    step = max(1, -(-count // MOST_POINTS))
    return sorted({*range(0, count, step), count - 1})


def _seconds(times: Sequence[int] | pd.Index) -> list[Json]:
    return [int(each) // 1000 for each in times]


def _percent(equity: Float1D) -> list[Json]:
    return _brief(100.0 * (equity - 1.0))


def _brief(values: Float1D | list[float]) -> list[Json]:
    """Return numbers with few digits; what is not finite is null."""
    return [float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None for value in values]
