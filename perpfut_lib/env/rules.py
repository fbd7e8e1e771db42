"""The rules of the decision process, from configuration."""

import math

from perpfut_lib.accounting import BPS, Costs, Sizing
from perpfut_lib.config import CostsConfig, EnvConfig
from perpfut_lib.env.kernel import Rules


def make_rules(config: EnvConfig, *, band: float | None = None, reach: float = 1.0) -> Rules:
    """Return what the compiled environment needs of a configuration.

    Parameters
    ----------
    config : EnvConfig
        Sizing and reward.
    band : float, optional
        Half-width of the no-trade band, in the place of the configured one.
    reach : float
        Wanted exposure at an action of one; see :class:`perpfut_lib.accounting.Sizing`.
    """
    return Rules(
        sizing=Sizing(config.legs == "beta", config.band if band is None else band, reach),
        risk_aversion=config.risk_aversion,
        reward_scale=config.reward_scale,
        reward_clip=math.inf if config.reward_clip is None else config.reward_clip,
        turnover_penalty=config.turnover_penalty_bps * BPS * config.reward_scale,
        max_bars=config.max_bars,
    )


def make_costs(fee_bps: float, config: CostsConfig) -> Costs:
    """Return costs as fractions of traded notional.

    Parameters
    ----------
    fee_bps : float
        Taker fee per side, basis points.
    config : CostsConfig
        Slippage.
    """
    return Costs(fee_bps * BPS, config.slippage_bps * BPS)
