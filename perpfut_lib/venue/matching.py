"""The matching engine: orders against the book around the current price, fees, margin, funding at settlement."""

import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from typing import Final

import numpy as np

from perpfut_lib.venue.accounts import ZERO, Account, Event, Fill, Income, Order, Position, Refusal, Refused, Request
from perpfut_lib.venue.countdown import expire
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.faults import Lag, PartialFill, Reject
from perpfut_lib.venue.protection import deleverage, liquidate, reached

LEVELS: Final = 100  # levels of the book; a market order that eats them all expires with its rest
CENT: Final = Decimal("1e-8")  # the exchange books no smaller amount
BASIS_POINT: Final = Decimal("0.0001")
PRICE_BAND: Final = Decimal("0.05")  # a limit price lies within this share of the mark price
MAX_PRICE: Final = Decimal(10_000_000)
MAX_QUANTITY: Final = Decimal(1_000_000_000)
DEFAULT_LEVERAGE: Final = 20
REJECTIONS: Final = {"margin": Refusal.MARGIN, "busy": Refusal.BUSY, "reduce_only": Refusal.REDUCE_ONLY}


@dataclass
class Matching:
    """All accounts of an exchange. Every method first brings the account up to the exchange's time."""

    exchange: Exchange
    accounts: dict[str, Account] = field(default_factory=dict)
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    """Called for every order, fill and funding payment, in the exchange's thread."""
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1000)

    def account(self, name: str) -> Account:
        """Return an account, opened at the first use, with funding paid and resting orders matched until now.

        A name that is an address is an account of Hyperliquid, which settles funding every hour.
        """
        with self.lock:
            if name not in self.accounts:
                opening, now = Decimal(str(self.exchange.config.balance)), self.exchange.clock.now()
                self.accounts[name] = Account(name, opening, hourly=name.startswith("0x"), settled=now)
            account = self.accounts[name]
            self._catch_up(account, self.exchange.clock.now())
            return account

    def place(self, name: str, request: Request) -> Order:
        """Accept, match and return an order.

        Raises
        ------
        Refused
            The order breaks a rule; nothing has happened.
        """
        with self.lock:
            account, now = self.account(name), self.exchange.clock.now()
            quantity = self._checked(account, request)
            book = self._book(request, quantity) if request.trigger is None else []
            crossing = sum((amount for _, amount in book), ZERO)
            if request.price is not None and request.time_in_force == "GTX" and crossing:
                raise Refused(Refusal.POST_ONLY, request.symbol)
            order = Order(next(self._numbers), request, now, quantity=quantity, updated=now, watched=now)
            account.orders[order.number] = order
            self._report(account, order)
            if request.time_in_force != "FOK" or crossing >= quantity:
                for price, amount in book:
                    self._fill(account, order, price, amount, maker=False)
            limited = request.price is not None and request.time_in_force in {"GTC", "GTX"}
            rests = limited or request.trigger is not None
            if order.open and not rests:
                self.close(account, order, "EXPIRED")
            return order

    def cancel(self, name: str, number: int | None, client_id: str = "") -> Order | None:
        """Cancel a resting order and return it; None if no such order rests."""
        with self.lock:
            account = self.account(name)
            order = account.find(number, client_id)
            if order is None or not order.open:
                return None
            self.close(account, order, "CANCELED")
            return order

    def set_leverage(self, name: str, symbol: str, leverage: int) -> int:
        """Set and return the leverage that a symbol's margin is counted with."""
        most = self.exchange.series(symbol).instrument.max_leverage
        if not 1 <= leverage <= most:
            raise Refused(Refusal.LEVERAGE, symbol, str(most))
        with self.lock:
            self.account(name).leverage[symbol] = leverage
        return leverage

    def shown(self, account: Account, symbol: str) -> Position:
        """Return the position that the exchange tells of: a fault may let it lag behind the fills."""
        held, lag = account.position(symbol), self.exchange.faults.lasting(Lag, symbol)
        if lag is None:
            return held
        since = self.exchange.clock.now() - lag.milliseconds
        later = [fill for fill in account.fills if fill.order.request.symbol == symbol and fill.time > since]
        return replace(held, quantity=later[0].held) if later else held

    def mark(self, symbol: str) -> Decimal:
        """Return the mark price now."""
        return Decimal(f"{self.exchange.quote(symbol).mark:.8f}")

    def unrealised(self, account: Account) -> Decimal:
        """Return the profit of all open positions at mark prices, USDT."""
        return sum((one.profit(self.mark(symbol)) for symbol, one in account.held()), ZERO)

    def margin(self, account: Account, symbol: str, quantity: Decimal) -> Decimal:
        """Return the initial margin of a position, USDT."""
        return abs(quantity) * self.mark(symbol) / account.leverage.get(symbol, DEFAULT_LEVERAGE)

    def used_margin(self, account: Account) -> Decimal:
        """Return the initial margin of all positions, USDT."""
        return sum((self.margin(account, symbol, one.quantity) for symbol, one in account.held()), ZERO)

    def _checked(self, account: Account, request: Request) -> Decimal:
        """Return the quantity to trade, or refuse the order."""
        series, symbol = self.exchange.series(request.symbol), request.symbol
        rules, mark = series.instrument, self.mark(symbol)
        if reject := self.exchange.faults.use(Reject, "", symbol):
            raise Refused(REJECTIONS[reject.reason], symbol)
        if not self.exchange.trading(series):
            raise Refused(Refusal.CLOSED, symbol)
        if request.quantity <= 0:
            raise Refused(Refusal.QUANTITY_ZERO, symbol)
        if request.quantity > MAX_QUANTITY:
            raise Refused(Refusal.QUANTITY_MAX, symbol, f"{MAX_QUANTITY:f}")
        if request.quantity % rules.lot:
            raise Refused(Refusal.QUANTITY_GRID, symbol, f"{rules.lot:f}")
        if request.price is not None:
            self._check_price(request, mark)
        if request.client_id and any(one.request.client_id == request.client_id for one in account.open_orders()):
            raise Refused(Refusal.DUPLICATE, symbol)
        if request.trigger is not None and (mark - request.trigger) * request.sign >= 0:
            raise Refused(Refusal.TRIGGER, symbol)
        held = account.position(symbol).quantity
        if request.reduce_only:
            if held * request.sign >= 0:
                raise Refused(Refusal.REDUCE_ONLY, symbol)
            return min(request.quantity, abs(held))
        if request.quantity * (request.price or mark) < rules.min_notional:
            raise Refused(Refusal.NOTIONAL, symbol, f"{rules.min_notional:f}")
        self._check_margin(account, symbol, held, held + request.sign * request.quantity)
        return request.quantity

    def _check_price(self, request: Request, mark: Decimal) -> None:
        price, rules = request.price or ZERO, self.exchange.series(request.symbol).instrument
        if price > MAX_PRICE:
            raise Refused(Refusal.PRICE_RANGE, request.symbol, f"{MAX_PRICE:f}")
        if price <= 0 or price % rules.tick:
            raise Refused(Refusal.PRICE_GRID, request.symbol, f"{rules.tick:f}")
        worst = mark * (1 + request.sign * PRICE_BAND)
        if (price - worst) * request.sign > 0 and request.time_in_force != "IOC":
            raise Refused(Refusal.PRICE_RANGE, request.symbol, rules.price_text(worst))

    def _check_margin(self, account: Account, symbol: str, held: Decimal, wanted: Decimal) -> None:
        if abs(wanted) <= abs(held):
            return
        others = self.used_margin(account) - self.margin(account, symbol, held)
        if others + self.margin(account, symbol, wanted) > account.wallet + self.unrealised(account):
            raise Refused(Refusal.MARGIN, symbol)

    def _book(self, request: Request, quantity: Decimal) -> list[tuple[Decimal, Decimal]]:
        """Return the prices and quantities that an order takes from the book now, best first."""
        quote, rules = self.exchange.quote(request.symbol), self.exchange.series(request.symbol).instrument
        best = Decimal(rules.price_text(quote.ask if request.side == "BUY" else quote.bid))
        depth = Decimal(rules.quantity_text(quote.depth))
        if partial := self.exchange.faults.use(PartialFill, "", request.symbol):
            share = quantity * Decimal(str(partial.share))
            quantity = share.quantize(rules.lot, rounding=ROUND_DOWN)
        taken = []
        for level in range(LEVELS):
            price = best + request.sign * level * rules.tick
            beyond = request.price is not None and (price - request.price) * request.sign > 0
            if quantity <= 0 or price <= 0 or beyond:
                break
            taken.append((price, min(depth, quantity)))
            quantity -= depth
        return taken

    def _fill(self, account: Account, order: Order, price: Decimal, quantity: Decimal, maker: bool) -> None:
        bps = Decimal(str(self.exchange.config.maker_fee_bps if maker else self.exchange.config.taker_fee_bps))
        self._trade(account, order, (price, quantity), bps * BASIS_POINT, maker)

    def _trade(
        self, account: Account, order: Order, at: tuple[Decimal, Decimal], fee_share: Decimal, maker: bool
    ) -> None:
        """Trade a quantity at a price, for a fee that is a share of the notional."""
        request, now, (price, quantity) = order.request, order.updated, at
        position = account.position(request.symbol)
        held = position.quantity
        profit = position.trade(request.sign * quantity, price).quantize(CENT)
        position.updated = now
        fee = (price * quantity * fee_share).quantize(CENT)
        account.wallet += profit - fee
        order.executed += quantity
        order.turnover += price * quantity
        order.status = "FILLED" if order.remaining == 0 else "PARTIALLY_FILLED"
        fill = Fill(next(self._numbers), order, price, quantity, fee, profit, maker, now, held)
        account.fills.append(fill)
        if profit:
            account.income.append(Income(next(self._numbers), "REALIZED_PNL", request.symbol, profit, now))
        account.income.append(Income(next(self._numbers), "COMMISSION", request.symbol, -fee, now))
        self._report(account, fill)

    def forced(self, account: Account, request: Request, price: Decimal, fee_share: Decimal) -> None:
        """Carry out an order that the exchange places for an account."""
        now = self.exchange.clock.now()
        order = Order(next(self._numbers), request, now, quantity=request.quantity, updated=now, watched=now)
        account.orders[order.number] = order
        self._report(account, order)
        self._trade(account, order, (price, request.quantity), fee_share, maker=False)

    def insure(self, account: Account, amount: Decimal) -> None:
        """Pay from the insurance fund what an account lacks."""
        account.wallet += amount
        income = Income(next(self._numbers), "INSURANCE_CLEAR", "", amount, self.exchange.clock.now())
        account.income.append(income)

    def close(self, account: Account, order: Order, status: str) -> None:
        """End a resting order."""
        order.status = "EXPIRED" if status == "EXPIRED" else "CANCELED"
        order.updated = self.exchange.clock.now()
        self._report(account, order)

    def _catch_up(self, account: Account, now: int) -> None:
        """Match resting orders and pay funding until ``now``, in the order of time."""
        before, account.settled = account.settled, now
        if before >= now:
            return
        due = self._settlements(account, before, now)
        ends = {time for time in account.countdowns.values() if time <= now}
        for time in sorted({time for time, _, _ in due} | ends):
            self._match_resting(account, time)
            expire(self, account, time)
            for _, symbol, rate in (one for one in due if one[0] == time):
                self._pay_funding(account, symbol, time, rate)
        self._match_resting(account, now)
        liquidate(self, account)
        deleverage(self, account)

    def _settlements(self, account: Account, before: int, now: int) -> list[tuple[int, str, float]]:
        """Return (time, symbol, rate) of the settlements in (before, now] of all symbols that may be held."""
        symbols = sorted({name for name, _ in account.held()} | {one.request.symbol for one in account.open_orders()})
        found = []
        for symbol in symbols:
            series, until = self.exchange.series(symbol), self.exchange.moment(symbol)
            times, rates = series.hourly_funding if account.hourly else (series.funding_time, series.funding_rate)
            low, high = np.searchsorted(times, [before, min(now, until)], side="right")
            rows = zip(times[low:high], rates[low:high], strict=True)
            found += [(int(time), symbol, float(rate)) for time, rate in rows]
        return found

    def _pay_funding(self, account: Account, symbol: str, time: int, rate: float) -> None:
        """Pay -rate × signed notional at the mark price, as known when the settlement comes."""
        quantity = account.position(symbol).quantity
        if not quantity:
            return
        series = self.exchange.series(symbol)
        row = max(int(np.searchsorted(series.bars.open_time, time)) - 1, 0)
        mark, exact = Decimal(f"{series.mark.prices[row, 3]:.8f}"), Decimal(f"{rate:.10f}")
        amount = (-exact * quantity * mark).quantize(CENT)
        account.wallet += amount
        payment = Income(next(self._numbers), "FUNDING_FEE", symbol, amount, time, exact, quantity)
        account.income.append(payment)
        self._report(account, payment)

    def _match_resting(self, account: Account, now: int) -> None:
        """Fill resting orders whose price has been traded through, at their price, as the maker; and stops."""
        for order in account.open_orders():
            request = order.request
            until = min(now, self.exchange.moment(request.symbol))
            price, maker = reached(self, order, until), request.trigger is None
            order.watched = now
            if price is None:
                continue
            reducible = -request.sign * account.position(request.symbol).quantity
            quantity = min(order.remaining, max(reducible, ZERO)) if request.reduce_only else order.remaining
            order.updated = now
            if quantity:
                self._fill(account, order, price, quantity, maker)
            if order.open:
                self.close(account, order, "EXPIRED")

    def _report(self, account: Account, what: Order | Fill | Income) -> None:
        time = what.updated if isinstance(what, Order) else what.time
        for listener in self.listeners:
            listener(Event(account.name, what, time))
