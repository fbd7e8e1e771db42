"""The positions that policies decided, sent as market or limit orders: the same decisions by every execution."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from perpfut_lib.env import make_costs
from perpfut_lib.evaluate.rollout import rollout
from perpfut_lib.frontier.execution import EXECUTIONS, Executed, cut_bars, execute_units, quotes, units_of
from perpfut_lib.frontier.periods import LeftOut
from perpfut_lib.frontier.sums import brief
from perpfut_lib.policies import Policy

PATIENCE: Final = 1
"""Bars that a limit order waits: policies decide at every bar, and what is not filled then goes to the market."""

Fitted = tuple[str, float, list[Policy]]
"""Name, fee that it was fitted to, and one policy per seed."""


def executions(left: LeftOut, policies: Sequence[Fitted]) -> Iterator[dict[str, Any]]:
    """Yield what policies come to before fees by every execution, in the period that they were not fitted to.

    What is held is what each decided when its market orders filled at the next open; the other executions are given
    the same positions, so that only prices differ, not decisions.

    Parameters
    ----------
    left : LeftOut
        The period that is tested on.
    policies : sequence
        Name, fee and one policy per seed.

    Yields
    ------
    dict
        ``left_out``, ``policy``, ``fee_bps`` (at which it decided), ``execution``, and per trading window ``gross``
        P&L, ``traded`` notional and ``maker``, the part of it that limit orders traded; in equities of the portfolio,
        means over seeds.
    """
    period, profile = left.test, left.test.profile
    episodes = period.episodes(period.traded, left.scaler, 0)
    bars = cut_bars(period.panel, period.traded.rows, PATIENCE)
    place = np.searchsorted(period.spans[:, 0], period.traded.rows["start"].to_numpy(np.int64))
    for name, fee, group in policies:
        books = [rollout(episodes, policy, make_costs(fee, profile.costs)).ledger for policy in group]
        for execution in EXECUTIONS:
            quoted = quotes(bars, episodes.hedge_ratio, execution, PATIENCE)
            done = [execute_units(units_of(book, episodes.fills), episodes.market, quoted) for book in books]
            sums = {
                column: np.bincount(place, np.mean([getattr(one, column) for one in done], axis=0), len(period.spans))
                for column in Executed._fields
            }
            told = {column: brief(values / profile.cointegration.top) for column, values in sums.items()}
            yield {"left_out": profile.name, "policy": name, "fee_bps": fee, "execution": execution, **told}
