"""What a market offers: the statistics see a planted edge and no edge."""

import pytest

from perpfut_lib.bench import market
from perpfut_lib.bench.learner import Order
from perpfut_lib.config import project_root

SMALL = ("data.simulation.days=8", "data.simulation.symbols=4", "data.simulation.planted_pairs=2",
         "costs.fees_bps=[1.44]", "compute.workers=1")  # fmt: skip


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Publish into a folder of its own."""
    (tmp_path / "configs").symlink_to(project_root() / "configs")
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))


def test_a_richer_market_measures_richer():
    """Two markets, one with the wider planted spread: edge, gain and informed Sharpe ratio order as they must."""
    poor, rich = (
        market.results(Order(1, 5, "smoke", (*SMALL, f"data.simulation.spread_std_bps={std}"))) for std in (5, 40)
    )
    names = list(market.STATISTICS)
    for name in names[:2]:
        assert rich["statistics"][name] > poor["statistics"][name], name
    assert rich["informed_sharpe"]["1.44"] > poor["informed_sharpe"]["1.44"]
    assert rich["statistics"][names[3]] < 1.0  # a spread that comes back moves less in an hour than sixty bars say
