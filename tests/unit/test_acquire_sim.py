"""The simulated market comes through the same checks and the same store as recorded data."""

import numpy as np

from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile
from perpfut_lib.pipeline import ensure
from perpfut_lib.store.stage import load_panel, load_quality, load_truth
from perpfut_lib.venue.market import simulate


def test_the_panel_of_a_simulated_market_is_the_simulated_market(tmp_path):
    """Every price and every settlement survives, and the truth comes along."""
    profile = Profile.model_validate({"data": {"simulation": {"days": 5, "symbols": 4, "planted_pairs": 1}}})
    run = Run(tmp_path)
    ensure("quality", profile, run)
    panel, simulated = load_panel(run), simulate(profile.data.simulation)
    assert panel.close.shape == (5 * 1440, 4)
    for column, (symbol, bars) in enumerate(simulated.candles.groupby("symbol", observed=True)):
        assert panel.symbols[column] == symbol
        assert np.array_equal(panel.close[:, column], bars["close"])
        settled = simulated.funding[simulated.funding["symbol"] == symbol]
        assert np.array_equal(panel.funding[symbol].rate, settled["funding_rate"])
    assert load_truth(run) == simulated.truth
    assert load_quality(run).findings.query("kind in ['gap', 'missing_settlement', 'no_funding']").empty
