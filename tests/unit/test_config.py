"""Profiles: every setting documented, unknown keys refused with a hint, hashes that see what matters and no more."""

from typing import get_args

import pytest
from pydantic import ValidationError

from perpfut_lib.config import Profile, TrainConfig, format_duration, load_profile, parse_duration, profile_names
from perpfut_lib.config.attribution import SEED_RULES
from perpfut_lib.config.base import Section
from perpfut_lib.config.presets import Algorithm
from perpfut_lib.errors import ConfigError


def sections(model=Profile):
    yield model
    for field in model.model_fields.values():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            yield from sections(field.annotation)


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_of_the_project_loads(name):
    assert load_profile(name).name == name


def test_every_setting_is_documented():
    undocumented = [
        f"{model.__name__}.{name}"
        for model in sections()
        for name, field in model.model_fields.items()
        if not field.description and not isinstance(field.default, Section)
    ]
    assert undocumented == []


def test_an_override_reaches_its_section_and_changes_only_that_hash():
    plain, changed = load_profile("default"), load_profile("default", ["train.seeds=3", "cointegration.formation=2d"])
    assert changed.train.seeds == 3
    assert changed.cointegration.formation == 2 * 86_400_000
    assert plain.sections_hash(["train"]) != changed.sections_hash(["train"])
    assert plain.sections_hash(["data", "env"]) == changed.sections_hash(["data", "env"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.sedes=3", "train.sedes.*train has .*seeds"),
        ("trian.seeds=3", "the profile has .*train"),
        ("train.seeds=-1", "greater than or equal to 0"),
        ("train.seeds", "section.key=value"),
        ("name.x=1", "to hold settings"),
        ("data.source=files", "data.files"),
        ("split.train=0.99", "leaves nothing to test on"),
        ("train.choices=4", "has flat among them"),
        ("cointegration.formation=3w", "one of m, h, d"),
        ("data.simulation={planted_pairs: 9}", "planted pairs need 18 symbols"),
    ],
)
def test_a_wrong_setting_is_named(override, message):
    with pytest.raises(ConfigError, match=message):
        load_profile("default", [override])


def test_an_unknown_profile_names_those_that_exist():
    with pytest.raises(ConfigError, match="default"):
        load_profile("no-such-profile")


def test_profiles_are_frozen():
    with pytest.raises(ValidationError):
        load_profile("default").train.seeds = 2


@pytest.mark.parametrize("text", ["1m", "90m", "8h", "3d", "365d"])
def test_durations_round_trip(text):
    assert parse_duration(format_duration(parse_duration(text))) == parse_duration(text)
    assert parse_duration(parse_duration(text)) == parse_duration(text)


STUDIED = {
    "algorithm": "sb3-ppo",
    "n_steps": 2048,
    "batch_size": 128,
    "n_epochs": 10,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "entropy_coef": 0.1,
    "value_coef": 0.5,
    "max_grad_norm": 0.5,
    "learning_rate": 3e-4,
    "final_learning_rate": 1e-5,
    "sde": True,
    "log_std_init": -2.0,
    "first_seed": 42,
}


def test_a_preset_sets_what_was_not_given():
    """The study's preset is that of its report; a setting that is given keeps its value, wherever it is given."""
    study = load_profile("default", ["train.preset=study"]).train
    assert {name: getattr(study, name) for name in STUDIED} == STUDIED
    own = load_profile("default", ["train.preset=study", "train.gamma=0.9", "train.algorithm=a2c"]).train
    assert (own.gamma, own.algorithm, own.abstain, own.n_envs) == (0.9, "a2c", False, TrainConfig().n_envs)
    assert load_profile("default").train.model_dump() == TrainConfig(preset="batched").model_dump()


def test_a_preset_can_be_changed_later_and_is_part_of_the_hash():
    """A profile that is changed takes the values of its new preset, but for those that its file gave."""
    given = load_profile("default", ["train.batch_size=77"])
    changed = given.changed({"train.preset": "study"})
    assert (changed.train.batch_size, changed.train.n_steps) == (77, 2048)
    assert changed.changed({"train.preset": "batched"}).train == given.train
    assert changed.sections_hash(["train"]) != given.sections_hash(["train"])
    assert given.changed({}) == given


@pytest.mark.parametrize("preset", ["batched", "study"])
@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_presets_hold_valid_values_for_every_algorithm(preset, algorithm):
    """What a preset sets passes the same checks as what a user gives."""
    chosen = TrainConfig(preset=preset, algorithm=algorithm)
    assert TrainConfig.model_validate(chosen.model_dump(mode="json")) == chosen


@pytest.mark.parametrize("name", ["seed-rules", "replication"])
def test_the_seed_rules_are_where_the_attribution_begins(name):
    """Proves that the profiles hold every fault that the lowest rung holds, and the study's reward and training."""
    profile = load_profile(name)
    for key, value in profile.attribution.start.items():
        section, name = key.split(".")
        assert getattr(getattr(profile, section), name) == value, key
    env, train = profile.env, profile.train
    assert (env.risk_aversion, env.reward_scale, env.reward_clip) == (6.0, 1.0, 3.0)
    assert (train.algorithm, train.n_steps, train.batch_size, train.first_seed) == ("sb3-ppo", 2048, 128, 42)


@pytest.mark.parametrize("name", ["real-1h", "real-1m-2025-02", "real-1m-2025-05", "sim-year"])
def test_published_studies_have_ten_seeds_and_three_fees(name):
    profile = load_profile(name)
    assert profile.train.seeds >= 10
    assert profile.costs.fees_bps == (0.0, 1.44, 4.5)
    assert set(profile.attribution.start) == set(SEED_RULES)


@pytest.mark.parametrize(
    "given",
    [
        "train.seeds=3 env.latency=1",
        "train.seeds=3\nenv.latency=1",
        "train.seeds=3, env.latency=1",
        "train.seeds=3; env.latency=1",
        '["train.seeds=3", "env.latency=1"]',
        ["train.seeds=3", "env.latency=1"],
    ],
)
def test_overrides_come_as_text_or_as_a_list(given):
    """``papermill -p overrides "train.seeds=3"`` hands over a text."""
    profile = load_profile("smoke", given)
    assert (profile.train.seeds, profile.env.latency) == (3, 1)
    assert load_profile("smoke", "costs.fees_bps=[0.0, 2.0]").costs.fees_bps == (0.0, 2.0)
    both = load_profile("smoke", "data.symbols=[A, B], train.seeds=3")
    assert (both.data.symbols, both.train.seeds) == (("A", "B"), 3)


def test_a_profile_s_title_does_not_stand_over_other_data():
    """Another file, or other dates, under a profile's settings: the title says so; a title of one's own stays."""
    plain, other = load_profile("real-1m"), load_profile("real-1m", ["data.files=mine.parquet"])
    assert "May-June 2025" in plain.title and "May-June 2025" not in other.title
    assert other.title == "Settings of profile real-1m on other data (data.files)"
    assert load_profile("real-1m", ["data.files=mine.parquet", "title=Mine"]).title == "Mine"
    assert load_profile("real-1m", ["train.seeds=3"]).title == plain.title


def test_a_part_of_a_section_leaves_the_rest_as_its_owner_has_it():
    """The agent's exchange has time-outs of its own: an address does not bring back those of a download."""
    plain, changed = load_profile("smoke"), load_profile("smoke", ["agent.exchange.url=http://127.0.0.1:8787"])
    assert plain.agent.exchange.timeout != type(plain.agent.exchange)().timeout
    assert changed.agent.exchange == plain.agent.exchange.model_copy(update={"url": "http://127.0.0.1:8787"})


def test_one_threshold_of_an_alarm_can_be_set_alone():
    alarm = load_profile("smoke", ["agent.governor.drawdown.enter=0.2"]).agent.governor.drawdown
    assert (alarm.enter, alarm.leave) == (0.2, load_profile("smoke").agent.governor.drawdown.leave)
