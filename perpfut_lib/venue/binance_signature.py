"""Who may call: API key, HMAC signature and time stamp of a Binance request."""

import hashlib
import hmac
import re
import time
from typing import Final

from perpfut_lib.venue.endpoint import Endpoint
from perpfut_lib.venue.errors import WireError, bad_request
from perpfut_lib.venue.exchange import Exchange
from perpfut_lib.venue.parameters import Parameters

KEY_HEADER: Final = "X-MBX-APIKEY"
AHEAD: Final = 1000  # ms that a client's clock may run ahead
LOOSE: Final = 60_000  # the same where the exchange's clock is not the world's
_SIGNATURE = re.compile(r"&?signature=[^&]*")


def authorise(exchange: Exchange, endpoint: Endpoint, key: str | None, payload: str, parameters: Parameters) -> None:
    """Let a request pass or refuse it.

    Parameters
    ----------
    exchange : Exchange
        Knows the key and its secret.
    endpoint : Endpoint
        Says what is asked for.
    key : str or None
        The API key header.
    payload : str
        Raw query string and body, one after the other, as they were sent.
    parameters : Parameters
        The same, parsed.

    Raises
    ------
    WireError
        -2014 without a key, -2015 with a wrong one, -1022 with a wrong signature, -1021 with a stale time stamp.
    """
    if endpoint.security == "none":
        return
    if not key:
        raise WireError(401, -2014, "API-key format invalid.")
    if key != exchange.config.api_key:
        raise WireError(401, -2015, "Invalid API-key, IP, or permissions for action.")
    if endpoint.security == "key":
        return
    signature = parameters.text("signature")
    if not hmac.compare_digest(signature.encode(), sign(exchange.config.api_secret, payload).encode()):
        raise bad_request(-1022, "Signature for this request is not valid.")
    _check_time(exchange, parameters)


def sign(secret: str, payload: str) -> str:
    """Return the HMAC-SHA256 (hex) of a payload without its signature."""
    return hmac.new(secret.encode(), _SIGNATURE.sub("", payload).encode(), hashlib.sha256).hexdigest()


def _check_time(exchange: Exchange, parameters: Parameters) -> None:
    """Refuse stamps outside the window; away from real time the client's wall clock is as good as the exchange's."""
    parameters.text("timestamp")
    stamp = parameters.integer("timestamp") or 0
    window = parameters.integer("recvWindow", 5000) or 5000
    real = exchange.clock.mode == "real"
    clocks = [exchange.clock.shown()] if real else [exchange.clock.shown(), int(time.time() * 1000)]
    ahead = AHEAD if real or exchange.clock.skew else LOOSE
    if exchange.clock.skew and not real:
        clocks = [clock + exchange.clock.skew for clock in clocks[1:]]
    if all(stamp > clock + ahead for clock in clocks):
        raise bad_request(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if not any(clock - window <= stamp <= clock + ahead for clock in clocks):
        raise bad_request(-1021, "Timestamp for this request is outside of the recvWindow.")
