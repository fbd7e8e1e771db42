"""What a rule earned and traded in each trading window, as the sums that a ratio with its interval is made from."""

from dataclasses import asdict, dataclass
from typing import Final, Self

import numpy as np
from scipy.special import stdtrit

from perpfut_lib.statistics import Interval
from perpfut_lib.types import Float1D

BPS_PER_UNIT: Final = 1e4
DIGITS: Final = 7
"""Significant digits of published figures."""


@dataclass(frozen=True)
class Sums:
    """Sums over n trading windows; those of disjoint periods add up."""

    windows: int
    """Trading windows, those without a trade among them."""
    earned: float
    """P&L before costs, in units of a pair's capital."""
    traded: float
    """Notional traded, both legs, same unit."""
    earned_squared: float
    product: float
    """Sum of earned times traded."""
    traded_squared: float

    @classmethod
    def of(cls, earned: Float1D, traded: Float1D) -> Self:
        """Return the sums of P&L (n,) and notional (n,) per window."""
        squares = float(earned @ earned), float(earned @ traded), float(traded @ traded)
        return cls(len(earned), float(earned.sum()), float(traded.sum()), *squares)

    @classmethod
    def total(cls, parts: "list[Sums]") -> "Sums":
        """Return the sums over all windows of several periods."""
        return cls(*(sum(column) for column in zip(*(part.values() for part in parts), strict=True)))

    def values(self) -> tuple[float, ...]:
        """Return the fields in order."""
        return tuple(asdict(self).values())

    @property
    def ratio_bps(self) -> float:
        """Earned over traded, basis points: the cost per side that leaves nothing; NaN if nothing was traded."""
        return BPS_PER_UNIT * self.earned / self.traded if self.traded > 0.0 else float("nan")

    def interval_bps(self, level: float = 0.95) -> Interval:
        r"""Return the break-even cost per side with Student's t interval of a ratio of means, basis points.

        With windows as observations :math:`(g_i, \tau_i)` and :math:`R = \sum g_i / \sum \tau_i`

        .. math:: R \pm t_{n-1} \frac{\sqrt{\tfrac{n}{n-1}\sum (g_i - R \tau_i)^2}}{\sum \tau_i} .

        NaN where nothing was traded or there is one window only.

        References
        ----------
        Cochran, W.G. (1977), Sampling Techniques, section 2.11 (the linearised variance of a ratio).
        """
        if self.traded <= 0.0 or self.windows < 2:
            return Interval(self.ratio_bps, float("nan"), float("nan"), level)
        ratio, count = self.earned / self.traded, self.windows
        residual = self.earned_squared - 2.0 * ratio * self.product + ratio**2 * self.traded_squared
        error = np.sqrt(max(residual, 0.0) * count / (count - 1)) / self.traded
        reach = BPS_PER_UNIT * float(stdtrit(count - 1, 0.5 + level / 2.0) * error)
        return Interval(self.ratio_bps, self.ratio_bps - reach, self.ratio_bps + reach, level)


def brief(values: Float1D) -> list[float]:
    """Return figures (n,) to :data:`DIGITS` significant digits, as they are published."""
    return [float(f"{value:.{DIGITS}g}") for value in values.tolist()]
