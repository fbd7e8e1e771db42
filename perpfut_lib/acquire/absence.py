"""Whether anybody is there: what a failed request says of its address, before a first answer has ever come."""

import socket
import threading
from typing import Final

FIRST_TRIES: Final = 3
"""Tries of a first contact with an address where nobody is: enough for a blip, over within seconds."""


def absence_so_far(answered: threading.Event, tries: int, error: BaseException) -> str | None:
    """Return :func:`absence`, but none once anybody has ``answered``, or while another try may find somebody."""
    return None if answered.is_set() or tries < FIRST_TRIES else absence(error)


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
