"""What Hummingbot's connectors do not offer: stops that rest, dead man's switches, and the account's own settings.

Requests go through the connector's own client, signature and rate limits.
"""

import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, Protocol

from agent.executor.rules import TradingRule
from agent.executor.state import Order
from agent.executor.stops import PREFIX, Stop
from agent.hummingbot.account_reading import symbol_of
from perpfut_lib.errors import ConfigError, ExchangeError

ONE_WAY: Final = "one-way mode: one position per symbol"
LIMIT_ROOM: Final = Decimal("0.1")
"""How far beyond its trigger Hyperliquid may fill a stop, as a share of it: no order there is without a price."""


class Venue(Protocol):
    """One exchange as the executor needs it beside Hummingbot's orders."""

    switch_spares_stops: bool
    """Whether the dead man's switch leaves stops alone."""

    async def stops(self) -> dict[str, Stop]:
        """Return our stops that rest, by id."""
        ...

    async def orders(self, symbols: Sequence[str]) -> dict[str, Order]:
        """Return the orders that rest in these symbols, stops apart, by their customer's id."""
        ...

    async def place(self, stop: Stop, rule: TradingRule) -> None:
        """Let a stop rest."""
        ...

    async def cancel(self, symbol: str, client_id: str, *, stop: bool) -> None:
        """Cancel a stop or an order by our id; one that rests no more is no error."""
        ...

    async def countdown(self, countdowns: Mapping[str, int]) -> None:
        """Renew the dead man's switch of each symbol, ms; zero disarms it."""
        ...

    async def check(self, leverage: int, symbols: Sequence[str]) -> None:
        """Look at position mode and leverage.

        Raises
        ------
        ConfigError
            They are not as they should be.
        """
        ...


def venue_of(connector: Any, name: str) -> Venue:
    """Return the exchange behind a connector of Hummingbot."""
    return Binance(connector) if name.startswith("binance") else Hyperliquid(connector)


class Binance:
    """``binance_perpetual``: conditional orders have endpoints of their own, which its switch does not touch."""

    switch_spares_stops = True

    def __init__(self, connector: Any) -> None:
        self._connector = connector

    async def stops(self) -> dict[str, Stop]:
        """Return our stops that rest, by id."""
        rows = await self._connector._api_get(
            path_url="v1/openAlgoOrders", is_auth_required=True, limit_id="GETv1/order"
        )
        return {one.stop_id: one for one in map(_binance_stop, rows) if one.stop_id.startswith(PREFIX)}

    async def orders(self, symbols: Sequence[str]) -> dict[str, Order]:
        """Return the orders that rest in these symbols, stops apart, by their customer's id."""
        found: dict[str, Order] = {}
        for symbol in symbols:  # one by one they weigh a fortieth of all at once
            rows = await self._connector._api_get(
                path_url="v1/openOrders", params={"symbol": symbol}, is_auth_required=True, limit_id="GETv1/order"
            )
            found |= {row["clientOrderId"]: _binance_order(row) for row in rows}
        return found

    async def place(self, stop: Stop, rule: TradingRule) -> None:
        """Let a stop rest."""
        body = {
            "algoType": "CONDITIONAL",
            "symbol": stop.symbol,
            "side": "BUY" if stop.quantity > 0 else "SELL",
            "type": "STOP_MARKET",
            "quantity": f"{abs(stop.quantity):f}",
            "triggerPrice": f"{stop.trigger:f}",
            "workingType": "CONTRACT_PRICE",
            "reduceOnly": "true",
            "clientAlgoId": stop.stop_id,
        }
        await self._connector._api_post(
            path_url="v1/algoOrder", data=body, is_auth_required=True, limit_id="POSTv1/order"
        )

    async def cancel(self, symbol: str, client_id: str, *, stop: bool) -> None:
        """Cancel a stop or an order by our id; one that rests no more is no error."""
        path, params = "v1/order", {"symbol": symbol, "origClientOrderId": client_id}
        if stop:
            path, params = "v1/algoOrder", {"clientAlgoId": client_id}
        try:
            await self._connector._api_delete(
                path_url=path, params=params, is_auth_required=True, limit_id="DELETEv1/order"
            )
        except OSError as error:
            if "Unknown order" not in str(error):
                raise

    async def countdown(self, countdowns: Mapping[str, int]) -> None:
        """Renew the dead man's switch of each symbol, ms; zero disarms it."""
        for symbol, milliseconds in countdowns.items():
            body = {"symbol": symbol, "countdownTime": milliseconds}
            await self._connector._api_post(
                path_url="v1/countdownCancelAll", data=body, is_auth_required=True, limit_id="DELETEv1/order"
            )

    async def check(self, leverage: int, symbols: Sequence[str]) -> None:
        """Look at position mode and leverage."""
        mode = await self._connector._api_get(
            path_url="v1/positionSide/dual", is_auth_required=True, limit_id="GETv1/positionSide/dual"
        )
        if str(mode["dualSidePosition"]).lower() == "true":
            raise ConfigError("an account in hedge mode", ONE_WAY, "set it in the exchange's preferences, when flat")
        rows = await self._connector._api_get(path_url="v2/positionRisk", is_auth_required=True)
        found = {row["symbol"]: int(row["leverage"]) for row in rows if row["symbol"] in symbols}
        _check_leverage(found, leverage, symbols)


class Hyperliquid:
    """``hyperliquid_perpetual``: one switch for everything, stops included, for accounts with enough volume."""

    switch_spares_stops = False

    def __init__(self, connector: Any) -> None:
        self._connector, self._nonce = connector, 0

    async def stops(self) -> dict[str, Stop]:
        """Return our stops that rest, by id."""
        rows = await self._ask("frontendOpenOrders")
        ours = [row for row in rows if row["isTrigger"] and str(row.get("cloid") or "").startswith(PREFIX)]
        return {row["cloid"]: _hyperliquid_stop(row) for row in ours}

    async def orders(self, symbols: Sequence[str]) -> dict[str, Order]:
        """Return the orders that rest in these symbols, stops apart, by their customer's id."""
        rows = await self._ask("frontendOpenOrders")
        found = {str(row.get("cloid") or row["oid"]): _hyperliquid_order(row) for row in rows if not row["isTrigger"]}
        return {name: one for name, one in found.items() if one.symbol in symbols}

    async def place(self, stop: Stop, rule: TradingRule) -> None:
        """Let a stop rest."""
        buys = stop.quantity > 0
        worst = rule.on_tick(stop.trigger * (1 + LIMIT_ROOM if buys else 1 - LIMIT_ROOM))
        order = {
            "a": self._asset(stop.symbol),
            "b": buys,
            "p": _text(worst),
            "s": _text(abs(stop.quantity)),
            "r": True,
            "t": {"trigger": {"isMarket": True, "triggerPx": _text(stop.trigger), "tpsl": "sl"}},
            "c": stop.stop_id,
        }
        await self._act({"type": "order", "orders": [order], "grouping": "na"})

    async def cancel(self, symbol: str, client_id: str, *, stop: bool) -> None:
        """Cancel a stop or an order by our id; one that rests no more is no error."""
        cancels = [{"asset": self._asset(symbol), "cloid": client_id}]
        try:
            await self._act({"type": "cancelByCloid", "cancels": cancels})
        except ExchangeError as error:
            if "never placed" not in error.found:
                raise

    async def countdown(self, countdowns: Mapping[str, int]) -> None:
        """Renew the dead man's switch of the account, ms; zero disarms it."""
        longest = max(countdowns.values(), default=0)
        action: dict[str, Any] = {"type": "scheduleCancel"}
        await self._act(action | ({"time": int(time.time() * 1000) + longest} if longest else {}))

    async def check(self, leverage: int, symbols: Sequence[str]) -> None:
        """Look at the leverage; there is one-way mode only."""
        found = {}
        for symbol in symbols:
            answer = await self._ask("activeAssetData", coin=self._coin(symbol))
            found[symbol] = int(answer["leverage"]["value"])
        _check_leverage(found, leverage, symbols)

    async def _ask(self, kind: str, **more: str) -> Any:
        question = {"type": kind, "user": self._connector.hyperliquid_perpetual_address, **more}
        return await self._connector._api_post(path_url="/info", data=question)

    async def _act(self, action: dict[str, Any]) -> None:
        """Sign and send an action; the connector's own signature knows three kinds only."""
        url = self._connector.web_utils.private_rest_url("/exchange", domain=self._connector.domain)
        self._nonce = max(
            self._nonce + 1, int(time.time() * 1000) - 1_000
        )  # apart from those of the connector's orders
        body = self._connector._auth._sign_update_leverage_params(action, url, self._nonce)
        answer = await self._connector._api_post(path_url="/exchange", data=body)
        statuses = answer["response"].get("data", {}).get("statuses", []) if answer["status"] == "ok" else []
        errors = [one["error"] for one in statuses if isinstance(one, dict) and "error" in one]
        if answer["status"] != "ok" or errors:
            found = errors or answer["response"]
            raise ExchangeError(f"{action['type']} refused: {found}", "an action that is taken", "it is tried again")

    def _coin(self, symbol: str) -> str:
        return next(coin for coin in self._connector.coin_to_asset if symbol_of(coin) == symbol)

    def _asset(self, symbol: str) -> int:
        return int(self._connector.coin_to_asset[self._coin(symbol)])


def _check_leverage(found: Mapping[str, int], leverage: int, symbols: Sequence[str]) -> None:
    wrong = {symbol: found.get(symbol) for symbol in symbols if found.get(symbol) != leverage}
    if wrong:
        raise ConfigError(f"leverage {wrong}", f"{leverage} on every symbol", "it is set again; look at the exchange")


def _binance_stop(row: Mapping[str, Any]) -> Stop:
    size = Decimal(row["quantity"])
    signed = size if row["side"] == "BUY" else -size
    return Stop(row["clientAlgoId"], row["symbol"], signed, Decimal(row["triggerPrice"]))


def _binance_order(row: Mapping[str, Any]) -> Order:
    size = Decimal(row["origQty"]) - Decimal(row["executedQty"])
    signed = size if row["side"] == "BUY" else -size
    return Order(row["symbol"], signed, str(row["reduceOnly"]).lower() == "true", Decimal(row["price"]))


def _hyperliquid_order(row: Mapping[str, Any]) -> Order:
    size = Decimal(row["sz"])
    signed = size if row["side"] == "B" else -size
    return Order(symbol_of(row["coin"]), signed, bool(row["reduceOnly"]), Decimal(row["limitPx"]))


def _hyperliquid_stop(row: Mapping[str, Any]) -> Stop:
    size = Decimal(row["sz"])
    signed = size if row["side"] == "B" else -size
    return Stop(row["cloid"], symbol_of(row["coin"]), signed, Decimal(row["triggerPx"]))


def _text(value: Decimal) -> str:
    """Return a number without zeros behind it: the signature is over the text."""
    return f"{value.normalize():f}"
