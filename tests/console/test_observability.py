"""Alert rules and dashboard ask for metrics that the console offers, and for no others."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from agent.console.metrics import exposition
from tests.agent.documents import governor_order
from tests.console.conftest import observer

FOLDER = Path(__file__).parents[2] / "docker" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text())
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text())


@pytest.fixture
def offered(agent):
    agent.folder.write(governor_order(alarms=("loss",), created_at=agent.now))
    return set(re.findall(r"^# TYPE (\w+)", exposition(observer(agent)).decode(), re.M))


def test_every_expression_names_a_metric_that_exists(offered):
    """A misspelt name would never raise an alarm."""
    rules = [rule["expr"] for group in RULES["groups"] for rule in group["rules"]]
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    named = {name for expression in (*rules, *panels) for name in re.findall(r"perpfut_\w+", expression)}
    assert named <= offered
    assert offered - named <= {
        "perpfut_disk_free_bytes",
        "perpfut_ordered_pause",
        "perpfut_ordered_kill",
        "perpfut_governor_paused",
        "perpfut_signal_seq",
        "perpfut_target_gross",
        "perpfut_fill_latency_seconds",
    }


def test_every_alert_says_what_it_means_and_links_a_heading_that_exists():
    """The runbook's anchors are made of its headings."""
    headings = re.findall(r"^##+ (.*)$", (FOLDER.parents[1] / "book" / "runbook.md").read_text(), re.M)
    anchors = {re.sub(r"[^a-z0-9]+", "-", heading.lower()).strip("-") for heading in headings}
    for group in RULES["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning") and rule["annotations"]["summary"]
            page = rule["annotations"].get("runbook", "runbook.html#looking")
            assert page.partition("#")[2] in anchors, page


def test_promtool_accepts_the_rules():
    """Prometheus's own checker finds nothing wrong."""
    if shutil.which("promtool") is None:
        pytest.skip("no promtool on this machine: it comes with Debian's package prometheus")
    done = subprocess.run(
        ["promtool", "check", "rules", str(FOLDER / "alerts.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
