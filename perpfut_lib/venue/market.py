"""The simulated market: minute candles and funding rates of perpetual futures whose true structure is known."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS, HOUR_MS, MINUTE_MS, Float1D, Float2D, Float3D, JsonObject
from perpfut_lib.venue import paths
from perpfut_lib.venue.structure import (
    MINUTES_PER_YEAR,
    Contract,
    PlantedPair,
    bound,
    draw_contracts,
    draw_outages,
    draw_pairs,
    generator,
    start_of,
    with_events,
)

INTEREST: Final = 1e-4  # Binance's fixed interest part of an 8-hour funding rate
DAMPER: Final = 5e-4  # funding follows the premium only beyond this distance from the interest


@dataclass(frozen=True)
class SimulatedMarket:
    """Candles and funding as an exchange would publish them, and the truth behind them."""

    candles: pd.DataFrame
    """Columns of :data:`~perpfut_lib.types.CANDLE_COLUMNS`, minute bars, sorted by symbol and time."""
    funding: pd.DataFrame
    """Columns of :data:`~perpfut_lib.types.FUNDING_COLUMNS`, sorted by symbol and time."""
    truth: JsonObject
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
    drawn = draw_contracts(config)
    pairs = draw_pairs(config, drawn)
    contracts = with_events(config, bound(drawn, pairs), pairs)
    prices, volume = _tape(config, contracts, pairs)
    outages = draw_outages(config)
    for first, behind in outages:
        prices[:, first:behind] = prices[:, first - 1, 3][:, None, None]
        volume[:, first:behind] = 0.0
    start = start_of(config)
    truth = {
        "settings": config.model_dump(mode="json"),
        "pairs": [asdict(pair) for pair in pairs],
        "contracts": [asdict(contract) for contract in contracts],
        "outages": [[start + MINUTE_MS * first, start + MINUTE_MS * behind] for first, behind in outages],
    }
    return SimulatedMarket(_frame(contracts, start, prices, volume), _funding(config, contracts, start), truth)


def mid_prices(config: SimulationConfig) -> dict[str, Float1D]:
    """Return the mid price of every contract at the edges of its bars, (T + 1,), between the ticks it trades at.

    This is what a mark price follows; outages and listings play no part in it.
    """
    drawn, bars = draw_contracts(config), config.days * paths.MINUTES_PER_DAY
    pairs = draw_pairs(config, drawn)
    bonded = with_events(config, bound(drawn, pairs), pairs)
    return {contract.symbol: np.exp(path.log_mid) for contract, path in _paths(config, bonded, pairs, bars)}


def _tape(config: SimulationConfig, contracts: list[Contract], pairs: list[PlantedPair]) -> tuple[Float3D, Float2D]:
    """Return prices, (N, T, 4), and volumes, (N, T), as if all contracts traded all the time."""
    bars = config.days * paths.MINUTES_PER_DAY
    prices, volume = np.empty((len(contracts), bars, 4)), np.empty((len(contracts), bars))
    index = {contract.symbol: row for row, contract in enumerate(contracts)}
    for contract, path in _paths(config, contracts, pairs, bars):
        row = index[contract.symbol]
        rng = generator(config, "trades", row)
        paths.candles(rng, path.log_mid, path.volatility, 10.0**contract.price_decimals, prices[row])
        typical = 10.0 ** rng.uniform(4.5, 6.0) / contract.price
        level = path.volatility / path.volatility.mean()
        volume[row] = paths.volumes(rng, level, typical, 10.0**contract.lot_decimals)
    return prices, volume


def _paths(
    config: SimulationConfig, contracts: list[Contract], pairs: list[PlantedPair], bars: int
) -> Iterator[tuple[Contract, _Path]]:
    """Yield each contract with its path, the two of a planted pair after one another."""
    level = paths.activity(generator(config, "activity"), bars, 0)
    jumps = (config.jumps_per_day, config.jump_size)
    common = paths.factor_returns(generator(config, "common"), level, *jumps)
    sectors = [paths.factor_returns(generator(config, "sector", k), level, *jumps) for k in range(config.sectors)]
    follower = {pair.x: pair for pair in pairs}
    followers = {pair.y for pair in pairs}
    by_symbol = {contract.symbol: contract for contract in contracts}
    shares = (config.common_share, config.sector_share, 1 - config.common_share - config.sector_share)
    for row, contract in enumerate(contracts):
        if contract.symbol in followers:
            continue
        own = paths.factor_returns(generator(config, "own", row), level, *jumps)
        path = _combine(contract, (common, sectors[contract.sector], own), shares)
        yield contract, path
        if contract.symbol in follower:
            pair = follower[contract.symbol]
            yield by_symbol[pair.y], _follow(path, pair, generator(config, "spread", row), start_of(config))


def _combine(contract: Contract, factors: tuple[tuple[Float1D, Float1D], ...], shares: tuple[float, ...]) -> _Path:
    sigma = contract.volatility / np.sqrt(MINUTES_PER_YEAR)
    returns = sigma * sum(np.sqrt(share) * factor[0] for share, factor in zip(shares, factors, strict=True))
    volatility = sigma * np.sqrt(sum(share * factor[1] ** 2 for share, factor in zip(shares, factors, strict=True)))
    return _Path(np.log(contract.price) + np.concatenate([[0.0], np.cumsum(returns)]), volatility)


def _follow(path: _Path, pair: PlantedPair, rng: np.random.Generator, start: int) -> _Path:
    """Return the path of a planted pair's y, given that of its x."""
    spread = paths.ornstein_uhlenbeck(rng, path.log_mid.size, pair.half_life_bars, pair.spread_std)
    if pair.break_time is not None:
        loose = spread[(pair.break_time - start) // MINUTE_MS :]
        loose[1:] = loose[0] + np.cumsum(pair.step_std * rng.standard_normal(loose.size - 1))
    volatility = np.hypot(pair.beta * path.volatility, pair.step_std)
    return _Path(pair.alpha + pair.beta * path.log_mid + spread, volatility)


def _funding(config: SimulationConfig, contracts: list[Contract], start: int) -> pd.DataFrame:
    """Return funding rates: premium + clamp(interest - premium), scaled from 8 hours to the contract's interval."""
    hours = 24 * config.days
    frames = []
    common = paths.ornstein_uhlenbeck(generator(config, "premium"), hours, 24.0, 0.6 * config.premium_std)
    time = start + HOUR_MS * np.arange(hours, dtype=np.int64)
    for row, contract in enumerate(contracts):
        own = paths.ornstein_uhlenbeck(generator(config, "premium", row + 1), hours, 24.0, 0.8 * config.premium_std)
        premium = contract.premium + common + own
        changed = time > contract.funding_change if contract.funding_change else np.zeros(hours, dtype=bool)
        interval = np.where(changed, contract.later_hours, contract.funding_hours)
        settled = (np.arange(hours) % interval == 0) & (time >= contract.listed)
        rate = (premium + np.clip(INTEREST - premium, -DAMPER, DAMPER)) * interval / 8
        columns = (contract.symbol, time[settled], np.round(rate[settled], 8))
        frames.append(pd.DataFrame(dict(zip(FUNDING_COLUMNS, columns, strict=True))))
    return _with_categories(pd.concat(frames, ignore_index=True), contracts)


def _frame(contracts: list[Contract], start: int, prices: Float3D, volume: Float2D) -> pd.DataFrame:
    """Return the candles of all contracts, each from its listing on."""
    count, bars = volume.shape
    open_time = start + MINUTE_MS * np.arange(bars, dtype=np.int64)
    symbol = pd.Categorical.from_codes(np.repeat(np.arange(count), bars), [one.symbol for one in contracts])
    table = (symbol, np.tile(open_time, count), *prices.reshape(-1, 4).T, volume.ravel())
    frame = pd.DataFrame(dict(zip(CANDLE_COLUMNS, table, strict=True)))
    if all(one.listed == start for one in contracts):
        return frame
    listed = np.repeat([one.listed for one in contracts], bars)
    return frame[frame["open_time"].to_numpy() >= listed].reset_index(drop=True)


def _with_categories(frame: pd.DataFrame, contracts: list[Contract]) -> pd.DataFrame:
    return frame.assign(symbol=pd.Categorical(frame["symbol"], [contract.symbol for contract in contracts]))
