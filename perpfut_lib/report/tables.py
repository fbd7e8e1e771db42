"""Tables of the book, each made from a run's artifacts only."""

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration.stage import load_pair_days, load_windows
from perpfut_lib.env import load_episodes
from perpfut_lib.evaluate import load_curves, load_metrics
from perpfut_lib.features.stage import load_features
from perpfut_lib.store.stage import load_panel


def utc(milliseconds: object) -> pd.Series:
    """Return time stamps as text to the minute."""
    return pd.to_datetime(pd.Series(milliseconds), unit="ms").dt.strftime("%Y-%m-%d %H:%M")


def data_summary(run: Run) -> pd.DataFrame:
    """Return one row per symbol: bars, first and last bar, annualised volatility, settlements and mean funding rate."""
    panel = load_panel(run)
    per_year = 365 * 86_400_000 / panel.timeframe
    rows = []
    for column, symbol in enumerate(panel.symbols):
        close = panel.close[:, column]
        known = np.flatnonzero(np.isfinite(close))
        events = panel.funding.get(symbol)
        rates = events.rate if events is not None else np.empty(0)
        rows.append(
            {
                "symbol": symbol,
                "bars": len(known),
                "first bar (UTC)": utc([panel.open_time[known[0]]])[0],
                "last bar (UTC)": utc([panel.open_time[known[-1]]])[0],
                "volatility (% a year)": round(100 * np.std(np.diff(np.log(close[known]))) * np.sqrt(per_year), 1),
                "settlements": len(rates),
                "mean funding (bps)": round(1e4 * float(np.mean(rates)), 3) if len(rates) else np.nan,
            }
        )
    return pd.DataFrame(rows).set_index("symbol")


def pair_table(run: Run) -> pd.DataFrame:
    """Return the selected pairs, one row per pair and trading window."""
    pairs = load_pair_days(run)
    table = pd.DataFrame(
        {
            "window (UTC)": utc(pairs["start"].to_numpy()),
            "split": pairs["split"],
            "pair": pairs["y"].astype(str) + " / " + pairs["x"].astype(str),
            "β": pairs["beta"].round(3),
            "correlation": pairs["correlation"].round(3),
            "p-value": pairs["pvalue"].round(4),
            "half-life (bars)": pairs["half_life"].round(0),
            "Hurst": pairs["hurst"].round(2),
            "spread std (bps)": (1e4 * pairs["spread_std"]).round(1),
        }
    )
    return table.set_index(["window (UTC)", "pair"])


def window_table(run: Run) -> pd.DataFrame:
    """Return one row per split: windows, tests, share that passed the screen, and pairs traded."""
    windows, pairs = load_windows(run), load_pair_days(run)
    table = windows.groupby("split", sort=False)[["tested", "correlated", "passed"]].sum()
    table.insert(0, "windows", windows.groupby("split", sort=False).size())
    table["passed (%)"] = (100 * table["passed"] / table["tested"]).round(1)
    table["pairs traded"] = pairs.groupby("split").size().reindex(table.index, fill_value=0)
    return table


def feature_table(run: Run) -> pd.DataFrame:
    """Return one row per feature: raw quantiles, scaled standard deviation on the training span, share clipped."""
    features = load_features(run)
    train = (load_pair_days(run)["split"] == "train").to_numpy()
    raw, scaled = features.raw[train], features.scaled()[train]
    low, middle, high = np.nanquantile(raw.reshape(-1, raw.shape[-1])[::7], (0.01, 0.5, 0.99), axis=0)
    bound = np.abs(scaled).max(axis=(0, 1))
    return (
        pd.DataFrame(
            {
                "1 %": low,
                "median": middle,
                "99 %": high,
                "scaled std": scaled.std(axis=(0, 1), dtype=np.float64),
                "largest |scaled|": bound,
            },
            index=pd.Index(features.names, name="feature"),
        ).round(4)
        + 0.0
    )


def environment_check(run: Run) -> pd.DataFrame:
    """Return what the decision process is made of: episodes, decisions, and observation size, by split."""
    episodes = load_episodes(run)
    counts = episodes.pair_days.groupby("split", sort=False).size()
    return pd.DataFrame(
        {"episodes": counts, "decisions": counts * episodes.length, "observation": episodes.observation_size}
    )


def ledger_check(run: Run) -> pd.DataFrame:
    """Return the largest gap, over every agent and step, between the sum of flows and the change of equity."""
    metrics, curves = load_metrics(run), load_curves(run)
    worst = float(metrics["imbalance"].max())
    return pd.DataFrame({"marks": [len(curves)], "largest imbalance": [worst], "within 1e-12": [worst <= 1e-12]})
