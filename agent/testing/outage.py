"""What is lost when agent, executor and network die and the market turns against us, with and without stops.

The real executor opens a pair on the local exchange, with no fault at all; at some second everything of ours is gone.
Then the market falls, or rises, or both; the exchange does what it does by itself: stops, funding, liquidation.
"""

import logging
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from agent.clock import ReplayClock
from agent.executor.stops import StopRules
from agent.testing.simulated_agent import SimulatedAgent
from agent.testing.simulated_executor import SimulatedExecutor, scratch_folder, scratch_space, settings_of
from agent.testing.simulated_network import TICK_MS, Network
from agent.testing.simulated_venue import SimulatedVenue
from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import HOUR_MS, MINUTE_MS
from perpfut_lib.venue.protection import LIQUIDATION_ID
from perpfut_lib.venue.shocks import jumped
from perpfut_lib.venue.tape import Tape

PAIR: Final = ("SIM01USDT", "SIM02USDT")
LONG, SHORT = PAIR
WEIGHT: Final = 1.0
"""Of the long leg; the short one has 0.8."""
DISTANCE: Final = Decimal("0.1")
SHOCK_MS: Final = 5 * MINUTE_MS
"""From the start to the shock; the pair is open long before it."""
HORIZON_MS: Final = 7 * HOUR_MS
FALL_BARS: Final = 360
OPENING_TICKS: Final = 24
"""Seconds after the start in which the pair is opened, one after the other a moment of death."""
HELD_TICKS: Final = 240
FEE: Final = 0.0005
"""Of the stop's own fill, with some room, as a share of its notional."""


@dataclass(frozen=True)
class Market:
    """What happens after the death: factors of both prices at the end, at once or over six hours."""

    name: str
    long: float
    short: float
    gap: bool = False


MARKETS: Final = (
    Market("nothing", 1.0, 1.0),
    Market("both fall by half", 0.5, 0.5),
    Market("the long leg falls by 60 %", 0.4, 1.0),
    Market("long leg -40 %, short leg +40 %", 0.6, 1.4),
    Market("the short leg trebles", 1.0, 3.0),
    Market("long leg -40 %, short leg +40 %, in a gap", 0.6, 1.4, gap=True),
)


@dataclass(frozen=True)
class Loss:
    """One death."""

    market: str
    stops: bool
    tick: int
    lost: float
    """Largest loss after it, as a share of the equity before the shock."""
    bound: float
    """What lies between prices and stops, fees included, as a share of equity."""
    bare: float
    """Notional that no stop covers, as a share of equity."""
    liquidated: bool


def shocked(tape: Tape, market: Market, at: int) -> Tape:
    """Return the tape with both prices bent from ``at`` on, ms UTC."""
    factors = {LONG: market.long, SHORT: market.short}
    steps = 0 if market.gap else FALL_BARS
    series = {name: jumped(one, factors.get(name, 1.0), at, steps) for name, one in tape.series.items()}
    return Tape(series, tape.timeframe)


def die(tape: Tape, market: Market, tick: int, start: int, stops: bool) -> Loss:
    """Open a pair from ``start`` on, die at a tick, and let the market do what it does."""
    with scratch_space() as scratch:
        venue = _dead(scratch, shocked(tape, market, start + SHOCK_MS), tick, start, stops)
    before = venue.equity()
    (bound, bare), lowest = _exposure(venue), before
    while venue.now < start + HORIZON_MS:
        venue.matching.exchange.clock.advance(MINUTE_MS)
        lowest = min(lowest, venue.equity())
    liquidated = any(one.request.client_id.startswith(LIQUIDATION_ID) for one in venue.account.orders.values())
    return Loss(market.name, stops, tick, 1.0 - lowest / before, bound / before, bare / before, liquidated)


def _dead(path: Path, tape: Tape, tick: int, start: int, stops: bool) -> SimulatedVenue:
    """Return the exchange at the instant of the shock, with what the executor left behind when it died."""
    rng = np.random.default_rng(0)
    venue, folder = SimulatedVenue.opened_at(tape, start, rng), scratch_folder(path / "agent")
    clock, network = ReplayClock(start), Network(rng, now=start)
    agent = SimulatedAgent(folder, clock, network, venue, rng)
    rules = StopRules(DISTANCE if stops else Decimal(0))
    executor = SimulatedExecutor(folder, settings_of(tuple(tape.series), rules), clock, network, venue)
    venue.connect(network, executor)
    agent.ask({PAIR: WEIGHT})
    for _ in range(tick):
        clock.now += TICK_MS
        venue.advance()
        network.advance()
        agent.tick()
        executor.tick(down=1)
    executor.close()
    venue.matching.exchange.clock.advance(start + SHOCK_MS - venue.now - MINUTE_MS)
    return venue


def _exposure(venue: SimulatedVenue) -> tuple[float, float]:
    """Return what the positions can lose down to their stops, and the notional without one, quote currency."""
    bound = bare = 0.0
    for symbol in PAIR:
        left, price = abs(float(venue.position(symbol))), venue.price(symbol)
        stops = [one for one in venue.stops().values() if one.symbol == symbol]
        for stop in sorted(stops, key=lambda one: abs(float(one.trigger) - price), reverse=True):
            units = min(left, abs(float(stop.quantity)))
            bound += units * (abs(float(stop.trigger) - price) + FEE * float(stop.trigger))
            left -= units
        bare += left * price
    return bound, bare


def outage(starts: int = 3) -> dict[str, object]:
    """Return the table: a row per market and moment, with the worst loss over all deaths, with and without stops."""
    room = logging.getLogger("agent.executor")
    before, room.level = room.level, logging.CRITICAL
    try:
        losses = _losses(starts)
    finally:
        room.level = before
    rows = []
    for held in (True, False):
        for market in MARKETS:
            chosen = [one for one in losses if one.market == market.name and (one.tick == HELD_TICKS) is held]
            rows.append(_row(market.name, "holding" if held else "opening", chosen))
    return {"distance": float(DISTANCE), "gross": 1.8 * WEIGHT, "leverage": 20, "rows": rows}


def _losses(starts: int) -> list[Loss]:
    tape = Tape.simulated(SimulationConfig(days=5, symbols=4, planted_pairs=2))
    firsts = [tape.start + (24 + 17 * number) * HOUR_MS for number in range(starts)]
    return [
        die(tape, market, tick, start, stops)
        for market in MARKETS
        for start in firsts
        for tick in (*range(3, OPENING_TICKS, 3), HELD_TICKS)
        for stops in (False, True)
    ]


def _row(market: str, moment: str, losses: list[Loss]) -> dict[str, object]:
    without, stopped = ([one for one in losses if one.stops is kind] for kind in (False, True))
    return {
        "market": market,
        "moment": moment,
        "deaths": len(without),
        "lost_without": max(one.lost for one in without),
        "liquidated_without": sum(one.liquidated for one in without),
        "lost_with": max(one.lost for one in stopped),
        "liquidated_with": sum(one.liquidated for one in stopped),
        "bound": max(one.bound for one in stopped),
        "bare": max(one.bare for one in stopped),
    }
