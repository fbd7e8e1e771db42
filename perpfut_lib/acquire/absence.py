"""Whether anybody is there: what a failed request says of its address, before a first answer has ever come."""

import socket
from typing import Final

FIRST_TRIES: Final = 3
"""Tries of a first contact with an address where nobody is: enough for a blip, over within seconds."""


def absence(error: BaseException) -> str | None:
    """Return why nobody is at an address, in words: its name does not resolve, or it refuses connections.

    Parameters
    ----------
    error : BaseException
        What a request ended with; the cause lies below what ccxt, requests and urllib3 made of it.

    Returns
    -------
    str or None
        None where the request failed for another reason: then somebody may well be there.
    """
    below: BaseException | None = error
    while below is not None:
        if isinstance(below, socket.gaierror):
            return f"the name does not resolve ({below.strerror})"
        if isinstance(below, ConnectionRefusedError):
            return "the connection is refused"
        below = below.__cause__ or below.__context__
    return None
