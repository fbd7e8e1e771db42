"""The runbook: every code and alarm of the code has its line, and every command that it tells exists."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from agent.decision.governor_rules import RULES
from perpfut_lib.artifacts import Freshness, Reason, Run, read_published
from perpfut_lib.chapters import runbook
from perpfut_lib.chapters.executor_cases import CASES
from perpfut_lib.cli.application import application
from perpfut_lib.config import AgentConfig, AlarmConfig, GovernorConfig, load_profile

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "book" / "runbook.md").read_text()


def _page(make):
    profile = load_profile("smoke")
    return make(profile, Run.named(profile.name))


def test_every_reason_code_has_its_line():
    """A code that the agent can raise and the runbook does not explain cannot exist."""
    assert set(runbook.REASONS) == set(Reason)
    page = _page(runbook.reason_codes)
    assert all(f"`{code}`" in page for code in Reason)
    assert all(means and do for means, do in runbook.REASONS.values())


def test_every_verdict_has_its_line():
    """So with what a reader concludes about a document."""
    assert set(runbook.FRESHNESS) == set(Freshness)
    assert all(f"`{freshness}`" in _page(runbook.freshness_table) for freshness in Freshness)


def test_every_alarm_of_the_governor_has_its_line_and_its_thresholds():
    """The table's alarms are the rules that the governor runs, with the profile's own numbers."""
    named = {name for name in GovernorConfig.model_fields if isinstance(getattr(GovernorConfig(), name), AlarmConfig)}
    assert named == {rule.name for rule in RULES}
    page, config = _page(runbook.alarms), AgentConfig().governor
    for rule in RULES:
        line = next(line for line in page.splitlines() if f"`{rule.name}`" in line)
        assert f"{rule.thresholds(config).enter:g}" in line
        assert all(action in line or action == "retrain" for action in rule.actions if action != "reselect")


def test_what_was_measured_of_the_image_is_shown():
    """The page shows every published row, and says how it was measured."""
    published = read_published(runbook.PUBLISHED)
    page = _page(runbook.containers)
    assert all(row["what"] in page for row in published["rows"])
    assert published["how"] in page
    assert published["trial"]["user"] != 0
    assert all(replay["rc"] == 0 for replay in published["trial"]["replays"])


def test_a_new_code_without_its_line_stops_the_book(monkeypatch):
    """The page is made from the enumeration, so a gap is an error and not an omission."""
    monkeypatch.delitem(runbook.REASONS, Reason.CLOCK)
    with pytest.raises(KeyError):
        _page(runbook.reason_codes)


@pytest.mark.parametrize("command", sorted(set(re.findall(r"perpfut (agent [a-z-]+)", TEXT))))
def test_commands_of_the_runbook_exist(command):
    """Whoever follows it in a hurry meets no command that is unknown."""
    done = CliRunner().invoke(application(), [*command.split(), "--help"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("option", ["--max-exposure", "--deny"])
def test_options_of_the_runbook_exist(option):
    """So with the options of ``perpfut agent control``."""
    assert option in TEXT
    assert option in CliRunner().invoke(application(), ["agent", "control", "--help"], env={"COLUMNS": "200"}).output


def test_services_of_the_runbook_exist():
    """Every service and profile that it names is one of the compose file's."""
    services = yaml.safe_load((ROOT / "docker" / "compose.yml").read_text())["services"]
    named = set(re.findall(r"dc (?:exec|stop|run) (?:--\w+ )*([a-z]+-[a-z]+)", TEXT))
    assert named
    assert named <= services.keys() | {"hummingbot-paper"}
    profiles = {profile for service in services.values() for profile in service["profiles"]}
    assert set(re.findall(r"--profile (demo|paper|live|research)", TEXT)) <= profiles


def test_what_an_outage_costs_is_shown_with_and_without_stops():
    """A row per market and moment, and where the stops lie."""
    published = read_published(runbook.OUTAGE)
    page = _page(runbook.outage)
    rows = published["rows"]
    assert all(f"{100 * row['lost_with']:.1f}" in page and row["market"] in page for row in rows)
    assert len(rows) <= 12
    assert f"{100 * published['distance']:g} %" in page


def test_the_simulation_is_shown_with_the_faults_that_it_finds():
    """No violation was published, and every planted fault was found by some schedule."""
    published = read_published(runbook.SIMULATED)
    page = _page(runbook.simulation)
    assert published["violations"] == {}
    assert published["longest_bare_s"] <= published["bare_bound_s"]
    assert all(row["found"] > 0 and row["fault"] in page for row in published["planted"])


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.test)
def test_every_case_of_the_executor_has_its_test(case):
    """A row of the table without a test that holds it cannot be written."""
    module, function = case.test.split("::")
    assert f"def {function}(" in (ROOT / "tests" / "executor" / f"{module}.py").read_text()
    assert case.case in _page(runbook.executor_cases)


def test_the_books_that_are_shown_agree():
    """The page shows the published hour of chaos, in which nothing differs: not one fill, fee or payment."""
    kept = read_published(runbook.BOOKS)
    assert kept["differences"] == []
    trail, exchange = (kept["books"][name] for name in ("audit trail", "exchange"))
    assert (trail["fills"], trail["positions"]) == (exchange["fills"], exchange["positions"])
    assert [trail[name] for name in ("fees", "funding")] == pytest.approx([exchange["fees"], exchange["funding"]])
    assert kept["listed"]["fills"] > 0
    assert kept["minutes"] >= 60
    assert f"{kept['crashes']} crashes" in _page(runbook.books)


def test_the_chaos_trial_is_shown_and_was_passed():
    """Two hundred kills or more, no bar signalled twice or otherwise, and every count is on the page."""
    published = read_published(runbook.CHAOS)
    page = _page(runbook.chaos)
    assert sum(row["kills"] for row in published["kills"]) >= 200
    assert {
        name: published["outcome"][name] for name in ("repeated", "lost_alive", "different", "failed", "ended")
    } == {
        "repeated": 0,
        "lost_alive": 0,
        "different": 0,
        "failed": 0,
        "ended": 0,
    }
    for name, told in runbook.CHAOS_ROWS.items():
        assert re.search(rf"\| {re.escape(told)} +\| +{published['outcome'][name]} \|", page)
