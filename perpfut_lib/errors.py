"""Named errors: one class per cause, each message says what was found, what was expected and what to do."""


class PerpfutError(Exception):
    """Base of every error that this project raises on purpose.

    Parameters
    ----------
    found : str
        What was found, with names and numbers.
    expected : str
        What was expected instead.
    remedy : str
        What the reader can do about it.
    """

    def __init__(self, found: str, expected: str, remedy: str) -> None:
        super().__init__(f"found {found}; expected {expected}; {remedy}")
        self.found = found
        self.expected = expected
        self.remedy = remedy

    def __reduce__(self) -> tuple[type["PerpfutError"], tuple[str, str, str], dict[str, object]]:
        """Let an error pass between processes: by default it would be made again from its message alone."""
        return type(self), (self.found, self.expected, self.remedy), self.__dict__


class ConfigError(PerpfutError):
    """A profile, an override or a setting is unknown or out of range."""


class MissingInputError(PerpfutError):
    """A file, a folder or an upstream artifact is not there."""


class SchemaError(PerpfutError):
    """A table lacks a column, or a column has the wrong type."""


class PriceError(PerpfutError):
    """A price is NaN, infinite, zero or negative, or open/high/low/close contradict each other."""


class DuplicateBarError(PerpfutError):
    """The same symbol and time stamp occur more than once."""


class GapError(PerpfutError):
    """A symbol lacks bars between its first and its last one."""


class TimestampError(PerpfutError):
    """A time stamp does not lie on the grid of its timeframe, or the timeframe cannot be told."""


class FundingError(PerpfutError):
    """Funding rates are missing, not finite, or do not cover the candles."""


class SuspectDataError(PerpfutError):
    """Candles or rates are well formed but cannot be true: another unit, a flipped sign, a shifted clock."""


class SplitError(PerpfutError):
    """The train, validation and test spans do not fit into the data."""


class UniverseError(PerpfutError):
    """Too few symbols are eligible."""


class DegenerateSeriesError(PerpfutError):
    """A series is constant, holds NaN, or is too short for the test or filter asked of it."""


class IndexMismatchError(PerpfutError):
    """Two pandas series carry different indices, so that comparing them by position would be wrong."""


class NoPairsError(PerpfutError):
    """No pair passed the cointegration screen in a span that needs at least one."""


class ExchangeError(PerpfutError):
    """An exchange refuses, does not answer, or keeps answering what cannot be true."""


class ArtifactError(PerpfutError):
    """An artifact is incomplete, corrupt, or of another version than expected."""


class PolicyError(PerpfutError):
    """A policy does not fit the observation that it is asked to act on."""


class ChapterError(PerpfutError):
    """A chapter of the book failed, or was not executed."""


class WorkerLostError(PerpfutError):
    """A task was begun several times, and every time the process that worked on it died."""
