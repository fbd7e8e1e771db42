"""Settings of the Hummingbot script, and what they come to for the executor."""

import os
from decimal import Decimal
from typing import Literal

from hummingbot.core.data_type.common import MarketDict
from hummingbot.strategy.strategy_v2_base import StrategyV2ConfigBase
from pydantic import Field, model_validator

from agent.executor.intent import Patience
from agent.executor.rules import Limits
from agent.executor.settings import TraderSettings
from agent.executor.stops import StopRules
from agent.hummingbot.world import trading_pair
from perpfut_lib.artifacts import Tolerance

LIVE_STOP = Decimal("0.2")
"""Distance of stops where orders are real."""


class PerpfutExecutorConfig(StrategyV2ConfigBase):
    """Settings of the script; times are seconds, of real time except those that concern signals (hold, max_age)."""

    script_file_name: str = "perpfut_executor.py"
    controllers_config: list[str] = Field(default_factory=list)
    connector: str = Field("binance_perpetual", description="binance_perpetual or hyperliquid_perpetual")
    folder: str = Field("data/agent", description="The agent's folder: signal, control and pairs are read from it")
    symbols: list[str] = Field(description="Symbols as the agent names them, such as ETHUSDT")
    leverage: int = Field(5, ge=1, description="Leverage that is set on every symbol, and looked at before anything")
    execution: Literal["market", "touch", "slices"] = Field("market", description="How orders are carried out")
    touch: float = Field(5.0, gt=0, description="Time at the touch before a market order takes an order's place")
    slice_notional: Decimal = Field(Decimal(1_000), gt=0, description="Largest slice of an opening, quote currency")
    slice_every: float = Field(10.0, gt=0, description="Shortest time between two slices of an opening")
    stop_distance: Decimal | None = Field(
        None,
        ge=0,
        lt=1,
        description="Distance of catastrophe stops from the price, a fraction; zero: none; by default 0.2 where orders "
        "are real, and none on test networks",
    )
    stop_rest: float = Field(600.0, ge=0, description="Shortest time for which a stop stays where it is")
    dead_man: float = Field(30.0, ge=0, description="Countdown of the exchange's switch while orders rest; zero: none")
    max_equity: Decimal | None = Field(None, description="Largest equity that weights are taken of, quote currency")
    max_order_notional: Decimal = Field(Decimal(50_000), gt=0, description="Largest order, quote currency")
    max_orders_a_minute: int = Field(30, ge=4, description="Most orders within a minute")
    max_failures: int = Field(3, ge=1, description="Failed orders of a symbol after which its pair is only reduced")
    max_deviation: Decimal = Field(Decimal("0.05"), gt=0, description="Largest distance from the signal's price")
    max_gross: float = Field(3.0, gt=0, description="Largest gross exposure of a signal that is believed")
    hold: float = Field(15.0, ge=0, description="Hold time while files are missing, unreadable or out of order")
    expiry_hold: float = Field(0.0, ge=0, description="Hold time after a signal has expired")
    max_age: float = Field(180.0, gt=0, description="Longest time without a new signal")
    require_control: bool = Field(True, description="Stay flat without a control file")
    settle: float = Field(5.0, gt=0, description="Pause after a failure, and before a reading is believed")
    quiet: float = Field(60.0, gt=0, description="Quiet time after which account and ledger are compared")
    confirm: float = Field(30.0, gt=0, description="Time until a reading that contradicts the ledger is asked again")
    backoff: float = Field(60.0, gt=0, description="Longest pause between two tries of an order that is refused")
    reopen: bool = Field(False, description="Open a position again that somebody else closed")
    pending: float = Field(30.0, gt=0, description="Time after which a silent order is given up")
    imbalance: float = Field(20.0, gt=0, description="Longest time for which one leg may be without the other")
    cool_off: float = Field(300.0, ge=0, description="Time for which a pair that was unwound is not opened again")
    flatten_on_stop: bool = Field(True, description="Close everything when the script is stopped")
    stop: float = Field(30.0, ge=0, description="Longest time to wait for that")
    report: float = Field(5.0, gt=0, description="Time between two snapshots for the governor")
    clock_file: str = Field("", description="Replays only: file that tells the pace of the agent's clock")

    @model_validator(mode="after")
    def _fitting(self) -> "PerpfutExecutorConfig":
        if self.execution == "touch" and self.touch + 2 * self.settle >= self.imbalance:
            found = f"touch {self.touch:g} s and settle twice {self.settle:g} s"
            raise ValueError(
                f"{found} leave a leg alone for longer than imbalance, {self.imbalance:g} s: shorten touch"
            )
        if self.execution == "touch" and self.connector.startswith("hyperliquid") and self.distance:
            raise ValueError(
                "execution touch beside stops on Hyperliquid: its dead man's switch would cancel the stops, too, and "
                "without it an order that rests may be filled when nobody is alive; choose market or slices"
            )
        return self

    @property
    def distance(self) -> Decimal:
        """Return the distance of stops; zero for none."""
        if self.stop_distance is not None:
            return self.stop_distance
        return Decimal(0) if "testnet" in self.connector or "PERPFUT_EXCHANGE" in os.environ else LIVE_STOP

    def update_markets(self, markets: MarketDict) -> MarketDict:
        """Name the pairs that Hummingbot is to follow."""
        pairs = {trading_pair(symbol, self.connector) for symbol in self.symbols}
        markets[self.connector] = markets.get(self.connector, set()) | pairs
        return markets

    def trader_settings(self) -> TraderSettings:
        """Return what the executor is told."""
        touch_ms = int(1000 * self.touch) if self.execution == "touch" else 0
        stops = StopRules(self.distance, rest_ms=int(1000 * self.stop_rest))
        symbols, patience = tuple(self.symbols), self.patience()
        return TraderSettings(symbols, self.limits(), patience, self.max_equity, touch_ms=touch_ms, stops=stops)

    def limits(self) -> Limits:
        """Return the planner's limits."""
        sliced = self.execution == "slices"
        return Limits(
            max_order_notional=self.max_order_notional,
            slice_notional=self.slice_notional if sliced else None,
            slice_ms=int(1000 * self.slice_every) if sliced else 0,
            max_orders=self.max_orders_a_minute,
            max_failures=self.max_failures,
            settle_ms=int(1000 * self.settle),
            blind_ms=int(3000 * self.settle),
            quiet_ms=int(1000 * self.quiet),
            confirm_ms=int(1000 * self.confirm),
            backoff_ms=int(1000 * self.backoff),
            reopen=self.reopen,
            pending_ms=int(1000 * self.pending),
            imbalance_ms=int(1000 * self.imbalance),
            cool_off_ms=int(1000 * self.cool_off),
            max_deviation=self.max_deviation,
        )

    def patience(self) -> Patience:
        """Return how long what is wrong is borne with."""
        tolerance = Tolerance(max_age=int(1000 * self.max_age))
        return Patience(
            int(1000 * self.hold), int(1000 * self.expiry_hold), tolerance, self.max_gross, self.require_control
        )
