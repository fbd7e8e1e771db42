"""Tables of the book, each made from a run's artifacts only."""

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration.stage import load_pair_days, load_windows
from perpfut_lib.env import load_episodes
from perpfut_lib.evaluate import ALL_SEEDS, load_curves, load_metrics
from perpfut_lib.features.stage import load_features
from perpfut_lib.store.stage import load_panel

PERCENT = ("return", "return_lower", "return_upper", "volatility", "max_drawdown", "win_rate")


def utc(milliseconds: object) -> pd.Series:
    """Return time stamps as text to the minute."""
    return pd.to_datetime(pd.Series(milliseconds), unit="ms").dt.strftime("%Y-%m-%d %H:%M")


def data_summary(run: Run) -> pd.DataFrame:
    """Return one row a symbol: bars, first and last bar, annualised volatility, settlements and mean funding rate."""
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
    """Return the selected pairs, one row a pair and trading window."""
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
    """Return one row a split: windows, tests, share that passed the screen, and pairs traded."""
    windows, pairs = load_windows(run), load_pair_days(run)
    table = windows.groupby("split", sort=False)[["tested", "correlated", "passed"]].sum()
    table.insert(0, "windows", windows.groupby("split", sort=False).size())
    table["passed (%)"] = (100 * table["passed"] / table["tested"]).round(1)
    table["pairs traded"] = pairs.groupby("split").size().reindex(table.index, fill_value=0)
    return table


def feature_table(run: Run) -> pd.DataFrame:
    """Return one row a feature: raw quantiles, scaled standard deviation on the training span, share clipped."""
    features = load_features(run)
    train = (load_pair_days(run)["split"] == "train").to_numpy()
    raw, scaled = features.raw[train], features.scaled()[train]
    low, middle, high = np.nanquantile(raw.reshape(-1, raw.shape[-1])[::7], (0.01, 0.5, 0.99), axis=0)
    bound = np.abs(scaled).max(axis=(0, 1))
    return pd.DataFrame(
        {
            "1 %": low,
            "median": middle,
            "99 %": high,
            "scaled std": scaled.std(axis=(0, 1), dtype=np.float64),
            "largest |scaled|": bound,
        },
        index=pd.Index(features.names, name="feature"),
    ).round(4)


def environment_check(run: Run) -> pd.DataFrame:
    """Return what the decision process is made of: episodes, decisions, and observation size, by split."""
    episodes = load_episodes(run)
    counts = episodes.pair_days.groupby("split", sort=False).size()
    return pd.DataFrame(
        {"episodes": counts, "decisions": counts * episodes.length, "observation": episodes.observation_size}
    )


def fee_table(run: Run) -> pd.DataFrame:
    """Return the fee-regime table: every agent at the fee that it was trained for, every baseline at every fee.

    Percentages, basis points and ratios as the column names say; intervals are those of the stationary bootstrap.
    """
    metrics = load_metrics(run)
    trained = metrics["train_fee_bps"].notna()
    shown = ~trained | ((metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] == ALL_SEEDS))
    rows = metrics[shown].sort_values(["test_fee_bps", "agent"], key=_ppo_first)
    percent = rows.assign(**{name: 100 * rows[name] for name in PERCENT})
    table = pd.DataFrame(
        {
            "fee (bps)": percent["test_fee_bps"],
            "agent": percent["agent"],
            "return (%)": percent["return"].round(2),
            "return interval (%)": _interval(percent, "return", 1),
            "volatility (%)": percent["volatility"].round(1),
            "Sharpe": percent["sharpe"].round(2),
            "Sharpe interval": _interval(percent, "sharpe", 1),
            "max drawdown (%)": percent["max_drawdown"].round(1),
            "turnover (/day)": percent["turnover_per_day"].round(2),
            "mean |a|": percent["mean_exposure"].round(2),
            "break-even (bps)": percent["break_even_bps"].round(2),
        }
    )
    return table.set_index(["fee (bps)", "agent"])


def attribution_table(run: Run) -> pd.DataFrame:
    """Return the P&L of each agent at its own fee, in % of initial capital, split into its sources, which sum to it."""
    metrics = load_metrics(run)
    rows = metrics[(metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] == ALL_SEEDS)]
    parts = {"price": rows["price"], "funding": rows["funding"], "fees": -rows["fees"], "slippage": -rows["slippage"]}
    table = 100 * pd.DataFrame(parts)
    table["sum"] = table.sum(axis=1)
    return table.round(3).set_index(rows["test_fee_bps"].rename("fee (bps)"))


def ledger_check(run: Run) -> pd.DataFrame:
    """Return the largest gap, over every agent and step, between the sum of flows and the change of equity."""
    metrics, curves = load_metrics(run), load_curves(run)
    worst = float(metrics["imbalance"].max())
    return pd.DataFrame({"marks": [len(curves)], "largest imbalance": [worst], "within 1e-12": [worst <= 1e-12]})


def _interval(rows: pd.DataFrame, name: str, digits: int) -> list[str]:
    lower, upper = rows[f"{name}_lower"], rows[f"{name}_upper"]
    return [f"[{low:.{digits}f}, {high:.{digits}f}]" for low, high in zip(lower, upper, strict=True)]


def _ppo_first(column: pd.Series) -> pd.Series:
    return column.replace({"ppo": ""}) if column.name == "agent" else column
