"""The simulated market: minute candles and funding rates of perpetual futures whose true structure is known."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import pandas as pd

from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS, HOUR_MS, MINUTE_MS, Float1D, Float2D, Int1D
from perpfut_lib.venue import paths

MINUTES_PER_YEAR: Final = 365 * paths.MINUTES_PER_DAY
INTEREST: Final = 1e-4  # Binance's fixed interest part of an 8-hour funding rate
DAMPER: Final = 5e-4  # funding follows the premium only beyond this distance from the interest
FUNDING_HOURS: Final = (8, 8, 4, 8, 1, 8, 8, 4)  # intervals of the contracts in turn


@dataclass(frozen=True)
class Contract:
    """One simulated perpetual future and what is true about it."""

    symbol: str
    sector: int
    price: float
    """Mid price at the start, USDT."""
    price_decimals: int
    """The tick is ``10 ** -price_decimals``."""
    lot_decimals: int
    """The lot is ``10 ** -lot_decimals`` base units."""
    volatility: float
    """Annualised volatility, as a fraction."""
    funding_hours: int
    """Hours between funding settlements."""
    premium: float
    """Mean premium index, as a fraction."""


@dataclass(frozen=True)
class PlantedPair:
    """Two contracts with log y = alpha + beta log x + s, where s is an Ornstein-Uhlenbeck process."""

    y: str
    x: str
    alpha: float
    beta: float
    half_life_bars: float
    spread_std: float
    """Stationary standard deviation of s (log price)."""

    @property
    def step_std(self) -> float:
        """Standard deviation of the spread's innovation per bar: std · √(1 - φ²)."""
        return float(self.spread_std * np.sqrt(1 - 0.25 ** (1 / self.half_life_bars)))


@dataclass(frozen=True)
class SimulatedMarket:
    """Candles and funding as an exchange would publish them, and the truth behind them."""

    candles: pd.DataFrame
    """Columns of :data:`~perpfut_lib.types.CANDLE_COLUMNS`, minute bars, sorted by symbol and time."""
    funding: pd.DataFrame
    """Columns of :data:`~perpfut_lib.types.FUNDING_COLUMNS`, sorted by symbol and time."""
    truth: dict[str, Any]
    """JSON: ``pairs`` as :class:`PlantedPair`, ``contracts`` as :class:`Contract`, and the settings."""


@dataclass(frozen=True)
class _Path:
    """Mid price of one contract at the bars' edges, (T + 1,), and its volatility within each bar, (T,)."""

    log_mid: Float1D
    volatility: Float1D


def simulate(config: SimulationConfig) -> SimulatedMarket:
    """Return a simulated market; the same settings give the same bytes.

    Parameters
    ----------
    config : SimulationConfig
        Size, volatility, planted pairs and the seed that everything follows from.

    Returns
    -------
    SimulatedMarket
        No value is NaN; prices lie on their tick grid and are positive.

    Notes
    -----
    A log return is σ(√w_m·f + √w_s·g + √w_e·e): a common factor, a sector factor and the contract's noise, each with
    clustered volatility, an intraday season and jumps. In a planted pair the two contracts share all of it: only the
    spread sets them apart. The contracts are called ``SIM01USDT`` and so on, which no exchange lists.
    """
    drawn = _contracts(config)
    pairs = _pairs(config, drawn)
    contracts = _bound(drawn, pairs)
    bars = config.days * paths.MINUTES_PER_DAY
    start = int(datetime.combine(config.start, datetime.min.time(), UTC).timestamp()) * 1000
    prices, volume = np.empty((len(contracts), bars, 4)), np.empty((len(contracts), bars))
    index = {contract.symbol: row for row, contract in enumerate(contracts)}
    for contract, path in _paths(config, contracts, pairs, bars):
        row = index[contract.symbol]
        rng = _generator(config, "trades", row)
        paths.candles(rng, path.log_mid, path.volatility, 10.0**contract.price_decimals, prices[row])
        typical = 10.0 ** rng.uniform(4.5, 6.0) / contract.price
        level = path.volatility / path.volatility.mean()
        volume[row] = paths.volumes(rng, level, typical, 10.0**contract.lot_decimals)
    truth = {
        "settings": config.model_dump(mode="json"),
        "pairs": [asdict(pair) for pair in pairs],
        "contracts": [asdict(contract) for contract in contracts],
    }
    open_time = start + MINUTE_MS * np.arange(bars, dtype=np.int64)
    return SimulatedMarket(_frame(contracts, open_time, prices, volume), _funding(config, contracts, start), truth)


def _generator(config: SimulationConfig, purpose: str, number: int = 0) -> np.random.Generator:
    """Return a generator of its own for each purpose, so that one part of the market never shifts another."""
    return np.random.default_rng([config.seed, int.from_bytes(purpose.encode(), "big"), number])


def _contracts(config: SimulationConfig) -> list[Contract]:
    rng = _generator(config, "contracts")
    contracts = []
    for number in range(config.symbols):
        decimals = int(rng.integers(1, 6))
        price = 1e4 / config.tick_bps / np.exp(0.6 * rng.standard_normal()) / 10.0**decimals
        contracts.append(
            Contract(
                symbol=f"SIM{number + 1:02d}USDT",
                sector=int(rng.integers(config.sectors)),
                price=price,
                price_decimals=decimals,
                lot_decimals=int(np.clip(np.ceil(np.log10(price)), 0, 3)),
                volatility=config.volatility * float(np.exp(0.2 * rng.standard_normal())),
                funding_hours=FUNDING_HOURS[number % len(FUNDING_HOURS)],
                premium=config.premium_mean + 0.5 * config.premium_std * float(rng.standard_normal()),
            )
        )
    return contracts


def _pairs(config: SimulationConfig, contracts: list[Contract]) -> list[PlantedPair]:
    rng = _generator(config, "pairs")
    order = rng.permutation(len(contracts))
    pairs = []
    for k in range(config.planted_pairs):
        y, x = contracts[order[2 * k]], contracts[order[2 * k + 1]]
        beta = float(rng.uniform(0.6, 1.4))
        alpha = float(np.log(y.price) - beta * np.log(x.price))
        half_life = config.half_life / MINUTE_MS
        pairs.append(PlantedPair(y.symbol, x.symbol, alpha, beta, half_life, config.spread_std_bps / 1e4))
    return pairs


def _bound(contracts: list[Contract], pairs: list[PlantedPair]) -> list[Contract]:
    """Return the contracts with the sector and volatility that each planted y takes from its x."""
    by_symbol = {contract.symbol: contract for contract in contracts}
    for pair in pairs:
        x = by_symbol[pair.x]
        step = pair.step_std * np.sqrt(MINUTES_PER_YEAR)
        volatility = float(np.hypot(pair.beta * x.volatility, step))
        by_symbol[pair.y] = replace(by_symbol[pair.y], sector=x.sector, volatility=volatility)
    return [by_symbol[contract.symbol] for contract in contracts]


def _paths(
    config: SimulationConfig, contracts: list[Contract], pairs: list[PlantedPair], bars: int
) -> Iterator[tuple[Contract, _Path]]:
    """Yield each contract with its path, the two of a planted pair after one another."""
    level = paths.activity(_generator(config, "activity"), bars, 0)
    jumps = (config.jumps_per_day, config.jump_size)
    common = paths.factor_returns(_generator(config, "common"), level, *jumps)
    sectors = [paths.factor_returns(_generator(config, "sector", k), level, *jumps) for k in range(config.sectors)]
    follower = {pair.x: pair for pair in pairs}
    followers = {pair.y for pair in pairs}
    by_symbol = {contract.symbol: contract for contract in contracts}
    shares = (config.common_share, config.sector_share, 1 - config.common_share - config.sector_share)
    for row, contract in enumerate(contracts):
        if contract.symbol in followers:
            continue
        own = paths.factor_returns(_generator(config, "own", row), level, *jumps)
        path = _combine(contract, (common, sectors[contract.sector], own), shares)
        yield contract, path
        if contract.symbol in follower:
            pair = follower[contract.symbol]
            yield by_symbol[pair.y], _follow(path, pair, _generator(config, "spread", row))


def _combine(contract: Contract, factors: tuple[tuple[Float1D, Float1D], ...], shares: tuple[float, ...]) -> _Path:
    sigma = contract.volatility / np.sqrt(MINUTES_PER_YEAR)
    returns = sigma * sum(np.sqrt(share) * factor[0] for share, factor in zip(shares, factors, strict=True))
    volatility = sigma * np.sqrt(sum(share * factor[1] ** 2 for share, factor in zip(shares, factors, strict=True)))
    return _Path(np.log(contract.price) + np.concatenate([[0.0], np.cumsum(returns)]), volatility)


def _follow(path: _Path, pair: PlantedPair, rng: np.random.Generator) -> _Path:
    """Return the path of a planted pair's y, given that of its x."""
    spread = paths.ornstein_uhlenbeck(rng, path.log_mid.size, pair.half_life_bars, pair.spread_std)
    volatility = np.hypot(pair.beta * path.volatility, pair.step_std)
    return _Path(pair.alpha + pair.beta * path.log_mid + spread, volatility)


def _funding(config: SimulationConfig, contracts: list[Contract], start: int) -> pd.DataFrame:
    """Return funding rates: premium + clamp(interest - premium), scaled from 8 hours to the contract's interval."""
    hours = 24 * config.days
    frames = []
    common = paths.ornstein_uhlenbeck(_generator(config, "premium"), hours, 24.0, 0.6 * config.premium_std)
    for row, contract in enumerate(contracts):
        own = paths.ornstein_uhlenbeck(_generator(config, "premium", row + 1), hours, 24.0, 0.8 * config.premium_std)
        settled = slice(0, hours, contract.funding_hours)
        premium = (contract.premium + common + own)[settled]
        rate = (premium + np.clip(INTEREST - premium, -DAMPER, DAMPER)) * contract.funding_hours / 8
        time = start + HOUR_MS * np.arange(hours, dtype=np.int64)[settled]
        columns = (contract.symbol, time, np.round(rate, 8))
        frames.append(pd.DataFrame(dict(zip(FUNDING_COLUMNS, columns, strict=True))))
    return _with_categories(pd.concat(frames, ignore_index=True), contracts)


def _frame(contracts: list[Contract], open_time: Int1D, prices: Float2D, volume: Float2D) -> pd.DataFrame:
    bars = open_time.size
    symbol = pd.Categorical.from_codes(np.repeat(np.arange(len(contracts)), bars), [c.symbol for c in contracts])
    columns = prices.reshape(-1, 4).T
    table = (symbol, np.tile(open_time, len(contracts)), *columns, volume.ravel())
    return pd.DataFrame(dict(zip(CANDLE_COLUMNS, table, strict=True)))


def _with_categories(frame: pd.DataFrame, contracts: list[Contract]) -> pd.DataFrame:
    return frame.assign(symbol=pd.Categorical(frame["symbol"], [contract.symbol for contract in contracts]))
