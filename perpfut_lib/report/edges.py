"""What the published policies earned on recorded minutes, per side traded and after fees, with intervals."""

from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.evaluate import ALL_SEEDS
from perpfut_lib.policies.rules import TUNED
from perpfut_lib.report.ladder import agents
from perpfut_lib.report.sources import Source, published_profiles, read_result

MINUTES: Final = "real-1m"
"""How the names of the profiles on recorded one-minute candles begin."""
TRADES: Final = "last"
"""The price that a fill is booked at, beside the mid price of a simulated market."""


def recorded_minutes(table: str) -> list[str]:
    """Return the profiles on recorded minutes that have published a table."""
    return [name for name in published_profiles(table) if name.startswith(MINUTES)]


def gross_edges(delays: tuple[int, ...] = (0, 1)) -> pd.DataFrame:
    """Return what the agent trained without fees earned before costs, one row per profile of recorded minutes.

    ``edge_bps`` is the break-even cost, gross profit per unit traded; ``lower`` and ``upper`` are the bounds of the
    return's interval over the same turnover. Delay 0 fills at the next open, 1 one bar later.
    """
    rows = [_edges_of(name, delays) for name in recorded_minutes("sweep")]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def _edges_of(name: str, delays: tuple[int, ...]) -> pd.DataFrame:
    sweep = read_result(name, "sweep")
    free = (sweep["fee_bps"] == 0.0) & (sweep["prices"] == TRADES) & (sweep["agent"] == agents(sweep)[0])
    rows = sweep[free & sweep["delay"].isin(delays)]
    edge = rows["break_even_bps"].to_numpy(np.float64)
    traded = 1e4 * rows["return"].to_numpy(np.float64) / edge  # in units of capital
    table: dict[str, Any] = {"profile": name, "delay": rows["delay"], "edge_bps": edge}
    for end in ("lower", "upper"):
        table[end] = 1e4 * rows[f"return_{end}"].to_numpy(np.float64) / traded
        table[f"return_{end}"] = rows[f"return_{end}"]
    return pd.DataFrame({**table, "gain": rows["return"], "days": test_days(name)})


def test_days(name: str) -> int:
    """Return how many days a published test span has."""
    return int(read_result(name, "metrics")["days"].max())


def fitted_results(source: Source) -> pd.DataFrame:
    """Return the results of all policies that are fitted to a fee, each at its own: agents and tuned rules."""
    metrics = read_result(source, "metrics")
    own = (metrics["train_fee_bps"] == metrics["test_fee_bps"]) & (metrics["seed"] == ALL_SEEDS)
    rules = metrics["train_fee_bps"].isna() & metrics["agent"].isin(TUNED)
    return metrics[own | rules].assign(learned=metrics["train_fee_bps"].notna(), gain=metrics["return"])


def net_results() -> pd.DataFrame:
    """Return the results after fees on recorded minutes, one row per profile, fee and policy."""
    tables = [fitted_results(name).assign(profile=name) for name in recorded_minutes("metrics")]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["test_fee_bps"])
    return table[table["test_fee_bps"] > 0.0]
