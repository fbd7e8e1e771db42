"""Point-in-time eligibility: bars and turnover over the formation window only, with the reason for every symbol."""

import numpy as np
import pandas as pd

from perpfut_lib.acquire.listings import match_names
from perpfut_lib.config import UniverseConfig, format_time
from perpfut_lib.errors import MissingInputError
from perpfut_lib.store.halts import halts
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, Bool2D, Float1D, Float2D, Int1D

__all__ = ["daily_turnover", "eligible_at", "eligible_windows", "match_names"]


def eligible_at(panel: Panel, as_of: int, formation: int, config: UniverseConfig, halt: int = 0) -> pd.DataFrame:
    """Return which symbols may be paired at ``as_of``, and why.

    A symbol must have every bar of the formation window [``as_of`` - ``formation``, ``as_of``) (bars filled forward
    count, bars before its listing on either venue are NaN on the panel), none of them in a halt, and have turned over
    enough in it.

    Parameters
    ----------
    panel : Panel
        Only rows of the formation window are read.
    as_of : int
        Start of the trading window, ms UTC.
    formation : int
        Length of the formation window, ms.
    config : UniverseConfig
        ``min_turnover``, quote currency per day.
    halt : int
        So long without a trade and at one price is a halt, ms; 0 for none.

    Returns
    -------
    DataFrame
        One row per symbol of the panel: ``symbol``, ``eligible`` (bool), ``reason`` (text), ``bars`` (filled too),
        ``turnover`` (quote currency per day: close times volume, summed; filled bars have none).

    Raises
    ------
    MissingInputError
        The panel does not hold the whole formation window.
    """
    window, wanted = _formation_window(panel, as_of, formation), formation // panel.timeframe
    bars = (~np.isnan(window.close)).sum(axis=0)
    turnover = daily_turnover(window.close, window.volume, formation)
    still, least = halts(window, halt).sum(axis=0), config.min_turnover
    whole, liquid = (bars == wanted) & (still == 0), turnover >= least
    found = zip(bars.tolist(), turnover.tolist(), still.tolist(), strict=True)
    reasons = [_reason(*of_symbol, wanted, least) for of_symbol in found]
    columns = {"eligible": whole & liquid, "reason": reasons, "bars": bars, "turnover": turnover}
    return pd.DataFrame({"symbol": list(panel.symbols), **columns})


def _formation_window(panel: Panel, as_of: int, formation: int) -> Panel:
    """Return the panel's rows of the formation window, or raise that it does not hold all of them."""
    start, end, wanted = panel.row(as_of - formation), panel.row(as_of), formation // panel.timeframe
    if end - start != wanted or int(panel.open_time[start]) != as_of - formation:
        found = f"{end - start} bars from {format_time(as_of - formation)} to {format_time(as_of)}"
        raise MissingInputError(found, f"{wanted} on the panel", "choose a later as_of or a shorter formation window")
    return panel.rows(start, end)


def eligible_windows(panel: Panel, starts: Int1D, formation: int, config: UniverseConfig, halt: int = 0) -> Bool2D:
    """Return :func:`eligible_at` for many trading windows: (W, N), one row per start, one column per symbol."""
    verdicts = [eligible_at(panel, int(start), formation, config, halt)["eligible"].to_numpy() for start in starts]
    return np.array(verdicts, dtype=np.bool_).reshape(-1, len(panel.symbols))


def daily_turnover(close: Float2D, volume: Float2D, formation: int) -> Float1D:
    """Return the turnover per day, (N,), quote currency: close times volume, summed over a formation window.

    Parameters
    ----------
    close, volume : ndarray, (T, N)
        Bars of the window; NaN counts as nothing.
    formation : int
        Length of the window, ms.
    """
    turnover: Float1D = np.nansum(close * volume, axis=0) * (DAY_MS / formation)
    return turnover


def _reason(bars: int, turnover: float, still: int, wanted: int, least: float) -> str:
    if still:
        return f"out: halted in {still} of {wanted} bars"
    if bars < wanted:
        return f"out: {bars} of {wanted} bars"
    if turnover < least:
        return f"out: turnover {turnover:,.0f} a day, below {least:,.0f}"
    return f"in: all bars, turnover {turnover:,.0f} a day"
