"""The simulated market as a source: candles, funding and the planted truth, straight from its generator."""

from perpfut_lib.acquire.checks import by_symbol, check_bars, check_settlements
from perpfut_lib.acquire.market import Market
from perpfut_lib.config import SimulationConfig
from perpfut_lib.venue.market import simulate


def read_simulation(config: SimulationConfig) -> Market:
    """Simulate the market that ``config`` describes and check it like any recorded one."""
    simulated = simulate(config)
    candles = simulated.candles.astype({"symbol": "category"})
    funding = simulated.funding.astype({"symbol": "category"})
    return Market(
        {symbol: check_bars(symbol, bars) for symbol, bars in by_symbol([candles], "open_time").items()},
        {symbol: check_settlements(symbol, rows) for symbol, rows in by_symbol([funding], "funding_time").items()},
        simulated.truth,
    )
