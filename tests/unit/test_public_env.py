"""The environments in other people's hands: Gymnasium, Stable-Baselines3 and a CleanRL-style loop, each as it comes."""

import re

import gymnasium as gym
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env as check_sb3_env
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.vec_env import SubprocVecEnv, VecNormalize

import perpfut_lib.env.registered  # noqa: F401 (registers the environments)
from perpfut_lib.acquire.sim import read_simulation
from perpfut_lib.config import CostsConfig, Profile, SimulationConfig
from perpfut_lib.env import Episodes, make_costs
from perpfut_lib.env.frames import panel_from_frames
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.errors import PolicyError, SuspectDataError
from perpfut_lib.evaluate import rollout
from perpfut_lib.policies import Constant, FunctionPolicy

NAME = "perpfut/PairTrading-v0"
QUICK = {
    "split": {"train": 0.5, "validate": 0.25},
    "compute": {"workers": 1},
    "cointegration": {"formation": "1d", "placebos": 0},
}


@pytest.fixture(scope="module")
def episodes():
    """Return short episodes of the reference task."""
    return planted_episodes(Planted(length=64, features=3), 16, seed=1)


def long(tables):
    return pd.concat([table.assign(symbol=symbol) for symbol, table in tables.items()], ignore_index=True)


@pytest.fixture(scope="module")
def market():
    return read_simulation(SimulationConfig(days=8, symbols=4, planted_pairs=2, seed=11))


def test_episodes_come_from_frames_of_one_s_own(market):
    """Two listed pairs trade in every window after the first formation day, with finite features and prices."""
    y, x = sorted(market.candles)[:2]
    episodes = Episodes.from_frames(
        long(market.candles), long(market.funding), [(y, x), (x, y)], Profile.model_validate(QUICK)
    )
    days = episodes.pair_days
    assert list(zip(days["y"], days["x"], strict=True))[:2] == [(y, x), (x, y)]
    assert len(days) == 2 * days["start"].nunique() and set(days["split"]) == {"train", "validate", "test"}
    assert np.isfinite(episodes.features).all() and np.isfinite(episodes.fills).all() and episodes.funding.any()
    tables = [pa.table(long(each).astype({"symbol": str})) for each in (market.candles, market.funding)]
    theirs = Episodes.from_frames(*tables, [(y, x), (x, y)], Profile.model_validate(QUICK))
    assert np.array_equal(theirs.features, episodes.features) and np.array_equal(theirs.fills, episodes.fills)
    env = gym.make(NAME, episodes=episodes.select("train"), fee_bps=1.44)
    assert env.reset(seed=0)[0].shape == (episodes.observation_size,)


def test_the_screen_chooses_where_no_pair_is_named():
    """Without pairs the profile's screen decides: it finds the planted pairs, in the test window too, at its p-value.

    Half-lives of 15 minutes leave a day's window no doubt. Date-times in the frame are read as UTC.
    """
    market = read_simulation(SimulationConfig(days=8, symbols=4, planted_pairs=2, half_life="15m", seed=13))
    candles = long(market.candles)
    candles["open_time"] = pd.to_datetime(candles["open_time"], unit="ms", utc=True)
    profile = Profile.model_validate({**QUICK, "cointegration": {**QUICK["cointegration"], "min_correlation": 0.0}})
    episodes = Episodes.from_frames(candles, profile=profile)
    assert (episodes.pair_days["pvalue"] <= 0.05).all() and (episodes.pair_days["correlation"] >= 0.0).all()
    tested = episodes.select("test").pair_days
    planted = {frozenset((pair["y"], pair["x"])) for pair in market.truth["pairs"]}
    assert planted <= set(map(frozenset, zip(tested["y"], tested["x"], strict=True)))
    assert not episodes.funding.any()


def test_a_symbol_whose_data_lie_is_refused_by_name_or_left_out_aloud(market):
    """A contract redenominated halfway: refused where a pair names it, left out with a warning where none does."""
    first, second = sorted(market.candles)[:2]
    lying = market.candles[first].copy()
    lying.loc[lying.index >= len(lying) // 2, ["open", "high", "low", "close"]] /= 1000
    candles = long({**market.candles, first: lying})
    with pytest.raises(SuspectDataError, match=rf"{first} at 2025-01-05.*quality.redenominated=report"):
        Episodes.from_frames(candles, None, [(first, second)], Profile.model_validate(QUICK))
    with pytest.warns(UserWarning, match=f"{first} left out: redenominated at 2025-01-05"):
        panel = panel_from_frames(candles, None, Profile.model_validate(QUICK))
    assert first not in panel.symbols and second in panel.symbols


def test_gymnasium_s_and_stable_baselines_checkers_are_content(episodes):
    check_env(gym.make(NAME, episodes=episodes).unwrapped, skip_render_check=True)
    check_sb3_env(gym.make(NAME, episodes=episodes))


def test_it_runs_without_any_argument():
    """The reference task stands in, so that one line shows an environment."""
    env = gym.make(NAME)
    env.reset(seed=0)
    assert len(env.step(env.action_space.sample())) == 5


def test_plain_ppo_learns_on_make_vec_env_with_vec_normalize(episodes):
    env = VecNormalize(make_vec_env(NAME, n_envs=2, seed=0, env_kwargs={"episodes": episodes}))
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=32, n_epochs=1, seed=0, device="cpu").learn(128)
    assert model.num_timesteps == 128 and env.obs_rms.count > 128


def test_processes_step_what_one_process_steps(episodes):
    """SubprocVecEnv hands the episodes to its processes; the observations are those of make_vec_env in this one."""
    arguments = {"n_envs": 2, "seed": 3, "env_kwargs": {"episodes": episodes}}
    name = f"perpfut_lib.env.registered:{NAME}"  # a new process has registered nothing yet
    here, there = make_vec_env(name, **arguments), make_vec_env(name, vec_env_cls=SubprocVecEnv, **arguments)
    assert (here.reset() == there.reset()).all()
    for _ in range(3):
        actions = np.array([[0.5], [-0.25]])
        assert all(np.array_equal(a, b) for a, b in zip(here.step(actions)[:3], there.step(actions)[:3], strict=True))
    there.close()


def test_the_vector_environment_books_what_single_ones_book(episodes):
    """Gymnasium's vector API: the same episodes and actions give the same rewards, step by step, to the end."""
    envs = gym.make_vec(NAME, num_envs=3, episodes=episodes, fee_bps=4.5, vectorization_mode="vector_entry_point")
    first, _ = envs.reset(seed=5)
    numbers = [
        int((episodes.features[:, 0] == row[: episodes.features.shape[2]]).all(axis=1).argmax()) for row in first
    ]
    singles = [gym.make(NAME, episodes=episodes, fee_bps=4.5) for _ in numbers]
    for env, number in zip(singles, numbers, strict=True):
        env.reset(options={"episode": number})
    rng = np.random.default_rng(0)
    for _ in range(episodes.length):
        actions = rng.uniform(-1, 1, (3, 1)).astype(np.float32)
        _, rewards, terminated, truncated, infos = envs.step(actions)
        expected = [env.step(action) for env, action in zip(singles, actions, strict=True)]
        assert rewards.tolist() == [each[1] for each in expected]
    assert terminated.all() and not truncated.any()
    assert all(np.array_equal(seen, each[0]) for seen, each in zip(infos["final_obs"], expected, strict=True))


def test_a_loop_in_cleanrl_s_manner(episodes):
    """Storage, steps and returns as CleanRL's continuous PPO writes them, on the recorded statistics wrapper."""
    envs = gym.make_vec(NAME, num_envs=4, episodes=episodes, vectorization_mode="vector_entry_point")
    envs = gym.wrappers.vector.RecordEpisodeStatistics(envs)
    steps = episodes.length + 1
    obs = np.zeros((steps, *envs.observation_space.shape), np.float32)
    dones, returns = np.zeros((steps, envs.num_envs)), []
    seen, _ = envs.reset(seed=1)
    for step in range(steps):
        obs[step] = seen
        seen, _, terminations, truncations, infos = envs.step(envs.action_space.sample())
        dones[step] = np.logical_or(terminations, truncations)
        if "final_obs" in infos:
            returns += infos["episode"]["r"][infos["_episode"]].tolist()
    assert dones.sum() == envs.num_envs == len(returns) and np.isfinite(obs).all()


def test_rllib_s_runner_plays_whole_episodes(episodes):
    """RLlib has no checker of its own left for one agent: it runs gymnasium's, then its runner, as here."""
    pytest.importorskip("ray.rllib", reason="RLlib pins gymnasium 1.2.2, and the lock has a later one")
    from ray.rllib.algorithms.ppo import PPOConfig
    from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner

    config = PPOConfig().environment(f"perpfut_lib.env.registered:{NAME}", env_config={"episodes": episodes})
    runner = SingleAgentEnvRunner(config=config.env_runners(num_env_runners=0, num_envs_per_env_runner=2))
    played = runner.sample(num_episodes=2)
    assert [len(each) for each in played] == [episodes.length] * 2 and all(each.is_terminated for each in played)


def test_somebody_s_function_is_a_policy(episodes):
    """A function that always answers 0.5, as PyTorch shapes it (P, 1), trades what the constant policy trades."""
    costs = make_costs(1.44, CostsConfig())
    theirs = rollout(episodes, FunctionPolicy(lambda seen: np.full((len(seen), 1), 0.5)), costs)
    ours = rollout(episodes, Constant(0.5), costs)
    assert all(np.array_equal(a, b) for a, b in zip(theirs.ledger, ours.ledger, strict=True))


@pytest.mark.parametrize(("answer", "found"), [(1.5, "action 1.5"), (np.nan, "action nan"), ([0.0], "shape (1,) to 2")])
def test_an_answer_that_is_no_action_is_refused(answer, found):
    """Out of range, not a number, or not one per row: named, instead of clipped."""
    policy = FunctionPolicy(lambda seen: answer if isinstance(answer, list) else np.full(len(seen), answer))
    with pytest.raises(PolicyError, match=re.escape(found)):
        policy.act(np.zeros((2, 5), np.float32))
