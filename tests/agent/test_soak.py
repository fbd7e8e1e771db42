"""Many ticks of one process: what it holds in memory and on disk stays bounded."""

import pytest

from agent.decision import publication as publish
from agent.testing.soak import Sample, growth, soak
from tests.agent.world import Stage

BAR = 60_000


def test_disk_and_memory_stay_bounded(world, tmp_path, monkeypatch):
    """Four hundred ticks, with two selections and rotated logs: nothing grows after the first fifth.

    ``perpfut bench soak`` runs ten thousand.
    """
    monkeypatch.setattr(publish, "MAX_LOG_BYTES", 50_000)
    stage = Stage.on_panel(world, tmp_path / "agent")
    start = world.windows()[0][0]
    with stage.started() as ticks:
        samples = soak(ticks, stage.clock, range(start, start + 400 * BAR, BAR), every=20)
        assert ticks.checkpoints.threads() == []
    assert [sample.ticks for sample in samples] == list(range(20, 401, 20))
    line = max(len(text) for text in stage.folder.decisions.read_text().splitlines()) / 2**20
    assert max(sample.logs_mib for sample in samples) <= (1 + publish.OLDER_LOGS) * (50_000 / 2**20 + line)
    assert growth(samples, "disk_mib") < 0.5
    assert growth(samples, "memory_mib") < 30.0


def test_growth_is_measured_against_the_start():
    """The largest value of the first fifth is the reference: a spike there hides nothing later, a leak shows."""
    flat = [Sample(number, 100.0, 0.0, 0.0) for number in range(10)]
    leak = [Sample(number, 100.0 + number, 0.0, 0.0) for number in range(10)]
    assert growth(flat, "memory_mib") == 0.0
    assert growth(leak, "memory_mib") == pytest.approx(8.0)
