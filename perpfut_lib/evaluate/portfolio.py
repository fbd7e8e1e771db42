"""The portfolio in calendar time: several pairs side by side, flat between their windows, one equity curve."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from perpfut_lib.types import Float1D, Float2D, Int1D

FLOWS = ("price", "funding", "fees", "slippage")


@dataclass(frozen=True)
class EpisodeFlows:
    """P&L of E episodes and their L steps, as fractions of the equity that each episode starts with."""

    start: Int1D
    """Start of each episode's trading window, (E,), ms UTC."""
    times: Int1D
    """Times of the marks, (E, L + 1), ms UTC."""
    price: Float2D
    """Price P&L, (E, L)."""
    funding: Float2D
    """Funding received, negative if paid, (E, L)."""
    fees: Float2D
    """Fees paid, (E, L)."""
    slippage: Float2D
    """Slippage paid, (E, L)."""
    traded: Float2D
    """Notional traded, (E, L)."""


@dataclass(frozen=True)
class Portfolio:
    """Equity and P&L of the whole portfolio; ``price + funding - fees - slippage`` is the change of equity."""

    time: Int1D
    """Times of the marks, (N + 1,), ms UTC."""
    equity: Float1D
    """Equity at the marks, (N + 1,), starting at 1."""
    price: Float1D
    """Price P&L of each step, (N,), in units of the initial equity; likewise the next three."""
    funding: Float1D
    """Funding received, (N,)."""
    fees: Float1D
    """Fees paid, (N,)."""
    slippage: Float1D
    """Slippage paid, (N,)."""
    traded: Float1D
    """Traded notional over ``base``, (N,)."""
    base: Float1D
    """Equity at the start of the window that each step belongs to, (N,); one slot trades its share of it."""
    window: Int1D
    """Start of that window, (N,), ms UTC."""

    def frame(self) -> pd.DataFrame:
        """Return one row per mark; the flows of a row led to it, zero at the start."""
        steps = {name: np.concatenate(([0.0], getattr(self, name))) for name in (*FLOWS, "traded")}
        return pd.DataFrame({"time": self.time, "equity": self.equity, **steps})

    def imbalance(self) -> float:
        """Return the largest gap between the sum of the flows and the change of equity."""
        change = self.price + self.funding - self.fees - self.slippage
        return float(np.max(np.abs(change - np.diff(self.equity)), initial=0.0))


def combine(flows: EpisodeFlows, windows: Int1D, slots: int) -> Portfolio:
    """Return the portfolio that gives each pair ``1/slots`` of the equity at the start of its window.

    Parameters
    ----------
    flows : EpisodeFlows
        P&L of the episodes.
    windows : ndarray of int64, shape (W, 2)
        Start and end of every trading window in order, ms UTC; one without pairs stays in cash.
    slots : int
        Number of pairs that the capital is divided by; unused slots stay in cash.
    """
    names = (*FLOWS, "traded")
    equity, times, parts = 1.0, [windows[:1, 0]], []
    for start, end in windows:
        rows = np.flatnonzero(flows.start == start)
        held = len(rows) > 0
        step = [getattr(flows, name)[rows].sum(axis=0) / slots if held else np.zeros(1) for name in names]
        times.append(flows.times[rows[0], 1:] if held else np.array([end]))
        step = [flow * equity for flow in step[:-1]] + [step[-1]]
        parts.append([*step, np.full_like(step[0], equity), np.full(len(step[0]), start)])
        equity += float(np.sum(step[0] + step[1] - step[2] - step[3]))
    return _portfolio(np.concatenate(times), [np.concatenate(column) for column in zip(*parts, strict=True)])


def concatenate(flows: EpisodeFlows) -> Portfolio:
    """Return the original study's curve: every episode with the whole capital, one after the other.

    Episodes that traded side by side are strung together as if they had come in turn, so the time axis is fictitious:
    it starts at the first episode and goes on for the length of all of them. Here to replicate, not to believe.
    """
    names = (*FLOWS, "traded")
    steps = {name: getattr(flows, name) for name in names}
    growth = 1.0 + sum(np.sum(steps[name], axis=1) * sign for name, sign in zip(FLOWS, (1, 1, -1, -1), strict=True))
    capital = np.concatenate(([1.0], np.cumprod(growth)[:-1]))[:, None]
    length = flows.times[:, 1:] - flows.times[:, :1]
    offset = np.concatenate(([0], np.cumsum(length[:, -1])[:-1]))[:, None]
    time = flows.times[0, 0] + np.concatenate(([0], (length + offset).ravel()))
    columns = [*(steps[name] * capital for name in FLOWS), steps["traded"]]
    spread = [np.broadcast_to(per_episode, length.shape) for per_episode in (capital, flows.start[:, None])]
    return _portfolio(time, [column.ravel() for column in (*columns, *spread)])


def _portfolio(time: Int1D, columns: list[Float1D]) -> Portfolio:
    """Return the portfolio of the fields after ``equity``, in order."""
    price, funding, fees, slippage, traded, base, window = columns
    curve = np.concatenate(([1.0], 1.0 + np.cumsum(price + funding - fees - slippage)))
    return Portfolio(time, curve, price, funding, fees, slippage, traded, base, window.astype(np.int64))
