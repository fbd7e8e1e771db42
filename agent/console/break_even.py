"""Break-even cost realised against the book's: what is earned before fees, per side traded."""

import math
from pathlib import Path

from agent.console.trades import Ledger
from agent.executor.performance import BPS
from perpfut_lib import experiments
from perpfut_lib.artifacts import PerfSnapshot
from perpfut_lib.errors import PerpfutError


def break_even(report: PerfSnapshot | None, ledger: Ledger, booked: float | None) -> dict[str, float | None]:
    """Return break-even cost and fee per side in basis points, beside the break-even cost of the evaluation.

    Parameters
    ----------
    report : PerfSnapshot or None
        The account.
    ledger : Ledger
        Says how much was traded.
    booked : float or None
        See :func:`booked_break_even`.
    """
    traded = ledger.turnover
    if report is None or traded <= 0.0:
        return {"realised": None, "fee": None, "book": booked, "turnover": traded}
    gross = report.price_pnl + report.funding
    return {"realised": BPS * gross / traded, "fee": BPS * report.fees / traded, "book": booked, "turnover": traded}


def booked_break_even(run: Path, fee_bps: float | None) -> float | None:
    """Return the break-even cost of the run's agents at the fee that the policy was trained with; none if unknown."""
    try:
        table = experiments.results(run.name, run.parent)
    except PerpfutError:
        return None
    rows = table[(table["train_fee_bps"] == fee_bps) & (table["test_fee_bps"] == fee_bps)]
    if rows.empty or "break_even_bps" not in rows:
        return None
    value = float(rows["break_even_bps"].iloc[0])
    return value if math.isfinite(value) else None


def policy_fee(policy: str) -> float | None:
    """Return the fee in the name of a trained policy, such as ``fee-1.44_seed-0``; none where it has none."""
    head, _, rest = policy.partition("fee-")
    try:
        return None if head or not rest else float(rest.partition("_")[0])
    except ValueError:
        return None
