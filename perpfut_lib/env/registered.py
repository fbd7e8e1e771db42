"""The environments under Gymnasium's registry: ``gym.make("perpfut/PairTrading-v0", episodes=…, fee_bps=1.44)``.

Importing this module registers them; Gymnasium does so itself where the package is installed (its entry point), or by
``gym.make("perpfut_lib.env.registered:perpfut/PairTrading-v0")``.
"""

from typing import Final

import gymnasium as gym

from perpfut_lib.config import CostsConfig, EnvConfig
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.env.rules import make_costs, make_rules
from perpfut_lib.env.single import PairTradingEnv
from perpfut_lib.env.vectorized import PairTradingVectorEnv

NAME: Final = "perpfut/PairTrading-v0"
REFERENCE_EPISODES: Final = 64


def make_env(
    episodes: Episodes | None = None,
    fee_bps: float = 0.0,
    rules: EnvConfig = EnvConfig(),  # noqa: B008 (frozen)
    costs: CostsConfig = CostsConfig(),  # noqa: B008 (frozen)
) -> PairTradingEnv:
    """Return one environment.

    Parameters
    ----------
    episodes : Episodes, optional
        What to trade; by default the reference task, whose best policy is known (:mod:`perpfut_lib.env.planted`).
    fee_bps : float
        Taker fee per side, basis points.
    rules : EnvConfig
        Sizing and reward.
    costs : CostsConfig
        Slippage.
    """
    return PairTradingEnv(episodes or reference_episodes(), make_rules(rules), make_costs(fee_bps, costs))


def make_vector_env(
    num_envs: int = 1,
    episodes: Episodes | None = None,
    fee_bps: float = 0.0,
    rules: EnvConfig = EnvConfig(),  # noqa: B008 (frozen)
    costs: CostsConfig = CostsConfig(),  # noqa: B008 (frozen)
) -> PairTradingVectorEnv:
    """Return environments that are stepped together.

    Parameters
    ----------
    num_envs : int
        How many.
    episodes, fee_bps, rules, costs
        As in :func:`make_env`.
    """
    chosen = episodes or reference_episodes()
    return PairTradingVectorEnv(chosen, make_rules(rules), make_costs(fee_bps, costs), num_envs=num_envs)


def reference_episodes() -> Episodes:
    """Return the episodes of the reference task that stand in where none are given."""
    return planted_episodes(Planted(features=4), REFERENCE_EPISODES, seed=0)


def register_envs() -> None:
    """Enter the environments into Gymnasium's registry, once."""
    if NAME not in gym.registry:
        gym.register(NAME, f"{__name__}:make_env", vector_entry_point=f"{__name__}:make_vector_env")


register_envs()
