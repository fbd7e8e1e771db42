"""Stage ``environment``: what fills, marks and funding each episode will meet, cut from the panel."""

import numpy as np
import pandas as pd

from perpfut_lib.accounting import Market, make_market
from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.config import EnvConfig, Profile
from perpfut_lib.env.fills import fill_rows, order_rows, rows_before_halts
from perpfut_lib.env.impact import LEGS, impact_coefficients
from perpfut_lib.errors import GapError
from perpfut_lib.store.halts import carried
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import MINUTE_MS, Float1D, Float2D, Float3D, Int1D


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write ``fills``, ``marks``, ``funding``, ``impact`` and ``fill_times`` of every episode.

    Raises
    ------
    GapError
        A price that an episode needs is not on the panel.
    """
    from perpfut_lib.cointegration import load_pair_days
    from perpfut_lib.store.stage import load_panel  # pyarrow, which panels in memory do without

    market, fill_times = cut_market(load_panel(run), load_pair_days(run), profile)
    for name, array in market._asdict().items():
        folder.write_array(f"{name}.npy", array)
    folder.write_array("fill_times.npy", fill_times)


def cut_market(panel: Panel, pair_days: pd.DataFrame, profile: Profile) -> tuple[Market, Int1D]:
    """Return what every episode will meet, and the times that its orders are meant for, ms UTC, (E, L+1).

    Halts and symbols that end are dealt with as :mod:`perpfut_lib.env.fills` says.

    Raises
    ------
    GapError
        A price that an episode needs is not on the panel.
    """
    rows, halt = decision_rows(panel, pair_days), profile.quality.halt
    fills, times = fill_prices(panel, pair_days, rows, profile.env, halt)
    whole = carried(panel)
    marks = np.stack([leg_prices(whole.close, whole, pair_days[leg], rows[:, :-1] - 1) for leg in LEGS], axis=2)
    funding = np.zeros_like(marks)
    if profile.env.pay_funding:
        funding = np.stack([funding_per_unit(whole, pair_days[leg], times) for leg in LEGS], axis=2)
    _require_finite(pair_days, {"fill": fills, "mark": marks, "funding": funding})
    judged = rows_before_halts(panel, pair_days, rows, halt)
    impact = impact_coefficients(whole, pair_days, judged, profile.costs.slippage)
    return make_market(fills, marks, funding, impact), panel.open_time[order_rows(rows, profile.env)]


def decision_rows(panel: Panel, pair_days: pd.DataFrame) -> Int1D:
    """Return the panel's row whose bar opens when decision j is made, the window's end included, (E, L+1)."""
    start, end = pair_days["start"].to_numpy(np.int64), pair_days["end"].to_numpy(np.int64)
    length = int((end[0] - start[0]) // panel.timeframe)
    first = np.searchsorted(panel.open_time, start)
    rows: Int1D = first[:, None] + np.arange(length + 1)
    if rows.min() < 1 or rows.max() >= len(panel.open_time):
        found = f"windows over rows {rows.min()} to {rows.max()} of a panel of {len(panel.open_time)} bars"
        raise GapError(found, "one bar before the first and one after the last", "narrow the split")
    return rows


def leg_prices(prices: Float2D, panel: Panel, symbols: "pd.Series[str]", rows: Int1D) -> Float2D:
    """Return prices (T, N) of each episode's symbol at ``rows`` (E, R), as (E, R)."""
    columns = np.array([panel.column(symbol) for symbol in symbols])
    taken: Float2D = prices[rows, columns[:, None]]
    return taken


def fill_prices(
    panel: Panel, pair_days: pd.DataFrame, rows: Int1D, config: EnvConfig, halt: int = 0
) -> tuple[Float3D, Int1D]:
    """Return the price and time at which each decision fills, the flattening included, (E, L+1, 2) and (E, L+1).

    An order that latency carries beyond the window's end fills at the flattening; where a leg does not trade for
    ``halt`` ms or more, or has ended, see :mod:`perpfut_lib.env.fills`.
    """
    shift = 0 if config.fill == "next_open" else 1
    filled = fill_rows(panel, pair_days, order_rows(rows, config) - shift, halt)
    whole = carried(panel)
    prices = whole.close if shift else whole.open
    fills = np.stack([leg_prices(prices, whole, pair_days[leg], filled) for leg in LEGS], axis=2)
    return fills, panel.open_time[filled] + shift * panel.timeframe


def funding_per_unit(panel: Panel, symbols: "pd.Series[str]", fill_times: Int1D) -> Float2D:
    """Return Σ rate·mark over settlements in (t_j, t_j+1] for one long unit of each episode's symbol, (E, L).

    A settlement's mark is the last close before it. Stamps are rounded to the minute: exchanges jitter them by
    milliseconds, and a settlement at t_j is paid by the position held before the fill at t_j.
    """
    paid = np.zeros((len(symbols), fill_times.shape[1] - 1))
    payments = {symbol: _payments(panel, symbol) for symbol in set(symbols)}
    for episode, symbol in enumerate(symbols):
        time, payment = payments[symbol]
        step = np.searchsorted(fill_times[episode], time, side="left") - 1  # time in (t_step, t_step+1]
        inside = (step >= 0) & (step < paid.shape[1])
        # Each step sums its own settlements: the agent, which knows no earlier ones, comes to the same bits.
        paid[episode] = np.bincount(step[inside], weights=payment[inside], minlength=paid.shape[1])
    return paid


def _payments(panel: Panel, symbol: str) -> tuple[Int1D, Float1D]:
    """Return settlement times and rate·mark of each settlement, (S,)."""
    if symbol not in panel.funding:
        return np.zeros(0, np.int64), np.zeros(0)
    events = panel.funding[symbol]
    time: Int1D = (events.time + MINUTE_MS // 2) // MINUTE_MS * MINUTE_MS
    last_closed = (time - panel.open_time[0]) // panel.timeframe - 1
    inside = (last_closed >= 0) & (last_closed < len(panel.open_time))
    mark = panel.close[last_closed[inside], panel.column(symbol)]
    # Settlements while the symbol has no price belong to no episode.
    return time[inside], np.nan_to_num(events.rate[inside] * mark, nan=0.0)


def _require_finite(pair_days: pd.DataFrame, arrays: dict[str, Float3D]) -> None:
    """Raise :class:`GapError` naming the first episode that lacks a price."""
    for name, array in arrays.items():
        missing = ~np.isfinite(array).all(axis=(1, 2))
        if missing.any():
            pair = pair_days.iloc[int(np.flatnonzero(missing)[0])]
            found = f"no {name} price for {pair['y']}/{pair['x']} in the window that starts at {pair['start']}"
            raise GapError(found, "prices over the whole window and one bar after it", "mend the panel")
