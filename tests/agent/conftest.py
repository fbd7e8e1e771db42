"""The world that the agent's tests share, made once a session."""

import pytest

from tests.agent.world import Stage, simulated_world


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    return simulated_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def stage(world, tmp_path):
    """Return an agent on the panel, in a folder of its own."""
    return Stage.on_panel(world, tmp_path / "agent")
