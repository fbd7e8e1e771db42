"""Periods side by side: the break-even cost with thresholds that were chosen on other periods, and by the textbook."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np

from perpfut_lib.frontier.sums import BPS_PER_UNIT, Sums
from perpfut_lib.statistics import Interval
from perpfut_lib.types import Json

CHOSEN: Final = "chosen on other periods"
TEXTBOOK: Final = "entry 2, exit 0.5"
TEXTBOOK_THRESHOLDS: Final = (2.0, 0.5)


@dataclass(frozen=True)
class Row:
    """The break-even cost at one memory, decision interval and delay, all periods of one bar together."""

    simulated: bool
    bar: int
    """Minutes."""
    memory: int | None
    """Minutes whose mean the spread is measured against; None for the formation window."""
    interval: int
    """Minutes from one decision to the next."""
    delay: int
    """Bars from the next open to the fill."""
    rule: str
    """:data:`CHOSEN` or :data:`TEXTBOOK`."""
    windows: int
    days: float
    break_even: Interval
    """Basis points per side."""
    funding_bps: float
    """Part of it that is funding."""
    holding_minutes: float
    """Mean time on one side of the spread."""
    traded_per_day: float
    """Notional, in units of a pair's capital, all pairs of a window together."""
    thresholds: tuple[tuple[float, float], ...]
    """Entry and exit that were used, block by block."""


def frontier_rows(periods: Mapping[str, Json]) -> Iterator[Row]:
    """Yield the rows of every kind of period, interval, delay and rule.

    Parameters
    ----------
    periods : mapping
        From :func:`perpfut_lib.frontier.study.study_period`, by name.
    """
    kinds = sorted({(bool(one["simulated"]), int(one["bar"])) for one in periods.values()})
    for simulated, bar in kinds:
        own = [one for one in periods.values() if one["simulated"] == simulated and one["bar"] == bar]
        own.sort(key=lambda one: str(one["start"]))
        days = sum(one["windows"] * one["window_days"] for one in own)
        for place, blocks in _blocks(own).items():
            for rule in (CHOSEN, TEXTBOOK) if len(blocks) > 1 else (TEXTBOOK,):
                yield _row((simulated, bar, *place, rule), blocks, days)


@dataclass(frozen=True)
class ExecutionRow:
    """What a rule earns before fees by the way its orders are sent, all periods of one bar together."""

    simulated: bool
    bar: int
    memory: int | None
    interval: int
    execution: str
    """First leg, second leg: see :mod:`perpfut_lib.frontier.execution`."""
    days: float
    gross: Interval
    """Basis points per side, before fees; thresholds chosen on other periods."""
    maker_share: float
    """Share of the notional that limit orders traded."""
    traded_per_day: float


def execution_rows(periods: Mapping[str, Any]) -> Iterator[ExecutionRow]:
    """Yield the rows of every kind of period, memory, decision interval and execution.

    Parameters
    ----------
    periods : mapping
        From :func:`perpfut_lib.frontier.study.study_period`, by name; those published without executions are left out.
    """
    told = [one for one in periods.values() if one.get("executions")]
    for simulated, bar in sorted({(bool(one["simulated"]), int(one["bar"])) for one in told}):
        own = [one for one in told if one["simulated"] == simulated and one["bar"] == bar]
        own.sort(key=lambda one: str(one["start"]))
        days = sum(one["windows"] * one["window_days"] for one in own)
        for place, blocks in _blocks(own, "executions").items():
            if len(blocks) > 1:
                parts = [block[_best(blocks, number)] for number, block in enumerate(blocks)]
                gross = Sums.total([part.gross for part in parts])
                share = sum(part.maker for part in parts) / gross.traded if gross.traded > 0.0 else float("nan")
                memory, interval, execution = place
                yield ExecutionRow(
                    simulated,
                    bar,
                    memory,
                    interval,
                    execution,
                    days,
                    gross.interval_bps(),
                    maker_share=share,
                    traded_per_day=gross.traded / days,
                )


class _Part(NamedTuple):
    gross: Sums
    funding: float
    holding_bars: float
    maker: float = 0.0


Block = Mapping[tuple[float, float], _Part]
"""One block of windows, by thresholds."""


def _blocks(own: Sequence[Mapping[str, Any]], cells: str = "cells") -> dict[tuple[Any, ...], list[Block]]:
    """Return the blocks of several periods, one after the other, by memory, interval and delay or execution."""
    found: dict[tuple[Any, ...], dict[Any, dict[tuple[float, float], _Part]]] = {}
    names, last = ("columns", "delay") if cells == "cells" else ("execution_columns", "execution")
    for number, period in enumerate(own):
        for cell in period[cells]:
            row = dict(zip(period[names], cell, strict=True))
            sums = Sums(*(row[name] for name in Sums.__dataclass_fields__))
            holding = row.get("holding_bars")
            part = _Part(
                sums, row.get("funding", 0.0), float("nan") if holding is None else holding, row.get("maker", 0.0)
            )
            here = found.setdefault((row["memory"], row["interval"], row[last]), {})
            here.setdefault((number, row["block"]), {})[row["entry"], row["exit"]] = part
    return {place: list(blocks.values()) for place, blocks in found.items()}


def _row(place: tuple[Any, ...], blocks: list[Block], days: float) -> Row:
    rule, bar = place[-1], place[1]
    used = [_best(blocks, number) if rule == CHOSEN else TEXTBOOK_THRESHOLDS for number in range(len(blocks))]
    parts = [block[key] for block, key in zip(blocks, used, strict=True)]
    gross = Sums.total([part.gross for part in parts])
    funding = BPS_PER_UNIT * sum(part.funding for part in parts) / gross.traded if gross.traded > 0.0 else float("nan")
    holding = bar * float(np.nanmean([part.holding_bars for part in parts]))
    simulated, _, memory, interval, delay, _ = place
    return Row(
        simulated=simulated,
        bar=bar,
        memory=memory,
        interval=interval,
        delay=delay,
        rule=rule,
        windows=gross.windows,
        days=days,
        break_even=gross.interval_bps(),
        funding_bps=funding,
        holding_minutes=holding,
        traded_per_day=gross.traded / days,
        thresholds=tuple(used),
    )


def _best(blocks: Sequence[Block], left_out: int) -> tuple[float, float]:
    """Return the thresholds with the highest break-even cost over all blocks but one; the first of equals."""
    rest = [block for number, block in enumerate(blocks) if number != left_out]
    keys = list(rest[0])
    found = [Sums.total([block[key].gross for block in rest]).ratio_bps for key in keys]
    return keys[int(np.argmax(np.nan_to_num(found, nan=-np.inf)))]
