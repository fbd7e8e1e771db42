"""How long a tick asks for a bar that is late: by the clock, whatever the exchange makes of each request."""

from dataclasses import dataclass, field

import pytest

from agent.decision import followed_pairs
from agent.feed.market import Wanted
from perpfut_lib.config import load_profile


class WaitingClock:
    """Waiting moves it."""

    now = 0

    def monotonic(self):
        """Return the time."""
        return self.now

    def wait(self, milliseconds):
        """Let time pass."""
        self.now += milliseconds
        return False


@dataclass
class SilentMarket:
    """Every request takes ``takes`` ms and brings nothing."""

    clock: WaitingClock
    takes: int
    asked: int = 0

    def fetch(self, wanted, until, deadline=None):
        """Answer with nothing, late."""
        self.asked += 1
        self.clock.wait(min(self.takes, int(1000 * deadline)))
        return {}


@dataclass
class Standing:
    """What the fetch needs of a context."""

    takes: int
    timeframe: int = 60_000
    clock: WaitingClock = field(default_factory=WaitingClock)

    def __post_init__(self):
        self.profile = load_profile("smoke")
        self.market = SilentMarket(self.clock, self.takes)


@pytest.fixture(autouse=True)
def one_symbol(monkeypatch):
    """Let every tick want one symbol."""
    monkeypatch.setattr(followed_pairs, "wanted", lambda *_: {"AUSDT": Wanted(0, None)})
    monkeypatch.setattr(followed_pairs, "_complete", lambda *_: False)


@pytest.mark.parametrize("takes", [0, 100, 2_000, 8_000, 60_000])
def test_a_silent_exchange_costs_patience_and_one_deadline(takes):
    """The tick is over before the next bar, with patience for at most one more request of the longest kind."""
    context = Standing(takes)
    settings = context.profile.agent
    assert followed_pairs.fetch(context, {"A~B": None}, 60_000) == {}
    assert context.clock.monotonic() <= settings.patience_ms + 2 * settings.deadline_ms < context.timeframe


def test_answers_at_once_are_asked_for_again_as_often_as_patience_allows():
    """Requests that cost nothing leave all of the patience to the waits between them."""
    context = Standing(0)
    settings = context.profile.agent
    followed_pairs.fetch(context, {"A~B": None}, 60_000)
    assert context.market.asked == 1 + settings.patience_ms // settings.poll_ms
