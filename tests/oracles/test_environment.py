"""The compiled environment against a slow, readable loop, and its shells against the libraries' own checkers."""

import warnings

import gymnasium
import numpy as np
import pandas as pd
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check
from stable_baselines3.common.env_checker import check_env as sb3_check

from perpfut_lib.accounting import Costs, Sizing, make_market, settle
from perpfut_lib.config import EnvConfig, SlippageConfig
from perpfut_lib.decide import Holdings, View, observe
from perpfut_lib.env import Episodes, PairTradingEnv, PairTradingVecEnv, Rules
from perpfut_lib.env.impact import impact_coefficients
from perpfut_lib.env.reference import ReferenceEpisode
from perpfut_lib.env.stage import decision_rows, fill_prices, funding_per_unit, leg_prices
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import MINUTE_MS

COSTS = Costs(4.5e-4, 1e-4)
RULES = Rules(Sizing(), 0.01, 1e4, np.inf, 0.0, 0)


def random_episodes(seed=0, count=3, length=40, lookback=2):
    """Random walks with gaps between mark and fill, funding now and then, impact, and two features."""
    rng = np.random.default_rng(seed)
    fills = np.array([100.0, 3.0]) * np.exp(np.cumsum(rng.normal(0, 0.002, (count, length + 1, 2)), axis=1))
    marks = fills[:, :-1] * np.exp(rng.normal(0, 3e-4, (count, length, 2)))
    funding = marks * rng.normal(0, 1e-4, marks.shape) * (rng.random(marks.shape) < 0.1)
    impact = rng.uniform(0, 1e-4, fills.shape)
    features = rng.normal(size=(count, lookback - 1 + length, 2)).astype(np.float32)
    splits = pd.DataFrame({"split": ["train"] * count})
    times = np.arange(length + 1) * 60_000 + np.zeros((count, 1), np.int64)
    beta = np.array([0.7, -1.3, 1.0])[:count]
    return Episodes(splits, features, make_market(fills, marks, funding, impact), times, beta, ("a", "b"), lookback)


def late_episodes(latency, bars=60):
    """Cut two episodes from a random panel as the environment stage does, with fills late by some bars."""
    rng = np.random.default_rng(7)
    close = np.array([100.0, 3.0]) * np.exp(np.cumsum(rng.normal(0, 0.002, (bars, 2)), axis=0))
    opens = close * np.exp(rng.normal(0, 3e-4, close.shape))
    time, flags = np.arange(bars) * MINUTE_MS, np.zeros(close.shape, bool)
    settled = FundingEvents(np.array([20, 33, 45]) * MINUTE_MS, np.array([1e-3, -2e-3, 1e-3]))
    volume = rng.exponential([50.0, 2000.0], close.shape)
    panel = Panel(time, ("A", "B"), MINUTE_MS, opens, close, opens, close, volume, flags, {"A": settled})
    start = np.array([15, 20]) * MINUTE_MS
    pairs = pd.DataFrame({"y": ["B", "A"], "x": ["A", "B"], "start": start, "end": start + 30 * MINUTE_MS})
    config, impact = EnvConfig(latency=latency), SlippageConfig(model="impact", capital=20_000.0, window="10m")
    rows = decision_rows(panel, pairs)
    fills, times = fill_prices(panel, pairs, rows, config)
    marks = np.stack([leg_prices(panel.close, panel, pairs[leg], rows[:, :-1] - 1) for leg in "yx"], axis=2)
    funding = np.stack([funding_per_unit(panel, pairs[leg], times) for leg in "yx"], axis=2)
    market = make_market(fills, marks, funding, impact_coefficients(panel, pairs, rows, impact))
    features = rng.normal(size=(2, 30, 2)).astype(np.float32)
    beta = np.array([0.7, -1.3])
    return Episodes(pairs.assign(split="train"), features, market, times, beta, ("a", "b"), 1)


RETURNS = RULES._replace(risk_aversion=3.0, reward_scale=1.0)  # x is a return, so that 1e-12 means something
OPTIONS = {
    "plain": (RETURNS, 0),
    "no-trade band": (RETURNS._replace(sizing=Sizing(True, 0.3, 1.3)), 0),
    "clipped reward": (RETURNS._replace(reward_clip=1e-3), 0),
    "turnover penalty": (RETURNS._replace(turnover_penalty=5e-4), 0),
    "equal legs": (RETURNS._replace(sizing=Sizing(False)), 0),
    "discrete": (RETURNS._replace(choices=5), 0),
    "cut short": (RETURNS._replace(max_bars=7), 0),
    **{f"latency {bars}": (RETURNS, bars) for bars in range(1, 6)},
    "all": (RETURNS._replace(sizing=Sizing(True, 0.2, 1.2), turnover_penalty=5e-4, choices=7), 3),
}


def draw(rng, rules, count=None):
    """Draw actions: numbers of choices, or exposures some of which lie beyond full exposure."""
    return rng.integers(rules.choices, size=count) if rules.choices else rng.uniform(-1.2, 1.2, count)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_single_environment_equals_the_reference_loop(option):
    """Proves holdings and rewards of whole episodes within 1e-12, and observations to float32, for every option."""
    rules, latency = OPTIONS[option]
    episodes = late_episodes(latency) if latency else random_episodes()
    env, rng = PairTradingEnv(episodes, rules, COSTS), np.random.default_rng(1)
    for episode in range(len(episodes)):
        observation, _ = env.reset(options={"episode": episode})
        slow, total, over = ReferenceEpisode(episodes, episode, rules, COSTS), 0.0, False
        while not over:
            np.testing.assert_allclose(observation, slow.observation(), rtol=0, atol=1e-6)
            action = draw(rng, rules)
            reward, ended = slow.advance(action)
            total += reward
            observation, fast, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            assert fast == pytest.approx(reward, abs=1e-8)  # the reward leaves as float32
            assert (terminated, truncated) == (ended, not ended and slow.step == rules.max_bars)
            if not over:
                np.testing.assert_allclose(env.state.holding[0], [*slow.units, slow.cash], rtol=0, atol=1e-12)
                assert env.state.score[0] == pytest.approx(total, rel=0, abs=1e-12)
        np.testing.assert_allclose(observation, slow.observation(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("option", OPTIONS)
def test_the_batch_equals_the_reference_loop(option):
    """Proves the same of the batch on two threads: holdings and sums of rewards within 1e-12, resets included."""
    rules, latency = OPTIONS[option]
    episodes = late_episodes(latency) if latency else random_episodes()
    env, rng = PairTradingVecEnv(episodes, rules, COSTS, n_envs=5, seed=3), np.random.default_rng(1)
    env.use_threads(2)
    observation = env.reset()
    slow = [beside(env, row, episodes, rules) for row in range(5)]
    totals = np.zeros(5)
    for _ in range(2 * episodes.length):
        np.testing.assert_allclose(observation, [one.observation() for one in slow], rtol=0, atol=1e-6)
        actions = draw(rng, rules, 5)
        totals += [one.advance(action)[0] for one, action in zip(slow, actions, strict=True)]
        observation, _, done, infos = env.step(actions)
        for row in np.flatnonzero(done):
            assert infos[row]["episode"]["r"] == pytest.approx(totals[row], rel=0, abs=1e-12)
            np.testing.assert_allclose(infos[row]["terminal_observation"], slow[row].observation(), rtol=0, atol=1e-6)
            assert infos[row]["TimeLimit.truncated"] == (slow[row].step < episodes.length)
            slow[row], totals[row] = beside(env, row, episodes, rules), 0.0
        held = [[*one.units, one.cash] for one in slow]
        np.testing.assert_allclose(env.state.holding, held, rtol=0, atol=1e-12)
        np.testing.assert_allclose(env.state.score, totals, rtol=0, atol=1e-12)
    env.close()


def beside(env, row, episodes, rules):
    """Return the reference loop at the place where one environment of the batch stands."""
    return ReferenceEpisode(episodes, int(env.state.episode[row]), rules, COSTS, int(env.state.step[row]))


def test_threads_change_no_bit():
    """Proves that rewards and observations are the same bits on 1, 2 and 3 threads."""
    episodes, runs = random_episodes(), []
    for threads in (1, 2, 3):
        env = PairTradingVecEnv(episodes, RULES, COSTS, n_envs=70, seed=2)
        env.use_threads(threads)
        rng, seen = np.random.default_rng(0), [env.reset()]
        for _ in range(60):
            observation, reward, done, _ = env.step(rng.uniform(-1, 1, (70, 1)).astype(np.float32))
            seen += [observation.copy(), reward, done]
        runs.append(b"".join(array.tobytes() for array in seen))
        env.close()
    assert len(set(runs)) == 1


def test_compiled_rewards_equal_the_reference_within_1e_12():
    """Proves the reward before its rounding to float32."""
    from perpfut_lib.accounting import Holding
    from perpfut_lib.env.kernel import advance

    episodes, rng = random_episodes(), np.random.default_rng(2)
    slow, holding = ReferenceEpisode(episodes, 0, RULES, COSTS), Holding(0.0, 0.0, 1.0)
    for step in range(episodes.length):
        action = rng.uniform(-1, 1)
        holding, reward = advance(episodes.world(), RULES, COSTS, (0, step), (holding, action))
        assert reward == pytest.approx(slow.advance(action)[0], rel=0, abs=1e-9)  # x is in basis points: 1e4 · 1e-13
    assert holding.cash == pytest.approx(slow.cash, rel=0, abs=1e-12)


def test_the_environment_and_the_ledger_agree():
    """Proves that rewards with λ = 0 are the ledger's returns of the same decisions."""
    episodes = random_episodes(count=2)
    rules = RULES._replace(risk_aversion=0.0, reward_scale=1.0)
    actions = np.random.default_rng(3).uniform(-1, 1, (2, episodes.length))
    beta = episodes.hedge_ratio[:, None]
    weights = np.stack([actions / (1 + abs(beta)), -actions * beta / (1 + abs(beta))], axis=2)
    ledger = settle(weights, episodes.market, COSTS)
    env = PairTradingEnv(episodes, rules, COSTS)
    for episode in range(2):
        env.reset(options={"episode": episode})
        rewards = [env.step(action)[1] for action in actions[episode]]
        np.testing.assert_allclose(rewards, ledger.returns()[episode], rtol=1e-6, atol=1e-9)


def test_the_environment_and_decide_see_the_same_bits():
    """Proves that the observation of the environment is the one that ``decide`` builds, to the last bit."""
    episodes = random_episodes()
    env = PairTradingEnv(episodes, RULES, COSTS)
    observation, _ = env.reset(options={"episode": 1})
    for step, action in enumerate(np.linspace(-1, 1, episodes.length - 1)):
        window = episodes.features[1:2, step : step + episodes.lookback]
        view = View(episodes.fill_times[1:2, step], window, episodes.marks[1:2, step], episodes.hedge_ratio[1:2])
        holding = env.state.holding
        live = observe(view, Holdings(holding[:, 2], holding[:, :2]))
        assert np.array_equal(observation, live[0])
        observation = env.step(action)[0]


def test_the_checkers_of_both_libraries_pass():
    """Proves that Gymnasium's and Stable-Baselines3's own checkers find nothing wrong, discrete actions included."""
    for choices in (0, 5):
        env = PairTradingEnv(random_episodes(), RULES._replace(choices=choices), COSTS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sb3_check(env)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*(infinity|render|spec).*")
            gymnasium_check(env)
    assert isinstance(env.action_space, gymnasium.spaces.Discrete)


def test_the_vector_environment_steps_like_single_ones():
    """Proves rewards, resets, terminal observations and scores of the vector shell against the single shell."""
    episodes = random_episodes()
    vector = PairTradingVecEnv(episodes, RULES, COSTS, n_envs=4, seed=5)
    vector.reset()
    single = [PairTradingEnv(episodes, RULES, COSTS) for _ in range(4)]
    synced = [False] * 4
    rng = np.random.default_rng(6)
    for _ in range(3 * episodes.length):
        actions = rng.uniform(-1, 1, (4, 1)).astype(np.float32)
        following = vector.state.next_episode.copy()
        observation, reward, done, infos = vector.step(actions)
        for row in range(4):
            if synced[row]:
                seen, gain, terminated, truncated, _ = single[row].step(actions[row])
                assert (gain, terminated, truncated) == (reward[row], done[row], False)
                last = infos[row]["terminal_observation"] if done[row] else observation[row]
                assert np.array_equal(seen, last)
            if done[row]:
                assert infos[row]["TimeLimit.truncated"] is False
                fresh, _ = single[row].reset(options={"episode": following[row]})
                assert np.array_equal(fresh, observation[row])
                synced[row] = True
    assert all(synced)


def test_truncation_flattens_nothing_and_keeps_the_last_observation():
    """Proves that max_bars cuts an episode short with the position still on, and says so."""
    episodes = random_episodes()
    rules = RULES._replace(max_bars=7)
    env = PairTradingEnv(episodes, rules, COSTS)
    env.reset(options={"episode": 0})
    for step in range(7):
        observation, _, terminated, truncated, _ = env.step(1.0)
        assert (terminated, truncated) == (False, step == 6)
    slow = ReferenceEpisode(episodes, 0, rules, COSTS)
    for _ in range(7):
        slow.advance(1.0)
    np.testing.assert_allclose(observation, slow.observation(), rtol=0, atol=1e-6)
    assert abs(observation[-3]) > 0.1
    vector = PairTradingVecEnv(episodes, rules, COSTS, n_envs=2, seed=0)
    vector.reset()
    ends = [info for _ in range(30) for info in vector.step(np.ones((2, 1), np.float32))[3] if info]
    assert sum(info["TimeLimit.truncated"] for info in ends) >= 4
    assert all("terminal_observation" in info for info in ends)


def test_the_same_seed_gives_the_same_bits():
    """Proves determinism of the vector environment by seed."""
    runs = []
    for _ in range(2):
        env = PairTradingVecEnv(random_episodes(), RULES, COSTS, n_envs=3)
        env.seed(9)
        first = env.reset()
        rewards = [env.step(np.full((3, 1), 0.5, np.float32))[1] for _ in range(90)]
        runs.append((first, np.stack(rewards)))
    assert np.array_equal(runs[0][0], runs[1][0])
    assert np.array_equal(runs[0][1], runs[1][1])


def test_exploring_starts_hold_something_and_cost_nothing():
    """Proves that an exploring episode starts with its drawn exposure at the marks and an equity of one."""
    episodes = random_episodes()
    env = PairTradingVecEnv(episodes, RULES._replace(max_bars=5), COSTS, n_envs=8, seed=1, exploring=True)
    env.reset()
    for _ in range(5):
        following = env.state.next_exposure.copy()
        observation, _, done, _ = env.step(np.zeros((8, 1), np.float32))
    assert done.all() or env.state.age[~done].min() > 0
    gross = np.abs(observation[done, -3]) + np.abs(observation[done, -2])
    np.testing.assert_allclose(gross, np.abs(following[done]), rtol=0, atol=1e-6)
    np.testing.assert_allclose(observation[done, -1], 1.0 - gross, rtol=0, atol=1e-6)
