"""The scheduler: one fast tick a bar, the slow tick where it is due, the governor after every bar."""

import threading

import pytest

from agent.operation.run import SELECTION_MS, Scheduler
from agent.operation.session import Session
from perpfut_lib.artifacts import read_json
from tests.agent.world import Stage

BAR = 60_000


class Walking:
    """A clock that goes on only while somebody waits for it; the agent is stopped at an hour set before."""

    def __init__(self, now, end):
        self.now, self.end, self.stop = now, end, threading.Event()

    def wall(self):
        return self.now

    def monotonic(self):
        return self.now

    def wait(self, milliseconds):
        self.now += milliseconds
        if self.now >= self.end:
            self.stop.set()
        return self.stop.is_set()


class Slow:
    """A slow tick that ends at once, or never."""

    def __init__(self, ticks, *, stuck=False):
        self.ticks, self.stuck, self.started = ticks, stuck, []

    def start(self, bar_close):
        self.started.append(bar_close)
        if not self.stuck:
            self.ticks.slow_tick(bar_close)

    def busy(self):
        return self.stuck


class Hint:
    """Announces a bar as soon as it has closed."""

    def __init__(self, clock):
        self.clock, self.followed = clock, []

    def follow(self, symbols):
        self.followed = symbols

    def wait(self, bar_close, milliseconds):
        self.clock.now = max(self.clock.now, min(bar_close, self.clock.now + milliseconds))
        if self.clock.now >= self.clock.end:
            self.clock.stop.set()
        return self.clock.now >= bar_close


@pytest.fixture
def scheduled(world, tmp_path):
    """Return a function that runs the scheduler for some bars and tells what it did."""

    def run(bars, *, stuck=False, hinted=False):
        stage = Stage.on_panel(world, tmp_path / "agent", "agent.retest=10m")
        start = world.windows()[0][0]
        clock = Walking(start - 30_000, start + bars * BAR - 1_000)
        stage.clock = clock
        stage.market._clock = clock
        with stage.started() as ticks:
            done = {"fast": [], "at": [], "governed": []}
            fast, govern = ticks.fast_tick, ticks.govern
            ticks.fast_tick = lambda bar: (done["fast"].append(bar), done["at"].append(clock.now), fast(bar))
            ticks.govern = lambda now: (done["governed"].append(now), govern(now))
            slow = Slow(ticks, stuck=stuck)
            hint = Hint(clock) if hinted else None
            Scheduler(Session(ticks, clock, stage.market), slow, hint).run()
            return stage, start, done, slow, hint

    return run


def test_one_fast_tick_a_bar_after_the_grace_time(scheduled):
    """Every bar once, in order, each after its grace time, the governor behind it; the heartbeat tells the last one."""
    stage, start, done, _, _ = scheduled(5)
    assert done["fast"] == [start - BAR + number * BAR for number in range(6)][: len(done["fast"])]
    bars = [bar for bar in done["fast"] if bar >= start]
    assert bars == [start + number * BAR for number in range(5)]
    grace = stage.profile.agent.grace_ms
    assert all(at >= bar + grace for bar, at in zip(done["fast"], done["at"], strict=True))
    assert len(done["governed"]) == len(done["fast"])
    assert read_json(stage.folder.heartbeat)["bar_close"] >= bars[-1]


def test_a_hint_shortens_the_wait(scheduled):
    """With the websocket's word the bar is fetched at its close, not a grace time later."""
    _, start, done, _, hint = scheduled(4, hinted=True)
    waits = [at - bar for bar, at in zip(done["fast"], done["at"], strict=True) if bar > start]
    assert waits and set(waits) == {0}
    assert hint.followed


def test_the_slow_tick_runs_at_window_starts_and_in_between(scheduled):
    """A selection for the bar that it begins with, one at the window's start, then a test every ten minutes."""
    _, start, _, slow, _ = scheduled(22)
    assert slow.started == [start - BAR, start, start + 10 * BAR, start + 20 * BAR]


def test_a_selection_that_never_ends_holds_a_bar_up_only_so_long(scheduled):
    """A stuck slow tick delays the fast tick by its limit, and then there is a flat signal all the same."""
    stage, start, done, _, _ = scheduled(3, stuck=True)
    delays = [at - bar for bar, at in zip(done["fast"], done["at"], strict=True) if bar > start]
    assert max(delays) <= SELECTION_MS + stage.profile.agent.grace_ms + 200
    with stage.started() as ticks:
        assert ticks.context.memory.signal.legs == ()
