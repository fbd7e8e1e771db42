"""Hummingbot script: trade what ``signal.json`` asks for on ``binance_perpetual`` or ``hyperliquid_perpetual``.

It holds no trading logic: :class:`agent.executor.trader.Trader` decides, this class sends, listens and reads. Copy the
file into Hummingbot's ``scripts`` folder, with the project on ``PYTHONPATH``.
"""

import asyncio
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from aiohttp import ClientError
from hummingbot.connector.connector_base import ConnectorBase
from hummingbot.core.data_type.common import MarketDict, OrderType, PositionAction, PositionMode, PriceType, TradeType
from hummingbot.core.event.events import (
    BuyOrderCompletedEvent,
    BuyOrderCreatedEvent,
    FundingPaymentCompletedEvent,
    MarketOrderFailureEvent,
    OrderCancelledEvent,
    OrderFilledEvent,
    SellOrderCompletedEvent,
    SellOrderCreatedEvent,
)
from hummingbot.strategy.strategy_v2_base import StrategyV2Base, StrategyV2ConfigBase
from pydantic import Field

from agent.executor.account import Trade
from agent.executor.intent import Patience
from agent.executor.rules import Limits, TradingRule
from agent.executor.settings import Quote, TraderSettings
from agent.executor.snapshots import Reading, status_text
from agent.executor.state import Order
from agent.executor.trader import Trader
from agent.hummingbot.account_reading import read_account
from agent.hummingbot.world import PacedClock, trading_pair
from agent.state.seal_key import seal_key
from perpfut_lib.artifacts import AgentFolder, Tolerance

MARGIN = {"hyperliquid_perpetual": Decimal("1.06")}
"""Hummingbot compares an order's notional with the least one at a price 5 % worse on Hyperliquid."""
QUOTES = ("USDT", "USDC", "USD")
"""Names of the quote asset; a fee in any other is converted or reported apart."""
NETWORK_ERRORS = (OSError, ClientError, TimeoutError, ValueError, KeyError)


class PerpfutExecutorConfig(StrategyV2ConfigBase):
    """Settings of the script; times are seconds, of real time except those that concern signals (hold, max_age)."""

    script_file_name: str = os.path.basename(__file__)
    controllers_config: list[str] = Field(default_factory=list)
    connector: str = Field("binance_perpetual", description="binance_perpetual or hyperliquid_perpetual")
    folder: str = Field("data/agent", description="The agent's folder: signal, control and pairs are read from it")
    symbols: list[str] = Field(description="Symbols as the agent names them, such as ETHUSDT")
    leverage: int = Field(5, ge=1, description="Leverage that is set on every symbol")
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

    def update_markets(self, markets: MarketDict) -> MarketDict:
        """Name the pairs that Hummingbot is to follow."""
        pairs = {trading_pair(symbol, self.connector) for symbol in self.symbols}
        markets[self.connector] = markets.get(self.connector, set()) | pairs
        return markets

    def limits(self) -> Limits:
        """Return the planner's limits."""
        return Limits(
            max_order_notional=self.max_order_notional,
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


class PerpfutExecutor(StrategyV2Base):
    """The hands of a :class:`~agent.executor.trader.Trader`."""

    def __init__(self, connectors: dict[str, ConnectorBase], config: PerpfutExecutorConfig) -> None:
        super().__init__(connectors, config)
        self.config: PerpfutExecutorConfig = config
        settings = TraderSettings(tuple(config.symbols), config.limits(), config.patience(), config.max_equity)
        self._clock_of_agent = PacedClock(Path(config.clock_file) if config.clock_file else None)
        key = seal_key(required="PERPFUT_EXCHANGE" not in os.environ)  # the local exchange's orders are not real
        self._trader = Trader(AgentFolder(Path(config.folder), key), settings, self._clock_of_agent)
        self._pairs = {symbol: trading_pair(symbol, config.connector) for symbol in config.symbols}
        self._symbols = {pair: symbol for symbol, pair in self._pairs.items()}
        self._quote_asset = settings.quote
        self._asking: asyncio.Task[None] | None = None
        self._reported = 0

    @property
    def exchange(self) -> ConnectorBase:
        """Return the connector."""
        return self.connectors[self.config.connector]

    def apply_initial_setting(self) -> None:
        """Set one-way mode and leverage."""
        self.exchange.set_position_mode(PositionMode.ONEWAY)
        for pair in self._pairs.values():
            self.exchange.set_leverage(pair, self.config.leverage)

    def on_tick(self) -> None:
        """Send what is due; called every second once the connector is ready."""
        now, quotes = self._now(), self._quotes()
        if self._asking is None or self._asking.done():
            if self._trader.state is None:
                self._asking = asyncio.ensure_future(self._seed())
            elif self._trader.reading_due(now):
                self._asking = asyncio.ensure_future(self._read())
        if self._trader.state is None:
            return
        for order in self._trader.orders(quotes, now):
            self._trader.sent(order, self._send(order, quotes[order.symbol].price), now)
        if now - self._reported >= 1000 * self.config.report:
            self._report(now)

    async def on_stop(self) -> None:
        """Close everything, as far as that is asked for, before Hummingbot takes the connector away."""
        if self.config.flatten_on_stop and self._trader.state is not None:
            self._trader.stopping = True
            end = self._now() + 1000 * self.config.stop
            while self._now() < end and not self._trader.flat():
                await asyncio.sleep(0.2)
            self.logger().info("stopped %s", "flat" if self._trader.flat() else "with open positions")
        if self._trader.state is not None:
            self._report(self._now())
        self._trader.close()
        await super().on_stop()

    def did_fill_order(self, event: OrderFilledEvent) -> None:
        """PairLedger a fill."""
        quantity = event.amount if event.trade_type is TradeType.BUY else -event.amount
        fees: dict[str, Decimal] = {}
        for part in event.trade_fee.flat_fees:
            asset = self._quote_asset if part.token in QUOTES else part.token
            fees[asset] = fees.get(asset, Decimal(0)) + part.amount
        trade = Trade(quantity, event.price, fees, event.exchange_trade_id)
        self._trader.fill(event.order_id, trade, self._now())
        self.logger().info(f"fill {event.order_id} {event.trading_pair} {quantity} at {event.price} fees {fees}")

    def did_create_buy_order(self, event: BuyOrderCreatedEvent) -> None:
        """Note that the exchange has taken an order."""
        self._trader.accepted(event.order_id, str(event.exchange_order_id))

    def did_create_sell_order(self, event: SellOrderCreatedEvent) -> None:
        """Note that the exchange has taken an order."""
        self._trader.accepted(event.order_id, str(event.exchange_order_id))

    def did_complete_buy_order(self, event: BuyOrderCompletedEvent) -> None:
        """Note that an order has ended."""
        self._trader.end(event.order_id, self._now(), failed=False)

    def did_complete_sell_order(self, event: SellOrderCompletedEvent) -> None:
        """Note that an order has ended."""
        self._trader.end(event.order_id, self._now(), failed=False)

    def did_cancel_order(self, event: OrderCancelledEvent) -> None:
        """Note that an order has ended before all of it was filled."""
        self._trader.end(event.order_id, self._now(), failed=False)

    def did_fail_order(self, event: MarketOrderFailureEvent) -> None:
        """Note an order that the exchange refused, or of which nobody knows what became."""
        self._trader.end(event.order_id, self._now(), failed=True, why=str(event.error_message))
        self.logger().warning(f"failed {event.order_id}: {event.error_message}")

    def did_complete_funding_payment(self, event: FundingPaymentCompletedEvent) -> None:
        """PairLedger a funding payment."""
        if event.trading_pair in self._symbols:
            self._trader.funding(event.amount)

    def format_status(self) -> str:
        """Return what the executor aims for and holds."""
        intent, state = self._trader.intent, self._trader.state
        if state is None:
            return "waiting for positions"
        return status_text(intent, self._trader.targets, state, self._now())

    def _now(self) -> int:
        return self._clock_of_agent.real()

    def _quotes(self) -> dict[str, Quote]:
        """Return rule and middle price of every symbol that has both."""
        found = {}
        for symbol, pair in self._pairs.items():
            price = self.exchange.get_price_by_type(pair, PriceType.MidPrice)
            if pair in self.exchange.trading_rules and price.is_finite() and price > 0:
                found[symbol] = Quote(self._rule(pair), price)
        return found

    def _rule(self, pair: str) -> TradingRule:
        rule, binance = self.exchange.trading_rules[pair], self.config.connector.startswith("binance")
        least = rule.min_notional_size * MARGIN.get(self.config.connector, Decimal("1.01"))
        return TradingRule(
            lot=rule.min_base_amount_increment,
            tick=rule.min_price_increment,
            min_quantity=rule.min_order_size,
            min_notional=least,
            reduce_notional=Decimal(0) if binance else least,
        )

    def _send(self, order: Order, price: Decimal) -> str:
        """Send an order and return its id.

        Hummingbot refuses closing orders below the least notional, which Binance takes; the price of a market order
        serves nothing but that check, so a small one names a price that passes.
        """
        pair, quantity = self._pairs[order.symbol], abs(order.quantity)
        if order.reduce_only and self.config.connector.startswith("binance"):
            price = max(price, 2 * self.exchange.trading_rules[pair].min_notional_size / quantity)
        send = self.buy if order.quantity > 0 else self.sell
        action = PositionAction.CLOSE if order.reduce_only else PositionAction.OPEN
        order_id: str = send(self.config.connector, pair, quantity, OrderType.MARKET, price, action)
        self.logger().info(f"order {order_id} {order.symbol} {order.quantity} {action.name}")
        return order_id

    async def _seed(self) -> None:
        """Read the account twice, a settling time apart, and begin if both readings agree.

        A symbol without a quote does not hold the start up: what the others hold can be closed.
        """
        try:
            first = await self._account()
            await asyncio.sleep(self.config.settle)
            second = await self._account()
        except NETWORK_ERRORS as error:
            self.logger().warning(f"no positions yet: {error}")
            return
        if first.positions == second.positions:
            self._trader.seed(second, self._quotes(), self._now())
            self.logger().info(f"seeded with {dict(second.positions) or 'nothing'}, equity {second.equity}")

    async def _read(self) -> None:
        """Read the account and compare."""
        asked = self._now()
        try:
            reading = await self._account()
        except NETWORK_ERRORS as error:
            self.logger().warning(f"no reading: {error}")
            return
        self._trader.read(reading, asked)

    async def _account(self) -> Reading:
        """Return positions and equity of the whole account."""
        reading = await read_account(self.exchange, self.config.connector)
        if self.config.connector.startswith("hyperliquid"):  # equity of a unified account lies elsewhere
            await self.exchange._update_balances()
            balance = self.exchange.get_balance(next(iter(self._pairs.values())).split("-")[1])
            return replace(reading, equity=float(balance))
        return reading

    def _report(self, now: int) -> None:
        self._reported = now
        self._trader.report()
