"""The plan of a simulated market: contracts, planted pairs, and what happens to them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from perpfut_lib.config import SimulationConfig
from perpfut_lib.types import DAY_MS, MINUTE_MS
from perpfut_lib.venue import paths

MINUTES_PER_YEAR: Final = 365 * paths.MINUTES_PER_DAY
FUNDING_HOURS: Final = (8, 8, 4, 8, 1, 8, 8, 8)  # intervals of the contracts in turn
SHORTER: Final = {8: 4, 4: 1, 1: 1}  # the interval that a contract may change to


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
    listed: int
    """Open time of its first bar, ms UTC."""
    funding_change: int | None = None
    """When its funding interval changes, ms UTC, to ``later_hours``; null if it never does."""
    later_hours: int = 8
    """Hours between funding settlements after the change."""


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
    break_time: int | None = None
    """From when on s is a random walk with the same innovations, ms UTC; null if the bond lasts."""

    @property
    def step_std(self) -> float:
        """Standard deviation of the spread's innovation per bar: std · √(1 - φ²)."""
        return float(self.spread_std * np.sqrt(1 - 0.25 ** (1 / self.half_life_bars)))


def generator(config: SimulationConfig, purpose: str, number: int = 0) -> np.random.Generator:
    """Return a generator of its own for each purpose, so that one part of the market never shifts another."""
    return np.random.default_rng([config.seed, int.from_bytes(purpose.encode(), "big"), number])


def start_of(config: SimulationConfig) -> int:
    """Return the open time of the first bar, ms UTC."""
    return int(datetime.combine(config.start, datetime.min.time(), UTC).timestamp()) * 1000


def draw_contracts(config: SimulationConfig) -> list[Contract]:
    """Return the contracts, all listed from the start, as if no pair were planted."""
    rng = generator(config, "contracts")
    contracts, start = [], start_of(config)
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
                listed=start,
            )
        )
    return contracts


def draw_pairs(config: SimulationConfig, contracts: list[Contract]) -> list[PlantedPair]:
    """Return the planted pairs; the first ones are those whose bond breaks."""
    rng = generator(config, "pairs")
    order = rng.permutation(len(contracts))
    pairs, middle = [], _middle(config)
    for k in range(config.planted_pairs):
        y, x = contracts[order[2 * k]], contracts[order[2 * k + 1]]
        beta = float(rng.uniform(0.6, 1.4))
        alpha = float(np.log(y.price) - beta * np.log(x.price))
        half_life = config.half_life / MINUTE_MS
        break_time = middle if k < config.breaking_pairs else None
        pairs.append(PlantedPair(y.symbol, x.symbol, alpha, beta, half_life, config.spread_std_bps / 1e4, break_time))
    return pairs


def _middle(config: SimulationConfig) -> int:
    """Return midnight of the middle day, ms UTC."""
    return start_of(config) + config.days // 2 * DAY_MS


def bound(contracts: list[Contract], pairs: list[PlantedPair]) -> list[Contract]:
    """Return the contracts with the sector and volatility that each planted y takes from its x."""
    by_symbol = {contract.symbol: contract for contract in contracts}
    for pair in pairs:
        x = by_symbol[pair.x]
        step = pair.step_std * np.sqrt(MINUTES_PER_YEAR)
        volatility = float(np.hypot(pair.beta * x.volatility, step))
        by_symbol[pair.y] = replace(by_symbol[pair.y], sector=x.sector, volatility=volatility)
    return [by_symbol[contract.symbol] for contract in contracts]


def with_events(config: SimulationConfig, contracts: list[Contract], pairs: list[PlantedPair]) -> list[Contract]:
    """Return the contracts with late listings, of those without a pair, and changes of the funding interval."""
    paired = {symbol for pair in pairs for symbol in (pair.y, pair.x)}
    alone = [contract.symbol for contract in contracts if contract.symbol not in paired]
    late = set(alone[: config.late_listings])
    changing = [contract.symbol for contract in contracts if SHORTER[contract.funding_hours] < contract.funding_hours]
    changing = changing[: config.interval_changes]
    listed = start_of(config) + config.days // 4 * DAY_MS
    late_ones = [replace(one, listed=listed) if one.symbol in late else one for one in contracts]
    return [_changing(one, _middle(config)) if one.symbol in changing else one for one in late_ones]


def _changing(contract: Contract, time: int) -> Contract:
    return replace(contract, funding_change=time, later_hours=SHORTER[contract.funding_hours])


def draw_outages(config: SimulationConfig) -> list[tuple[int, int]]:
    """Return the outages as rows (first, behind the last), of 10 to 90 minutes, none on the first day."""
    rng, day = generator(config, "outages"), paths.MINUTES_PER_DAY
    lengths = rng.integers(10, 91, size=config.outages)
    starts = rng.integers(day, config.days * day - 90, size=config.outages)
    return sorted((int(start), int(start + length)) for start, length in zip(starts, lengths, strict=True))
