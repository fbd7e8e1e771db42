"""Hummingbot script: trade what ``signal.json`` asks for on ``binance_perpetual`` or ``hyperliquid_perpetual``.

It holds no trading logic: :class:`agent.executor.trader.Trader` decides, this class sends, listens and reads. Copy the
file into Hummingbot's ``scripts`` folder, with the project on ``PYTHONPATH``.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from hummingbot.connector.connector_base import ConnectorBase
from hummingbot.core.data_type.common import OrderType, PositionAction, PositionMode, PriceType, TradeType
from hummingbot.core.event.events import (
    BuyOrderCompletedEvent,
    BuyOrderCreatedEvent,
    MarketOrderFailureEvent,
    OrderCancelledEvent,
    OrderFilledEvent,
    SellOrderCompletedEvent,
    SellOrderCreatedEvent,
)
from hummingbot.strategy.strategy_v2_base import StrategyV2Base

from agent.executor.rules import TradingRule
from agent.executor.settings import Quote
from agent.executor.snapshots import Reading, status_text, stops_text
from agent.executor.state import Order
from agent.executor.trader import Trader
from agent.executor.trades import Trade
from agent.hummingbot.account_history import AccountHistory
from agent.hummingbot.account_reading import read_account
from agent.hummingbot.exchange_requests import venue_of
from agent.hummingbot.executor_config import PerpfutExecutorConfig
from agent.hummingbot.watch import NETWORK_ERRORS, Watch
from agent.hummingbot.world import PacedClock, trading_pair
from agent.state.seal_key import seal_key
from perpfut_lib.artifacts import AgentFolder

MARGIN = {"hyperliquid_perpetual": Decimal("1.06")}
"""Hummingbot compares an order's notional with the least one at a price 5 % worse on Hyperliquid."""
MOST_DECIMALS, FIGURES = 6, 5
"""Hyperliquid's prices have so many decimals less those of the lot, and so many significant figures."""


class PerpfutExecutor(StrategyV2Base):
    """The hands of a :class:`~agent.executor.trader.Trader`."""

    def __init__(self, connectors: dict[str, ConnectorBase], config: PerpfutExecutorConfig) -> None:
        super().__init__(connectors, config)
        self.config: PerpfutExecutorConfig = config
        settings = config.trader_settings()
        self._clock_of_agent = PacedClock(Path(config.clock_file) if config.clock_file else None)
        key = seal_key(required="PERPFUT_EXCHANGE" not in os.environ)  # the local exchange's orders are not real
        self._trader = Trader(AgentFolder(Path(config.folder), key), settings, self._clock_of_agent)
        self._pairs = {symbol: trading_pair(symbol, config.connector) for symbol in config.symbols}
        self._history = AccountHistory(connectors[config.connector], config.connector, settings.quote)
        self._venue = venue_of(connectors[config.connector], config.connector)
        self._watch = Watch(self._trader, self._venue, config, self.logger())
        self._asking: asyncio.Task[None] | None = None
        self._reported = self._set_at = 0

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
        self._watch.look(self._trader.state, quotes, now, self._cancel)
        if self._trader.execution.closed and now - self._set_at >= 1000 * self.config.settle:
            self._set_at = now
            self.apply_initial_setting()
        if now - self._reported >= 1000 * self.config.report:
            self._report(now)

    async def on_stop(self) -> None:
        """Close everything, as far as that is asked for, before Hummingbot takes the connector away."""
        if self.config.flatten_on_stop and self._trader.state is not None:
            self._trader.stopping = True
            end = self._now() + 1000 * self.config.stop
            while self._now() < end and not (self._trader.flat() and not self._trader.protection.book.rests):
                await asyncio.sleep(0.2)
            self.logger().info("stopped %s", "flat" if self._trader.flat() else "with open positions")
        if self._trader.state is not None:
            self._report(self._now())
        self._trader.close()
        await super().on_stop()

    def did_fill_order(self, event: OrderFilledEvent) -> None:
        """Book a fill."""
        quantity = event.amount if event.trade_type is TradeType.BUY else -event.amount
        fees: dict[str, Decimal] = {}
        for part in event.trade_fee.flat_fees:
            for asset, fee in self._history.paid(part.token, part.amount).items():
                fees[asset] = fees.get(asset, Decimal(0)) + fee
        trade = Trade(quantity, event.price, fees, event.exchange_trade_id)
        self._trader.fill(event.order_id, trade, self._now())
        self.logger().info(f"fill {event.order_id} {event.trading_pair} {quantity} at {event.price} fees {fees}")

    def did_create_buy_order(self, event: BuyOrderCreatedEvent) -> None:
        """Note that the exchange has taken an order."""
        self._accepted(event.order_id, str(event.exchange_order_id))

    def did_create_sell_order(self, event: SellOrderCreatedEvent) -> None:
        """Note that the exchange has taken an order."""
        self._accepted(event.order_id, str(event.exchange_order_id))

    def _accepted(self, order_id: str, exchange_id: str) -> None:
        self._history.orders[exchange_id] = order_id
        self._trader.accepted(order_id, exchange_id)

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

    def format_status(self) -> str:
        """Return what the executor aims for and holds, how, and what protects it."""
        trader, how = self._trader, f"execution: {self.config.execution}"
        closed = [f"nothing is opened: {trader.execution.closed}"] if trader.execution.closed else []
        if trader.state is None:
            return "\n".join(["waiting for positions", how, *closed])
        shown = status_text(trader.intent, trader.targets, trader.state, self._now())
        return "\n".join([shown, how, stops_text(trader.protection.book), *closed])

    def _now(self) -> int:
        return self._clock_of_agent.real()

    def _quotes(self) -> dict[str, Quote]:
        """Return rule and middle price of every symbol that has both."""
        found = {}
        for symbol, pair in self._pairs.items():
            price = self.exchange.get_price_by_type(pair, PriceType.MidPrice)
            if pair in self.exchange.trading_rules and price.is_finite() and price > 0:
                touch = (self.exchange.get_price(pair, is_buy) for is_buy in (False, True))
                found[symbol] = Quote(self._rule(pair), price, *(one if one.is_finite() else None for one in touch))
        return found

    def _rule(self, pair: str) -> TradingRule:
        rule, binance = self.exchange.trading_rules[pair], self.config.connector.startswith("binance")
        least = rule.min_notional_size * MARGIN.get(self.config.connector, Decimal("1.01"))
        lot, tick = rule.min_base_amount_increment, rule.min_price_increment
        return TradingRule(
            lot=lot,
            tick=tick if binance else Decimal(1).scaleb(-MOST_DECIMALS) / lot,
            min_quantity=rule.min_order_size,
            min_notional=least,
            reduce_notional=Decimal(0) if binance else least,
            figures=None if binance else FIGURES,
        )

    def _send(self, order: Order, price: Decimal) -> str:
        """Send an order and return its id.

        Hummingbot refuses closing orders below the least notional, which Binance takes; the price of a market order
        serves nothing but that check, so a small one names a price that passes.
        """
        pair, quantity = self._pairs[order.symbol], abs(order.quantity)
        kind = OrderType.MARKET if order.limit is None else OrderType.LIMIT
        price = order.limit or price
        if order.limit is None and order.reduce_only and self.config.connector.startswith("binance"):
            price = max(price, 2 * self.exchange.trading_rules[pair].min_notional_size / quantity)
        send = self.buy if order.quantity > 0 else self.sell
        action = PositionAction.CLOSE if order.reduce_only else PositionAction.OPEN
        order_id: str = send(self.config.connector, pair, quantity, kind, price, action)
        self.logger().info(f"order {order_id} {order.symbol} {order.quantity} {action.name} {kind.name}")
        return order_id

    def _cancel(self, symbol: str, order_id: str) -> bool:
        """Cancel an order; false if Hummingbot does not know it."""
        known = order_id in self.exchange.in_flight_orders
        if known:
            self.cancel(self.config.connector, self._pairs[symbol], order_id)
        return known

    async def _seed(self) -> None:
        """Read the account twice, a settling time apart, and begin if both readings agree.

        A symbol without a quote does not hold the start up: what the others hold can be closed.
        """
        try:
            await self._watch.check()
            first = await self._account({})
            await asyncio.sleep(self.config.settle)
            second = await self._account(self._trader.unlisted())
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
            reading = await self._account(self._trader.unlisted())
        except NETWORK_ERRORS as error:
            self.logger().warning(f"no reading: {error}")
            return
        self._trader.read(reading, asked)

    async def _account(self, lists: Mapping[str, int]) -> Reading:
        """Return positions and equity of the whole account, and what it lists of these symbols since these times."""
        stops = await self._watch.stops()
        reading = replace(await read_account(self.exchange, self.config.connector), stops=stops)
        history = await self._history.read(lists, self._clock_of_agent.wall())
        orders = await self._venue.orders(self.config.symbols)
        reading = replace(reading, history=history, orders=orders)
        if self.config.connector.startswith("hyperliquid"):  # equity of a unified account lies elsewhere
            await self.exchange._update_balances()
            balance = self.exchange.get_balance(next(iter(self._pairs.values())).split("-")[1])
            return replace(reading, equity=float(balance))
        return reading

    def _report(self, now: int) -> None:
        self._reported = now
        self._trader.report()
