"""The doctor's questions to an exchange: answered by a local one on either wire, refused by region, or not answered."""

import pytest

from agent.operation.exchange_check import exchange_lines
from perpfut_lib.config import load_profile
from perpfut_lib.venue.faults import Status
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig, read_settings

MARKET = ("simulation.days=9", "simulation.symbols=2", "simulation.planted_pairs=1")
ASKED = ["address", "time", "limits", "symbols", "candles", "funding", "stream"]


@pytest.fixture(scope="module")
def venue():
    """Yield a local exchange in real time."""
    config: VenueConfig = read_settings([*MARKET, "clock=real"])
    with serve(config) as running:
        yield running


@pytest.fixture(autouse=True)
def well_again(venue):
    """Clear what a test has broken."""
    yield
    venue.exchange.clear_faults()


def states(url, *settings):
    """Return the lines by name."""
    profile = load_profile("smoke", [f"agent.exchange.url={url}", "agent.exchange.timeout=5", *settings])
    return {line.name: line for line in exchange_lines(profile)}


@pytest.mark.parametrize("source", ["binance", "hyperliquid"])
def test_everything_is_asked_and_answered(venue, source):
    """Every line is there, and an exchange in order has no red one."""
    hint = "true" if source == "binance" else "false"
    lines = states(venue.url, f"agent.source={source}", f"agent.hint={hint}")
    assert list(lines) == ASKED
    assert {name: line.text for name, line in lines.items() if line.state != "ok"} == {}


def test_the_weight_used_is_told(venue):
    """It is the exchange's own header."""
    assert "of 2400 weight used" in states(venue.url)["limits"].text
    assert "unknown" not in states(venue.url)["limits"].text


@pytest.mark.parametrize("code", [403, 451])
def test_a_refusal_by_region_is_named(venue, code):
    """It is red, and nothing else is asked."""
    venue.exchange.add_fault(Status(status=code))
    lines = states(venue.url)
    assert lines["address"].state == "bad"
    assert f"refused with {code}" in lines["address"].text
    assert {line.state for name, line in lines.items() if name != "address"} == {"-"}


def test_a_silent_exchange_is_not_taken_for_a_healthy_one():
    """Nothing listens: no line is green, and each says that it was not asked."""
    lines = states("http://127.0.0.1:9")
    assert {line.state for line in lines.values()} == {"-"}
    assert all("not" in line.text for line in lines.values())


def test_a_symbol_that_is_not_listed_is_named(venue):
    """And the questions that need one are not asked."""
    lines = states(venue.url, "agent.symbols=[SIM01USDT, NOSUCHUSDT]")
    assert lines["symbols"].state == "bad"
    assert "NOSUCHUSDT" in lines["symbols"].text
    assert "SIM01USDT" not in lines["symbols"].text
    assert lines["candles"].state == "-"


def test_a_wrong_clock_is_red(venue, monkeypatch):
    """The difference is told in ms."""
    from agent.clock import SystemClock

    wall = SystemClock.wall
    monkeypatch.setattr(SystemClock, "wall", lambda self: wall(self) + 60_000)
    line = states(venue.url)["time"]
    assert line.state == "bad"
    assert "ms apart" in line.text
