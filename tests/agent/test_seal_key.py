"""Where orders are real, a missing seal key is refused."""

import pytest

from agent.state.seal_key import KEY_VARIABLE, REQUIRED_VARIABLE, seal_key
from perpfut_lib.errors import ConfigError


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    for name in (KEY_VARIABLE, f"{KEY_VARIABLE}_FILE", REQUIRED_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_a_demonstration_needs_no_key():
    assert seal_key() is None


def test_paper_and_live_do(monkeypatch):
    """Null: compose's paper and live follow a forged signal when the secret is missing."""
    with pytest.raises(ConfigError, match="forged"):
        seal_key(required=True)
    monkeypatch.setenv(REQUIRED_VARIABLE, "1")
    with pytest.raises(ConfigError, match="forged"):
        seal_key()
    monkeypatch.setenv(KEY_VARIABLE, "k" * 32)
    assert seal_key() == b"k" * 32
