"""Handing a policy over: a copy of its own, checked, and never half of it."""

import pytest

from agent.operation.deploy import deploy
from perpfut_lib.artifacts import Run
from perpfut_lib.errors import ArtifactError, MissingInputError


@pytest.fixture
def target(tmp_path, monkeypatch):
    """Return the run of an agent on another machine, where nothing was ever trained."""
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    return Run(tmp_path / "artifacts" / "smoke")


def test_the_agent_gets_the_policy_that_was_named_and_no_other(world, target):
    """Card, weights and manifest arrive; the agent's own loader takes them."""
    policy = deploy(world.profile, world.run.path.parent)
    assert policy.digest == world.policy.digest
    there = sorted(path.name for path in target.stage("train").path.rglob("*") if path.is_file())
    name = world.profile.agent.policy
    assert there == sorted(["manifest.json", f"{name}.json", f"{name}.safetensors"])


def test_a_policy_that_is_not_what_was_asked_for_leaves_the_old_one(world, target):
    """Another hash than ``agent.policy_sha256`` is refused, and the policy deployed before still stands."""
    deploy(world.profile, world.run.path.parent)
    with pytest.raises(ArtifactError, match=r"agent\.policy_sha256"):
        deploy(world.profile.changed({"agent.policy_sha256": "0" * 64}), world.run.path.parent)
    assert (target.path / "train" / "policies" / f"{world.profile.agent.policy}.json").is_file()


def test_a_policy_that_was_never_trained_is_named(world, target):
    """The message says which policy is missing and how to get it."""
    with pytest.raises(MissingInputError, match="fee-9"):
        deploy(world.profile.changed({"agent.policy": "fee-9"}), world.run.path.parent)
