"""Settings of the live agent: which policy, which venue, limits, watching rules."""

from typing import Literal, Self

from pydantic import Field, model_validator

from perpfut_lib.config.base import Duration, Section
from perpfut_lib.config.data import ExchangeConfig


class RiskConfig(Section):
    """Limits of the fast tick. Where one is broken the pair, or everything, goes flat."""

    max_pair_exposure: float = Field(1.5, gt=0)
    """Gross notional of a pair, as a share of its slot's capital."""
    max_leg_exposure: float = Field(1.25, gt=0)
    """Notional of one leg of a pair, as a share of its slot's capital."""
    max_symbol_exposure: float = Field(1.0, gt=0)
    """Gross notional of a symbol over all pairs, as a share of the account's equity at the window's start."""
    max_total_exposure: float = Field(1.5, gt=0)
    """Gross notional of all legs, as a share of the account's equity at the window's start."""
    max_leverage: float = Field(2.0, gt=0)
    """Gross target notional over the account's equity now."""
    min_liquidation_distance: float = Field(0.2, ge=0)
    """Adverse move of every leg, as a fraction, that the targets must survive before maintenance margin is hit."""
    maintenance_margin: float = Field(0.05, ge=0, lt=1)
    """Maintenance margin, as a fraction of notional."""
    max_drawdown: float = Field(0.25, gt=0, le=1)
    """Fall of the account's equity from its peak, or of the agent's own book, at which everything is flat."""
    max_pvalue: float | None = Field(0.5, gt=0, le=1)
    """A pair whose latest residual test exceeds this has lost its cointegration; none switches the check off."""
    z_margin: float | None = Field(1.0, ge=0)
    """A spread further out than the training range of its z-score plus this is unknown ground; none: no check."""
    max_funding_rate: float = Field(0.005, gt=0)
    """Largest absolute funding rate per settlement, as a fraction."""
    max_leg_imbalance: float = Field(0.1, ge=0)
    """Departure of a pair from its hedge ratio, and of positions from targets, as a share of gross."""
    min_notional: float = Field(10.0, ge=0)
    """Smallest notional of a leg that the venue takes, quote currency."""
    max_held_bars: int = Field(3, ge=0)
    """Bars without data for which targets are held before they go flat."""
    max_performance_age: Duration = Field(default="10m")  # type: ignore[assignment]
    """Age of ``perf_snapshot.json`` beyond which it counts as missing."""
    require_performance: bool = False
    """Whether a missing, stale or unreadable ``perf_snapshot.json`` flattens everything (set it when trading)."""


class AlarmConfig(Section):
    """One watching rule with hysteresis."""

    enter: float
    """The metric at or beyond this raises the alarm."""
    leave: float
    """The metric at or below this clears it."""

    @model_validator(mode="after")
    def _hysteresis(self) -> Self:
        if not self.leave < self.enter:
            raise ValueError(f"leave {self.leave:g} does not lie below enter {self.enter:g}")
        return self


class GovernorConfig(Section):
    """Rules over realised performance; a metric that stays bad for ``confirm`` snapshots raises an alarm."""

    window: int = Field(60, ge=2)
    """Snapshots in a roll-up."""
    confirm: int = Field(3, ge=1)
    """Snapshots in a row beyond a threshold before an alarm is raised or cleared."""
    cooldown: Duration = Field(default="1h")  # type: ignore[assignment]
    """Shortest time between two requests of the same kind."""
    pause: Duration = Field(default="1h")  # type: ignore[assignment]
    """Length of a pause; afterwards drawdown counts from the equity then."""
    drawdown: AlarmConfig = AlarmConfig(enter=0.1, leave=0.05)
    """Fall from the peak, fraction: pause and ask for training."""
    loss: AlarmConfig = AlarmConfig(enter=0.05, leave=0.02)
    """Loss over the window, fraction: pause."""
    cost_share: AlarmConfig = AlarmConfig(enter=0.02, leave=0.01)
    """Fees and funding over the window, as a share of equity: ask for training."""
    slippage_bps: AlarmConfig = AlarmConfig(enter=5.0, leave=2.0)
    """Mean slippage against the signal's price, basis points: pause."""
    reject_rate: AlarmConfig = AlarmConfig(enter=0.2, leave=0.05)
    """Rejected orders per fill over the window: pause."""
    tracking_error: AlarmConfig = AlarmConfig(enter=0.2, leave=0.1)
    """Gap between positions and targets, as a share of equity: pause."""
    lost_pairs: AlarmConfig = AlarmConfig(enter=0.5, leave=0.2)
    """Share of active pairs that lost their cointegration: select pairs anew."""


class AgentConfig(Section):
    """The live agent."""

    policy: str = "fee-4.5_seed-42"
    """Name of the trained policy in the training stage's artifacts."""
    policy_sha256: str | None = None
    """SHA-256 of its weights; none takes what its card says."""
    capital: float = Field(10_000.0, gt=0)
    """Account equity that minimum notionals are checked against while there is no performance snapshot, quote units."""
    timeframe: Duration = Field(default="1m")  # type: ignore[assignment]
    """Length of a bar; that of the data that the policy was trained on."""
    symbols: tuple[str, ...] | None = None
    """Symbols to choose pairs from; none takes all that the exchange lists."""
    retest: Duration = Field(default="1h")  # type: ignore[assignment]
    """Time between two tests of the active pairs."""
    expiry_bars: int = Field(3, ge=1)
    """Bars after its decision at which a signal expires."""
    skew_ms: int = Field(2_000, ge=0)
    """Clock difference between machines that readers tolerate."""
    max_clock_skew_ms: int = Field(5_000, ge=0)
    """Difference between this machine's clock and the exchange's beyond which everything is flat."""
    grace_ms: int = Field(1_500, ge=0)
    """Wait after a bar's close before it is fetched, unless the websocket announces it earlier."""
    patience_ms: int = Field(6_000, ge=0)
    """Time for which a bar that is late is asked for again before targets are held."""
    poll_ms: int = Field(750, ge=1)
    """Wait between two such requests."""
    deadline_ms: int = Field(8_000, ge=100)
    """Longest wait of the fast tick for one round of requests, whatever the exchange does."""
    hint: bool = True
    """Listen to the websocket for closed bars; REST stays the truth."""
    warmup: Duration = Field(default="1d")  # type: ignore[assignment]
    """Time before a formation window with which the symbols' recursions start when the agent begins."""
    replay: Duration = Field(default="6h")  # type: ignore[assignment]
    """Length of the replay that chapter 10 shows, from the start of the test span."""
    replay_policy: str = "fee-0_seed-42"
    """Policy that is replayed there: trained without fees it trades at every bar, so there is most to compare."""
    replay_restarts: int = Field(3, ge=0)
    """How often a new process takes over in it."""
    replay_limits: bool = False
    """Whether a replay applies the risk limits. The evaluation has none: once one bites, positions and what the policy
    sees of them differ from it."""
    source: Literal["binance", "hyperliquid"] = "binance"
    """Exchange that market data come from."""
    exchange: ExchangeConfig = ExchangeConfig(timeout=2.0, retries=2, backoff=0.2, workers=8)
    """Address, pacing and retries; ``url`` points to a local exchange."""
    risk: RiskConfig = RiskConfig()
    governor: GovernorConfig = GovernorConfig()
