"""Parameters of a Binance request, read with the exchange's own refusals."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation

from perpfut_lib.venue.errors import WireError, bad_request

MOST_DIGITS = 16  # of a number that may still be a time in milliseconds


class Parameters(Mapping[str, str]):
    """The query and form fields of one request, as text."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    def __getitem__(self, name: str) -> str:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def text(self, name: str) -> str:
        """Return a mandatory field; error -1102 if it is missing or empty."""
        value = self._fields.get(name, "")
        if not value:
            raise missing(name)
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        """Return a whole number, or ``default``; error -1100 if it is something else."""
        value = self._fields.get(name, "")
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and len(value) < MOST_DIGITS):
            raise bad_request(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            )
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """Return the field ``limit`` within 1 and ``most``; error -1130 outside."""
        value = self.integer("limit", default)
        if value is None or not 1 <= value <= most:
            raise bad_request(-1130, "Data sent for parameter 'limit' is not valid.")
        return value

    def decimal(self, name: str) -> Decimal:
        """Return a mandatory decimal; error -1102 if it is missing or malformed."""
        try:
            value = Decimal(self.text(name))
        except InvalidOperation:
            raise missing(name) from None
        if not value.is_finite():
            raise missing(name)
        return value

    def flag(self, name: str) -> bool:
        """Return whether a field says true."""
        return self._fields.get(name, "").lower() == "true"

    def span(self) -> tuple[int | None, int | None]:
        """Return ``startTime`` and ``endTime``; error -1023 if the first lies after the second."""
        start, end = self.integer("startTime"), self.integer("endTime")
        if start is not None and end is not None and start > end:
            raise bad_request(-1023, "Start time is greater than end time.")
        return start, end


def missing(name: str) -> WireError:
    """Return the refusal of a request that lacks a field."""
    return bad_request(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
