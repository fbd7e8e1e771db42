"""The decision process written to be read: one pair, plain floats, no compiler. The compiled batch must equal it."""

from dataclasses import dataclass, field

import numpy as np

from perpfut_lib.accounting import Costs
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.env.kernel import Rules
from perpfut_lib.types import Float1D, Float32


@dataclass
class ReferenceEpisode:
    """One pair on one trading window, step by step.

    Parameters
    ----------
    episodes : Episodes
        Where the episode comes from.
    episode : int
        Which one.
    rules, costs : Rules, Costs
        As for the compiled environment.
    """

    episodes: Episodes
    episode: int
    rules: Rules
    costs: Costs
    step: int = 0
    cash: float = 1.0
    units: list[float] = field(default_factory=lambda: [0.0, 0.0])

    def equity(self, prices: Float1D) -> float:
        """Return cash plus both legs at ``prices``."""
        return self.cash + self.units[0] * float(prices[0]) + self.units[1] * float(prices[1])

    def weights(self) -> list[float]:
        """Return the weights held before the coming decision, at its marks."""
        marks = self.episodes.marks[self.episode, self.step]
        equity = self.equity(marks)
        return [self.units[leg] * float(marks[leg]) / equity if equity > 0 else 0.0 for leg in (0, 1)]

    def observation(self) -> Float32:
        """Return feature rows, oldest first, and the portfolio block."""
        decision = min(self.step, self.episodes.length - 1)
        rows = self.episodes.features[self.episode, decision : decision + self.episodes.lookback]
        held = self.weights() if self.step < self.episodes.length else [0.0, 0.0]
        block = [held[0], held[1], 1.0 - abs(held[0]) - abs(held[1])]
        return np.concatenate([rows.ravel(), np.array(block, np.float32)]).astype(np.float32)

    def targets(self, action: float) -> list[float]:
        """Return target weights: the exposure chosen, the no-trade band, then the legs."""
        sizing, choices = self.rules.sizing, self.rules.choices
        if choices:
            action = 2.0 * action / (choices - 1) - 1.0
        beta = float(self.episodes.hedge_ratio[self.episode]) if sizing.beta_legs else 1.0
        wanted = sizing.reach * min(1.0, max(-1.0, action))
        if sizing.band > 0:
            held = self.weights()
            exposure = held[0] - held[1] if beta >= 0 else held[0] + held[1]
            if abs(wanted - exposure) <= sizing.band:
                return held
            wanted = wanted - sizing.band if wanted > exposure else wanted + sizing.band
        wanted = min(1.0, max(-1.0, wanted))
        return [wanted / (1 + abs(beta)), -wanted * beta / (1 + abs(beta))]

    def advance(self, action: float) -> tuple[float, bool]:
        """Take one decision (with ``rules.choices``: its number); return its reward and whether the window ended."""
        market, episode, step = self.episodes.market, self.episode, self.step
        fills, marks = market.fills[episode], market.marks[episode]
        before, sizing_equity = self.equity(fills[step]), max(self.equity(marks[step]), 0.0)
        turnover = 0.0
        for leg, weight in enumerate(self.targets(action)):
            turnover += self._trade(leg, weight * sizing_equity / float(marks[step, leg]), step)
        self.cash -= sum(self.units[leg] * float(market.funding[episode, step, leg]) for leg in (0, 1))
        self.step += 1
        ended = self.step == self.episodes.length
        share = turnover / before if before > 0 else 0.0
        if ended:
            at_close = self.equity(fills[-1])
            sold = sum(self._trade(leg, 0.0, self.step) for leg in (0, 1))
            share += sold / at_close if at_close > 0 else 0.0
        gain = self.equity(fills[self.step]) / before - 1.0 if before > 0 else 0.0
        return self._reward(gain, share), ended

    def _trade(self, leg: int, units: float, step: int) -> float:
        """Buy or sell to ``units`` of one leg at fill ``step``; return the traded notional."""
        market = self.episodes.market
        price = float(market.fills[self.episode, step, leg])
        bought = (units - self.units[leg]) * price
        slippage = self.costs.slippage + float(market.impact[self.episode, step, leg]) * abs(bought) ** 0.5
        self.cash -= bought + abs(bought) * (self.costs.fee + slippage)
        self.units[leg] = units
        return abs(bought)

    def _reward(self, gain: float, turnover: float) -> float:
        x = self.rules.reward_scale * gain
        reward = x - self.rules.risk_aversion / 2 * x**2 - self.rules.turnover_penalty * turnover
        return min(self.rules.reward_clip, max(-self.rules.reward_clip, reward))
