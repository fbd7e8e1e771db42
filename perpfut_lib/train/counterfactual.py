"""PPO by Stable-Baselines3 whose advantages come from following the market twice, and a lean training loop.

The market does not react to the agent, so what another action would have earned is known. The policy's mean action is
the one taken; the sampled one is only evaluated. Its advantage is what it would have earned more: both paths are
followed bar by bar until they hold the same (inside a no-trade band they soon do), and valued by the value network
where the rollout ends before. So exploration costs no fees, the value is that of the policy that is exported, the
market's noise enters only through the difference of two positions, and an action that changes
nothing has an advantage of exactly zero.
Taking away what does not depend on the sampled action leaves the policy gradient unbiased (Mao et al., "Variance
reduction for reinforcement learning in input-driven environments", 2019).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.policies import ActorCriticPolicy

from perpfut_lib.env import PairTradingVecEnv
from perpfut_lib.env.counterfactual_paths import make_counterfactual_paths, make_path
from perpfut_lib.types import Float32

PORTFOLIO = 3  # weight_y, weight_x and cash close every observation
LEAST_REACH = 1e-3  # of a sampled action from the mean one; closer, rounding would be magnified
LOG_ROOT_TAU = 0.9189385332046727  # log √(2π)


class BandPolicy(ActorCriticPolicy):
    """An MLP policy whose mean is squashed to [-1, 1] and does not see what is held.

    What is held enters through the no-trade band: a mean that leaned towards the held position would answer itself.
    """

    def _build(self, lr_schedule: Callable[[float], float]) -> None:
        super()._build(lr_schedule)
        first: Any = self.mlp_extractor.policy_net[0]
        mask = torch.ones_like(first.weight)
        mask[:, -PORTFOLIO:] = 0.0
        with torch.no_grad():
            first.weight.mul_(mask)
        first.weight.register_hook(lambda gradient: gradient * mask)
        self.log_std.requires_grad_(False)  # scheduled, not learned: what it costs depends on the fee
        self.action_net = torch.nn.Sequential(self.action_net, torch.nn.Tanh())

    def mean(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the mean action, (N,)."""
        mean: torch.Tensor = self.action_net(self.mlp_extractor.forward_actor(observation))
        return mean.flatten()

    def hush(self) -> None:
        """Make every mean action zero."""
        actions: Any = self.action_net
        last = actions[0]
        with torch.no_grad():
            last.weight.zero_()
            last.bias.zero_()

    def silence(self, pull: float) -> None:
        """Shorten each input's vector of weights by ``pull``, to zero at most.

        The proximal step of the group lasso (Yuan and Lin, 2006): inputs that do not keep pulling back fall silent.
        """
        first: Any = self.mlp_extractor.policy_net[0]
        with torch.no_grad():
            first.weight.mul_((1.0 - pull / (first.weight.norm(dim=0) + 1e-8)).clamp(min=0.0))

    def value(self, observation: torch.Tensor) -> torch.Tensor:
        """Return the value, (N,)."""
        value: torch.Tensor = self.value_net(self.mlp_extractor.forward_critic(observation))
        return value.flatten()


class CounterfactualPPO(PPO):
    """PPO whose rollouts live in tensors that are allocated once; see the module's text for its baseline.

    Parameters
    ----------
    value_lambda : float
        λ of the returns that the value network is fitted to.
    sparsity : float
        Pull on the weights of each input of the policy per gradient step, in learning rates.
    averaging : float
        Length of the running mean of the weights, as a share of the gradient steps so far.
    corrects : bool
        Begin with actions that are all zero: what they correct is good already.
    **settings
        As for :class:`stable_baselines3.PPO`; the policy is :class:`BandPolicy`.
    """

    policy: BandPolicy

    def __init__(
        self,
        env: PairTradingVecEnv,
        *,
        value_lambda: float,
        sparsity: float,
        averaging: float,
        corrects: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__(BandPolicy, env, **settings)
        if corrects:
            self.policy.hush()
        steps, count, size = self.n_steps, env.num_envs, env.observation_space.shape[0]
        self.value_lambda, self.sparsity, self.averaging = value_lambda, sparsity, averaging
        self._seen, self._next = torch.zeros(steps, count, size), torch.zeros(steps, count, size)
        self._path, self._counterfactuals = make_path(steps, count), make_counterfactual_paths(steps, count)
        self._value = torch.zeros(steps + 1, count)
        names = ("action", "log_prob", "reward", "alive", "advantage", "returns")
        self._rollout = {name: torch.zeros(steps, count) for name in names}
        self._weights: list[torch.Tensor] = list(self.policy.parameters())
        self.descents = 0  # gradient steps taken
        self.average = [weight.detach().clone() for weight in self._weights]

    def set_exploration(self, deviation: float) -> None:
        """Set the standard deviation of the action."""
        with torch.no_grad():
            self.policy.log_std.fill_(torch.tensor(deviation).log())

    def act(self, observation: Float32) -> Float32:
        """Return the mean actions (N,) for observations (N, D): what ``predict`` returns, without its way there."""
        with torch.no_grad():
            action: Float32 = self.policy.mean(torch.from_numpy(observation)).numpy()
        return action

    def collect_rollouts(self, env: Any, callback: Any, rollout_buffer: Any, n_rollout_steps: int) -> bool:
        """Step the environments ``n_steps`` times; see :meth:`OnPolicyAlgorithm.collect_rollouts`."""
        callback.on_rollout_start()
        with torch.no_grad():
            for step in range(n_rollout_steps):
                self._step(env, step)
                callback.update_locals(locals())
                if not callback.on_step():
                    return False
            self._value[n_rollout_steps] = self.policy.value(torch.from_numpy(self._last_obs))
            self._compare(env)
            self._estimate()
        callback.on_rollout_end()
        return True

    def _step(self, env: PairTradingVecEnv, step: int) -> None:
        rollout, path, seen, following = self._rollout, self._path, self._seen[step], self._next[step]
        seen.copy_(torch.from_numpy(self._last_obs))
        noise, log_std = torch.randn(env.num_envs), self.policy.log_std
        mean = self.policy.mean(seen)
        rollout["action"][step] = mean + log_std.exp() * noise
        rollout["log_prob"][step] = -0.5 * noise * noise - log_std - LOG_ROOT_TAU
        self._value[step] = self.policy.value(seen)
        path.episode[step], path.step[step] = env.state.episode, env.state.step
        path.holding[step], path.action[step] = env.state.holding, mean.numpy()
        observation, reward, done, _ = env.step(path.action[step])
        path.terminated[step], path.truncated[step] = env.outcome.terminated, env.outcome.truncated
        rollout["reward"][step] = torch.from_numpy(reward)
        rollout["alive"][step] = 1.0 - torch.from_numpy(done).float()
        cut = torch.from_numpy(env.outcome.truncated.nonzero()[0])
        following.copy_(torch.from_numpy(observation))
        following[cut] = torch.from_numpy(env.outcome.last_observation)[cut]
        rollout["reward"][step, cut] += self.gamma * self.policy.value(following[cut])
        self._last_obs = observation
        self.num_timesteps += env.num_envs

    def _compare(self, env: PairTradingVecEnv) -> None:
        """Write the advantages of the sampled actions over those taken."""
        counterfactuals, advantage = self._counterfactuals, self._rollout["advantage"]
        env.follow_counterfactuals(
            self._path, self._rollout["action"].numpy().astype(np.float64), self.gamma, counterfactuals
        )
        advantage.copy_(torch.from_numpy(counterfactuals.difference))
        start, row = (torch.from_numpy(index) for index in (counterfactuals.last >= 0).nonzero())
        last = torch.from_numpy(counterfactuals.last)[start, row]
        taken = self._next[last, row]
        counterfactual, weights = taken.clone(), torch.from_numpy(counterfactuals.weights)[start, row]
        counterfactual[:, -PORTFOLIO:-1], counterfactual[:, -1] = weights, 1.0 - weights.abs().sum(1)
        gap = self.policy.value(counterfactual) - self.policy.value(taken)
        advantage[start, row] += self.gamma ** (last - start + 1) * gap
        # Full exposure bounds what an action can do. Were samples beyond it worth no more than the bound, the noise
        # would look harmless there and draw the policy to the bound: so they are worth what the slope up to it says.
        mean, sampled = torch.from_numpy(self._path.action).float(), self._rollout["action"]
        reach = sampled.clamp(-1.0, 1.0) - mean
        advantage *= torch.where(reach.abs() > LEAST_REACH, (sampled - mean) / reach, 0.0)

    def _estimate(self) -> None:
        """Write the returns of the actions taken."""
        rollout, value, gamma = self._rollout, self._value, self.gamma
        gain = torch.zeros_like(value[0])
        for step in reversed(range(len(rollout["reward"]))):
            alive = rollout["alive"][step]
            error = rollout["reward"][step] + gamma * alive * value[step + 1] - value[step]
            gain = error + gamma * self.value_lambda * alive * gain
            rollout["returns"][step] = gain + value[step]

    def train(self) -> None:
        """Take ``n_epochs`` passes of clipped policy gradient over the rollout; see :meth:`PPO.train`."""
        self._update_learning_rate(self.policy.optimizer)
        clip = self.clip_range(self._current_progress_remaining)  # type: ignore[operator]
        rollout = {name: tensor.flatten() for name, tensor in self._rollout.items()}
        seen, advantage = self._seen.flatten(0, 1), rollout["advantage"]
        rollout["advantage"] = advantage / (advantage.square().mean().sqrt() + 1e-8)  # not centred: none is none
        for _ in range(self.n_epochs):
            order = torch.randperm(len(advantage))
            for batch in torch.split(order, self.batch_size):
                part = {name: rollout[name][batch] for name in ("action", "log_prob", "advantage", "returns")}
                if not self._descend(seen[batch], part, clip):
                    return
        self._n_updates += self.n_epochs

    def _descend(self, seen: torch.Tensor, part: dict[str, torch.Tensor], clip: float) -> bool:
        """Take one gradient step; return False, without taking it, once the policy has moved too far."""
        moved = part["advantage"].nonzero().flatten()  # where exploration changed nothing there is no gradient
        advantage, log_std = part["advantage"][moved], self.policy.log_std
        noise = (part["action"][moved] - self.policy.mean(seen[moved])) * torch.exp(-log_std)
        change = -0.5 * noise * noise - log_std - LOG_ROOT_TAU - part["log_prob"][moved]
        ratio = change.exp()
        if self.target_kl is not None and float((ratio - 1.0 - change).detach().mean()) > 1.5 * self.target_kl:
            return False
        gain, bounded = advantage * ratio, advantage * ratio.clamp(1.0 - clip, 1.0 + clip)
        value_loss = torch.nn.functional.mse_loss(self.policy.value(seen), part["returns"])
        loss = self.vf_coef * value_loss - torch.min(gain, bounded).sum() / len(seen)
        self.policy.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._weights, self.max_grad_norm)
        self.policy.optimizer.step()
        self.policy.silence(self.sparsity * self.policy.optimizer.param_groups[0]["lr"])
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self._weights, 1.0 / (1.0 + self.averaging * self.descents))
        self.descents += 1
        return True
