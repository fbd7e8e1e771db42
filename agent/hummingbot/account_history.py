"""What the exchange lists of our trades and funding payments: nobody may have been there to hear of them.

Hummingbot follows the orders of its own life only, so the same endpoints are asked directly.
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final

from agent.executor.trades import History, ListedTrade, Payment, Trade
from agent.hummingbot.account_reading import symbol_of
from perpfut_lib.types import DAY_MS

BINANCE_SPAN_MS: Final = 7 * DAY_MS
"""Binance answers for so long from the start that it is given."""
BINANCE_ROWS: Final = 1_000
HYPERLIQUID_ROWS: Final = 500
"""Funding payments in one answer; of trades there are up to 2,000."""
STABLE: Final = ("USDT", "USDC", "USD")
"""Names of the quote asset."""

Row = Mapping[str, Any]
Rows = dict[str, list[ListedTrade | Payment]]


class AccountHistory:
    """Reads the lists of one account.

    Parameters
    ----------
    connector : Connector
        Hummingbot's; requests go through its own client, signature and rate limits.
    name : str
        ``binance_perpetual`` or ``hyperliquid_perpetual``, or the test network of one.
    quote : str
        What a fee in the quote asset is booked as.
    """

    def __init__(self, connector: Any, name: str, quote: str) -> None:
        self._connector, self._quote = connector, quote
        self._read = self._binance if name.startswith("binance") else self._hyperliquid
        self.orders: dict[str, str] = {}
        """Our ids of orders by the exchange's numbers."""

    async def read(self, lists: Mapping[str, int], now: int) -> dict[str, History]:
        """Return what is listed of these symbols since these times, ms UTC, up to ``now``."""
        if not lists:
            return {}
        found = await self._read(lists, now)
        rows = {
            symbol: sorted((row for row in found.get(symbol, ()) if row.time >= since), key=lambda row: row.time)
            for symbol, since in lists.items()
        }
        return {symbol: History(since, tuple(rows[symbol])) for symbol, since in lists.items()}

    def paid(self, asset: str, fee: Decimal) -> dict[str, Decimal]:
        """Return a fee by asset."""
        return {self._quote if asset in STABLE else asset: fee}

    async def _binance(self, lists: Mapping[str, int], now: int) -> Rows:
        found: Rows = {symbol: [] for symbol in lists}
        for symbol, since in lists.items():
            for row in await _spans(partial(self._trades_from, symbol), since, now):
                size = Decimal(row["qty"]) if row["side"] == "BUY" else -Decimal(row["qty"])
                fees = self.paid(row["commissionAsset"], Decimal(row["commission"]))
                trade = Trade(size, Decimal(row["price"]), fees, str(row["id"]))
                order_id = await self._order_id(str(row["orderId"]), symbol)
                found[symbol].append(ListedTrade(trade, order_id, int(row["time"])))
        for row in await _spans(self._funding_from, min(lists.values()), now):
            if row["symbol"] in found:
                found[row["symbol"]].append(Payment(Decimal(row["income"]), int(row["time"])))
        return found

    async def _trades_from(self, symbol: str, start: int) -> list[Row]:
        params = {"symbol": symbol, "startTime": start, "limit": BINANCE_ROWS}
        rows: list[Row] = await self._connector._api_get(path_url="v1/userTrades", params=params, is_auth_required=True)
        return rows

    async def _funding_from(self, start: int) -> list[Row]:
        params = {"incomeType": "FUNDING_FEE", "startTime": start, "limit": BINANCE_ROWS}
        rows: list[Row] = await self._connector._api_get(path_url="v1/income", params=params, is_auth_required=True)
        return rows

    async def _order_id(self, number: str, symbol: str) -> str:
        """Return our id of an order by the exchange's number; of one that it has forgotten there is none."""
        if number not in self.orders:
            params = {"symbol": symbol, "orderId": number}
            try:
                order = await self._connector._api_get(
                    path_url="v1/order", params=params, is_auth_required=True, limit_id="GETv1/order"
                )
            except OSError as error:
                if "does not exist" not in str(error):
                    raise
                order = {"clientOrderId": ""}
            self.orders[number] = str(order["clientOrderId"])
        return self.orders[number]

    async def _hyperliquid(self, lists: Mapping[str, int], now: int) -> Rows:
        found: Rows = {symbol: [] for symbol in lists}
        since = min(lists.values())
        for row in await _pages(lambda start: self._ask("userFillsByTime", startTime=start), since, HYPERLIQUID_ROWS):
            symbol = symbol_of(row["coin"])
            if symbol in found:
                size = Decimal(row["sz"]) if row["side"] == "B" else -Decimal(row["sz"])
                fees = self.paid(row["feeToken"], Decimal(row["fee"]))
                trade = Trade(size, Decimal(row["px"]), fees, str(row["tid"]))
                found[symbol].append(ListedTrade(trade, await self._cloid(row["oid"]), int(row["time"])))
        for row in await _pages(lambda start: self._ask("userFunding", startTime=start), since, HYPERLIQUID_ROWS):
            symbol = symbol_of(row["delta"]["coin"])
            if symbol in found:
                found[symbol].append(Payment(Decimal(row["delta"]["usdc"]), int(row["time"])))
        return found

    async def _cloid(self, number: int) -> str:
        """Return our id of an order by the exchange's number; empty where it has none."""
        if str(number) not in self.orders:
            answer = await self._ask("orderStatus", oid=number)
            order = answer["order"]["order"] if answer["status"] == "order" else {}
            self.orders[str(number)] = str(order.get("cloid") or "")
        return self.orders[str(number)]

    async def _ask(self, kind: str, **more: int) -> Any:
        question = {"type": kind, "user": self._connector.hyperliquid_perpetual_address, **more}
        return await self._connector._api_post(path_url="/info", data=question)


async def _spans(ask: Callable[[int], Awaitable[list[Row]]], since: int, now: int) -> list[Row]:
    """Return all rows from ``since`` to ``now`` of a list that answers for some days at a time."""
    rows = list[Row]()
    for start in range(since, now + 1, BINANCE_SPAN_MS):
        rows += await _pages(ask, start, BINANCE_ROWS)
    return rows


async def _pages(ask: Callable[[int], Awaitable[list[Row]]], since: int, most: int) -> list[Row]:
    """Return all rows from ``since`` on of a list that gives the oldest ``most`` in one answer."""
    rows = page = await ask(since)
    while len(page) >= most:
        since = max(since + 1, int(page[-1]["time"]))
        page = await ask(since)
        rows = rows + page
    return rows
