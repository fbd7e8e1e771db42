"""``perpfut bench market``: how much there is to earn in a market, and how many times more than in the recorded ones.

For a simulated market: the net Sharpe ratio of the trader who knows how it was made, over fresh worlds. For any
market: what the screened pairs show, measured in the same way everywhere. ``--keep`` publishes a profile's figures as
``market/<profile>``; those of recorded profiles are what others are compared with.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib import pipeline, statistics
from perpfut_lib.accounting import Costs
from perpfut_lib.artifacts import Run, git_commit, list_published, publish, read_published
from perpfut_lib.bench.harness import BenchRow
from perpfut_lib.bench.learner import Order
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import Profile, load_profile
from perpfut_lib.env import make_costs, make_rules
from perpfut_lib.evaluate import days_of, portfolio_of, rollout
from perpfut_lib.policies import ZScoreRule
from perpfut_lib.policies.fitting import spread_returns
from perpfut_lib.policies.informed import informed_episodes, informed_policy
from perpfut_lib.policies.stopping import OrnsteinUhlenbeck
from perpfut_lib.protocol.worlds import World, prepare, simulated_panel
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.stage import load_panel
from perpfut_lib.types import Float1D, Json, JsonObject
from perpfut_lib.venue.market import simulate

RULE: Final = (1.0, 0.0)
"""Entry and exit of the z-score rule that edges are measured with, fixed so that no market has it tuned."""
STATISTICS: Final = {
    "gross edge of a fixed z-score rule per side": "bps",
    "gross P&L of that rule per pair-day": "bps",
    "daily Sharpe ratio of that rule before costs": "1",
    "variance ratio of the spread, an hour over a bar": "1",
    "half-life of the z-score": "bars",
    "movement of a unit exposure per day": "bps",
    "pairs screened per day": "1",
}
SIMULATED: Final = ("sim", "venue")


def run(order: Order | None = None) -> Iterator[BenchRow]:
    """Yield the informed trader's Sharpe ratio by fee, and each statistic beside every published recorded market."""
    found = results(order or Order())
    recorded = {name: read_published(f"market/{name}") for name in published()}
    recorded = {name: one["statistics"] for name, one in recorded.items() if not one["simulated"]}
    for fee, ratio in found["informed_sharpe"].items():
        yield BenchRow("market", f"informed Sharpe ratio at {fee} bps", "1", ratio, None, None, None, None)
    for name, unit in STATISTICS.items():
        ours = found["statistics"][name]
        for market, values in recorded.items() or [(None, None)]:
            other = None if values is None else values[name]
            ratio = ours / other if other else None
            yield BenchRow("market", name, unit, ours, other, market, ratio, None)


def keep(order: Order | None = None) -> None:
    """Publish the figures of the profile."""
    order = order or Order()
    publish(f"market/{order.profile}", results(order) | {"git_commit": git_commit()})


def published() -> list[str]:
    """Return the profiles whose market is published."""
    return [name.removeprefix("market/") for name in list_published("market")]


@cache
def results(order: Order) -> JsonObject:
    """Return the figures of a profile's market: means over worlds, Sharpe ratios of all their days together."""
    base = load_profile(order.profile, order.settings)
    simulated = base.data.source in SIMULATED
    if simulated:
        seeds = range(order.first_seed, order.first_seed + order.worlds)
        worlds = run_tasks(simulated_world, [(base, seed) for seed in seeds], base.compute, label="worlds")
    else:
        pipeline.ensure("quality", base)
        worlds = [measure(base, load_panel(Run.named(base.name)), None)]
    table = pd.DataFrame([world["statistics"] for world in worlds])
    ratios = {
        f"{fee:g}": float(statistics.sharpe(np.concatenate([world["days"][fee] for world in worlds])))
        for fee in (base.costs.fees_bps if simulated else ())
    }
    return {
        "profile": base.name,
        "simulated": simulated,
        "worlds": len(worlds),
        "settings": base.data.simulation.model_dump(mode="json") if simulated else {},
        "inputs": pipeline.fingerprint(base),
        "informed_sharpe": ratios,
        "statistics": {name: float(table[name].mean()) for name in STATISTICS},
    }


def simulated_world(task: tuple[Profile, int]) -> JsonObject:
    """Return the figures of one fresh market."""
    base, seed = task
    profile = base.changed({"data.simulation.seed": seed}, name=base.name)
    config = profile.data.simulation
    return measure(profile, simulated_panel(config), simulate(config).truth)


def measure(profile: Profile, panel: Panel, truth: Mapping[str, Json] | None) -> JsonObject:
    """Return ``statistics`` of the pair-days of a panel, and the informed trader's daily returns by fee, ``days``."""
    world = prepare(panel, profile.changed({"features.only": ["spread_z"]}, name=profile.name))
    days = {} if truth is None else {fee: informed_days(world, panel, truth, fee) for fee in profile.costs.fees_bps}
    return {"statistics": edge_statistics(world), "days": days}


def informed_days(world: World, panel: Panel, truth: Mapping[str, Json], fee: float) -> Float1D:
    """Return the daily net returns of the informed trader over all windows; it is fitted to none of them."""
    profile = world.profile
    rules, costs = make_rules(profile.env), make_costs(fee, profile.costs)
    episodes = informed_episodes(world.episodes, panel, truth, rules, costs, latency=profile.env.latency)
    book = rollout(episodes, informed_policy(rules), costs).ledger
    return _daily(world, book)["return"].to_numpy()


def edge_statistics(world: World) -> dict[str, float]:
    """Return :data:`STATISTICS` of all pair-days of a world."""
    episodes, rules = world.episodes, make_rules(world.profile.env)
    book = rollout(episodes, ZScoreRule(world.layout, *RULE, rules.sizing), Costs(0.0, 0.0)).ledger
    gross, traded = book.price + book.funding, book.turnover
    days = _daily(world, book)["return"].to_numpy()
    moves = 1e4 * spread_returns(episodes, beta_legs=rules.sizing.beta_legs)
    hour = max(1, 3_600_000 // int(episodes.fill_times[0, 1] - episodes.fill_times[0, 0]))
    blocks = moves[:, : moves.shape[1] // hour * hour].reshape(len(moves), -1, hour).sum(axis=2)
    rows = episodes.features[:, episodes.lookback - 1 :].reshape(-1, len(episodes.names))
    z = world.layout.unscaled(rows, "spread_z").reshape(len(episodes), -1)
    values = (
        1e4 * float(gross.sum() / traded.sum()),
        1e4 * float(gross.sum(axis=1).mean()),
        float(np.mean(days) / np.std(days, ddof=1)),
        float(blocks.var() / (hour * moves.var())),
        OrnsteinUhlenbeck.fit(z).half_life,
        float(moves.sum(axis=1).std()),
        len(episodes) / len(world.windows),
    )
    return dict(zip(STATISTICS, values, strict=True))


def _daily(world: World, book: Any) -> pd.DataFrame:
    windows = world.windows[["start", "end"]].to_numpy(np.int64)
    return days_of(portfolio_of(book, world.episodes, windows, world.profile.cointegration.top))
