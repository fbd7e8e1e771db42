"""The page on containers: each fate of a position has its words, and every command that it tells exists."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perpfut_lib.artifacts import Run, read_published
from perpfut_lib.chapters import containers
from perpfut_lib.cli.application import application
from perpfut_lib.config import load_profile

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "containers.md").read_text()
ROW = {"held_before": 100.0, "held_at_end": 100.0, "flat_after": None, "fills": 0, "in_line_after": 3.0}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "held, unchanged: nobody traded"),
        ({"fills": 3}, "held and traded on"),
        ({"fills": 3, "held_at_end": 40.0}, "reduced to 40%"),
        ({"flat_after": 12.3, "held_at_end": 0.0}, "closed after 12 s"),
        ({"flat_after": 12.3}, "closed after 12 s, and opened again"),
        ({"flat_after": 0.5}, "closed at once, and opened again"),
    ],
)
def test_each_fate_has_its_words(changed, words):
    """What the exchange showed decides, not what was hoped for."""
    assert containers.fate(ROW | changed) == words


@pytest.mark.parametrize(("after", "words"), [(None, "not within ten minutes"), (0.2, "at once"), (75.4, "after 75 s")])
def test_each_recovery_has_its_words(after, words):
    """One that did not come is not passed over."""
    assert containers.recovery(ROW | {"in_line_after": after}) == words


def test_reasons_that_were_not_recorded_are_not_called_none():
    """An empty list is an answer, no list is not."""
    assert containers.codes(None) == "not recorded"
    assert containers.codes([]) == "none"
    assert containers.codes(["held", "clock"]) == "`held`, `clock`"


def test_every_published_disturbance_is_shown():
    """No row is left out, and no table has more than twelve."""
    profile = load_profile("smoke")
    page = containers.container_positions(profile, Run.named(profile.name))
    rows = read_published(containers.POSITIONS)["rows"]
    assert all(page.count(f"| {row['name']} ") == 1 for row in rows)
    assert all(len(part.splitlines()) <= 14 for part in page.split("\n\n"))


def test_the_published_demonstration_equals_its_replay():
    """Every signal, some of them with positions, from services that were well."""
    kept = read_published(containers.DEMONSTRATION)
    assert kept["replay"]["equal"] == kept["replay"]["signals"] > 0
    assert kept["replay"]["with_positions"] > 0
    assert all(each["health"] == "healthy" and each["restarts"] == 0 for each in kept["services"].values())


def test_nobody_asked_is_not_nothing_found():
    """Without an answer the page does not say that there are no vulnerabilities."""
    told = {"asked": 0, "unasked": 5, "found": [], "why": "no service"}
    assert containers.flaws(told) == "not known: no service"
    assert containers.flaws(told | {"asked": 5, "unasked": 0}).startswith("none (5")
    assert containers.updates({"asked": False, "found": [], "why": "apt failed"}) == "not known: apt failed"
    assert containers.updates({"asked": True, "found": []}) == "none"
    assert containers.updates({"asked": True, "found": [{"package": "openssl"}]}) == "1"


@pytest.mark.parametrize("command", sorted(set(re.findall(r"perpfut (agent [a-z-]+)|agent-\w+ (agent [a-z]+)", TEXT))))
def test_commands_of_the_page_exist(command):
    """Whoever follows it literally meets no command that is unknown."""
    words = next(filter(None, command)).split()
    assert CliRunner().invoke(application(), [*words, "--help"]).exit_code == 0
