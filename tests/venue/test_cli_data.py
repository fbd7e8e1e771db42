"""``perpfut data`` against the local exchange: estimate, download, audit."""

import json

import pytest
from typer.testing import CliRunner

from perpfut_lib.cli.application import application
from perpfut_lib.config import load_profile
from perpfut_lib.errors import ConfigError
from perpfut_lib.types import MINUTE_MS
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig


def _call(*arguments):
    return CliRunner().invoke(application(), ["data", *arguments], catch_exceptions=False).stdout


def test_estimate_download_and_estimate_again(tape, tmp_path):
    """Before the download all bars are to come, afterwards hardly anything; two symbols of five days."""
    with serve(VenueConfig(start=tape.end + 2 * MINUTE_MS), tape) as venue:
        chosen = {
            "data.exchange": f"{{url: '{venue.url}', folder: '{tmp_path}'}}",
            "data.symbols": "[SIM01USDT, SIM02USDT]",
            "data.start": "2025-01-01",
            "data.end": "2025-01-06",
        }
        settings = [part for key, value in chosen.items() for part in ("--set", f"{key}={value}")]
        before = _call("estimate", "--profile", "thesis", *settings)
        assert "2 symbols from binanceusdm" in before
        assert "still to come: 14,400 bars in 32 requests of weight 70" in before
        assert "complete in" in _call("download", "--profile", "thesis", *settings)
        assert "still to come: 0 bars in 0 requests" in _call("estimate", "--profile", "thesis", *settings)


def test_sources_that_are_no_exchange_are_refused():
    with pytest.raises(ConfigError, match=r"data\.source sim"):
        _call("estimate", "--profile", "smoke")


def test_audit_prints_one_object_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr("perpfut_lib.artifacts.runs.project_root", lambda: tmp_path)
    settings = ["--set", "data.simulation={days: 5, symbols: 2, planted_pairs: 1}", "--set", "data.source=sim"]
    rows = [json.loads(line) for line in _call("audit", "--profile", "smoke", "--json", *settings).splitlines()]
    assert [row["symbol"] for row in rows if row["table"] == "summary"] == ["SIM01USDT", "SIM02USDT"]
    assert all(row["reason"] == "covers the window" for row in rows if row["table"] == "universe")


def test_the_thesis_profile_asks_for_the_studys_year():
    profile = load_profile("thesis")
    assert len(profile.data.symbols) == 25
    assert (str(profile.data.start), str(profile.data.end)) == ("2024-05-01", "2025-05-01")
