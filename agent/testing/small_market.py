"""Settings of a small simulated market in which pairs are always found: of chaos runs, and of the agent's tests."""

from typing import Final

MARKET: Final = (
    "data.source=sim",
    "data.simulation.days=5",
    "data.simulation.symbols=5",
    "data.simulation.planted_pairs=2",
    "data.simulation.tick_bps=0.1",
    "cointegration.formation=6h",
    "cointegration.trading=2h",
    "cointegration.min_correlation=-1",
    "cointegration.max_pvalue=1.0",
    "cointegration.top=3",
)
