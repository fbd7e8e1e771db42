"""The world that the agent's tests share, and an agent in it."""

import pytest

from tests.agent.world import Stage


@pytest.fixture(scope="session")
def world(small_world):
    return small_world


@pytest.fixture
def stage(world, tmp_path):
    """Return an agent on the panel, in a folder of its own."""
    return Stage.on_panel(world, tmp_path / "agent")
