"""Settings of the data stages: where candles come from, which symbols are eligible, how time is split."""

from datetime import date
from pathlib import Path
from typing import Literal, Self

from pydantic import ConfigDict, Field, model_validator

from perpfut_lib.config.base import Duration, Section

Source = Literal["sim", "files", "venue", "binance", "archive", "hyperliquid"]


class SimulationConfig(Section):
    """The simulated market with planted cointegrated pairs; all of it follows from ``seed``."""

    seed: int = 7
    """Seed of the market's random numbers."""
    start: date = date(2025, 1, 1)
    """First day, UTC."""
    days: int = Field(12, ge=5)
    """Number of calendar days."""
    symbols: int = Field(8, ge=2, le=60)
    """Number of perpetual futures, planted pairs included."""
    planted_pairs: int = Field(3, ge=0)
    """Number of pairs whose log-price spread is an Ornstein-Uhlenbeck process; each takes two symbols."""
    half_life: Duration = Field(default="60m")  # type: ignore[assignment]
    """Half-life of the planted spreads."""
    spread_std_bps: float = Field(30.0, ge=0)
    """Stationary standard deviation of the planted spreads, in basis points of log price."""
    volatility: float = Field(0.75, gt=0)
    """Annualised volatility of a symbol's return (365 days), as a fraction."""
    sectors: int = Field(3, ge=1)
    """Number of sectors, each with a factor of its own."""
    common_share: float = Field(0.72, ge=0, le=1)
    """Share of a return's variance that comes from the factor common to all symbols."""
    sector_share: float = Field(0.08, ge=0, le=1)
    """Share of a return's variance that comes from its sector's factor; the rest is the symbol's own."""
    jumps_per_day: float = Field(0.5, ge=0)
    """Expected jumps per day of each factor."""
    jump_size: float = Field(8.0, ge=0)
    """Standard deviation of a jump, in standard deviations of a one-minute return."""
    tick_bps: float = Field(0.8, gt=0, le=100)
    """Typical tick size in basis points of the price: trades bounce between the ticks around the mid price."""
    breaking_pairs: int = Field(0, ge=0)
    """How many of the planted pairs lose their bond halfway: from then on their spread is a random walk."""
    late_listings: int = Field(0, ge=0)
    """How many symbols without a planted pair are listed only after a quarter of the days."""
    outages: int = Field(0, ge=0)
    """Number of outages of 10 to 90 minutes in which nothing trades: flat bars without volume, for all symbols."""
    interval_changes: int = Field(0, ge=0)
    """How many symbols change from their funding interval to a shorter one (8 to 4 hours, 4 to 1) halfway."""
    premium_mean: float = -4.2e-4
    """Mean of the premium index (perpetual over spot), as a fraction."""
    premium_std: float = Field(1.6e-4, ge=0)
    """Stationary standard deviation of the premium index, as a fraction; funding follows from it."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.common_share + self.sector_share > 1:
            raise ValueError(f"common_share + sector_share = {self.common_share + self.sector_share:g} exceeds 1")
        if self.breaking_pairs > self.planted_pairs:
            raise ValueError(f"{self.breaking_pairs} breaking pairs, but only {self.planted_pairs} are planted")
        if 2 * self.planted_pairs > self.symbols:
            needed = 2 * self.planted_pairs
            raise ValueError(f"{self.planted_pairs} planted pairs need {needed} symbols, not {self.symbols}")
        if 2 * self.planted_pairs + self.late_listings > self.symbols:
            unpaired = self.symbols - 2 * self.planted_pairs
            raise ValueError(f"{self.late_listings} late listings need as many unpaired symbols, not {unpaired}")
        return self


class ExchangeConfig(Section):
    """Downloads from an exchange's public REST interface (sources ``binance``, ``hyperliquid``, ``venue``)."""

    url: str | None = None
    """Base URL instead of the exchange's own, such as a local exchange's ``http://127.0.0.1:8080``."""
    weight_per_minute: int | None = Field(None, ge=20)
    """Request weight spent per minute; by default five sixths of what the exchange allows."""
    workers: int = Field(4, ge=1, le=32)
    """Symbols downloaded at once, under one weight budget."""
    timeout: float = Field(10.0, gt=0)
    """Seconds to wait for an answer."""
    retries: int = Field(8, ge=0)
    """Further tries of a request that failed for a passing reason, or whose answer cannot be true."""
    backoff: float = Field(1.0, gt=0)
    """Seconds before the first further try; they double each time, up to a minute."""
    mark_prices: bool = False
    """Whether to keep mark-price candles beside the traded ones."""
    folder: Path = Path("data")
    """Where downloads are kept for good, relative to the project's root."""


class ArchiveConfig(Section):
    """Monthly files of Binance's public archive (source ``archive``)."""

    location: str = "https://data.binance.vision/data"
    """Base URL, or a local folder: in the archive's own layout, or with the files anywhere below it."""
    checksums: Literal["required", "if_present"] = "required"
    """Whether every file needs its ``.CHECKSUM``; one that is there must always match."""
    cross_check: int = Field(2, ge=0)
    """Pages of candles per symbol, drawn at random, that are compared with the exchange, and with them every stretch
    without trades; 0 leaves the exchange alone."""
    repair: bool = True
    """Whether bars that the exchange tells differently are taken from it; the stored download stays as it was."""


class DataConfig(Section):
    """Acquisition: the source of candles and funding rates."""

    source: Source = "sim"
    """``sim``: the simulated market; ``files``: recorded candles in parquet, feather or csv; ``venue``: the simulated
    market, downloaded from a local exchange; ``binance``, ``hyperliquid``: the exchanges themselves, through ccxt;
    ``archive``: Binance's monthly files, much faster for a year."""
    files: tuple[Path, ...] | Path | None = None
    """Candle files, or folders of them (``source: files``), relative to the project's root; their schema is in
    ``data/README.md``."""
    funding: Path | Literal["none"] | None = None
    """Funding file or folder (``source: files``); ``none`` states on purpose that no funding is paid."""
    timeframe: Duration | Literal["auto"] = "auto"
    """Length of a bar; ``auto`` takes the most common step between bars."""
    symbols: tuple[str, ...] | Literal["auto"] = "auto"
    """Symbols to use; ``auto`` takes all that cover the window."""
    start: date | Literal["auto"] = "auto"
    """First day of the window, UTC; ``auto`` picks the window that holds the most symbol-bars on a common grid."""
    end: date | Literal["auto"] = "auto"
    """Day after the last one of the window, UTC."""
    coverage: Literal["common", "ragged"] = "common"
    """``common``: every symbol covers the whole window; ``ragged``: symbols may be listed later or end sooner, each
    trading window takes those that are there (then ``start`` and ``end`` are not searched for but span all)."""
    max_gap_bars: int = Field(0, ge=0)
    """Longest run of missing bars inside a symbol that is forward-filled, with a mask; ``gaps`` judges a longer one."""
    gaps: Literal["error", "avoid"] = "error"
    """A longer run of missing bars is an error; ``avoid`` picks a window and symbols without one instead."""
    max_missing_settlements: int = Field(1, ge=0)
    """Longest run of missing funding settlements that still counts as covered; they pay nothing and are reported."""
    simulation: SimulationConfig = SimulationConfig()
    """The simulated market (sources ``sim`` and ``venue``)."""
    exchange: ExchangeConfig = ExchangeConfig()
    """Downloads (sources ``binance``, ``hyperliquid``, ``venue``, and the cross-check of ``archive``)."""
    archive: ArchiveConfig = ArchiveConfig()
    """Monthly files (source ``archive``)."""

    @model_validator(mode="after")
    def _files_named(self) -> Self:
        if self.source == "files" and self.files is None:
            raise ValueError("source 'files' needs data.files")
        if self.source == "files" and self.funding is None:
            raise ValueError("source 'files' needs data.funding: a path, or 'none' if no funding is to be paid")
        return self

    @model_validator(mode="after")
    def _dates_named(self) -> Self:
        if self.source in ("binance", "archive", "hyperliquid") and "auto" in (self.start, self.end):
            raise ValueError(f"source {self.source!r} needs data.start and data.end")
        if self.source == "archive" and self.symbols == "auto":
            raise ValueError("source 'archive' needs data.symbols: the archive has no list of them")
        return self

    @model_validator(mode="after")
    def _window_ordered(self) -> Self:
        if self.start != "auto" and self.end != "auto" and self.start >= self.end:
            raise ValueError(f"data.start {self.start} must lie before data.end {self.end}")
        return self

    def candle_files(self) -> tuple[Path, ...]:
        """Return the candle files as a tuple, empty for other sources."""
        if self.files is None:
            return ()
        return (self.files,) if isinstance(self.files, Path) else self.files


class UniverseConfig(Section):
    """Which symbols may be paired."""

    min_symbols: int = Field(2, ge=2)
    """Fewer eligible symbols than this is an error."""
    require_funding: bool = True
    """Leave out symbols without funding rates over the window (no effect with ``data.funding: none``)."""
    hyperliquid: Path | None = None
    """History of Hyperliquid (a file of candles or funding rates, or a folder of downloads): only while a symbol is in
    it, under Hyperliquid's name, may it be used. By default listings there do not matter."""
    min_turnover: float = Field(0.0, ge=0)
    """Least turnover per day over a formation window, in quote currency, for a symbol to be paired after it."""


class SplitConfig(Section):
    """Calendar split into training, validation and test spans, in this order."""

    train: float = Field(20 / 30, gt=0, lt=1)
    """Share of the data's days used for training, the first formation window included."""
    validate_: float = Field(4 / 30, ge=0, lt=1, alias="validate")
    """Share of the days used for validation; the test span takes the rest."""
    train_end: date | None = None
    """First day of validation, UTC; set together with ``validate_end`` it replaces the shares."""
    validate_end: date | None = None
    """First day of the test span, UTC."""
    test_end: date | None = None
    """Day after the last day of the test span, UTC; by default the end of the data."""
    embargo: Duration = Field(default="0m")  # type: ignore[assignment]
    """Time at the start of validation and of the test in which no window begins (walk-forward folds)."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.train + self.validate_ >= 1:
            raise ValueError(f"train + validate = {self.train + self.validate_:g} leaves nothing to test on")
        if (self.train_end is None) != (self.validate_end is None):
            raise ValueError("train_end and validate_end are set together or not at all")
        if self.train_end and self.validate_end and not self.train_end <= self.validate_end:
            raise ValueError(f"train_end {self.train_end} lies after validate_end {self.validate_end}")
        return self
