"""The ladder: every rung is a whole study with one more correction, and untouched stages are shared."""

import pytest

from perpfut_lib import pipeline
from perpfut_lib.attribution import load_ladder, rungs
from perpfut_lib.config import Rung
from perpfut_lib.errors import ConfigError


def test_every_rung_keeps_the_corrections_below_it(smoke):
    climbed = list(rungs(smoke.profile))
    assert climbed[0][2].env.fill == "same_close"
    assert [number for _, number, _ in climbed] == [0, *(rung.fault for rung in smoke.profile.attribution.rungs)]
    top, correct = climbed[-1][2], smoke.profile
    for section in ("data", "cointegration", "features", "costs", "env", "evaluate"):
        assert getattr(top, section) == getattr(correct, section)


def test_a_rung_that_names_no_setting_is_refused(smoke):
    broken = smoke.profile.attribution.model_copy(
        update={"rungs": (Rung(name="nothing", fault=1, settings={"env.fil": "next_open"}),)}
    )
    with pytest.raises(ConfigError, match=r"env.fil"):
        list(rungs(smoke.profile.model_copy(update={"attribution": broken})))


def test_the_ladder_on_the_smoke_run(smoke):
    """Three rungs: each row is that rung's own evaluation; data stages were adopted, not made again."""
    short = {"attribution.rungs": [rung.model_dump() for rung in smoke.profile.attribution.rungs[:2]]}
    profile = smoke.profile.changed({**short, "attribution.total_steps": 8192})
    pipeline.ensure("attribution", profile, smoke.run)
    ladder = load_ladder(smoke.run)
    assert ladder["rung"].tolist() == [rung for rung in range(3) for _ in profile.costs.fees_bps]
    assert (ladder["imbalance"] <= 1e-12).all()
    beside = smoke.run.path.with_name("smoke.rung-1")
    for stage in ("acquire", "quality", "cointegration"):
        first, second = (path / stage / "manifest.json" for path in (smoke.run.path, beside))
        assert first.stat().st_ino == second.stat().st_ino
