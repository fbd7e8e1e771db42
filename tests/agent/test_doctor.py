"""The doctor says why a policy cannot be used: each cause by the name of the file and of what is wrong with it."""

import hashlib
import json
import shutil

import pytest

from agent.operation.doctor import doctor


@pytest.fixture
def policies(world, tmp_path, monkeypatch):
    """Return the folder of the policies in a project of its own."""
    train = tmp_path / "artifacts" / "smoke" / "train"
    shutil.copytree(world.run.path / "train", train)
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    return train / "policies"


def verdict(world, **settings):
    """Return what the doctor says of the policy."""
    profile = world.profile.changed({f"agent.{name}": value for name, value in settings.items()})
    return next(line for line in doctor(profile, offline=True) if line.name == "policy")


def altered(card, **fields):
    """Change a card on disk."""
    card.write_text(json.dumps(json.loads(card.read_text()) | fields))


def without_stage(card):
    shutil.rmtree(card.parent.parent)
    return "no artifacts of stage 'train'"


def without_card(card):
    card.unlink()
    return f"no {card.name}; expected a file {card}"


def torn_card(card):
    card.write_text(card.read_text()[:-20])
    return "expected strict JSON"


def card_of_another_schema(card):
    altered(card, schema_version=2, colour="red")
    return "colour\n  Extra inputs are not permitted"


def card_with_a_foreign_feature(card):
    content = json.loads(card.read_text())
    altered(card, feature_spec=content["feature_spec"] | {"features": [{"colour": "red"}]})
    return f"{card.name} that makes no sense (TypeError: "


def card_that_contradicts_itself(card):
    content = json.loads(card.read_text())
    altered(card, feature_spec=content["feature_spec"] | {"lookback": 1})
    return "features, scaler and network that differ"


def card_of_another_size(card):
    altered(card, hidden=(7,))
    return "layer0.weight"


def policy_with_a_memory(card):
    altered(card, lstm=8)
    return "with a memory of 8 cells"


def without_weights(card):
    card.with_suffix(".safetensors").unlink()
    return f"no {card.stem}.safetensors"


def altered_weights(card):
    weights = card.with_suffix(".safetensors")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
    return f"{weights.name} with sha256 {hashlib.sha256(weights.read_bytes()).hexdigest()}"


def weights_that_are_none(card):
    card.with_suffix(".safetensors").write_bytes(b"pickle")
    altered(card, weights_sha256=hashlib.sha256(b"pickle").hexdigest())
    return "expected a safetensors file"


CAUSES = (
    without_stage,
    without_card,
    torn_card,
    card_of_another_schema,
    card_with_a_foreign_feature,
    card_that_contradicts_itself,
    card_of_another_size,
    policy_with_a_memory,
    without_weights,
    altered_weights,
    weights_that_are_none,
)


@pytest.mark.parametrize("spoil", CAUSES)
def test_the_cause_is_told(world, policies, spoil):
    """What was done to the files is what the line tells, beside the policy's name and a remedy."""
    told = spoil(policies / f"{world.profile.agent.policy}.json")
    line = verdict(world)
    assert line.state == "bad"
    assert line.text.startswith(f"found no usable policy {world.profile.agent.policy}: ")
    assert told in line.text


def test_a_policy_that_nobody_asked_for_is_told(world, policies):
    """Weights with another hash than ``agent.policy_sha256`` are named, with both hashes."""
    line = verdict(world, policy_sha256="0" * 64)
    assert line.state == "bad"
    assert world.exported.card.weights_sha256 in line.text
    assert "0" * 64 in line.text


def test_a_sound_policy_is_told(world, policies):
    """Nothing corrupted: features and hash."""
    line = verdict(world)
    assert (line.state, world.exported.card.weights_sha256[:12] in line.text) == ("ok", True)
