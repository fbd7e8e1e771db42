"""One small exchange that most tests of the venue talk to."""

import time
from collections.abc import Iterator

import pytest

from perpfut_lib.config import SimulationConfig
from perpfut_lib.venue.server import RunningExchange, serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

SMALL = SimulationConfig(days=5, symbols=4, planted_pairs=1)


@pytest.fixture(scope="session")
def tape() -> Tape:
    return Tape.simulated(SMALL)


@pytest.fixture
def venue(tape: Tape) -> Iterator[RunningExchange]:
    with serve(VenueConfig(), tape) as running:
        instant = time.time()
        running.exchange.wall = lambda: instant  # no minute ends in the middle of a test
        yield running
