"""Refusals in the words of the real exchange."""


class WireError(Exception):
    """A refusal that goes to the client as an HTTP status and Binance's ``{"code", "msg"}`` body.

    Parameters
    ----------
    status : int
        HTTP status.
    code : int
        Binance's error code, negative.
    message : str
        Binance's text for it.
    retry_after : int, optional
        Seconds to wait, for the header of that name.
    """

    def __init__(self, status: int, code: int, message: str, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


def bad_request(code: int, message: str) -> WireError:
    """Return a refusal with HTTP status 400."""
    return WireError(400, code, message)
