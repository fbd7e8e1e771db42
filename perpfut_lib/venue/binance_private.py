"""The private websocket of Binance USD-M futures: orders, trades, balances and positions as they change."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from perpfut_lib.types import Json
from perpfut_lib.venue.accounts import ZERO, Event, Fill, Income, Order
from perpfut_lib.venue.binance_orders import ACCOUNT, client_id, text
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.streams import Message, Subscriber


@dataclass
class PrivateSubscriber(Subscriber):
    """A client of ``/private/ws`` with a listen key."""

    matching: Matching
    waiting: deque[Message] = field(default_factory=deque)

    def __post_init__(self) -> None:
        now = self.matching.exchange.clock.shown()
        # Clients that wait for a first frame before they call the stream ready get a harmless one.
        self.waiting.append({"e": "ACCOUNT_CONFIG_UPDATE", "E": now, "T": now, "ai": {"j": False}})
        self.matching.listeners.append(self.hear)

    def hear(self, event: Event) -> None:
        """Take note of something that has happened to the account."""
        if event.account != ACCOUNT:
            return
        if isinstance(event.what, Order):
            self.waiting.append(self._order(event.what, None, event.time))
        elif isinstance(event.what, Fill):
            self.waiting.append(self._order(event.what.order, event.what, event.time))
            self.waiting.append(self._account("ORDER", event.what.order.request.symbol, event.time))
        elif isinstance(event.what, Income):
            self.waiting.append(self._account("FUNDING_FEE", event.what.symbol, event.time))

    def answer(self, request: Json) -> Iterable[Message]:
        """Return Binance's acknowledgement; there is nothing to subscribe to here."""
        number = request.get("id") if isinstance(request, dict) else None
        return [{"result": None, "id": number}]

    def due(self) -> Iterator[Message]:
        """Yield what has happened since the last call."""
        self.matching.account(ACCOUNT)  # brings funding and resting orders up to date
        while self.waiting:
            yield self.waiting.popleft()

    def close(self) -> None:
        """Stop listening."""
        self.matching.listeners.remove(self.hear)

    def _order(self, order: Order, fill: Fill | None, time: int) -> Message:
        request = order.request
        kind = "MARKET" if request.price is None else "LIMIT"
        what = {"CANCELED": "CANCELED", "EXPIRED": "EXPIRED"}.get(order.status, "NEW")
        body = {
            "s": request.symbol,
            "c": client_id(order),
            "S": request.side,
            "o": kind,
            "f": request.time_in_force,
            "q": f"{request.quantity:f}",
            "p": f"{request.price or 0:f}",
            "ap": f"{order.average:.8f}",
            "sp": "0",
            "x": "TRADE" if fill else what,
            "X": order.status,
            "i": order.number,
            "l": f"{fill.quantity:f}" if fill else "0",
            "z": f"{order.executed:f}",
            "L": f"{fill.price:f}" if fill else "0",
            "N": "USDT",
            "n": f"{fill.fee:f}" if fill else "0",
            "T": time,
            "t": fill.number if fill else 0,
            "b": "0",
            "a": "0",
            "m": fill.maker if fill else False,
            "R": request.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": kind,
            "ps": "BOTH",
            "cp": False,
            "rp": f"{fill.profit:f}" if fill else "0",
            "pP": False,
            "si": 0,
            "ss": 0,
        }
        return {"e": "ORDER_TRADE_UPDATE", "E": self.matching.exchange.clock.shown(), "T": time, "o": body}

    def _account(self, reason: str, symbol: str, time: int) -> Message:
        account = self.matching.accounts[ACCOUNT]
        held, wallet = account.position(symbol), text(account.wallet)
        position = {
            "s": symbol,
            "pa": f"{held.quantity:f}",
            "ep": f"{held.entry:f}",
            "bep": f"{held.entry:f}",
            "cr": text(sum((row.amount for row in account.income if row.kind == "REALIZED_PNL"), ZERO)),
            "up": text(held.profit(self.matching.mark(symbol))),
            "mt": "cross",
            "iw": "0",
            "ps": "BOTH",
        }
        body = {"m": reason, "B": [{"a": "USDT", "wb": wallet, "cw": wallet, "bc": "0"}], "P": [position]}
        return {"e": "ACCOUNT_UPDATE", "E": self.matching.exchange.clock.shown(), "T": time, "a": body}
