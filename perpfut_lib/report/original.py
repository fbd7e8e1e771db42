"""What the original study's own policies earn on minutes they have not seen, and what each of its faults adds."""

import math
from typing import Final

import pandas as pd

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.original import CORRECTIONS
from perpfut_lib.report.sources import FEES_BPS
from perpfut_lib.report.style import decimals
from perpfut_lib.types import JsonObject

PUBLISHED: Final = "original_weights"
UNPUBLISHED: Final = "*No run of the original policies is published yet.*"


def original_table() -> pd.DataFrame:
    """Return one row per period and policy at its own fee: returns in % with 95 % t intervals over days.

    ``by its rules``, ``by correct rules``, and the latter ``one bar later``; ``turnover`` per day beside what the study
    printed for its own test.
    """
    printed = {row["fee_bps"]: row for row in read_published("original_study")["results"]}
    rows = []
    for period in _periods().values():
        for entry in period["policies"]:
            fee = entry["fee_bps"]
            columns = {"by its rules": "original_rules", "by correct rules": "correct_rules"}
            columns["one bar later"] = "correct_rules_late"
            rows.append(
                {
                    "period": f"{period['start']} to {period['end']}",
                    "days": period["days"],
                    "fee (bps)": decimals(fee, 2),
                    **{title: _percent(_at(entry[key], fee)) for title, key in columns.items()},
                    "turnover": decimals(entry["turnover_per_day"], 1),
                    "printed return": decimals(printed[fee]["return_percent"], 2, sign="+"),
                    "printed turnover": decimals(printed[fee]["turnover_per_day"], 1),
                }
            )
    return pd.DataFrame(rows).set_index(["period", "fee (bps)"])


def shapley_table() -> pd.DataFrame:
    """Return one row per correction and one column per fee: its Shapley value, all periods together.

    In log points (%), with 95 % intervals: estimates of the periods add up, their half-widths as roots of sums of
    squares, since the periods share no day.
    """
    periods, rows = _periods().values(), {}
    for name, title in CORRECTIONS.items():
        rows[title] = {
            f"{fee:g} bps": _percent(_pooled([_policy(period, fee)["shapley"][name] for period in periods]))
            for fee in (0.0, *FEES_BPS)
        }
    return pd.DataFrame(rows).T.rename_axis(index="correction")


def original_findings() -> str:
    """Return in sentences whether the study's figures came out again with its own policies."""
    periods = _periods()
    if not periods:
        return UNPUBLISHED
    printed = {row["fee_bps"]: row["return_percent"] for row in read_published("original_study")["results"]}
    lines, gains, losses, total = [], 0, 0, 0
    for period in periods.values():
        for entry in period["policies"]:
            fee, total = entry["fee_bps"], total + 1
            right = _at(entry["correct_rules"], fee)
            gains, losses = gains + (right["lower"] > 0.0), losses + (right["upper"] < 0.0)
            lines.append(
                f"- {period['start']} to {period['end']}, {fee:g} bps (printed {printed[fee]:+.2f} %): "
                f"**{_percent(_at(entry['original_rules'], fee))}** % by its rules, "
                f"**{_percent(right)}** % by correct ones."
            )
    said = (
        f"The original study's own policies, on {sum(period['days'] for period in periods.values())} days outside its "
        f"test: by correct rules {gains} of {total} returns are above zero with 95 % confidence, {losses} below."
    )
    return "\n".join([said, "", *lines])


def _periods() -> JsonObject:
    found = read_published(PUBLISHED) if PUBLISHED in list_published() else {}
    return dict(sorted(found.items(), key=lambda item: item[1]["start"]))


def _policy(period: JsonObject, fee: float) -> JsonObject:
    return next(entry for entry in period["policies"] if entry["fee_bps"] == fee)


def _pooled(rows: list[dict[str, float]]) -> dict[str, float]:
    total = sum(row["estimate"] for row in rows)
    reach = math.sqrt(sum((0.5 * (row["upper"] - row["lower"])) ** 2 for row in rows))
    return {"estimate": total, "lower": total - reach, "upper": total + reach}


def _at(rows: list[dict[str, float]], fee: float) -> dict[str, float]:
    return next(row for row in rows if row["fee_bps"] == fee)


def _percent(row: dict[str, float]) -> str:
    """Return a return with its interval in per cent."""
    estimate, lower, upper = (decimals(100 * row[name], 1, sign="+") for name in ("estimate", "lower", "upper"))
    return f"{estimate} [{lower}, {upper}]"
