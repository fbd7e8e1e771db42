"""Table and figure of the attribution: what each correction of the original rules does to the result."""

import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.artifacts import Run
from perpfut_lib.attribution import load_ladder
from perpfut_lib.report.style import PALETTE, figure


def ladder_table(run: Run) -> pd.DataFrame:
    """Return one row a rung and fee: return, its change from the rung below, Sharpe ratio and break-even cost.

    Returns in %, costs in basis points; intervals are those of the stationary bootstrap.
    """
    ladder = load_ladder(run)
    change = 100 * ladder.groupby("test_fee_bps")["return"].diff()
    low, high = ladder["sharpe_lower"], ladder["sharpe_upper"]
    table = pd.DataFrame(
        {
            "rung": ladder["rung"],
            "correction": ladder["correction"],
            "fault": ladder["fault"],
            "fee (bps)": ladder["test_fee_bps"],
            "days": ladder["days"].astype(int),
            "return (%)": (100 * ladder["return"]).round(2),
            "change (%)": change.round(2),
            "Sharpe": ladder["sharpe"].round(2),
            "Sharpe interval": [f"[{a:.1f}, {b:.1f}]" for a, b in zip(low, high, strict=True)],
            "turnover (/day)": ladder["turnover_per_day"].round(1),
            "break-even (bps)": ladder["break_even_bps"].round(2),
        }
    )
    return table.set_index(["rung", "correction", "fee (bps)"])


def plot_ladder(run: Run) -> Figure:
    """Plot return with its interval on every rung, one colour a fee regime."""
    ladder = load_ladder(run)
    fees = sorted(ladder["test_fee_bps"].unique())
    with figure(height=0.8 + 0.5 * ladder["rung"].nunique()) as (made, (axes,)):
        for number, fee in enumerate(fees):
            rows = ladder[ladder["test_fee_bps"] == fee]
            place = -rows["rung"] - 0.2 * (number - (len(fees) - 1) / 2)
            middle = 100 * rows["return"]
            reach = [middle - 100 * rows["return_lower"], 100 * rows["return_upper"] - middle]
            axes.errorbar(middle, place, xerr=reach, fmt="o", color=PALETTE[number], label=f"{fee:g} bps", markersize=4)
        names = ladder.drop_duplicates("rung")
        axes.set_yticks(
            -names["rung"], [f"{rung}. {text}" for rung, text in zip(names["rung"], names["correction"], strict=True)]
        )
        axes.axvline(0.0, color="0.4", linewidth=0.8)
        axes.set_xlabel("test return (%), with bootstrap interval")
        axes.set_title("From the original rules (top) to correct ones (bottom)")
        axes.legend(title="fee per side")
    return made
