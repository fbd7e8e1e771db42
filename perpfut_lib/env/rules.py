"""The rules of the decision process, from configuration."""

import math

from perpfut_lib.accounting import BPS, Costs, Sizing
from perpfut_lib.config import CostsConfig, EnvConfig
from perpfut_lib.env.kernel import Rules


def make_rules(config: EnvConfig, *, band: float | None = None, reach: float = 1.0) -> Rules:
    """Return what the compiled environment needs of ``config``; a ``band`` takes the place of the configured one."""
    return Rules(
        sizing=Sizing(config.legs == "beta", config.band if band is None else band, reach),
        risk_aversion=config.risk_aversion,
        reward_scale=config.reward_scale,
        reward_clip=math.inf if config.reward_clip is None else config.reward_clip,
        turnover_penalty=config.turnover_penalty_bps * BPS * config.reward_scale,
        max_bars=config.max_bars,
    )


def make_costs(fee_bps: float, config: CostsConfig) -> Costs:
    """Return costs as fractions of traded notional for one fee regime."""
    return Costs(fee_bps * BPS, config.slippage_bps * BPS)
