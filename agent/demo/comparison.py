"""What the closed loop earned against the backtest of the same bars, and where the difference comes from. Pure.

The backtest fills the decision of a bar at the open of the next one, in fractions of a lot. With O the opens, q* the
units that the signals ask for, q those that were held at the end of each bar, and (n, p, m) quantity, price and middle
of the book of each fill:

    rounding = sum (q - q*) dO      latency = sum -n (m - O)      slippage = sum -n (p - m)

so that earned = backtest + decisions + rounding + latency + slippage + fees + funding, exactly.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from perpfut_lib.accounting import BPS
from perpfut_lib.artifacts import Signal
from perpfut_lib.types import JsonObject

Units = Mapping[str, float]
OpenPrice = Callable[[str, int], float]


@dataclass(frozen=True)
class Execution:
    """One fill at the exchange."""

    time: int
    """Exchange's time, ms UTC."""
    symbol: str
    quantity: float
    """Signed base units."""
    price: float
    middle: float
    """Middle of the book when it happened."""
    fee: float
    """Quote currency, paid."""


@dataclass(frozen=True)
class Funding:
    """One funding payment to the account."""

    time: int
    symbol: str
    amount: float
    """Quote currency, positive is received."""
    size: float
    """Signed base units that it was paid on."""


@dataclass(frozen=True)
class Episode:
    """Everything that happened between the first decision and the end, where both sides are flat again."""

    signals: Sequence[Signal]
    """Of the closed loop, one per bar."""
    replayed: Sequence[Signal]
    """Of a replay of the same bars."""
    fills: Sequence[Execution]
    funding: Sequence[Funding]
    base: float
    """Equity that weights are shares of, quote currency."""
    end: int
    """Open at which everything is sold, ms UTC."""
    fee_bps: float
    slippage_bps: float
    """What the backtest charges for slippage."""


def units_at(signal: Signal, base: float) -> dict[str, float]:
    """Return the exact units that a signal asks for."""
    units: dict[str, float] = {}
    for leg in signal.legs:
        units[leg.symbol] = units.get(leg.symbol, 0.0) + base * leg.weight / leg.price
    return units


def attribution(episode: Episode, open_price: OpenPrice) -> dict[str, float]:
    """Return the parts of the difference between closed loop and backtest, quote currency.

    Parameters
    ----------
    episode : Episode
        Signals, fills, payments.
    open_price : callable
        Open of a symbol's bar by symbol and open time.

    Returns
    -------
    dict
        ``backtest`` (net), ``decisions``, ``rounding``, ``latency``, ``slippage``, ``fees``, ``funding``, and
        ``earned``, which is the sum of all of them.
    """
    times = [*[signal.bar_close for signal in episode.signals], episode.end]
    ideal = [units_at(signal, episode.base) for signal in episode.signals]
    replayed = [units_at(signal, episode.base) for signal in episode.replayed]
    held = held_units(episode, times)
    gross = [_price_pnl(path, times, open_price) for path in (replayed, ideal, held)]
    turnover, wanted = _turnover(replayed, times, open_price), _turnover(ideal, times, open_price)
    cost = (episode.fee_bps + episode.slippage_bps) * BPS
    paid = sum(fill.fee for fill in episode.fills)
    slipped = -sum(fill.quantity * (fill.price - fill.middle) for fill in episode.fills)
    late = -sum(
        fill.quantity * (fill.middle - open_price(fill.symbol, _bar(fill.time, times))) for fill in episode.fills
    )
    ours = sum(payment.amount for payment in episode.funding)
    theirs = sum(_ideal_payment(payment, replayed, times) for payment in episode.funding)
    parts = {
        "backtest": gross[0] - turnover * cost + theirs,
        "decisions": gross[1] - gross[0] - (wanted - turnover) * cost,
        "rounding": gross[2] - gross[1],
        "latency": late,
        "slippage": slipped + wanted * episode.slippage_bps * BPS,
        "fees": wanted * episode.fee_bps * BPS - paid,
        "funding": ours - theirs,
    }
    return {**parts, "earned": sum(parts.values())}


def held_units(episode: Episode, times: Sequence[int]) -> list[dict[str, float]]:
    """Return the units held at the end of each bar, by the fills."""
    path: list[dict[str, float]] = []
    held: dict[str, float] = {}
    for start, end in pairwise(times):
        for fill in episode.fills:
            if start <= fill.time < end:
                held[fill.symbol] = held.get(fill.symbol, 0.0) + fill.quantity
        path.append(dict(held))
    return path


def bar_rows(episode: Episode, open_price: OpenPrice) -> list[JsonObject]:
    """Return one row per bar: what was decided, sent and held."""
    times = [*[signal.bar_close for signal in episode.signals], episode.end]
    held = held_units(episode, times)
    rows = []
    for number, signal in enumerate(episode.signals):
        start, end = times[number], times[number + 1]
        fills = [fill for fill in episode.fills if start <= fill.time < end]
        wanted = units_at(signal, episode.base)
        names = sorted({*wanted, *held[number]})
        gap = sum(abs(wanted.get(n, 0.0) - held[number].get(n, 0.0)) * open_price(n, end) for n in names)
        rows.append(
            {
                "bar_close": start,
                "pairs": {report.pair: [report.action, report.status] for report in signal.pairs},
                "gross_target": sum(abs(leg.weight) for leg in signal.legs),
                "signal_ms": signal.created_at - start,
                "fills": len(fills),
                "traded": sum(abs(fill.quantity) * fill.price for fill in fills),
                "last_fill_ms": max((fill.time - start for fill in fills), default=None),
                "gap": gap,
                "positions": {name: quantity for name, quantity in held[number].items() if abs(quantity) > 1e-12},
            }
        )
    return rows


def equal_decisions(first: Sequence[Signal], second: Sequence[Signal]) -> int:
    """Return how many signals of the same bar ask for the same, to the last bit."""
    legs = {signal.bar_close: signal.legs for signal in second}
    return sum(legs.get(signal.bar_close) == signal.legs for signal in first)


def _price_pnl(path: Sequence[Units], times: Sequence[int], open_price: OpenPrice) -> float:
    return sum(
        quantity * (open_price(symbol, times[k + 1]) - open_price(symbol, times[k]))
        for k, units in enumerate(path)
        for symbol, quantity in units.items()
    )


def _turnover(path: Sequence[Units], times: Sequence[int], open_price: OpenPrice) -> float:
    """Return the notional that is traded at opens, the last sale included."""
    total, before = 0.0, {}  # type: tuple[float, Units]
    for time, units in zip(times, [*path, {}], strict=True):
        names = {*before, *units}
        total += sum(abs(units.get(n, 0.0) - before.get(n, 0.0)) * open_price(n, time) for n in names)
        before = units
    return total


def _bar(time: int, times: Sequence[int]) -> int:
    """Return the decision that a fill belongs to: the last one before it."""
    return max(start for start in times if start <= time)


def _ideal_payment(payment: Funding, path: Sequence[Units], times: Sequence[int]) -> float:
    """Return what the backtest's position would have been paid: it was established before the settlement."""
    k = max((number for number, start in enumerate(times[:-1]) if start < payment.time), default=None)
    if k is None or payment.size == 0.0:
        return 0.0
    return payment.amount / payment.size * path[k].get(payment.symbol, 0.0)
