"""Profiles: every setting documented, unknown keys refused with a hint, hashes that see what matters and no more."""

import pytest
from pydantic import ValidationError

from perpfut_lib.config import Profile, format_duration, load_profile, parse_duration, profile_names
from perpfut_lib.config.base import Section
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
        ("train.seeds=0", "greater than or equal to 1"),
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
