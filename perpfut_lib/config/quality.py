"""Settings of the search for data that lie: what counts as a defect, and what is done about it."""

from typing import Literal

from pydantic import Field

from perpfut_lib.config.base import Duration, Section

Decision = Literal["refuse", "leave_out", "report"]
"""``refuse``: stop with an error; ``leave_out``: go on without the symbol (an error if ``data.symbols`` asks for it by
name); ``report``: go on, with a finding."""


class QualityConfig(Section):
    """Defects that a file of valid candles and rates may still hold; every one found is in ``defects.parquet``."""

    halt: Duration = Field(default="30m", ge=0)  # type: ignore[assignment]
    """So long without a trade and at one price (and at least two bars) is a halt: no order is filled in it, and no
    formation window with it counts. ``0m`` looks for none."""
    jump: float = Field(3.0, gt=1)
    """Factor between neighbouring closes that no market moves in one bar."""
    wick: float = Field(3.0, gt=1)
    """Factor by which a high or a low may stand off the body of its bar."""
    volume: float = Field(10_000.0, gt=1)
    """Largest volume of a bar, in medians of its symbol."""
    volume_units: float = Field(100.0, gt=1)
    """Factor between the median volumes of neighbouring days that tells of another unit."""
    funding_median: float = Field(0.002, gt=0)
    """Median absolute rate of a symbol, as a fraction per settlement, above which rates are in per cent or bps."""
    funding_cap: float = Field(0.04, gt=0)
    """Largest absolute rate that an exchange lets pass, as a fraction per settlement."""
    peg: float = Field(0.02, gt=0)
    """A symbol that keeps within this fraction of one unit of quote currency for three days is a stable coin."""

    redenominated: Decision = "leave_out"
    """Prices jump by ``jump`` and stay there: another contract, another unit, or another symbol's prices."""
    spike: Decision = "leave_out"
    """A close jumps by ``jump`` and is back after one bar."""
    wicked: Decision = "report"
    """A high or a low off the body of its bar by ``wick``."""
    halted: Decision = "report"
    """A halt, see ``halt``."""
    no_volume: Decision = "leave_out"
    """Prices move, but nine bars in ten have no volume: mark or index prices, not trades."""
    absurd_volume: Decision = "report"
    """A bar with more than ``volume`` medians."""
    volume_rescaled: Decision = "leave_out"
    """The median volume of a day is ``volume_units`` times that of the day before, or that fraction of it."""
    stable_coin: Decision = "leave_out"
    """See ``peg``: a spread against it is the other leg alone."""
    duplicate: Decision = "leave_out"
    """The same returns under two names; the first name stays."""
    shifted: Decision = "leave_out"
    """Returns agree best with the other symbols' some bars earlier or later: bars stamped by their close, or another
    time zone."""
    funding_units: Decision = "refuse"
    """See ``funding_median``."""
    funding_beyond_cap: Decision = "leave_out"
    """A rate beyond ``funding_cap``."""
    funding_sign: Decision = "refuse"
    """The exchange's constant interest rate, the most frequent rate there is, is negative."""
    funding_repeated: Decision = "refuse"
    """Rates of 8 h or 4 h repeated every hour: funding would be paid several times."""
    funding_clock: Decision = "report"
    """Settlements off the full hour UTC: another time zone, or not settlements."""
