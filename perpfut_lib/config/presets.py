"""Values that training takes for settings nobody gave: tuned ones per algorithm, and those of the original study."""

from typing import Final, Literal

from perpfut_lib.types import JsonObject

Algorithm = Literal["counterfactual-ppo", "sb3-ppo", "a2c", "sac", "dqn", "recurrent-ppo"]
Preset = Literal["batched", "study"]

STUDY: Final[JsonObject] = {
    "algorithm": "sb3-ppo",
    "total_steps": 2_000_000,
    "first_seed": 42,
    "n_envs": 1,
    "n_steps": 2048,
    "batch_size": 128,
    "n_epochs": 10,
    "learning_rate": 3e-4,
    "final_learning_rate": 1e-5,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "clip_range": 0.2,
    "entropy_coef": 0.1,
    "value_coef": 0.5,
    "max_grad_norm": 0.5,
    "target_kl": None,
    "hidden": (64, 64),
    "activation": "tanh",
    "sde": True,
    "log_std_init": -2.0,
    "fee_ramp": (0.0, 0.0),
    "abstain": False,
}
"""The original study's report: PPO of Stable-Baselines3 with its MLP policy; the fee is charged from the start."""

# Off-policy algorithms learn from old rewards, so their fee must not move; on-policy ones need some look-ahead.
BATCHED: Final[dict[Algorithm, JsonObject]] = {
    "counterfactual-ppo": {},
    "sb3-ppo": {},
    "a2c": {"n_steps": 8, "gae_lambda": 0.8, "learning_rate": 7e-4},
    "sac": {"batch_size": 512, "learning_rate": 5e-4, "fee_ramp": (0.0, 0.0)},
    "dqn": {"batch_size": 512, "learning_rate": 5e-4, "fee_ramp": (0.0, 0.0)},
    "recurrent-ppo": {"gae_lambda": 0.8, "n_epochs": 4},
}


def preset_values(preset: Preset, algorithm: Algorithm) -> JsonObject:
    """Return what a preset sets; another algorithm than the study's takes the tuned values with the study's budget."""
    if preset == "batched":
        return BATCHED[algorithm]
    if algorithm == STUDY["algorithm"]:
        return STUDY
    return {name: STUDY[name] for name in ("total_steps", "first_seed", "abstain")} | BATCHED[algorithm]
