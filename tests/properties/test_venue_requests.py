"""Whatever a client sends, the exchange answers or refuses in its own words; it never breaks."""

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perpfut_lib.config import SimulationConfig
from perpfut_lib.venue.binance_account import endpoints
from perpfut_lib.venue.binance_market import ENDPOINTS
from perpfut_lib.venue.binance_orders import new_order
from perpfut_lib.venue.errors import WireError
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.hyperliquid_account import ANSWERS as ACCOUNT
from perpfut_lib.venue.hyperliquid_market import ANSWERS as MARKET
from perpfut_lib.venue.hyperliquid_market import UnknownRequest
from perpfut_lib.venue.hyperliquid_rest import info
from perpfut_lib.venue.matching import Matching
from perpfut_lib.venue.parameters import Parameters
from perpfut_lib.venue.settings import DEFAULT_WALLET, VenueConfig

NAMES = ("symbol", "interval", "limit", "startTime", "endTime", "side", "type", "quantity", "price", "timeInForce")
MORE = ("reduceOnly", "orderId", "origClientOrderId", "leverage", "incomeType", "fromId", "newClientOrderId")
LIKELY = ("SIM01USDT", "NOPE", "1m", "1h", "7m", "BUY", "SELL", "LIMIT", "MARKET", "GTC", "IOC", "FOK", "GTX")
TEXTS = st.one_of(st.sampled_from(LIKELY), st.integers(-5, 2**70).map(str), st.floats().map(str), st.text(max_size=8))
SLOW = settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**40), 2**70), st.floats(allow_nan=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def matching() -> Matching:
    return Matching(Exchange.open(VenueConfig(simulation=SimulationConfig(days=5, symbols=2, planted_pairs=1))))


@SLOW
@given(st.integers(0, 200), st.dictionaries(st.sampled_from(NAMES + MORE), TEXTS, max_size=8))
def test_binance_answers_or_refuses(matching: Matching, number: int, fields: dict[str, str]) -> None:
    """Every endpoint returns JSON or raises a refusal with a negative code, whatever the fields hold."""
    everything = [*ENDPOINTS, *endpoints(matching)]
    endpoint = everything[number % len(everything)]
    parameters = Parameters({"symbol": "SIM01USDT", **fields})
    try:
        assert endpoint.weigh(parameters) >= 1
        answer = endpoint.answer(matching.exchange, parameters)
    except WireError as error:
        assert error.code < 0
        assert error.status >= 400
    else:
        assert isinstance(answer, bytes) or orjson.dumps(answer)


@SLOW
@given(TEXTS, TEXTS, st.sampled_from(("BUY", "SELL")), st.sampled_from(("LIMIT", "MARKET")), st.booleans())
def test_orders_of_any_size_and_price_are_booked_or_refused(
    matching: Matching, quantity: str, price: str, side: str, kind: str, reduces: bool
) -> None:
    """An order that is whole but for its numbers never breaks the engine, and the ledger stays exact."""
    order = {"symbol": "SIM01USDT", "side": side, "type": kind, "timeInForce": "GTC", "reduceOnly": str(reduces)}
    try:
        new_order(matching, Parameters({**order, "quantity": quantity, "price": price}))
    except WireError as error:
        assert error.code < 0
    account = matching.account("binance")
    assert account.wallet == 100_000 + sum(row.amount for row in account.income)


@SLOW
@given(
    st.sampled_from([*MARKET, *ACCOUNT, "weather"]),
    st.dictionaries(st.sampled_from(["coin", "startTime", "endTime", "oid", "dex", "req"]), VALUES, max_size=4),
)
def test_hyperliquid_answers_or_refuses(matching: Matching, kind: str, fields: dict[str, Any]) -> None:
    """Every request returns JSON or raises the refusal that becomes HTTP status 422."""
    try:
        answer = info(matching, {"type": kind, "user": DEFAULT_WALLET, "coin": "SIM01", **fields})
    except UnknownRequest:
        return
    assert orjson.dumps(answer)
