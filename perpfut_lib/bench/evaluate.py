"""``perpfut bench evaluate``: two months of minutes in five pairs, one agent at a time; bootstrap and CSCV."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Final

import numpy as np
from arch.bootstrap import StationaryBootstrap
from scipy import stats

from perpfut_lib import statistics
from perpfut_lib.accounting import Costs, Sizing
from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.env import Episodes
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.evaluate import performance, portfolio_of, rollout
from perpfut_lib.policies import Constant, Layout, NetworkPolicy, Policy, ZScoreRule, make_network
from perpfut_lib.statistics import Resampling
from perpfut_lib.types import DAY_MS, Float1D, Float2D, Int1D

DAYS, PAIRS, FEATURES = 61, 5, 40
COSTS: Final = Costs(1.44e-4, 0.0)
RESAMPLING: Final = Resampling(3, 2000)
PEER_EPISODES: Final = 3
BANDED: Final = Sizing(True, 0.5, 2.0)
BLOCKS, STRATEGIES, HOURS = 10, 50, 61 * 24


def run() -> Iterator[BenchRow]:
    """Yield seconds for each kind of agent over 439,200 decisions, metrics included, and for the statistics."""
    episodes, windows = test_span()
    for name, policy in policies(episodes).items():
        yield _agent(name, policy, episodes, windows)
    returns = np.random.default_rng(1).normal(0.001, 0.02, DAYS)
    yield Contest(
        "evaluate",
        f"bootstrap of a Sharpe ratio, {DAYS} days, {RESAMPLING.reps:,} resamples",
        ours=lambda: _vectorised(returns),
        peer=lambda: _loop(returns),
        peer_name="loop over arch's resamples",
        error=lambda ours, other: float(np.abs(np.subtract(ours, other)).max()),
    ).run()
    matrix = np.random.default_rng(2).normal(0.0, 0.01, (HOURS // BLOCKS * BLOCKS, STRATEGIES))
    yield Contest(
        "evaluate",
        f"CSCV, {STRATEGIES} strategies, {HOURS:,} hours, {BLOCKS} blocks",
        ours=lambda: statistics.pbo_cscv(matrix, blocks=BLOCKS),
        peer=lambda: slow_cscv(matrix, BLOCKS),
        peer_name="loop over the combinations",
        error=lambda ours, other: abs(ours - other),
        repeats=3,
    ).run()


def test_span() -> tuple[Episodes, Int1D]:
    """Return episodes of two months, five pairs side by side a day, and the windows."""
    made = planted_episodes(Planted(features=FEATURES), DAYS * PAIRS, seed=1)
    start = np.repeat(np.arange(DAYS) * DAY_MS, PAIRS)
    episodes = replace(made, pair_days=made.pair_days.assign(start=start), fill_times=made.fill_times + start[:, None])
    days = np.arange(DAYS) * DAY_MS
    return episodes, np.stack([days, days + DAY_MS], axis=1)


def policies(episodes: Episodes) -> dict[str, Policy]:
    """Return one agent of each kind."""
    generator = np.random.default_rng(0)
    sizes = (episodes.observation_size, 64, 64, 1)
    shapes = zip(sizes[1:], sizes[:-1], strict=True)
    layers = [(generator.normal(0, 0.1, shape).astype(np.float32), np.zeros(shape[0], np.float32)) for shape in shapes]
    names = ("spread_z", *episodes.names[1:])
    layout = Layout(names, 1, np.zeros(len(names)), np.ones(len(names)))
    return {
        "learned agent": NetworkPolicy(make_network(layers, activation="relu", squash=True), BANDED),
        "z-score rule": ZScoreRule(layout),
        "constant": Constant(1.0),
    }


def evaluated(policy: Policy, episodes: Episodes, windows: Int1D) -> tuple[Float2D, dict[str, float]]:
    """Return equity of every episode and all measures, intervals included."""
    book = rollout(episodes, policy, COSTS).ledger
    return book.equity, performance(portfolio_of(book, episodes, windows, PAIRS), RESAMPLING.level)


def slow_cscv(returns: Float2D, blocks: int) -> float:
    """Return the probability of backtest overfitting, one combination after the other."""
    parts, below = np.array_split(returns, blocks), []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[k] for k in chosen])
        outside = np.concatenate([parts[k] for k in range(blocks) if k not in chosen])
        best = np.argmax(inside.mean(axis=0) / inside.std(axis=0))
        ranks = stats.rankdata(outside.mean(axis=0) / outside.std(axis=0))
        below.append(ranks[best] / (returns.shape[1] + 1) <= 0.5)
    return float(np.mean(below))


def _agent(name: str, policy: Policy, episodes: Episodes, windows: Int1D) -> BenchRow:
    rows = [np.array([k]) for k in range(PEER_EPISODES)]
    alone = [episodes.rows(row) for row in rows]
    return Contest(
        "evaluate",
        f"{name}, {len(episodes) * episodes.length:,} decisions with all measures",
        ours=lambda: evaluated(policy, episodes, windows),
        peer=lambda: np.concatenate([rollout(one, policy, COSTS).ledger.equity for one in alone]),
        peer_name="the same decision function, one episode after the other, without measures",
        error=lambda ours, other: float(np.abs(ours[0][:PEER_EPISODES] - other).max()),
        peer_share=PEER_EPISODES / len(episodes),
        repeats=3,
    ).run()


def _vectorised(returns: Float1D) -> tuple[float, float]:
    statistics.resample_indices.cache_clear()
    found = statistics.bootstrap_ci(returns, statistics.sharpe, RESAMPLING)
    return found.lower, found.upper


def _loop(returns: Float1D) -> tuple[float, float]:
    source = StationaryBootstrap(RESAMPLING.block, returns, seed=np.random.default_rng(RESAMPLING.seed))
    drawn = (data[0][0] for data in source.bootstrap(RESAMPLING.reps))
    values = [each.mean() / each.std(ddof=1) * np.sqrt(statistics.DAYS_PER_YEAR) for each in drawn]
    lower, upper = np.quantile(values, (0.025, 0.975))
    return float(lower), float(upper)
