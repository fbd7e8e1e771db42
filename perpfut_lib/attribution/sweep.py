"""The sweep over fills: the same decisions, filled at once or up to five bars later, at last trades or at mid prices.

What an agent seems to earn at the close that it has just seen, and loses when the fill comes a bar later or at the mid
price, is the bounce between bid and ask: nobody can earn it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.accounting import Market, make_market, settle
from perpfut_lib.artifacts import Run
from perpfut_lib.attribution.ladder import followed
from perpfut_lib.config import EnvConfig, Profile, SimulationConfig
from perpfut_lib.env.fills import fill_rows, order_rows
from perpfut_lib.env.impact import LEGS
from perpfut_lib.env.stage import decision_rows, fill_prices, funding_per_unit, leg_prices
from perpfut_lib.evaluate import break_even_bps, days_of, rollout
from perpfut_lib.evaluate.stage import TestSpan, agents, load_test_span, trial_costs
from perpfut_lib.progress import track
from perpfut_lib.store.halts import carried
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel, load_truth
from perpfut_lib.types import Float2D, Int1D
from perpfut_lib.venue.market import mid_prices

SWEEP: Final = "sweep.parquet"
SAME_CLOSE: Final = -1
"""The delay, in bars after the next open, that stands for the close that the decision has seen."""
KEYS: Final = ["prices", "delay", "agent", "fee_bps"]


@dataclass(frozen=True)
class Ground:
    """What fills are cut from."""

    panel: Panel
    span: TestSpan
    rows: Int1D
    mids: Float2D | None
    """Mid prices at the open of each bar, (T, N); None where only trades are known."""
    halt: int
    """Least length of a halt, ms."""

    @property
    def pair_days(self) -> pd.DataFrame:
        """Return the test episodes' pairs."""
        return self.span.episodes.pair_days

    def market(self, env: EnvConfig, prices: str) -> Market:
        """Return the market of the test episodes with other fills; decisions still see the last trades."""
        fills, times = fill_prices(self.panel, self.pair_days, self.rows, env, self.halt)
        if prices == "mid" and self.mids is not None:
            late = fill_rows(self.panel, self.pair_days, order_rows(self.rows, env), self.halt)
            fills = np.stack([leg_prices(self.mids, self.panel, self.pair_days[leg], late) for leg in LEGS], axis=2)
        funding = np.stack([funding_per_unit(carried(self.panel), self.pair_days[leg], times) for leg in LEGS], axis=2)
        before = self.span.episodes.market
        return make_market(fills, before.marks, funding if env.pay_funding else np.zeros_like(funding), before.impact)


def sweep(profile: Profile, run: Run) -> pd.DataFrame:
    """Return what every agent's decisions at its own fee come to under each fill; see :func:`load_sweep`."""
    ground = load_ground(profile, run)
    books = {key: ground.market(env, key[0]) for key, env in _fills(profile, ground.mids is not None)}
    rows: dict[tuple[Any, ...], list[pd.DataFrame]] = {}
    for trial, policy in track(list(agents(profile, run)), label="fills", unit="agent"):
        own = trial.train_fee_bps if np.isfinite(trial.train_fee_bps) else trial.test_fee_bps
        if trial.test_fee_bps != own or trial.agent not in followed(profile):
            continue
        costs = trial_costs(trial, profile)
        target = rollout(ground.span.episodes, policy, costs).target
        for key, market in books.items():
            days = days_of(ground.span.portfolio_of(settle(target, market, costs)))
            rows.setdefault((*key, trial.agent, own), []).append(days)
    return pd.DataFrame([dict(zip(KEYS, key, strict=True)) | _measured(days, profile) for key, days in rows.items()])


def load_sweep(run: Run) -> pd.DataFrame:
    """Return one row per fill, agent and fee, all seeds pooled.

    Columns: ``prices`` (``last`` or ``mid``), ``delay`` (bars after the next open; -1 for the close just seen),
    ``agent``, ``fee_bps``, ``return`` and ``sharpe`` with ``_lower`` and ``_upper``, ``break_even_bps``.
    """
    return run.stage("attribution").read_table(SWEEP)


def load_ground(profile: Profile, run: Run) -> Ground:
    """Return the panel and the test episodes of a run, with mid prices where the market was simulated."""
    panel, span, truth = load_panel(run), load_test_span(profile, run), load_truth(run)
    mids = _mids(panel, SimulationConfig.model_validate(truth["settings"])) if truth else None
    return Ground(panel, span, decision_rows(panel, span.episodes.pair_days), mids, profile.quality.halt)


def _fills(profile: Profile, known_mids: bool) -> Iterator[tuple[tuple[str, int], EnvConfig]]:
    for prices in ("last", "mid") if known_mids else ("last",):
        yield (prices, SAME_CLOSE), profile.env.model_copy(update={"fill": "same_close", "latency": 0})
        for latency in profile.attribution.latencies:
            yield (prices, latency), profile.env.model_copy(update={"fill": "next_open", "latency": latency})


def _mids(panel: Panel, config: SimulationConfig) -> Float2D | None:
    """Return mid prices on the panel's grid; None where the panel is not at the simulation's bars."""
    known = mid_prices(config)
    start = pd.Timestamp(config.start, tz="UTC").value // 1_000_000
    edges = (panel.open_time - start) // 60_000
    if any(symbol not in known for symbol in panel.symbols) or edges.min() < 0:
        return None
    return np.stack([known[symbol][edges] for symbol in panel.symbols], axis=1)


def _measured(days: list[pd.DataFrame], profile: Profile) -> dict[str, float]:
    """Return the measures of the seeds side by side."""
    mean = sum((each[["return", "gross", "traded"]] for each in days[1:]), days[0][["return", "gross", "traded"]])
    mean = mean / len(days)
    found: dict[str, float] = {}
    for name, method in (("return", statistics.return_interval), ("sharpe", statistics.sharpe_interval)):
        interval = method(mean["return"].to_numpy(), profile.evaluate.confidence)
        found |= {name: interval.estimate, f"{name}_lower": interval.lower, f"{name}_upper": interval.upper}
    return found | {"break_even_bps": break_even_bps(mean)}
