"""The learning algorithms by name: how each is made, how it acts, and which of its weights act."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from gymnasium.spaces import Discrete
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger

from perpfut_lib.config import TrainConfig
from perpfut_lib.env import PairTradingVecEnv
from perpfut_lib.env.spaces import exposures
from perpfut_lib.policies import Lstm
from perpfut_lib.train.counterfactual import CounterfactualPPO
from perpfut_lib.train.training_task import Act, Layers
from perpfut_lib.types import Float32

ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}
SQUASHED = ("counterfactual-ppo", "sac")


class Weights(NamedTuple):
    """What acts of a trained agent."""

    layers: Layers
    """Weights (outputs, inputs) and biases (outputs,), the action layer last."""
    lstm: Lstm | None = None
    """Recurrent layer before them."""

    def flat(self) -> "Weights":
        """Return weights of the same shapes whose action is always zero."""
        layers = [(weight * 0.0, bias * 0.0) for weight, bias in self.layers]
        last = layers[-1][1]
        if len(last) > 1:  # the value of the exposure in the middle is the highest
            last[len(last) // 2] = 1.0
        return Weights(layers, self.lstm)


def make_model(settings: TrainConfig, env: PairTradingVecEnv, seed: int) -> BaseAlgorithm:
    """Return the untrained algorithm; it writes no log until a logger is set."""
    if settings.algorithm == "dqn":
        env.offer(settings.choices)
    model: BaseAlgorithm = _MAKERS[settings.algorithm](settings, env=env, seed=seed, device="cpu", verbose=0)
    model.set_logger(Logger(folder=None, output_formats=[]))  # by default each training leaves a folder in /tmp
    return model


def actor(model: BaseAlgorithm) -> Act:
    """Return a function from observations (N, D) to actions (N,) without exploration, at the start of its episodes."""
    if isinstance(model, CounterfactualPPO):
        return model.act
    memory: Any = None
    levels = exposures(int(model.action_space.n)) if isinstance(model.action_space, Discrete) else None

    def act(observation: Float32) -> Any:
        nonlocal memory
        action, memory = model.predict(observation, state=memory, deterministic=True)
        return action if levels is None else levels[action]

    return act


def acting_weights(model: BaseAlgorithm) -> Weights:
    """Return copies of the weights that act."""
    policy: Any = model.policy
    if isinstance(model, DQN):
        return Weights(_linear(policy.q_net.q_net))
    if isinstance(model, SAC):
        return Weights(_linear(policy.actor.latent_pi, policy.actor.mu))
    layers = _linear(policy.mlp_extractor.policy_net, policy.action_net)
    return Weights(layers, _cells(policy.lstm_actor) if isinstance(model, RecurrentPPO) else None)


def _linear(*parts: torch.nn.Module) -> Layers:
    linear = [module for part in parts for module in part.modules() if isinstance(module, torch.nn.Linear)]
    return [(layer.weight.detach().numpy().copy(), layer.bias.detach().numpy().copy()) for layer in linear]


def _cells(layer: Any) -> Lstm:
    bias = layer.bias_ih_l0 + layer.bias_hh_l0
    arrays = (tensor.detach().numpy().copy() for tensor in (layer.weight_ih_l0, layer.weight_hh_l0, bias))
    return Lstm(*arrays)


def _ppo(settings: TrainConfig, **shared: Any) -> CounterfactualPPO:
    return CounterfactualPPO(
        policy_kwargs=_network(settings) | {"optimizer_kwargs": {"fused": True, "eps": 1e-5}},
        value_lambda=settings.value_lambda,
        sparsity=settings.sparsity,
        averaging=settings.averaging,
        corrects=settings.corrects,
        **_clipped(settings),
        **shared,
    )


def _sb3_ppo(settings: TrainConfig, **shared: Any) -> PPO:
    return PPO("MlpPolicy", policy_kwargs=_gaussian(settings), use_sde=settings.sde, **_clipped(settings), **shared)


def _recurrent_ppo(settings: TrainConfig, **shared: Any) -> RecurrentPPO:
    network = _gaussian(settings) | {"lstm_hidden_size": settings.lstm}
    return RecurrentPPO("MlpLstmPolicy", policy_kwargs=network, use_sde=settings.sde, **_clipped(settings), **shared)


def _a2c(settings: TrainConfig, **shared: Any) -> A2C:
    return A2C("MlpPolicy", policy_kwargs=_gaussian(settings), use_sde=settings.sde, **_on_policy(settings), **shared)


def _sac(settings: TrainConfig, **shared: Any) -> SAC:
    network = _network(settings) | ({"clip_mean": 0.0} if settings.sde else {})  # the exported mean is not clipped
    return SAC("MlpPolicy", policy_kwargs=network, use_sde=settings.sde, **_off_policy(settings), **shared)


def _dqn(settings: TrainConfig, **shared: Any) -> DQN:
    share, least = settings.epsilon
    return DQN(
        "MlpPolicy",
        policy_kwargs=_network(settings),
        exploration_fraction=share,
        exploration_final_eps=least,
        target_update_interval=settings.n_envs,  # at every step of the batch
        **_off_policy(settings),
        **shared,
    )


_MAKERS: dict[str, Callable[..., BaseAlgorithm]] = {
    "counterfactual-ppo": _ppo,
    "sb3-ppo": _sb3_ppo,
    "a2c": _a2c,
    "sac": _sac,
    "dqn": _dqn,
    "recurrent-ppo": _recurrent_ppo,
}


def _network(settings: TrainConfig) -> dict[str, Any]:
    return {"net_arch": list(settings.hidden), "activation_fn": ACTIVATIONS[settings.activation]}


def _gaussian(settings: TrainConfig) -> dict[str, Any]:
    return _network(settings) | {"log_std_init": settings.log_std_init}


def _shared(settings: TrainConfig) -> dict[str, Any]:
    first, last = settings.learning_rate, settings.final_learning_rate
    return {"learning_rate": lambda remaining: last + remaining * (first - last), "gamma": settings.gamma}


def _on_policy(settings: TrainConfig) -> dict[str, Any]:
    return {
        **_shared(settings),
        "n_steps": settings.n_steps,
        "gae_lambda": settings.gae_lambda,
        "ent_coef": settings.entropy_coef,
        "vf_coef": settings.value_coef,
        "max_grad_norm": settings.max_grad_norm,
    }


def _clipped(settings: TrainConfig) -> dict[str, Any]:
    return {
        **_on_policy(settings),
        "batch_size": settings.batch_size,
        "n_epochs": settings.n_epochs,
        "clip_range": settings.clip_range,
        "target_kl": settings.target_kl,
    }


def _off_policy(settings: TrainConfig) -> dict[str, Any]:
    return {
        **_shared(settings),
        "batch_size": settings.batch_size,
        "buffer_size": settings.replay_size,
        "learning_starts": settings.learning_starts,
        "gradient_steps": settings.gradient_steps,
        "train_freq": 1,
        "tau": settings.tau,
    }
