"""The ladder: every rung is a whole study with one more correction, and untouched stages are shared."""

import numpy as np
import pytest

from perpfut_lib import pipeline, report
from perpfut_lib.artifacts import Run
from perpfut_lib.attribution import load_ladder, load_sweep, studies
from perpfut_lib.attribution.ladder import climb
from perpfut_lib.attribution.original import CHOSEN, differences
from perpfut_lib.attribution.sweep import SAME_CLOSE, load_ground
from perpfut_lib.config import Rung, load_profile
from perpfut_lib.config.attribution import RUNGS, SEED_RULES
from perpfut_lib.errors import ConfigError
from perpfut_lib.evaluate import load_metrics

FAULTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14]  # 11 to 13 are faults of the deployed agent, not of the backtest


@pytest.fixture(scope="module")
def default():
    """Return the default profile with agents on every rung."""
    return load_profile("default", ["attribution.agents=true"])


def test_every_fault_of_the_backtest_has_its_rung(default):
    """And what was no fault is put right between the start and the first of them."""
    climbed = [study for study in studies(default) if study.label.startswith("rung")]
    assert sorted(study.fault for study in climbed[1:] if study.fault) == FAULTS
    chosen = [study.correction for study in climbed[1:] if not study.fault]
    assert chosen == [CHOSEN[section] for section in ("train", "env", "features", "cointegration")]
    assert [study.fault for study in climbed[: len(chosen) + 1]] == [0] * (len(chosen) + 1)
    assert [study.compared for study in climbed[1:]] == [study.label for study in climbed[:-1]]


def test_the_top_rung_has_the_correct_rules(default):
    climbed = [study.profile for study in studies(default) if study.label.startswith("rung")]
    top = climbed[-1]
    same = default.changed({"cointegration.placebos": 0})  # the ladder does without
    for section in ("data", "split", "cointegration", "features", "costs", "env"):
        assert getattr(top, section) == getattr(same, section)
    assert top.train.model_dump(exclude={"seeds", "abstain"}) == default.train.model_dump(exclude={"seeds", "abstain"})
    assert top.train.seeds == default.attribution.seeds


@pytest.mark.parametrize("name", ["default", "real-1m-2025-05"])
def test_the_lowest_rung_is_the_original_study_setting_by_setting(name):
    """Null hypothesis: a setting beside the market and the effort differs from profile ``seed-rules``.

    Compared are the two profiles' own trees, not what the ladder says of them.
    """
    start = next(iter(studies(load_profile(name, ["attribution.agents=true"])))).profile
    own, original = start.model_dump(mode="json"), load_profile("seed-rules").model_dump(mode="json")
    found = {
        f"{section}.{key}"
        for section in ("cointegration", "features", "costs", "env", "train", "evaluate")
        for key in own[section]
        if own[section][key] != original[section][key]
    }
    # How long it trains, and what is not looked at on a rung; a flat policy is exported by neither.
    assert found == {"train.total_steps", "cointegration.placebos", "evaluate.only", "evaluate.cross_fees"}
    assert (start.train.algorithm, start.env.risk_aversion, start.features.lookback) == ("sb3-ppo", 6.0, 20)


def test_fees_and_measures_are_no_rung(default):
    """A profile that asks at one fee, or with fewer resamples, asks so on all rungs: they must be comparable."""
    asked = default.changed({"costs.fees_bps": [2.0], "evaluate.bootstrap": 200, "costs.slippage.model": "fixed"})
    climbed = [study for study in studies(asked) if study.label.startswith("rung")]
    assert {study.profile.costs.fees_bps for study in climbed} == {(2.0,)}
    assert {study.profile.evaluate.bootstrap for study in climbed} == {200}
    assert CHOSEN["costs"] in [study.correction for study in climbed]  # what the original did not pay


def test_what_a_ladder_leaves_out_is_named_with_its_reason():
    """The table of a ladder of rules accounts for every setting that differs, by name or by number."""
    profile = load_profile("default")
    table = report.lowest_rung_table(profile)
    lowest = next(iter(studies(profile))).profile
    named = [one for one in differences(lowest) if one.setting in table.index]
    counted = sum(int(row.split()[1]) for row in table.index if row.endswith("settings"))
    assert len(named) + counted == len(list(differences(lowest)))
    assert table.loc["cointegration.direction"].tolist() == ["best", "listed", "no fault: this study's on all rungs"]
    assert table.loc["cointegration.placebos", "why"] == "the same effort on every rung"
    assert any(row.startswith("train: ") for row in table.index[table["why"] == "no agent is trained"])
    with_agents = report.lowest_rung_table(load_profile("default", ["attribution.agents=true"]))
    reasons = {"the market is the profile's own", "the same effort on every rung", "the same measure on every rung"}
    assert set(with_agents["why"]) == reasons


def test_every_agent_of_the_ladder_is_trained_as_long_and_those_of_the_faults_as_the_study_s(default):
    """Null hypothesis: an agent has another budget, or one above the choices another learner than the study's own."""
    free = {"seeds", "abstain", "horizons"}  # how many, whether a flat policy is exported, and what is corrected
    for study in studies(default):
        own, other = (profile.train.model_dump(exclude=free) for profile in (default, study.profile))
        assert {key: other[key] for key in ("total_steps", "evaluations")} == {
            key: own[key] for key in ("total_steps", "evaluations")
        }
        assert study.label == "rung-0" or own == other, study.label


def test_a_ladder_of_rules_trains_nothing_and_has_no_rung_that_a_rule_cannot_feel():
    """Without agents the rungs that concern training or observations only are left out, at both ends alike."""
    climbed = list(studies(load_profile("default")))
    assert {study.profile.train.seeds for study in climbed} == {0}
    assert sorted({study.fault for study in climbed}) == [0, 1, 2, 4, 5, 6, 7, 9]
    start, default = climbed[0].profile, load_profile("default")
    assert (start.features, start.train.horizons) == (default.features, default.train.horizons)
    assert all(study.profile.evaluate.only == ("z-score", "flat") for study in climbed)


def test_a_ladder_of_rules_on_the_smoke_run(smoke, ladder, tmp_path):
    """It gives the rule's rows of the ladder with agents, to rounding, and no agent's."""
    alone = smoke.profile.changed({"attribution.agents": False, "attribution.alone": False})
    rows = climb(alone, Run(tmp_path / "alone"))
    assert set(rows["agent"]) == {"z-score"}
    both = ladder[(ladder["agent"] == "z-score") & ladder["label"].isin(rows["label"])]
    # Both make the market and all that follows from it anew; last bits may differ, and compound over the span's steps.
    assert rows["return"].tolist() == pytest.approx(both["return"].tolist(), rel=1e-12)


@pytest.mark.trains
@pytest.mark.slow
def test_a_ladder_that_starts_with_the_original_s_learner(tmp_path):
    """A tiny one, trained through: the original's agent stands under the name of the one that it is compared with."""
    settings = {
        "attribution.start": SEED_RULES,
        "attribution.rungs": [RUNGS[0].model_dump()],
        "attribution.total_steps": 2048,
        "attribution.alone": False,
        "costs.fees_bps": [0.0],
        "compute.workers": 1,
    }
    profile = load_profile("smoke").changed(settings)
    assert next(iter(studies(profile))).profile.train.algorithm == "sb3-ppo"
    rows = climb(profile, Run(tmp_path / "run"))
    own = rows[rows["agent"] == profile.train.algorithm].set_index("label")
    assert set(rows["agent"]) == {profile.train.algorithm, "z-score"}
    assert own["return_change"].iloc[1:].to_numpy() == pytest.approx(np.diff(own["return"]), abs=1e-12)
    assert own["return"].iloc[0] != own["return"].iloc[1]  # another learner did something else


def test_a_lone_fault_differs_from_the_correct_rules_in_nothing_else(default):
    climbed = list(studies(default))
    correct = [study.profile for study in climbed if study.label.startswith("rung")][-2]  # with one seed
    lone = [study for study in climbed if study.label.startswith("fault")]
    assert sorted(study.fault for study in lone) == FAULTS[:-1]
    for study, rung in zip(lone, default.attribution.rungs, strict=True):
        assert study.profile.changed(rung.settings, name=correct.name) == correct
        assert study.profile != correct.changed({}, name=study.profile.name)


def test_a_rung_that_names_no_setting_is_refused(default):
    start = SEED_RULES | {"env.fil": "same_close"}
    rung = Rung(name="nothing", fault=1, settings={"env.fil": "next_open"})
    broken = default.attribution.model_copy(update={"start": start, "rungs": (rung,)})
    with pytest.raises(ConfigError, match=r"env.fil"):
        list(studies(default.model_copy(update={"attribution": broken})))
    with pytest.raises(ConfigError, match="start does not set"):
        default.changed({"attribution.rungs": [rung.model_dump()]})


@pytest.fixture(scope="module")
def ladder(smoke):
    """Climb the smoke profile's short ladder."""
    pipeline.ensure("attribution", smoke.profile, smoke.run)
    return load_ladder(smoke.run)


def test_the_ladder_on_the_smoke_run(smoke, ladder):
    """Each row is that rung's own evaluation, its change the difference; data stages were adopted, not made again."""
    rungs, lone = [f"rung-{number}" for number in range(5)], ["fault-7", "fault-6", "fault-4"]
    assert ladder["label"].unique().tolist() == rungs + lone
    assert (ladder.groupby(["label", "agent"]).size() == len(smoke.profile.costs.fees_bps)).all()
    rows = ladder[(ladder["agent"] == "z-score") & (ladder["fee_bps"] == 0.0)].set_index("label")
    for below, above in (("rung-0", "rung-1"), ("rung-3", "fault-7")):
        difference = rows.loc[above, "return"] - rows.loc[below, "return"]
        assert rows.loc[above, "return_change"] == pytest.approx(difference, abs=1e-12)
    assert np.isnan(rows.loc["rung-0", "return_change"])
    beside = smoke.run.path.with_name("smoke.rung-1")
    for stage in ("acquire", "quality"):
        first, second = (path / stage / "manifest.json" for path in (smoke.run.path, beside))
        assert first.stat().st_ino == second.stat().st_ino


def test_the_sweep_starts_from_the_evaluation(smoke, ladder):
    """Without delay, at last trades, the rule's return is that of the metrics; the bounce pays at the close seen."""
    sweep, metrics = load_sweep(smoke.run), load_metrics(smoke.run)
    own = metrics[(metrics["agent"] == "z-score") & (metrics["test_fee_bps"] == 0.0)]["return"].item()
    rule = sweep[(sweep["agent"] == "z-score") & (sweep["fee_bps"] == 0.0)].set_index(["prices", "delay"])
    assert rule.loc[("last", 0), "return"] == pytest.approx(own, abs=1e-12)
    assert set(sweep["delay"]) == {SAME_CLOSE, 0, 2}
    # at mid prices the close that was seen and the next open are one and the same
    assert rule.loc[("mid", SAME_CLOSE), "return"] == pytest.approx(rule.loc[("mid", 0), "return"], abs=1e-12)


def test_mid_prices_lie_between_the_ticks_that_are_traded(smoke):
    """The opens of the panel are within one tick of the mid prices that the sweep fills at."""
    ground = load_ground(smoke.profile, smoke.run)
    gap = np.abs(np.log(ground.mids) - np.log(ground.panel.open))
    assert gap.max() < 10 * smoke.profile.data.simulation.tick_bps * 1e-4
    assert gap.max() > 0
