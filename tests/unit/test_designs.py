"""Designs of others: each file is complete and can be run, and the table says what was earned and what was printed."""

import re

import pytest

from perpfut_lib.config import Design, design_names, load_profile, project_root
from perpfut_lib.errors import ConfigError
from perpfut_lib.report.designs import FLAT, OURS, designs_findings, designs_table


@pytest.mark.parametrize("name", design_names())
def test_every_design_can_be_run_and_is_cited(name):
    """Its settings exist and are admitted together, and the bibliography has its source."""
    design = Design.load(name)
    changed = load_profile("real-1m-2025-05").changed(design.settings)
    assert changed != load_profile("real-1m-2025-05")
    assert not changed.train.corrects and not changed.train.abstain, "a design trades as its authors let it"
    assert re.search(rf"@\w+{{{design.cite},", (project_root() / "book" / "references.bib").read_text())


def test_a_design_that_does_not_exist_is_named():
    with pytest.raises(ConfigError, match=r"no design 'dynamic'.*dynamic-scaling"):
        Design.load("dynamic")


def test_a_design_with_a_wrong_key_is_refused(tmp_path, monkeypatch):
    """The error names the file, the key, and the keys that there are."""
    (tmp_path / "configs" / "designs").mkdir(parents=True)
    (tmp_path / "configs" / "designs" / "mine.yaml").write_text("title: a\ncite: b\ndiffers: c\nsetting: {}\n")
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    with pytest.raises(ConfigError, match=r"designs/mine.yaml.*setting.*cite, differs"):
        Design.load("mine")


def content(policies, fees=(0.0, 4.5)):
    """Return a study across two periods of three windows each; ``policies`` have a daily return and notional."""
    series = [0.9, 1.0, 1.1]
    return {
        "latency": 1,
        "seeds": 2,
        "total_steps": 1000,
        "periods": {name: {"pair_days": 6} for name in ("one", "two")},
        "rows": [
            {
                "left_out": period,
                "policy": policy,
                "fee_bps": fee,
                "delay": delay,
                "return": [daily * each * (1.0 - 2.0 * (fee > 0.0)) for each in series],
                "gross": [daily * each for each in series],
                "traded": [traded] * 3,
                "utility_bps": [1.0, 2.0, 3.0],
                "holding_bars": 5.0,
            }
            for period in ("one", "two")
            for policy, (daily, traded) in policies.items()
            for fee in fees
            for delay in (0, 1)
        ],
    }


def test_the_table_says_what_each_earns_beside_what_was_printed():
    """Net returns compound over both periods; a policy that never trades is said not to; rules stand beside."""
    designs = {"dynamic-scaling": content({"agent": (0.01, 2.0)}), "stock-ppo": content({"agent": (0.0, 0.0)})}
    table = designs_table(designs, content({"agent": (0.002, 1.0), "z-score": (-0.01, 1.0)}))
    scaling = Design.load("dynamic-scaling")
    row = table.loc[scaling.title]
    earned = 100.0 * (1.009 * 1.01 * 1.011) ** 2 - 100.0
    assert row["net at 0 bps (%)"].startswith(f"+{earned:.2f} [")
    assert row["net at 4.5 bps (%)"].startswith("-5.8")
    assert row["break-even, no fee (bps)"].startswith("+50.00 [")
    assert row["its authors printed"] == scaling.printed
    assert table.loc[Design.load("stock-ppo").title, "net at 0 bps (%)"] == "no trade"
    assert list(table.index[2:]) == [OURS, "z-score", FLAT]


def test_the_sentences_count_gains_and_losses_by_fee():
    told = designs_findings({"dynamic-scaling": content({"agent": (0.01, 2.0)})})
    assert "At 0 bps 1 earn more than nothing with 95 % confidence, and 0 less." in told
    assert "At 4.5 bps 0 earn more than nothing with 95 % confidence, and 1 less." in told
    assert "{cite}`yang2024dynamic`" in told and "6 days in all" in told
    assert designs_findings({}).startswith("*No design")
