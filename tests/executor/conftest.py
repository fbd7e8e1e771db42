"""A folder as the agent leaves it: operator, signal and pairs."""

import pytest

from perpfut_lib.artifacts import AgentFolder
from tests.agent.documents import active_pairs, control, signal


@pytest.fixture
def folder(tmp_path):
    """Return a sealed folder with a signal for AAA against BBB."""
    folder = AgentFolder(tmp_path, b"k" * 32)
    folder.write(control())
    folder.write(signal())
    folder.write(active_pairs())
    return folder
