r"""What can be earned at most where the market is simulated: a trader who knows how it was made, but not its noise.

It knows which contracts follow which, :math:`\log y = \alpha + \beta \log x + s` with
:math:`s' = \varphi s + \epsilon`, the half-life, the deviation, the tick, when a bond breaks, every contract's
volatility, and the funding rates of the coming day. It sees closing prices as everybody does: each lies within a tick
of the mid price, so s is estimated by the Kalman filter of the planted process with the noise of
:func:`closing_noise`.

A pair-day trades any two contracts with an estimated hedge ratio b. What an exposure of one earns is
:math:`\sum_i w_i r_i` with the legs' weights w; only followers have a return that can be foreseen, and all bonds have
one φ, so that :math:`u = \sum_i w_i \hat s_i` is all there is to know and moves by
:math:`E[\Delta u] = (\varphi - 1) u`. Bounds, fills, fees, slippage per side and the flattening at the end are those
of the study, the objective is its quadratic utility; :func:`~perpfut_lib.policies.dynamic_program.solve` gives the
no-trade region of every decision.

Limits: the variance of a step is its long-run mean, not that of the hour; market impact, the square of the cost itself,
and the half tick that a fill may differ from the mid price are left out. By chance a rule
may earn a little more on few days, but none does on average.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numba import njit

from perpfut_lib.accounting import Costs, Sizing, target_weights
from perpfut_lib.env import Episodes, Rules
from perpfut_lib.env.stage import decision_rows
from perpfut_lib.policies.dynamic_program import SpreadProcess, solve
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import MINUTE_MS, Float1D, Float2D, Float32, Json
from perpfut_lib.venue.structure import MINUTES_PER_YEAR, Contract, PlantedPair

NAMES: Final = ("lower", "upper", "side")
STILL: Final = 1e-6  # exposure; less is rounding of the observation and no wish to trade


@dataclass(frozen=True)
class InformedPolicy:
    """Holds what is held within the region of each decision and else moves to its nearer edge.

    The region comes with the episodes of :func:`informed_episodes`, as features.
    """

    sizing: Sizing

    def act(self, observation: Float32) -> Float1D:
        """Return exposures (P,) for observations (P, 6)."""
        lower, upper, side, weight_y, weight_x = observation[:, :5].astype(np.float64).T
        action: Float1D = np.clip(weight_y - side * weight_x, lower, upper)
        return action


@dataclass(frozen=True)
class Truth:
    """The making of a simulated market."""

    contracts: Mapping[str, Contract]
    followers: Mapping[str, PlantedPair]
    """Planted pairs by their y."""
    common_share: float
    sector_share: float

    @classmethod
    def of(cls, truth: Mapping[str, Json]) -> "Truth":
        """Read ``truth.json`` of the stage ``acquire``."""
        contracts = {one["symbol"]: Contract(**one) for one in truth["contracts"]}
        followers = {one["y"]: PlantedPair(**one) for one in truth["pairs"]}
        settings = truth["settings"]
        return cls(contracts, followers, settings["common_share"], settings["sector_share"])

    def loadings(self, symbol: str) -> dict[str, float]:
        """Return a contract's loadings per minute on independent unit factors, spreads left out, as fractions."""
        if symbol in self.followers:
            pair = self.followers[symbol]
            return {factor: pair.beta * load for factor, load in self.loadings(pair.x).items()}
        contract = self.contracts[symbol]
        sigma = contract.volatility / MINUTES_PER_YEAR**0.5
        own = 1.0 - self.common_share - self.sector_share
        shares = {"common": self.common_share, f"sector {contract.sector}": self.sector_share, symbol: own}
        return {factor: sigma * share**0.5 for factor, share in shares.items()}

    def tick(self, symbol: str, price: Float1D) -> Float1D:
        """Return the tick as a fraction of the price."""
        relative: Float1D = 10.0 ** -self.contracts[symbol].price_decimals / price
        return relative


def closing_noise(tick: Float1D) -> Float1D:
    """Return the variance of a close around the mid price: uniform over a tick on either side."""
    return tick**2 / 3.0


@dataclass(frozen=True)
class Estimate:
    """One planted spread as it can be known, by bar."""

    level: Float1D
    """Its filtered mean, (T,), log price."""
    variance: float
    """Variance that is left, at the end."""


def informed_episodes(
    episodes: Episodes, panel: Panel, truth: Mapping[str, Json], rules: Rules, costs: Costs, *, latency: int = 0
) -> Episodes:
    """Return the same episodes with the informed trader's region in place of the features.

    Parameters
    ----------
    episodes : Episodes
        Pair-days of a simulated market.
    panel : Panel
        Its prices.
    truth : mapping
        ``truth.json`` of the stage ``acquire``.
    rules : Rules
        Utility and leg rule.
    costs : Costs
        Fee and slippage that the region is made for.
    latency : int
        Bars by which fills come later.
    """
    known, bars = Truth.of(truth), panel.timeframe // MINUTE_MS
    needed = {known.followers[leg].y for leg in _legs(episodes) if leg in known.followers}
    spreads = {symbol: estimate(known, panel, known.followers[symbol]) for symbol in sorted(needed)}
    rows = decision_rows(panel, episodes.pair_days)[:, :-1] - 1
    features = np.zeros((len(episodes), episodes.length, len(NAMES)), np.float32)
    cost = (costs.fee + costs.slippage) * rules.reward_scale + rules.turnover_penalty
    for number in range(len(episodes)):
        day = _PairDay.of(episodes, number, known, beta_legs=rules.sizing.beta_legs)
        features[number, :, 2] = day.side
        alive = day.steps_alive(known, episodes.fill_times[number])
        if not alive:
            continue
        process, level = day.process(known, spreads, panel, rows[number], bars)
        paid = _funding(episodes, number, day.weights)
        scaled = _scaled(process, rules.reward_scale, paid[:alive], latency)
        edges = solve(scaled, rules.reward_scale * level[:alive], rules.risk_aversion, cost)
        features[number, :alive, 0], features[number, :alive, 1] = edges[0], edges[1]
    return replace(episodes, features=features, names=NAMES, lookback=1)


def informed_policy(rules: Rules) -> InformedPolicy:
    """Return the policy that trades along the regions of :func:`informed_episodes`."""
    return InformedPolicy(Sizing(rules.sizing.beta_legs, STILL))


def estimate(truth: Truth, panel: Panel, pair: PlantedPair) -> Estimate:
    """Return a planted spread as closing prices show it, filtered by its own law."""
    y, x = (panel.close[:, panel.column(symbol)] for symbol in (pair.y, pair.x))
    observed = np.log(y) - pair.alpha - pair.beta * np.log(x)
    noise = closing_noise(truth.tick(pair.y, y)) + pair.beta**2 * closing_noise(truth.tick(pair.x, x))
    persistence = 0.5 ** (panel.timeframe / MINUTE_MS / pair.half_life_bars)
    return Estimate(*filter_level(observed, noise, persistence, pair.spread_std))


@njit(cache=True)
def filter_level(observed: Float1D, noise: Float1D, persistence: float, std: float) -> tuple[Float1D, float]:
    """Return the filtered mean of an autoregression seen with noise, (T,), and the last variance around it."""
    mean, variance, filtered = 0.0, std * std, np.empty(len(observed))
    for bar in range(len(observed)):
        if bar:
            mean *= persistence
            variance = persistence**2 * variance + (1.0 - persistence**2) * std * std
        if np.isfinite(observed[bar]) and variance + noise[bar] > 0.0:
            gain = variance / (variance + noise[bar])
            mean += gain * (observed[bar] - mean)
            variance *= 1.0 - gain
        filtered[bar] = mean
    return filtered, variance


@dataclass(frozen=True)
class _PairDay:
    """One episode: its legs and their weights per unit of exposure."""

    legs: tuple[str, str]
    weights: Float1D
    side: float
    """-1 where the hedge ratio is negative, so that both legs have one sign."""
    start: int

    @classmethod
    def of(cls, episodes: Episodes, number: int, truth: Truth, *, beta_legs: bool) -> "_PairDay":
        row = episodes.pair_days.iloc[number]
        hedge = float(episodes.hedge_ratio[number]) if beta_legs else 1.0
        weights = np.array(target_weights(1.0, hedge))
        return cls((str(row["y"]), str(row["x"])), weights, 1.0 if hedge >= 0.0 else -1.0, int(row["start"]))

    def followed(self, truth: Truth) -> list[tuple[float, PlantedPair]]:
        """Return weight and planted pair of each leg that follows another and whose bond holds when the day begins."""
        both = zip(self.weights, self.legs, strict=True)
        pairs = [(float(weight), truth.followers[leg]) for weight, leg in both if leg in truth.followers]
        return [(weight, pair) for weight, pair in pairs if pair.break_time is None or pair.break_time > self.start]

    def steps_alive(self, truth: Truth, fill_times: Any) -> int:
        """Return the number of decisions before the first of its bonds breaks; 0 where there is none."""
        pairs = [pair for _, pair in self.followed(truth)]
        ends = [pair.break_time for pair in pairs if pair.break_time is not None]
        return int(np.searchsorted(fill_times[:-1], min(ends, default=np.iinfo(np.int64).max))) if pairs else 0

    def process(
        self, truth: Truth, spreads: Mapping[str, Estimate], panel: Panel, rows: Any, bars: int
    ) -> tuple[SpreadProcess, Float1D]:
        """Return the law of u as fractions, and u at each decision, (L,)."""
        pairs = self.followed(truth)
        persistence = 0.5 ** (bars / pairs[0][1].half_life_bars)
        level, stationary, innovation = np.zeros(len(rows)), 0.0, 0.0
        for weight, pair in pairs:
            level += weight * spreads[pair.y].level[rows]
            stationary += weight**2 * (pair.spread_std**2 - spreads[pair.y].variance)
            innovation += weight**2 * pair.spread_std**2 * (1.0 - persistence**2)
        prices = [panel.close[rows[0], panel.column(leg)] for leg in self.legs]
        ticks = np.array([truth.tick(leg, price) for leg, price in zip(self.legs, prices, strict=True)])
        bounce = 2.0 * float((self.weights**2 * closing_noise(ticks)).sum())  # of this fill and of the next
        variance = self._factor_variance(truth) * bars + innovation + bounce
        return SpreadProcess(persistence, stationary**0.5, variance, np.empty(0)), level

    def _factor_variance(self, truth: Truth) -> float:
        """Return the variance per minute of what bonds and hedge leave of the factors, broken bonds included."""
        total: dict[str, float] = {}
        loose = 0.0
        for weight, leg in zip(self.weights, self.legs, strict=True):
            for factor, load in truth.loadings(leg).items():
                total[factor] = total.get(factor, 0.0) + weight * load
            pair = truth.followers.get(leg)
            if pair is not None and pair.break_time is not None and pair.break_time <= self.start:
                loose += weight**2 * pair.step_std**2
        return sum(load**2 for load in total.values()) + loose


def _scaled(process: SpreadProcess, scale: float, funding: Float1D, latency: int) -> SpreadProcess:
    return SpreadProcess(
        process.persistence,
        scale * process.std,
        scale**2 * process.variance,
        scale * funding,
        process.persistence**latency,
    )


def _legs(episodes: Episodes) -> set[str]:
    return {str(symbol) for leg in ("y", "x") for symbol in set(episodes.pair_days[leg])}


def _funding(episodes: Episodes, number: int, weights: Float1D) -> Float1D:
    """Return the funding that a unit of exposure pays in each step, (L,), as a fraction."""
    paid: Float2D = episodes.funding[number] / episodes.fills[number, :-1]
    return paid @ weights
