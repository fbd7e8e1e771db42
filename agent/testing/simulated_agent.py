"""The agent and the operator of the simulation: sealed signals and orders, published over a bad network."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Final

import numpy as np

from agent.clock import ReplayClock
from agent.testing.simulated_network import Network
from agent.testing.simulated_venue import SimulatedVenue
from perpfut_lib.artifacts import AgentFolder, Control, Leg, PairReport, Provenance, Reason, Signal
from perpfut_lib.artifacts.contract import SCHEMA_VERSION
from perpfut_lib.artifacts.contract_io import encode

PAIRS: Final[Mapping[tuple[str, str], float]] = {("SIM01USDT", "SIM02USDT"): 0.8, ("SIM03USDT", "SIM04USDT"): 1.6}
"""Pairs with so many dollars of the second short for one of the first long."""
SYMBOLS: Final = tuple(symbol for pair in PAIRS for symbol in pair)
BAR_TICKS: Final = 10
LIFE_MS: Final = 30_000
CAP_SLACK: Final = Decimal("1.02")
"""Equity and prices move a little between a signal and its fill."""
PROVENANCE: Final = Provenance(config="0" * 64, code="unknown", inputs={})


class SimulatedAgent:
    """Writes what an agent and an operator write.

    Parameters
    ----------
    folder : AgentFolder
        Shared with the executor.
    clock : ReplayClock
        Wall clock.
    network : Network
        Publications come late, twice, or never.
    venue : SimulatedVenue
        Prices, and the equity that weights are taken of.
    rng : Generator
        Of the schedule.
    """

    def __init__(
        self,
        folder: AgentFolder,
        clock: ReplayClock,
        network: Network,
        venue: SimulatedVenue,
        rng: np.random.Generator,
    ) -> None:
        self._folder, self._clock, self._network, self._venue, self._rng = folder, clock, network, venue, rng
        self.caps: dict[str, Decimal] = {}
        """Largest position that any signal has asked for, by symbol, units."""
        self.targets: dict[str, float] = {}
        """Of the last signal, units."""
        self._equity = venue.equity()
        self._weights: dict[tuple[str, str], float] = dict.fromkeys(PAIRS, 0.0)
        self._gross: dict[tuple[str, str], float] = {}
        self._seq = self._orders = 0
        self._ticks = 0
        self._silent = self._torn = self._late = 0.0
        self._legs: dict[tuple[str, str], tuple[Leg, ...]] = {}
        self._killed_at: int | None = None
        self._prices: dict[str, float] = {}
        self._control(kill=False)

    def begin_phase(self) -> None:
        """Choose new targets and new ways to fail: silence, torn files, late data; now and then the operator kills."""
        self._silent, self._torn = float(self._rng.uniform(0, 0.3)), float(self._rng.uniform(0, 0.2))
        self._late = float(self._rng.uniform(0, 0.5))
        for pair in PAIRS:
            self._weights[pair] = float(self._rng.choice([-0.2, 0.0, 0.1, 0.2]))
        if self._rng.uniform() < 0.4:
            self._control(kill=(self._killed_at is None) == (self._rng.uniform() < 0.75))

    def allow(self) -> None:
        """Let the operator look at what the exchange closed, and order to go on."""
        self._control(kill=False)

    def ask(self, weights: Mapping[tuple[str, str], float]) -> None:
        """Ask for these weights of the pairs' first legs from now on."""
        self._weights |= weights

    def calm(self) -> None:
        """Fail no more, ask for the same units from now on, and let the operator allow trading."""
        self._prices = {symbol: self._venue.price(symbol) for symbol in SYMBOLS}
        self._silent = self._torn = self._late = 0.0
        self._control(kill=False)

    def tick(self) -> None:
        """Publish a signal at every bar."""
        self._ticks += 1
        if self._ticks % BAR_TICKS == 1 and self._rng.uniform() >= self._silent:
            self._publish()

    def killed_for(self) -> int:
        """Return for how many ticks a kill has been in force; zero without one."""
        return 0 if self._killed_at is None else (self._clock.now - self._killed_at) // 1_000

    def gross(self, pair: tuple[str, str]) -> float:
        """Return the gross notional that the last signal asked for in a pair, quote currency."""
        return self._gross.get(pair, 0.0)

    def _publish(self) -> None:
        self._seq += 1
        held = {pair for pair in PAIRS if pair in self._legs and self._rng.uniform() < self._late}
        self._legs |= {pair: self._decided(pair) for pair in PAIRS if pair not in held}
        reports = tuple(_report(pair, held=pair in held) for pair in PAIRS)
        now = self._clock.now
        signal = Signal(
            schema_version=SCHEMA_VERSION,
            kind="signal",
            seq=self._seq,
            run_id="simulation",
            created_at=now,
            bar_close=now,
            expires_at=now + LIFE_MS,
            kill=False,
            legs=tuple(leg for legs in self._legs.values() for leg in legs),
            pairs=reports,
            reasons=(),
            provenance=PROVENANCE,
        )
        content = encode(signal, self._folder.key)
        if self._rng.uniform() < self._torn:
            content = content[: int(self._rng.integers(0, len(content)))]
        path = self._folder.document(Signal)
        self._network.post("signal", lambda: _put(path, content))

    def _decided(self, pair: tuple[str, str]) -> tuple[Leg, ...]:
        """Return both legs by the weights of now, and note what they ask for."""
        legs = []
        sized = (self._weights[pair], -PAIRS[pair] * self._weights[pair])
        self._gross[pair] = sum(abs(one) for one in sized) * self._equity
        for symbol, size in zip(pair, sized, strict=True):
            price = self._venue.price(symbol)
            part = size * price / self._prices.get(symbol, price)
            legs.append(Leg(pair="~".join(pair), symbol=symbol, weight=part, price=price))
            self.targets[symbol] = part * self._equity / price
            asked = abs(Decimal(str(self.targets[symbol]))) * CAP_SLACK + Decimal("0.01")
            self.caps[symbol] = max(self.caps.get(symbol, Decimal(0)), asked)
        return tuple(legs)

    def _control(self, *, kill: bool) -> None:
        """Write the operator's order: people look whether it has arrived."""
        self._orders += 1
        self._killed_at = self._clock.now if kill else None
        control = Control(
            schema_version=SCHEMA_VERSION,
            kind="control",
            seq=self._orders,
            run_id="operator",
            created_at=self._clock.now,
            pause=False,
            kill=kill,
            max_exposure=None,
            allow=None,
            deny=(),
        )
        self._folder.write(control)


def _report(pair: tuple[str, str], *, held: bool) -> PairReport:
    """Return what is said of a pair: its data are late, or it was decided on."""
    if held:
        return PairReport(pair="~".join(pair), action=None, status="held", reasons=(Reason.HELD,))
    return PairReport(pair="~".join(pair), action=0.0, status="active", reasons=())


def _put(path: Path, content: bytes) -> None:
    path.write_bytes(content)
