"""What agent, executor and operator tell each other: pairs, signals, performance, control.

Every document is frozen and strict: unknown keys, wrong types, NaN and infinities are refused, and what contradicts
itself cannot be built. Times are ``int`` milliseconds UTC.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

SCHEMA_VERSION: Final = 1

Time = Annotated[int, Field(ge=0, lt=2**53)]  # ms UTC
Count = Annotated[int, Field(ge=0, lt=2**53)]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9~_.:/+-]*$")]
Price = Annotated[float, Field(gt=0)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Reason(StrEnum):
    """Why a target is flat, held or reduced; one code per cause."""

    KILLED = "killed"
    PAUSED = "paused"
    CONTROL_UNREADABLE = "control_unreadable"
    GOVERNOR_PAUSED = "governor_paused"
    GOVERNOR_UNREADABLE = "governor_unreadable"
    DENIED = "denied"
    NOT_ALLOWED = "not_allowed"
    PAIRS_UNREADABLE = "pairs_unreadable"
    PAIRS_EXPIRED = "pairs_expired"
    DATA_MISSING = "data_missing"
    DATA_STALE = "data_stale"
    DATA_INVALID = "data_invalid"
    HELD = "held"
    POLICY_MISMATCH = "policy_mismatch"
    NOT_FINITE = "not_finite"
    PAIR_EXPOSURE = "pair_exposure"
    LEG_EXPOSURE = "leg_exposure"
    SYMBOL_EXPOSURE = "symbol_exposure"
    TOTAL_EXPOSURE = "total_exposure"
    EXPOSURE_CAPPED = "exposure_capped"
    LEVERAGE = "leverage"
    LIQUIDATION = "liquidation"
    DRAWDOWN = "drawdown"
    PERFORMANCE_STALE = "performance_stale"
    LOST_COINTEGRATION = "lost_cointegration"
    BEYOND_TRAINING = "beyond_training"
    FUNDING_SPIKE = "funding_spike"
    LEG_IMBALANCE = "leg_imbalance"
    MIN_NOTIONAL = "min_notional"
    CLOCK = "clock"
    TOO_LATE = "too_late"
    TICK_FAILED = "tick_failed"


class Part(BaseModel):
    """A piece of a document."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


class Provenance(Part):
    """Where a document came from."""

    config: Digest
    """SHA-256 of the settings."""
    code: str
    """Git commit, ``unknown`` where there is none."""
    inputs: dict[str, Digest]
    """SHA-256 of what it was made from, by name (policy card, active pairs, ...)."""


class Document(Part):
    """What all documents carry."""

    schema_version: Literal[1]
    """Version of this schema; another version is refused."""
    seq: Count
    """Rises with every new document of a kind; a reader refuses one that falls."""
    run_id: Name
    """The run of the agent (or executor) that wrote it."""
    created_at: Time
    """Wall clock of the writer, ms UTC."""
    seal: Digest | None = None
    """SHA-256 over the canonical JSON of all other fields, or HMAC-SHA256 under the key that both sides share."""


class ActivePair(Part):
    """One selected pair on its trading window, and the state that its features start from."""

    pair: Name
    """Name: both symbols, ``Y~X``."""
    y: Name
    """Symbol of the first leg."""
    x: Name
    """Symbol of the second leg."""
    rank: Count
    """Place in the selection, 0 first."""
    alpha: float
    """Intercept of the regression of log y on log x over the formation window."""
    beta: float
    """Hedge ratio: its slope."""
    correlation: Annotated[float, Field(ge=-1, le=1)]
    """Pearson correlation of log prices over the formation window."""
    stat: float
    """Engle-Granger statistic."""
    pvalue: Annotated[float, Field(ge=0, le=1)]
    """MacKinnon p-value at selection."""
    lag: Count
    """Lags of the residual regression."""
    half_life: Annotated[float, Field(gt=0)] | None
    """Half-life of the spread, bars; none where it does not revert."""
    spread_mean: float
    """Mean of the spread over the formation window, log price."""
    spread_std: Annotated[float, Field(gt=0)]
    """Standard deviation of the spread over the formation window, log price."""
    pvalue_now: Annotated[float, Field(ge=0, le=1)]
    """p-value of the residual on the latest full formation length, at ``ActivePairs.bar_close``."""
    filter_state: dict[str, JsonValue]
    """State of the feature recursion after the bar that closes at ``valid_from``."""

    @model_validator(mode="after")
    def _two_legs(self) -> Self:
        if self.y == self.x:
            raise ValueError(f"both legs are {self.y}")
        return self


class ActivePairs(Document):
    """What the slow tick selected (``active_pairs.json``)."""

    kind: Literal["active_pairs"]
    bar_close: Time
    """Close of the last bar seen."""
    valid_from: Time
    """Start of the trading window: the first decision is made here."""
    valid_until: Time
    """End of the trading window, exclusive: everything is flat here."""
    timeframe: Annotated[int, Field(gt=0)]
    """Length of a bar, ms."""
    slots: Annotated[int, Field(ge=1)]
    """The capital is divided by this number of pairs; unused slots stay in cash."""
    tested: Count
    """Pairs tested for cointegration."""
    reselect_seq: Count
    """Number of the governor's requests for a new selection that it answers."""
    pairs: tuple[ActivePair, ...]
    """The selection, best first; none is an answer."""
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _ordered(self.valid_from, self.valid_until, "valid_from", "valid_until")
        _unique([pair.pair for pair in self.pairs], "pairs")
        if len(self.pairs) > self.slots:
            raise ValueError(f"{len(self.pairs)} pairs do not fit into {self.slots} slots")
        return self


class Leg(Part):
    """Target position of one leg of one pair; never an order."""

    pair: Name
    """Pair that it belongs to."""
    symbol: Name
    """Symbol to hold."""
    weight: float
    """Signed target notional as a share of the account's equity at the start of the trading window."""
    price: Price
    """Last close: target units are equity x weight / price."""


class PairReport(Part):
    """What was decided for one pair, and why it may stand otherwise."""

    pair: Name
    """Pair."""
    action: Annotated[float, Field(ge=-1, le=1)] | None
    """What the policy asked for; none where it was not asked."""
    status: Literal["active", "held", "flat"]
    """``active``: the legs follow the action; ``flat``: a check closed it; ``held``: nothing was decided, and the legs
    repeat an older decision. A held pair is kept or reduced by whoever has its position, never opened or added to."""
    reasons: tuple[Reason, ...]
    """Codes of the checks that changed the target."""


class Signal(Document):
    """Target positions of all active pairs after one bar (``signal.json``)."""

    kind: Literal["signal"]
    bar_close: Time
    """Close of the bar that was decided on; there is at most one signal per bar."""
    expires_at: Time
    """From here on the executor is flat."""
    kill: bool
    """Flatten at once and stop."""
    legs: tuple[Leg, ...]
    """Targets; a symbol that is absent is flat."""
    pairs: tuple[PairReport, ...]
    """Decisions, one per pair."""
    reasons: tuple[Reason, ...]
    """Codes that concern the whole signal."""
    provenance: Provenance

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _ordered(self.created_at, self.expires_at, "created_at", "expires_at")
        _unique([report.pair for report in self.pairs], "pairs")
        _unique([(leg.pair, leg.symbol) for leg in self.legs], "legs")
        flat = {report.pair for report in self.pairs if report.status == "flat"}
        known = {report.pair for report in self.pairs}
        for leg in self.legs:
            if leg.pair not in known:
                raise ValueError(f"leg of unknown pair {leg.pair}")
            if leg.weight != 0.0 and (self.kill or leg.pair in flat):
                raise ValueError(f"a leg of {leg.pair} has weight {leg.weight} where it must be flat")
        return self


class Control(Document):
    """The operator's standing orders (``control.json``); unreadable means pause."""

    kind: Literal["control"]
    pause: bool
    """Hold nothing, keep watching."""
    kill: bool
    """Flatten at once and stop; only an operator ends it."""
    max_exposure: Annotated[float, Field(ge=0)] | None
    """Cap on gross target notional as a share of equity; larger targets are scaled down to it. None: no cap."""
    allow: tuple[Name, ...] | None
    """Symbols that may be traded; none: all."""
    deny: tuple[Name, ...]
    """Symbols that may not be traded."""
    note: Annotated[str, Field(max_length=500)] = ""
    """For people."""


def _ordered(earlier: int, later: int, name: str, other: str) -> None:
    if not earlier < later:
        raise ValueError(f"{name} {earlier} does not lie before {other} {later}")


def _unique(values: list[Any], name: str) -> None:
    if len(set(values)) != len(values):
        raise ValueError(f"{name} repeat themselves")
