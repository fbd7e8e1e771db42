"""What an exchange may do to a pair by itself: noticed, told, hedged again, and not opened again before an order."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from agent.clock import ReplayClock
from agent.executor.audit import against_ledger, against_positions, audit
from agent.executor.trail import events
from agent.testing.simulated_agent import SYMBOLS, SimulatedAgent
from agent.testing.simulated_executor import SimulatedExecutor, scratch_folder, settings_of
from agent.testing.simulated_network import TICK_MS, Network
from agent.testing.simulated_venue import SimulatedVenue
from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import HOUR_MS
from perpfut_lib.venue.faults import BookGap, Deleverage, FundingShock, Jump
from perpfut_lib.venue.tape import Tape

PAIR = ("SIM01USDT", "SIM02USDT")
LONG, SHORT = PAIR


class Scene:
    """Agent, executor and exchange, seconds after seconds, without any fault of the network."""

    def __init__(self, path, tape: Tape) -> None:
        start, rng = tape.start + 24 * HOUR_MS, np.random.default_rng(0)
        self.venue, folder = SimulatedVenue.opened_at(tape, start, rng), scratch_folder(path)
        self.clock, self.network = ReplayClock(start), Network(rng, now=start)
        self.agent = SimulatedAgent(folder, self.clock, self.network, self.venue, rng)
        self.executor = SimulatedExecutor(folder, settings_of(SYMBOLS), self.clock, self.network, self.venue)
        self.venue.connect(self.network, self.executor)
        self.agent.ask({PAIR: 0.2})
        self.run(40)
        self.opened = self.held()
        assert all(self.opened)

    def run(self, ticks: int, *, alive: bool = True) -> None:
        for _ in range(ticks):
            self.clock.now += TICK_MS
            self.venue.advance()
            self.network.advance()
            if alive:
                self.agent.tick()
                self.executor.tick(down=1)

    def fault(self, fault) -> None:
        self.venue.matching.exchange.add_fault(fault)

    def held(self) -> tuple[Decimal, Decimal]:
        return self.venue.position(LONG), self.venue.position(SHORT)

    def told(self, kind: str) -> list:
        return [event.body for event in events(self.executor.folder.trail) if event.kind == kind]

    def differences(self) -> list[str]:
        """Return how trail, ledger and exchange differ."""
        self.executor.trader.report()
        found, positions = audit(events(self.executor.folder.trail)), dict(zip(PAIR, self.held(), strict=True))
        wrong = against_ledger(found, self.executor.memory())
        return [*found.faults, *against_positions(found, positions | dict.fromkeys(SYMBOLS[2:], Decimal(0))), *wrong]


@pytest.fixture(scope="module")
def tape() -> Tape:
    return Tape.simulated(SimulationConfig(days=5, symbols=4, planted_pairs=2))


@pytest.fixture
def scene(tmp_path, tape) -> Iterator[Scene]:
    made = Scene(tmp_path, tape)
    yield made
    made.executor.close()


@pytest.mark.parametrize("symbol", PAIR)
@pytest.mark.parametrize("share", [0.4, 1.0])
def test_deleveraging_is_told_and_the_other_leg_follows(scene, symbol, share):
    """The exchange takes a share of one leg: the other one is reduced to match, and both stay so until an order."""
    scene.fault(Deleverage(symbol=symbol, share=share))
    scene.run(60)
    left = [float(now / before) for now, before in zip(scene.held(), scene.opened, strict=True)]
    assert left == pytest.approx([1 - share] * 2, abs=0.005)
    assert scene.told("reading")[-1]["left"] == [symbol]
    scene.run(120)
    assert [float(now / before) for now, before in zip(scene.held(), scene.opened, strict=True)] == pytest.approx(
        left, abs=0.002
    )
    assert scene.differences() == []
    scene.agent.allow()
    scene.run(40)
    assert scene.held() == pytest.approx(scene.opened, rel=Decimal("0.02"))


def test_a_stop_that_fired_while_all_was_dead_is_told_after_the_start_and_the_other_leg_is_closed(scene):
    """Agent and executor are killed, the price slides through the stop of the long leg, and both come up again."""
    scene.executor.close()
    scene.executor.trader = None
    scene.fault(Jump(symbol=LONG, factor=0.8, bars=2))
    scene.run(240, alive=False)
    assert scene.held() == (0, scene.opened[1])
    assert [one.symbol for one in scene.venue.stops().values()] == [SHORT]
    scene.run(40)
    assert scene.held() == (0, 0)
    assert [body["symbol"] for body in scene.told("stop") if body["action"] == "carried out"] == [LONG]
    assert scene.venue.stops() == {}
    scene.run(120)
    assert scene.held() == (0, 0)
    assert scene.differences() == []
    scene.agent.allow()
    scene.run(40)
    assert all(scene.held())


def test_a_funding_shock_is_booked_as_the_exchange_booked_it(scene):
    scene.fault(FundingShock(symbol=LONG, rate=0.01))
    scene.run(90)
    paid = sum(float(one.amount) for one in scene.venue.account.income if one.kind == "FUNDING_FEE")
    assert paid < -10.0
    assert scene.executor.trader.account.books.funding == pytest.approx(paid, abs=1e-9)
    assert scene.held() == pytest.approx(scene.opened, rel=Decimal("0.02"))
    assert scene.differences() == []


def test_nothing_is_opened_across_an_empty_book_and_closing_goes_on(scene):
    """Offers of the long leg lie 7 % away: twice the target is not opened, and flat is reached all the same."""
    scene.fault(BookGap(symbol=LONG, share=0.07))
    scene.run(6)  # quotes stand for five seconds
    scene.agent.ask({PAIR: 0.4})
    scene.run(60)
    assert scene.held() == pytest.approx(scene.opened, rel=Decimal("0.02"))
    scene.agent.ask({PAIR: 0.0})
    scene.run(60)
    assert scene.held() == (0, 0)
    prices = [float(one.price) for one in scene.venue.account.fills if one.order.request.symbol == LONG]
    assert min(later / earlier for earlier, later in pairwise(prices)) < 0.94
    assert scene.differences() == []
