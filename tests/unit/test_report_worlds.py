"""Fresh worlds for readers: differences that are planted in published worlds are what tables and sentence say."""

import numpy as np
import pytest

from perpfut_lib.report import worlds


def published(lead, count=20, spread=5.0):
    """Return worlds in which the agent earns ``lead`` more than the best rule at each of two fees, on average."""
    rng, made = np.random.default_rng(0), []
    for seed in range(count):
        rows = []
        for fee in (0.0, 4.5):
            rule, noise = 50.0 - 10.0 * fee + rng.normal(), rng.normal(0.0, spread)
            for policy, utility in (("agent", rule + lead + noise), ("best rule", rule), ("informed", 100.0)):
                rows.append({"fee_bps": fee, "policy": policy, "utility": utility, "return": 1e-4 * utility})
        made.append({"seed": 3000 + seed, "rows": rows})
    return {"worlds": made}


@pytest.fixture
def publish(monkeypatch):
    def place(**contents):
        named = {f"learner/{name}": content for name, content in contents.items()}
        monkeypatch.setattr(worlds, "list_published", lambda folder: list(named))
        monkeypatch.setattr(worlds, "read_published", named.__getitem__)

    return place


@pytest.mark.parametrize(
    ("lead", "said"),
    [(20.0, "more utility than the best fixed rule at 2 of 2"), (0.0, "no more utility"), (-20.0, "and less at 2")],
)  # fmt: skip
def test_the_sentence_follows_the_intervals(publish, lead, said):
    publish(default=published(lead))
    found = worlds.learner_findings()
    assert said in found
    assert "20 fresh simulated markets (seeds from 3000" in found


def test_table_by_hand(publish):
    """Means, paired difference and share are those of the planted worlds."""
    publish(default=published(20.0, spread=0.0))
    table = worlds.learner_table()
    assert table.loc["0.00", "agent - rule"] == "+20.0 [20.0, 20.0]"
    assert float(table.loc["4.50", "best rule"]) == pytest.approx(5.0, abs=0.6)
    share = float(table.loc["0.00", "share (%)"].split()[0])
    assert share == pytest.approx(70.0, abs=1.0)


def test_variants_are_compared_on_the_worlds_that_all_have(publish):
    few = published(5.0, count=6)
    publish(**{"default": published(20.0, spread=0.0), "default-train.overlay=0": few})
    table = worlds.ablation_table()
    assert set(table["worlds"]) == {"6"}
    assert table.loc["counterfactual PPO without a base rule", "0.00 bps"].split("(")[1].startswith("-1")


def test_without_worlds_it_says_so(publish):
    publish()
    assert "No worlds are published yet" in worlds.learner_findings()
