"""What a user does on Hyperliquid: signed actions of ``POST /exchange``."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, DecimalException
from typing import Final, Literal

from perpfut_lib.types import Json, JsonObject
from perpfut_lib.venue.accounts import Order, Refusal, Refused, Request, Side
from perpfut_lib.venue.countdown import EVERYTHING, arm
from perpfut_lib.venue.ethereum import action_digest, signer, user_digest
from perpfut_lib.venue.hyperliquid_market import FIGURES, MOST_DECIMALS, UnknownRequest, universe
from perpfut_lib.venue.instruments import Instrument
from perpfut_lib.venue.matching import Matching

LEAST_NOTIONAL: Final = Decimal(10)
DAY_S: Final = 86_400
LEAST_COUNTDOWN_MS: Final = 5_000
TIMES_IN_FORCE: Final[dict[str, Literal["GTC", "IOC", "GTX"]]] = {
    "Gtc": "GTC",
    "Ioc": "IOC",
    "FrontendMarket": "IOC",
    "Alo": "GTX",
}
TEXTS: Final = {
    Refusal.CLOSED: "Trading is halted.",
    Refusal.QUANTITY_GRID: "Order has invalid size.",
    Refusal.QUANTITY_ZERO: "Order has zero size.",
    Refusal.QUANTITY_MAX: "Order has invalid size.",
    Refusal.PRICE_GRID: "Price must be divisible by tick size.",
    Refusal.PRICE_RANGE: "Order price cannot be more than 80% away from the reference price",
    Refusal.NOTIONAL: "Order must have minimum value of $10.",
    Refusal.REDUCE_ONLY: "Reduce only order would increase position.",
    Refusal.POST_ONLY: "Post only order would have immediately matched, bbo was {bound}.",
    Refusal.NOT_FILLED: "Order could not immediately match against any resting orders.",
    Refusal.MARGIN: "Insufficient margin to place order.",
    Refusal.DUPLICATE: "Duplicate cloid.",
    Refusal.LEVERAGE: "Invalid leverage value",
    Refusal.TRIGGER: "Invalid TP/SL price.",
    Refusal.BUSY: "Too many cumulative requests sent",
}
BUILDER_FEE: Final = (
    ("hyperliquidChain", "string"),
    ("maxFeeRate", "string"),
    ("builder", "address"),
    ("nonce", "uint64"),
)
DEFAULT: Final = {"status": "ok", "response": {"type": "default"}}
MISSING_ORDER: Final = "Order was never placed, already canceled, or filled."


@dataclass
class Actions:
    """The signed door: who has signed, whether the nonce is new, what is to be done."""

    matching: Matching
    nonces: set[int] = field(default_factory=set)

    def answer(self, body: Json) -> JsonObject:
        """Return the answer to a signed action; a refusal is an answer too, with HTTP status 200."""
        try:
            action, nonce = body["action"], int(body["nonce"])
            kind, vault, expires = action["type"], body.get("vaultAddress"), body.get("expiresAfter")
            address = signer(body["signature"], _signed(action, nonce, vault, expires))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise UnknownRequest("Failed to deserialize the JSON body into the target type") from error
        if address != self.matching.exchange.config.wallet:
            return _error(f"User or API Wallet {address} does not exist.")
        if problem := self._stale(nonce):
            return _error(problem)
        self.nonces.add(nonce)
        doing = self._kinds().get(kind)
        if doing is None:
            return _error(f"Unsupported action {kind}")
        try:
            return doing(action)
        except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
            raise UnknownRequest("Failed to deserialize the JSON body into the target type") from error

    def _kinds(self) -> dict[str, Callable[[JsonObject], JsonObject]]:
        nothing = dict.fromkeys(("setReferrer", "approveBuilderFee", "noop"), lambda _action: DEFAULT)
        return {
            **nothing,
            "order": self._order,
            "cancel": self._cancel,
            "cancelByCloid": self._cancel,
            "scheduleCancel": self._schedule_cancel,
            "updateLeverage": self._leverage,
        }

    def _stale(self, nonce: int) -> str:
        """Return why a nonce is refused: used before, or too far from the time."""
        exchange = self.matching.exchange
        if nonce in self.nonces:
            return f"Invalid nonce: duplicate nonce {nonce}"
        clocks = [exchange.clock.shown(), int(exchange.wall() * 1000) + exchange.clock.skew]
        near = any(clock - 2 * DAY_S * 1000 < nonce < clock + DAY_S * 1000 for clock in clocks)
        return "" if near else f"Invalid nonce: {nonce} is too far from {clocks[0]}"

    def _order(self, action: JsonObject) -> JsonObject:
        statuses = [self._placed(order) for order in action["orders"]]
        return {"status": "ok", "response": {"type": "order", "data": {"statuses": statuses}}}

    def _placed(self, order: JsonObject) -> JsonObject:
        number = order.get("a")
        try:
            request = self._request(order)
            placed = self.matching.place(self.matching.exchange.config.wallet, request)
            if not placed.open and not placed.executed:
                raise Refused(Refusal.NOT_FILLED, request.symbol)
        except Refused as error:
            return {"error": f"{TEXTS[error.reason].format(bound=error.bound)} asset={number}"}
        return _outcome(placed)

    def _request(self, order: JsonObject) -> Request:
        """Read an order, on Hyperliquid's own grids and least notional."""
        try:
            rules = universe(self.matching.exchange)[int(order["a"])].instrument
            price, size = Decimal(str(order["p"])), Decimal(str(order["s"]))
            trigger = _trigger(order["t"])
            in_force = "GTC" if trigger is not None else TIMES_IN_FORCE[order["t"]["limit"]["tif"]]
            buys, reduces = bool(order["b"]), bool(order["r"])
        except (KeyError, IndexError, TypeError, ValueError, DecimalException) as error:
            raise UnknownRequest("Failed to deserialize the JSON body into the target type") from error
        if not (price.is_finite() and size.is_finite()):
            raise UnknownRequest("Failed to deserialize the JSON body into the target type")
        _check_grid(rules, price if trigger is None else trigger)
        if size * price < LEAST_NOTIONAL and not reduces and size > 0:
            raise Refused(Refusal.NOTIONAL, rules.symbol)
        # The book only has whole ticks, so a finer limit is as good as the next tick on its passive side.
        price = (price / rules.tick).to_integral_value(ROUND_FLOOR if buys else ROUND_CEILING) * rules.tick
        client_id = str(order.get("c") or "")
        side: Side = "BUY" if buys else "SELL"
        if trigger is not None:
            return Request(rules.symbol, side, size, reduce_only=reduces, client_id=client_id, trigger=trigger)
        return Request(rules.symbol, side, size, price, in_force, reduces, client_id)

    def _cancel(self, action: JsonObject) -> JsonObject:
        wallet, statuses = self.matching.exchange.config.wallet, []
        for one in action["cancels"]:
            number = None if "cloid" in one else int(one["o"])
            done = self.matching.cancel(wallet, number, str(one.get("cloid", "")))
            asset = one.get("asset", one.get("a"))
            statuses.append("success" if done else {"error": f"{MISSING_ORDER} asset={asset}"})
        return {"status": "ok", "response": {"type": "cancel", "data": {"statuses": statuses}}}

    def _schedule_cancel(self, action: JsonObject) -> JsonObject:
        """Cancel all orders, stops included, at a time; without one, never."""
        exchange, time = self.matching.exchange, action.get("time")
        account, required = self.matching.account(exchange.config.wallet), exchange.config.schedule_cancel_volume
        traded = float(sum(fill.price * fill.quantity for fill in account.fills))
        if traded < required:
            found = f"Required: ${required:.0f}. Traded: ${traded:.2f}."
            return _error(f"Cannot set scheduled cancel time until enough volume traded. {found}")
        if time is not None and int(time) < exchange.clock.shown() + LEAST_COUNTDOWN_MS:
            return _error("Scheduled cancel time too early, must be at least 5 seconds from now.")
        arm(account, EVERYTHING, None if time is None else int(time) - exchange.clock.skew)
        return DEFAULT

    def _leverage(self, action: JsonObject) -> JsonObject:
        exchange = self.matching.exchange
        try:
            symbol = universe(exchange)[int(action["asset"])].instrument.symbol
            self.matching.set_leverage(exchange.config.wallet, symbol, int(action["leverage"]))
        except Refused as error:
            return _error(TEXTS[error.reason])
        return DEFAULT


def _signed(action: JsonObject, nonce: int, vault: str | None, expires: int | None) -> bytes:
    """Return the digest that the signature of an action must fit."""
    if action["type"] == "approveBuilderFee":
        return user_digest("ApproveBuilderFee", BUILDER_FEE, action)
    return action_digest(action, nonce, vault, expires)


def _check_grid(rules: Instrument, price: Decimal) -> None:
    """Refuse prices of more than five significant figures or too many decimals; whole numbers always pass."""
    if price <= 0:
        raise Refused(Refusal.PRICE_GRID, rules.symbol)
    _, digits, exponent = price.normalize().as_tuple()
    decimals = max(-int(exponent), 0)
    if decimals and (len(digits) > FIGURES or decimals > MOST_DECIMALS - rules.lot_decimals):
        raise Refused(Refusal.PRICE_GRID, rules.symbol)


def _trigger(kind: JsonObject) -> Decimal | None:
    """Return the trigger of a stop that becomes a market order; None for a limit order."""
    if "trigger" not in kind:
        return None
    if kind["trigger"]["isMarket"] is not True or kind["trigger"]["tpsl"] != "sl":
        raise ValueError("market stops are offered, no other trigger orders")
    return Decimal(str(kind["trigger"]["triggerPx"]))


def _outcome(order: Order) -> JsonObject:
    named = {"cloid": order.request.client_id} if order.request.client_id else {}
    if order.open:
        return {"resting": {"oid": order.number, **named}}
    filled = {"totalSz": f"{order.executed:f}", "avgPx": f"{order.average:.8f}", "oid": order.number}
    return {"filled": {**filled, **named}}


def _error(text: str) -> JsonObject:
    return {"status": "err", "response": text}
