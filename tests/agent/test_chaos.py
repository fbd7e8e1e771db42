"""Chaos in brief: exchange and agent as processes of their own, killed ten times, and a judge that is not blind.

``perpfut agent chaos --kills 200 --keep`` is the long form.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent.testing.chaos import Plan, Trial, run
from agent.testing.chaos_processes import Life, Pace
from agent.testing.chaos_verdict import counted, judge, outlived
from agent.testing.small_market import MARKET
from agent.testing.undisturbed import unanswered
from perpfut_lib.artifacts import AgentFolder, Signal
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.settings import VenueConfig
from tests.agent.documents import signal as document
from tests.agent.world import SETTINGS

ROOT = Path(__file__).resolve().parents[2]
KILLS = 10
OWN = tuple(setting for setting in SETTINGS if not setting.startswith("agent.") and setting not in MARKET)
LATER_STARTS = Pace(1_000_000, 50_000_000, 3.0)


@pytest.fixture(scope="module")
def home(world, tmp_path_factory):
    """Return a project of its own, with the world's policy in the place of a trained one."""
    home = tmp_path_factory.mktemp("chaos")
    shutil.copytree(ROOT / "configs", home / "configs")
    (home / "artifacts" / "chaos").mkdir(parents=True)
    (home / "artifacts" / "chaos" / "train").symlink_to(world.run.path / "train")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PERPFUT_ROOT", str(home))
        yield home


@pytest.fixture(scope="module")
def trial(home):
    return run(Plan("smoke", ("name=chaos", *MARKET, *OWN), KILLS, seed=11, speed=3.0, aims=(1, 1, 0), start_s=4.0))


def test_killed_at_random_every_signal_is_that_of_an_agent_that_lived(trial, tmp_path):
    """Null hypothesis: some kill repeats, changes or loses a signal, fails a tick, or keeps a process from starting.

    A bar may be lost only if no process that was ticking before its close outlived it.
    """
    verdict = judge(trial, tmp_path / "undisturbed")
    assert verdict.wrong == {}, verdict
    assert sum(row["kills"] for row in counted(trial)) == KILLS
    assert verdict.signals >= 2
    assert verdict.lost == verdict.bars - verdict.signals


def test_the_judge_sees_what_is_wrong(trial, tmp_path):
    """A signal twice, a weight changed in its last digit, a process that ended by itself: each is counted."""
    folder = AgentFolder(tmp_path / "agent", trial.folder.key)
    shutil.copytree(trial.folder.path, folder.path)
    lines = folder.decisions.read_text().splitlines()
    honest = Signal.model_validate_json(lines[-1])
    legs = (honest.legs[0].model_copy(update={"weight": honest.legs[0].weight * (1 + 2**-50)}), *honest.legs[1:])
    altered = [*lines[:-1], honest.model_copy(update={"legs": legs}).model_dump_json(), lines[-2]]
    folder.decisions.write_text("\n".join(altered) + "\n")
    lives = [replace(trial.lives[0], code=1), *trial.lives[1:]]
    found = judge(replace(trial, folder=folder, lives=lives), tmp_path / "undisturbed").wrong
    assert found == {"repeated": 1, "disorder": 1, "different": 1, "ended": 1}


def test_a_bar_that_a_ticking_process_outlived_is_lost_without_excuse():
    """A process that signalled before a bar and outlived its expiry owed a signal; a later or shorter life did not."""
    plan, real = Plan("smoke", (), 1, 1), Pace(0, 0, 1.0)
    trial = Trial(plan, real, AgentFolder(Path("nowhere")), 0, lives=[Life(0, 1, 100.0, 400.0, -9)])
    assert outlived(trial, [110.0], 120_000, 180_000)
    assert not outlived(trial, [110.0], 360_000, 180_000)  # killed before it expired
    assert not outlived(trial, [130.0], 120_000, 180_000)  # at work on an earlier bar until then
    assert not outlived(trial, [90.0], 120_000, 180_000)  # another process


def test_what_gave_no_data_is_read_from_the_signal():
    """A pair that was held says which symbols were silent, but for those that another pair was decided on."""
    honest = document()
    held = honest.pairs[0].model_copy(update={"status": "held", "reasons": ("held",), "pair": "AAA~BBB"})
    decided = honest.pairs[0].model_copy(update={"pair": "AAA~CCC"})
    assert unanswered(honest.model_copy(update={"pairs": (held, decided)})) == {"BBB"}
    assert unanswered(honest.model_copy(update={"pairs": (decided,)})) == set()


def test_an_exchange_that_starts_again_goes_on_in_its_time():
    """Given the same epoch, an accelerated exchange that is started later shows what one that never stopped shows."""
    settings = {"clock": "accelerated", "start": LATER_STARTS.shown, "speed": LATER_STARTS.speed}
    before = LATER_STARTS.now()
    venue = Exchange.open(VenueConfig(**settings, epoch=LATER_STARTS.epoch))
    assert before - 2 <= venue.clock.now() <= LATER_STARTS.now() + 2  # both cut to whole milliseconds
