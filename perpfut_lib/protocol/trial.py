"""One world from selection to test: tune rules on the past, test the chosen one once, and ask whether it is chance."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final

import numpy as np

from perpfut_lib import statistics
from perpfut_lib.accounting import BPS, Costs, Sizing, settle
from perpfut_lib.env import Episodes
from perpfut_lib.evaluate import EpisodeFlows, combine, days_of, rollout
from perpfut_lib.evaluate.measure import flows_of
from perpfut_lib.policies import NetworkPolicy, Policy, ZScoreRule
from perpfut_lib.protocol.worlds import World
from perpfut_lib.statistics import Resampling, Shape
from perpfut_lib.statistics.metrics import DAYS_PER_YEAR
from perpfut_lib.train.placebo import windows_without_edge
from perpfut_lib.train.training_task import TrainingTask
from perpfut_lib.types import Float1D, Float2D, Float3D, Float32

ENTRIES: Final = (1.0, 1.5, 2.0, 2.5, 3.0)
EXITS: Final = (0.0, 0.5, 1.0)
TESTED: Final = "test"


@dataclass(frozen=True)
class TrialResult:
    """What the protocol says of one world at one fee."""

    fee_bps: float
    chosen: str
    """Candidate with the highest Sharpe ratio before the test span."""
    sharpe: float
    """Its annualised Sharpe ratio in the test span; NaN if it never varied."""
    lower: float
    """Lower bound of the ratio's bootstrap interval."""
    deflated: float
    """Probability that the ratio is above what the best of all candidates would show by chance."""
    spa: float
    """p-value of the test that no candidate beats doing nothing."""
    significant: bool
    """Whether all three say that this is not chance."""


@dataclass(frozen=True)
class _SideBySide:
    """Several rules of one sizing, each for its own block of rows: one walk through the episodes serves them all."""

    policies: tuple[Policy, ...]

    @property
    def sizing(self) -> Sizing:
        """How actions become target weights."""
        return self.policies[0].sizing

    def act(self, observation: Float32) -> Float1D:
        """Return actions (N E,) for observations (N E, D)."""
        blocks = np.split(observation, len(self.policies))
        return np.concatenate([rule.act(block) for rule, block in zip(self.policies, blocks, strict=True)])


def judge_world(world: World, resampling: Resampling, *, agent: bool = False) -> list[TrialResult]:
    """Return the verdict on one world at every fee.

    Rules are tuned on training and validation days by their net Sharpe ratio; the best one is tested once. An edge is
    reported where the bootstrap interval of its Sharpe ratio lies above zero, the deflated Sharpe ratio and Hansen's
    test agree, all at ``resampling.level``.

    Parameters
    ----------
    world : World
        Episodes of all splits.
    resampling : Resampling
        Block length in days, resamples, level and seed.
    agent : bool
        Whether an agent is trained at each fee, by the world's profile, and judged in the place of the rules.
    """
    candidates = {} if agent else dict(rules(world))
    placebo = placebo_of(world) if agent else None
    targets = _targets(world, list(candidates.values()))
    results = []
    for fee in world.profile.costs.fees_bps:
        if agent:
            candidates = {"agent": _agent(world, fee, placebo)}
            targets = _targets(world, list(candidates.values()))
        results.append(judge(list(candidates), _daily(world, targets, fee), fee, resampling))
    return results


def rules(world: World) -> Iterator[tuple[str, Policy]]:
    """Yield the candidates: z-score rules over a grid of thresholds."""
    sizing = Sizing(world.profile.env.legs == "beta")
    for entry in ENTRIES:
        for leave in EXITS:
            if leave < entry:
                yield f"z-score {entry:g}/{leave:g}", ZScoreRule(world.layout, entry, leave, sizing)


def judge(names: list[str], days: tuple[Float2D, Float2D], fee: float, resampling: Resampling) -> TrialResult:
    """Choose by the daily returns before the test (n, N), and judge the choice by those of the test (m, N)."""
    before, after = days
    best = int(np.argmax(np.nan_to_num(statistics.sharpe(before.T), nan=0.0)))
    returns = after[:, best]
    if np.ptp(returns) == 0.0:
        return TrialResult(fee, names[best], np.nan, np.nan, 0.0, 1.0, False)
    interval = statistics.sharpe_interval(returns, resampling.level)
    ratios = statistics.sharpe(after.T) / np.sqrt(DAYS_PER_YEAR)
    from scipy import stats  # a second to import

    shape = Shape(len(returns), float(stats.skew(returns)), float(stats.kurtosis(returns, fisher=False)))
    # The candidates' own spread would count a true edge as chance; 1/n is what worthless ratios vary by.
    deflated = statistics.deflated_sharpe(ratios[best], shape, trials=len(names), variance=1.0 / len(returns))
    spa = statistics.spa_pvalue(np.zeros(len(returns)), after[:, np.ptp(after, axis=0) > 0.0], resampling)
    agreed = interval.lower > 0.0 and deflated >= resampling.level and spa <= 1.0 - resampling.level
    return TrialResult(fee, names[best], interval.estimate, interval.lower, deflated, spa, bool(agreed))


def _targets(world: World, policies: list[Policy]) -> Float3D:
    """Return the target weights that each policy decides without costs, one policy after the other, (N E, L, 2)."""
    if not policies:
        return np.empty((0, world.episodes.length, 2))
    rows = np.tile(np.arange(len(world.episodes)), len(policies))
    return rollout(world.episodes.rows(rows), _SideBySide(tuple(policies)), Costs(0.0, 0.0)).target


def placebo_of(world: World) -> Episodes | None:
    """Return windows of placebo markets, which an agent of the study's stages is trained with, too."""
    training = world.windows[world.windows["split"] == "train"]
    return windows_without_edge(world.profile, world.panel, training, world.features)


def _agent(world: World, fee: float, placebo: Episodes | None) -> Policy:
    """Train one agent on the world's past."""
    profile = world.profile
    settings = profile.train
    train, check = world.episodes.select("train"), world.episodes.select("validate")
    from perpfut_lib.train.fit import fit  # PyTorch, which most worlds do without

    training_task = TrainingTask(train, check, profile.env, profile.costs, settings, fee, settings.first_seed, placebo)
    network = fit(training_task).network(settings)
    return NetworkPolicy(network, training_task.rules().sizing)


def _daily(world: World, targets: Float3D, fee: float) -> tuple[Float2D, Float2D]:
    """Return daily net returns (days, N) of all candidates before the test span, and in it."""
    count, costs = len(world.episodes), Costs(fee * BPS, world.profile.costs.slippage_bps * BPS)
    tiled = world.episodes.rows(np.tile(np.arange(count), len(targets) // count))
    flows = flows_of(settle(targets, tiled.market, costs), tiled)
    return _columns(world, flows, tested=False), _columns(world, flows, tested=True)


def _columns(world: World, flows: EpisodeFlows, *, tested: bool) -> Float2D:
    """Return daily net returns (days, N) over the windows of the test span, or over those before it."""
    wanted = (world.windows["split"] == TESTED) == tested
    windows = world.windows.loc[wanted, ["start", "end"]].to_numpy(np.int64)
    own = np.flatnonzero((world.episodes.pair_days["split"] == TESTED) == tested)
    slots, columns = world.profile.cointegration.top, []
    for first in range(0, len(flows.start), len(world.episodes)):
        part = EpisodeFlows(*(getattr(flows, field.name)[first + own] for field in fields(flows)))
        columns.append(days_of(combine(part, windows, slots))["return"].to_numpy())
    return np.stack(columns, axis=1)
