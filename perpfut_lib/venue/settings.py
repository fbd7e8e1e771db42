"""Settings of the local exchange: its market, its clock, its limits and its customers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from perpfut_lib.config import Section, SimulationConfig
from perpfut_lib.errors import ConfigError
from perpfut_lib.types import JsonObject

DEFAULT_KEY = "venue-key"
DEFAULT_SECRET = "venue-secret"
DEFAULT_WALLET_KEY = "0x" + "11" * 32
DEFAULT_WALLET = "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"


class VenueConfig(Section):
    """One local exchange. Nothing here is ever a secret of a real account."""

    simulation: SimulationConfig = SimulationConfig()
    """The simulated market, unless ``candles`` names recorded ones."""
    candles: Path | None = None
    """Recorded candles (parquet) to replay instead."""
    funding: Path | None = None
    """Recorded funding rates (parquet) that belong to ``candles``."""
    clock: Literal["real", "accelerated", "stepped"] = "stepped"
    """How the exchange's time passes."""
    start: int | None = None
    """First instant of an accelerated or stepped clock, ms UTC; by default a stepped clock stands at the end of the
    market's history, and an accelerated one starts after ``history_days`` of it."""
    epoch: int | None = None
    """Instant of this machine's clock at which an accelerated clock stood at ``start``, ms UTC: an exchange that is
    started again with the same ``epoch`` goes on as if it had never stopped; by default the instant of its start."""
    history_days: int = Field(7, ge=0)
    """Days that have passed when a real or accelerated clock starts. On a real clock the market is moved by whole days,
    so that this many lie before today."""
    speed: float = Field(60.0, gt=0)
    """Exchange seconds per second of an accelerated clock."""
    host: str = "127.0.0.1"
    """Address to listen on; loopback by default."""
    port: int = Field(0, ge=0, le=65535)
    """Port to listen on; 0 takes a free one."""
    weight_limit: int = Field(2400, ge=1)
    """Request weight that one address may use per window; Binance allows 2,400 a minute."""
    weight_window: float = Field(60.0, gt=0)
    """Length of that window in seconds of real time."""
    ban_after: int = Field(20, ge=1)
    """Requests beyond the limit within one window that turn 429 answers into a 418 ban."""
    ban_seconds: float = Field(120.0, gt=0)
    """Length of a ban in seconds of real time."""
    funding_jitter_ms: int = Field(20, ge=0, lt=1000)
    """Greatest lateness of published funding stamps, as the real exchange shows it."""
    orders_per_ten_seconds: int = Field(300, ge=1)
    """New orders that an account may place in ten seconds; Binance allows 300."""
    orders_per_minute: int = Field(1200, ge=1)
    """New orders that an account may place in a minute; Binance allows 1,200."""
    stream_interval: float = Field(0.1, gt=0)
    """Seconds of real time between pushes on the websockets."""
    api_key: str = DEFAULT_KEY
    """The Binance key that customers use here."""
    api_secret: str = DEFAULT_SECRET
    """The secret that signs Binance requests here."""
    wallet: str = DEFAULT_WALLET
    """The Hyperliquid address that customers use here, lower case; its private key is ``DEFAULT_WALLET_KEY``."""
    hyperliquid_weight_limit: int = Field(1200, ge=1)
    """Request weight that one address may use per window at Hyperliquid's doors; the real one allows 1,200."""
    schedule_cancel_volume: float = Field(1_000_000.0, ge=0)
    """Volume that an account must have traded before Hyperliquid takes its ``scheduleCancel``, USDC."""
    balance: float = Field(100_000.0, ge=0)
    """Wallet balance of every account at the start, USDT."""
    taker_fee_bps: float = Field(4.5, ge=0)
    """Fee of a fill that takes liquidity, basis points of notional."""
    maker_fee_bps: float = Field(1.5, ge=0)
    """Fee of a resting order's fill, basis points of notional."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.candles is None) != (self.funding is None):
            raise ValueError("candles and funding are set together: a replay needs both files")
        if self.epoch is not None and (self.clock != "accelerated" or self.start is None):
            raise ValueError("epoch says when an accelerated clock stood at start: set clock=accelerated and start")
        return self


def read_settings(settings: Sequence[str]) -> VenueConfig:
    """Return the settings that texts such as ``simulation.symbols=25`` ask for; the rest has its default.

    Raises
    ------
    ConfigError
        A key does not exist, or a value is out of range.
    """
    tree: JsonObject = {}
    for setting in settings:
        key, separator, text = setting.partition("=")
        if not separator:
            raise ConfigError(f"setting {setting!r}", "key=value, such as simulation.symbols=25", "write it so")
        *parents, leaf = key.strip().split(".")
        node = tree
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = yaml.safe_load(text)
    try:
        return VenueConfig.model_validate(tree)
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise ConfigError(found, "settings of perpfut_lib/venue/settings.py", "mend the key or the value") from error
