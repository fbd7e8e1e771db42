"""Funding carry between two venues for readers: the table, and what it says in words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib import statistics
from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.frontier.carry import Fees, net_of_fees
from perpfut_lib.frontier.sums import BPS_PER_UNIT
from perpfut_lib.frontier.venues import Days
from perpfut_lib.report.across import cost, percent, scaled
from perpfut_lib.report.style import NOTHING, decimals
from perpfut_lib.statistics import DAYS_PER_YEAR, Interval
from perpfut_lib.types import Float1D, Json, JsonObject

NAME: Final = "carry"
UNPUBLISHED: Final = "*Carry between venues is not published yet.*"
SPELLS: Final = {"days": 1, "weeks": 7, "blocks of four weeks": 28}
"""Lengths in days that intervals are taken over: funding of neighbouring days is alike, so that days are too sure."""
DAYS_ALONE, *_, LONGEST = SPELLS


@dataclass(frozen=True)
class CarryRow:
    """The rule under one pair of fees; figures per year are means per day times 365, as shares of the capital."""

    fees: Fees
    net: Mapping[str, Interval]
    """Per year, Student's t interval over spells of each of :data:`SPELLS`."""
    blocks: Float1D
    """Net per year in each spell of the longest kind."""
    funding_alike: float
    """Correlation of the funding of one day with that of the day before."""
    funding: float
    """Received, per year."""
    price: float
    """Per year."""
    paid: float
    """Fees per year."""
    break_even: Interval
    """Basis points per side, over days; NaN where nothing was traded."""
    traded_per_day: float
    exposure: float
    """Mean gross position as a share of equity."""
    holding_days: float
    coins_that_gain: int

    @property
    def shows(self) -> bool:
        """Whether the net return is above zero over spells of every length."""
        return all(interval.lower > 0.0 for interval in self.net.values())


def published_carry() -> JsonObject:
    """Return the published study, or an empty one."""
    return dict(read_published(NAME)) if NAME in list_published() else {}


def carry_rows(content: Mapping[str, Json]) -> Iterator[CarryRow]:
    """Yield one row per regime of fees."""
    for row in content.get("rows", []):
        fees, days = Fees(*row["fees_bps"]), _days(row)
        net, earned, traded = net_of_fees(days, fees), days.price + days.funding, days.traded.sum(axis=1)
        spells = {name: DAYS_PER_YEAR * _means(net, length) for name, length in SPELLS.items()}
        yield CarryRow(
            fees=fees,
            net={name: statistics.mean_interval(values) for name, values in spells.items()},
            blocks=spells[LONGEST],
            funding_alike=_alike(days.funding),
            funding=float(DAYS_PER_YEAR * days.funding.mean()),
            price=float(DAYS_PER_YEAR * days.price.mean()),
            paid=float(DAYS_PER_YEAR * (earned - net).mean()),
            break_even=scaled(statistics.ratio_interval(earned, traded), BPS_PER_UNIT),
            traded_per_day=float(traded.mean()),
            exposure=row["exposure"],
            holding_days=float("nan") if row["holding_days"] is None else row["holding_days"],
            coins_that_gain=int((np.array(row["by_coin"]) > 0.0).sum()),
        )


def carry_table(content: Mapping[str, Json] | None = None) -> pd.DataFrame:
    """Return one row per regime of fees: net return and its parts (% of capital a year), and the break-even cost."""
    rows = list(carry_rows(published_carry() if content is None else content))
    table = pd.DataFrame(
        {
            "fees: Binance / Hyperliquid (bps)": [_told(row.fees) for row in rows],
            "net a year (%), by days": [percent(row.net[DAYS_ALONE]).removesuffix(" %") for row in rows],
            f"by {LONGEST}": [percent(row.net[LONGEST]).removesuffix(" %") for row in rows],
            "funding": [_percent(row.funding) for row in rows],
            "price": [_percent(row.price) for row in rows],
            "fees": [_percent(-row.paid) for row in rows],
            "break-even (bps per side), by days": [
                cost(row.break_even) if row.traded_per_day else NOTHING for row in rows
            ],
            "traded a day": [decimals(row.traded_per_day, 3) for row in rows],
            "position": [decimals(row.exposure, 2) for row in rows],
            "held (days)": [decimals(row.holding_days, 1) for row in rows],
            "coins that gain": [row.coins_that_gain for row in rows],
        }
    )
    return table.set_index("fees: Binance / Hyperliquid (bps)")


def carry_findings(content: Mapping[str, Json] | None = None) -> str:
    """Return in sentences what carry between the venues earns, and what it does not show."""
    content = published_carry() if content is None else content
    if not content:
        return UNPUBLISHED
    rows, bars = list(carry_rows(content)), content["latency"]
    shown = [_told(row.fees) for row in rows if row.shows]
    where = f"at fees of {'; '.join(shown)} bps" if shown else "at none of the fees"
    return " ".join(
        [
            f"{len(content['coins'])} coins, {content['days']} days from {content['start']} to {content['end']}, "
            f"orders filled {bars} bar{'s' * (bars != 1)} late; thresholds are chosen on the days before, from "
            f"{content['chosen_from']} on.",
            *_venue_fees(rows[-1]),
            *_at_the_edge(content),
            f"Above zero with 95 % confidence over {', '.join(SPELLS)} alike is the net return {where}.",
        ]
    )


def _venue_fees(row: CarryRow) -> Iterator[str]:
    """Yield what the rule earns at the venues' own fees."""
    if not row.traded_per_day:
        yield f"At the venues' own fees ({_told(row.fees)} bps) it never trades."
        return
    told = ", ".join(f"{percent(interval)} by {name}" for name, interval in row.net.items())
    yield (
        f"At the venues' own fees ({_told(row.fees)} bps) the net return on the capital is, a year, {told}: funding "
        f"{_percent(row.funding)}, price {_percent(row.price)}, fees {_percent(-row.paid)} %. It would break even at "
        f"{cost(row.break_even)} bps per side (by days)."
    )
    yield (
        f"One day's funding is like the next one's (correlation {decimals(row.funding_alike, 2)}), so that intervals "
        f"by days are too sure: the best of {len(row.blocks)} {LONGEST} earned {_percent(row.blocks.max())} % a year, "
        f"the median one {_percent(float(np.median(row.blocks)))} %."
    )


def _at_the_edge(content: Mapping[str, Json]) -> Iterator[str]:
    """Yield how often the choice lies at the edge of what was tried."""
    ends = [(min(tried), max(tried)) for tried in (content["lookbacks"], content["thresholds"])]
    chosen = [one for row in content["rows"] for one in row["chosen"] if one is not None]
    edge = sum(any(value in end for value, end in zip(one, ends, strict=True)) for one in chosen)
    if edge:
        yield (
            f"In {edge} of {len(chosen)} cases, blocks and fees together, look-back or threshold is the least or the "
            f"most that was tried; a wider search might find more, and would be one more trial."
        )


def carry_lines(content: Mapping[str, Json]) -> Iterator[str]:
    """Yield a line per regime of fees."""
    for row in carry_rows(content):
        yield (
            f"fees {_told(row.fees):>9} bps: net {percent(row.net[LONGEST])} a year (funding {_percent(row.funding)}, "
            f"price {_percent(row.price)}, fees {_percent(-row.paid)}), break-even {cost(row.break_even)} bps per side"
        )


def _means(values: Float1D, length: int) -> Float1D:
    """Return the means over spells of about so many days, each as long as the next to a day."""
    return np.array([spell.mean() for spell in np.array_split(values, max(1, round(len(values) / length)))])


def _alike(values: Float1D) -> float:
    return float(np.corrcoef(values[1:], values[:-1])[0, 1]) if np.ptp(values) > 0.0 else float("nan")


def _days(row: Mapping[str, Any]) -> Days:
    price, funding, traded = (np.array(row[name], np.float64) for name in Days._fields)
    return Days(price, funding, traded.T)


def _told(fees: Fees) -> str:
    return f"{fees.first:g} / {fees.second:g}"


def _percent(share: float) -> str:
    return decimals(100.0 * share, 2, sign="+")
