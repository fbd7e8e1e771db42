"""The whole account as the exchange tells it, positions of other symbols and liquidation prices included.

Hummingbot's connectors keep the positions of their own symbols only, so the same endpoints are asked directly.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Protocol

from agent.executor.snapshots import Reading

Row = Mapping[str, Any]


class Connector(Protocol):
    """What is used of a connector."""

    hyperliquid_perpetual_address: str

    async def _api_get(self, *, path_url: str, is_auth_required: bool) -> Any: ...

    async def _api_post(self, *, path_url: str, data: Mapping[str, Any]) -> Any: ...


async def read_account(connector: Connector, name: str) -> Reading:
    """Ask the exchange for positions and equity.

    Parameters
    ----------
    connector : Connector
        Hummingbot's.
    name : str
        ``binance_perpetual`` or ``hyperliquid_perpetual``, or the test network of one.
    """
    asked = int(time.time() * 1000)
    if name.startswith("binance"):
        rows = await connector._api_get(path_url="v2/positionRisk", is_auth_required=True)
        account = await connector._api_get(path_url="v2/account", is_auth_required=True)
        return replace(binance_reading(rows, account), at=asked)
    question = {"type": "clearinghouseState", "user": connector.hyperliquid_perpetual_address}
    return replace(hyperliquid_reading(await connector._api_post(path_url="/info", data=question)), at=asked)


def binance_reading(rows: Sequence[Row], account: Row) -> Reading:
    """Return what ``/fapi/v2/positionRisk`` and ``/fapi/v2/account`` say.

    Raises
    ------
    ValueError
        The account is in hedge mode, in which one symbol has two positions.
    """
    held = [row for row in rows if Decimal(row["positionAmt"])]
    hedged = sorted({row["symbol"] for row in held if row.get("positionSide", "BOTH") != "BOTH"})
    if hedged:
        raise ValueError(f"the account is in hedge mode ({', '.join(hedged)}); set it to one-way mode")
    return Reading(
        {row["symbol"]: Decimal(row["positionAmt"]) for row in held},
        float(account["totalMarginBalance"]),
        _prices((row["symbol"], row.get("liquidationPrice")) for row in held),
        _prices((row["symbol"], row.get("markPrice")) for row in held),
    )


def hyperliquid_reading(state: Row) -> Reading:
    """Return what ``clearinghouseState`` says; symbols are named as the agent names them."""
    rows = {symbol_of(row["position"]["coin"]): row["position"] for row in state["assetPositions"]}
    held = {symbol: row for symbol, row in rows.items() if Decimal(row["szi"])}
    marks = {symbol: float(row["positionValue"]) / abs(float(row["szi"])) for symbol, row in held.items()}
    return Reading(
        {symbol: Decimal(row["szi"]) for symbol, row in held.items()},
        float(state["marginSummary"]["accountValue"]),
        _prices((symbol, row.get("liquidationPx")) for symbol, row in held.items()),
        marks,
    )


def symbol_of(coin: str) -> str:
    """Return the agent's name of a coin: ``kPEPE`` is ``1000PEPEUSDT``."""
    thousand = coin.startswith("k") and coin[1:].isupper()
    return f"1000{coin[1:]}USDT" if thousand else f"{coin}USDT"


def _prices(pairs: Any) -> dict[str, float]:
    """Return prices that are there and positive: an exchange writes zero or null where it names none."""
    return {symbol: float(text) for symbol, text in pairs if text is not None and float(text) > 0}
