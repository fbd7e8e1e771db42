"""The two feature lists: ours, and the original study's ("seed rules")."""

from typing import Final

from perpfut_lib.config import FeaturesConfig
from perpfut_lib.errors import ConfigError
from perpfut_lib.features.asset import MOVES, Indicators
from perpfut_lib.features.spec import Block, Feature, FeatureSpec

_LEGS: Final[tuple[Block, ...]] = ("y", "x")

MEMORY: Final = 480.0  # bars over which the dynamic hedge ratio forgets, unless its noise is fitted
# A random walk whose variance is memory^-2 of the observation noise has a steady-state gain of 1/memory. The hedge
# ratio walks so that, one standard deviation of the second leg away, that moves the spread as much as the level does.
_FORGETTING: Final = {
    "level_noise": MEMORY**-2,
    "hedge_noise": MEMORY**-2,
    "cross_noise": 0.0,
    "observation_noise": 1.0,
}
_INDICATORS: Final = Indicators(
    rsi=14, macd_fast=12, macd_slow=26, macd_signal=9, mean=20, decay=0.97, volume_decay=0.99, **_FORGETTING
)
_SEED_INDICATORS: Final = Indicators(
    rsi=20, macd_fast=5, macd_slow=14, macd_signal=9, mean=20, decay=0.94, volume_decay=0.94, **_FORGETTING
)

_RELATION: Final = (
    Feature("alpha", "pair", "alpha", "intercept of the formation regression", "log price", 0),
    Feature("beta", "pair", "beta", "hedge ratio of the formation regression", "1", 0, "asinh"),
    Feature("correlation", "pair", "correlation", "atanh of the formation correlation", "1", 0, "fisher"),
    Feature("pvalue", "pair", "pvalue", "√p of the Engle-Granger test", "1", 0, "sqrt", 0.02),
)
_CALENDAR: Final = (
    Feature("elapsed", "pair", "elapsed", "share of the trading window that has passed", "1", 1),
    Feature("hour_sin", "pair", "hour_sin", "sine of the time of day, UTC", "1", 1),
    Feature("hour_cos", "pair", "hour_cos", "cosine of the time of day, UTC", "1", 1),
)
_SPREAD: Final = (
    Feature("spread_z", "pair", "spread_z", "(s - mean) / std of the formation window", "std", 1),
    Feature("kalman_z", "pair", "kalman_z", "innovation of the dynamic hedge ratio over its std", "std", 480),
    Feature("spread_volatility", "pair", "volatility_ratio", "log EWMA volatility of Δs over std", "1", 33, "log"),
    Feature("momentum_5", "pair", "momentum_5", "s less its value 5 bars ago", "std", 5, "soft"),
    Feature("momentum_60", "pair", "momentum_60", "s less its value 60 bars ago", "std", 60, "soft"),
    Feature("distance", "pair", "distance", "s less its value when the trading window began", "std", 1),
)


def _leg(leg: Block) -> tuple[Feature, ...]:
    """Return our features of one leg; vol is its EWMA volatility per bar."""
    returns = (
        Feature(f"{leg}_return_{h}", leg, f"return_{h}", f"log return over {h} bars / (vol √{h})", "vol √h", h)
        for h in (1, 15, 60, 240)
    )
    return (
        *returns,
        Feature(f"{leg}_rsi", leg, "rsi", "RSI(14), Wilder", "0-100", 14, least_scale=1.0),
        Feature(f"{leg}_stochastic_rsi", leg, "stochastic_rsi", "RSI within its range of 14 bars", "0-1", 28),
        Feature(f"{leg}_macd", leg, "macd", "MACD(12,26) less its signal(9), over price vol", "vol", 26),
        Feature(f"{leg}_bias", leg, "bias", "(close / mean of 20 - 1) / (vol √20)", "vol √h", 20),
        Feature(f"{leg}_volatility", leg, "volatility", "log of vol", "log", 33, "log"),
        Feature(
            f"{leg}_upper_shadow", leg, "upper_shadow", "(high - max(open, close)) / (close vol)", "vol", 1, "asinh"
        ),
        Feature(
            f"{leg}_lower_shadow", leg, "lower_shadow", "(min(open, close) - low) / (close vol)", "vol", 1, "asinh"
        ),
        Feature(f"{leg}_volume", leg, "volume", "volume over its EWMA", "1", 100, "soft"),
    )


def _funding(leg: Block) -> tuple[Feature, ...]:
    return (
        Feature(f"{leg}_funding", leg, "funding_bps", "last settled funding rate", "bps", 1, "asinh"),
        Feature(f"{leg}_settlement", leg, "settlement_share", "share of the interval left to settlement", "1", 1),
    )


def _seed_leg(leg: Block) -> tuple[Feature, ...]:
    """Return the study's twelve features of one leg."""
    return (
        Feature(f"{leg}_close", leg, "log_close", "log close", "log price", 1),
        Feature(f"{leg}_rsi", leg, "rsi", "RSI(20)", "0-100", 20, least_scale=1.0),
        Feature(f"{leg}_macd", leg, "macd_fraction", "MACD(5,14) over price", "1", 14, "none", 1e-6),
        Feature(f"{leg}_stochastic_rsi", leg, "stochastic_rsi", "RSI within its range of 20 bars", "0-1", 40),
        Feature(f"{leg}_mean", leg, "mean", "log of the mean of 20 closes", "log price", 20, "log"),
        Feature(f"{leg}_bias", leg, "bias_fraction", "close / mean of 20 - 1", "1", 20, "none", 1e-6),
        Feature(f"{leg}_volatility", leg, "volatility", "log of EWMA volatility, λ = 0.94", "log", 16, "log"),
        Feature(f"{leg}_moves", leg, "up_share", f"rises less falls of {MOVES} moves, as a share", "1", MOVES),
        Feature(f"{leg}_funding", leg, "funding_bps", "last settled funding rate", "bps", 1, "asinh"),
        Feature(f"{leg}_settlement", leg, "settlement_minutes", "time to settlement", "minutes", 1, least_scale=1.0),
        Feature(f"{leg}_upper_shadow", leg, "upper_shadow", "upper shadow / (close vol)", "vol", 1, "soft"),
        Feature(f"{leg}_lower_shadow", leg, "lower_shadow", "lower shadow / (close vol)", "vol", 1, "soft"),
    )


DEFAULT: Final[tuple[Indicators, tuple[Feature, ...]]] = (
    _INDICATORS,
    (
        *_SPREAD,
        *_RELATION,
        Feature("half_life", "pair", "half_life", "log half-life of the formation spread", "log bars", 0, "log"),
        *(feature for leg in _LEGS for feature in _leg(leg)),
        *(feature for leg in _LEGS for feature in _funding(leg)),
        Feature("carry", "both", "carry", "funding a long spread expects to receive", "bps a day", 1, "asinh"),
        *_CALENDAR,
    ),
)
SEED_RULES: Final[tuple[Indicators, tuple[Feature, ...]]] = (
    _SEED_INDICATORS,
    (
        *_RELATION,
        Feature("spread_z", "pair", "spread_z", "(s - mean) / std of the formation window", "std", 1),
        Feature("kalman_mean", "pair", "kalman_mean", "local-level filter of z with gain 1/20", "std", 20),
        Feature("spread_mean", "pair", "spread_mean", "mean of 20 z", "std", 20),
        Feature("spread_volatility", "pair", "volatility_ratio", "log EWMA volatility of Δs over std", "1", 16, "log"),
        *(feature for leg in _LEGS for feature in _seed_leg(leg)),
    ),
)


def feature_spec(config: FeaturesConfig) -> FeatureSpec:
    """Return the specification that a configuration asks for.

    Raises
    ------
    ConfigError
        ``features.only`` is empty or names a feature that the specification does not have.
    """
    indicators, features = {"default": DEFAULT, "seed-rules": SEED_RULES}[config.spec]
    if config.only is not None:
        names = [feature.name for feature in features]
        unknown = [name for name in config.only if name not in names]
        if unknown or not config.only:
            found = f"features.only with {', '.join(unknown) or 'no name'}"
            raise ConfigError(found, f"some of {', '.join(names)}", "name features of this specification")
        features = tuple(feature for feature in features if feature.name in config.only)
    return FeatureSpec(config.spec, config.lookback, indicators, features)
