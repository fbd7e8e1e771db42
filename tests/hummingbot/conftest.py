"""One exchange and one Hummingbot a connector, shared by all cases; each case starts flat."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.hummingbot.engine import Engine, hummingbot_python, store_keys
from perpfut_lib.config import SimulationConfig
from perpfut_lib.errors import MissingInputError
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape
from tests.hummingbot.bot import Bot, agent_folder, until

HERE = Path(__file__).parent
MARKET = SimulationConfig(days=5, symbols=4, planted_pairs=2)


SHORT = (
    "test_open",
    "test_flip",
    "test_expiry",
    "test_restart",
    "test_both_legs_have_stops_that_follow_their_size_and_go_with_them",
)
"""Cases of every run; the others need PERPFUT_HUMMINGBOT=all, as make test-hummingbot sets it."""


def pytest_collection_modifyitems(items):
    """Skip, with the remedy, where Hummingbot is not installed; leave out the long cases unless they are asked for."""
    ours = [item for item in items if item.path.parent == HERE]
    try:
        hummingbot_python()
    except MissingInputError as error:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=str(error)))
    if os.environ.get("PERPFUT_HUMMINGBOT") != "all":
        for item in ours:
            if item.originalname not in SHORT:
                item.add_marker(pytest.mark.skip(reason="a long case; run make test-hummingbot"))


@pytest.fixture(scope="module", params=["binance_perpetual", "hyperliquid_perpetual"])
def bot(request, tmp_path_factory) -> Iterator[Bot]:
    """Yield a running Hummingbot."""
    path = tmp_path_factory.mktemp(request.param)
    config = VenueConfig(
        clock="real", history_days=1, simulation=MARKET, weight_limit=100_000, hyperliquid_weight_limit=100_000
    )
    with serve(config, Tape.simulated(MARKET)) as venue:
        engine = Engine(path / "hummingbot", venue.url)
        engine.root.mkdir()
        store_keys(engine.root, request.param, venue.url)
        running = Bot(request.param, venue, engine, agent_folder(path / "agent"))
        running.order_to()
        running.signal({})
        try:
            running.start()
            yield running
        finally:
            engine.kill()


@pytest.fixture
def flat(bot: Bot) -> Bot:
    """Return a Hummingbot that runs, holds nothing and is allowed to trade."""
    bot.venue.exchange.clear_faults()
    bot.order_to()
    bot.signal({})
    if not bot.engine.running():
        bot.start()
    until(bot.at_target, "everything is flat")
    return bot
