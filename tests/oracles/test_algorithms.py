"""Every algorithm's exported policy against its own torch model, and through the decision function."""

import hashlib

import numpy as np
import pytest
import torch

from perpfut_lib.accounting import BPS, Costs
from perpfut_lib.artifacts import write_json
from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env import PairTradingVecEnv, make_costs, make_rules
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.errors import ArtifactError, PolicyError
from perpfut_lib.evaluate.rollout import rollout
from perpfut_lib.policies import ExportedPolicy, PolicyCard, load_policy, pack_weights
from perpfut_lib.train.algorithms import SQUASHED, acting_weights, actor, make_model
from perpfut_lib.train.base_rule import RegionNet

EPISODES = planted_episodes(Planted(length=120, features=4), 6, seed=1)
ALGORITHMS = ["counterfactual-ppo", "sb3-ppo", "a2c", "sac", "dqn", "recurrent-ppo"]


def lively_model(algorithm, **settings):
    """Return an untrained model whose weights are large enough for its actions to differ."""
    torch.set_num_threads(1)
    chosen = TrainConfig(algorithm=algorithm, hidden=(16, 16), lstm=8, n_envs=4, batch_size=64, **settings)
    env = PairTradingVecEnv(EPISODES, make_rules(EnvConfig()), make_costs(0.0, CostsConfig()), n_envs=4)
    model = make_model(chosen, env, 0)
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in model.policy.parameters():
            weight.normal_(std=0.4)
    return chosen, model


def export(folder, settings, weights, base=None, **changes):
    content = pack_weights(weights.layers, weights.lstm, base)
    (folder / "policy.safetensors").write_bytes(content)
    card = PolicyCard(
        algorithm=settings.algorithm,
        feature_names=EPISODES.names,
        lookback=1,
        feature_spec={},
        scaler={},
        hidden=settings.hidden,
        activation=settings.activation,
        squash=settings.algorithm in SQUASHED,
        choices=settings.choices if settings.algorithm == "dqn" else 0,
        lstm=settings.lstm if settings.algorithm == "recurrent-ppo" else 0,
        beta_legs=True,
        band=0.0,
        reach=1.0,
        weights_file="policy.safetensors",
        weights_sha256=hashlib.sha256(content).hexdigest(),
        training={},
    )
    write_json(folder / "policy.json", card.model_copy(update=changes).model_dump(mode="json"))
    return folder / "policy.json"


def observations(seed, rows=200):
    return np.random.default_rng(seed).normal(size=(rows, EPISODES.observation_size)).astype(np.float32)


@pytest.mark.parametrize("sde", [False, True])
@pytest.mark.parametrize("algorithm", [name for name in ALGORITHMS if name != "recurrent-ppo"])
def test_the_exported_policy_acts_as_torch_does(tmp_path, algorithm, sde):
    """Proves |Δ| ≤ 1e-6 to the model's own prediction, with and without state-dependent exploration."""
    settings, model = lively_model(algorithm, sde=sde)
    policy = load_policy(export(tmp_path, settings, acting_weights(model)))
    expected = np.asarray(actor(model)(observations(2)), np.float64).reshape(200)
    assert len(np.unique(expected)) > 5
    assert np.abs(policy.act(observations(2)) - expected).max() <= 1e-6


def test_a_memory_carried_on_stays_that_of_torch(tmp_path):
    """Proves |Δ| ≤ 1e-6 of the recurrent policy over 300 decisions, and that its memory matters."""
    settings, model = lively_model("recurrent-ppo")
    policy, act = load_policy(export(tmp_path, settings, acting_weights(model))), actor(model)
    memory, first = np.zeros((5, policy.memory_size)), None
    for step in range(300):
        action, memory = policy.recall(observations(step, 5), memory)
        assert np.abs(action - act(observations(step, 5))[:, 0]).max() <= 1e-6
        first = action if first is None else first
    again, _ = policy.recall(observations(0, 5), memory)
    assert np.abs(again - first).max() > 1e-3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_evaluation_runs_every_algorithm(tmp_path, algorithm):
    """Proves that a rollout trades with each, and that episodes side by side decide the same bits as one by one."""
    settings, model = lively_model(algorithm)
    policy, costs = load_policy(export(tmp_path, settings, acting_weights(model))), Costs(4.5 * BPS, 0.0)
    together = rollout(EPISODES, policy, costs).action
    alone = [rollout(EPISODES.rows(np.array([number])), policy, costs).action for number in range(len(EPISODES))]
    assert together.std() > 0
    assert together.tobytes() == np.concatenate(alone).tobytes()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_flat_policy_is_flat(tmp_path, algorithm):
    """Proves that abstention holds nothing, whatever the head of the network."""
    settings, model = lively_model(algorithm)
    policy = load_policy(export(tmp_path, settings, acting_weights(model).flat()))
    assert np.all(rollout(EPISODES, policy, Costs(0.0, 0.0)).action == 0.0)


def test_what_carries_no_memory_refuses_a_recurrent_policy(tmp_path):
    """The live agent reads policies by this door: it must not run one without its memory."""
    settings, model = lively_model("recurrent-ppo")
    path = export(tmp_path, settings, acting_weights(model))
    with pytest.raises(PolicyError, match="memory of 8 cells"):
        ExportedPolicy.load(path)
    for wrong in ({"lstm": 9}, {"hidden": (16,)}):
        with pytest.raises(ArtifactError, match="shape"):
            load_policy(export(tmp_path, settings, acting_weights(model), **wrong))


def test_the_vector_environment_offers_discrete_exposures():
    """Proves that action k of n is the k-th of n exposures from -1 to 1, bit for bit."""
    plain, offered = (
        PairTradingVecEnv(EPISODES, make_rules(EnvConfig()), make_costs(4.5, CostsConfig()), n_envs=5, seed=3)
        for _ in range(2)
    )
    offered.offer(5)
    plain.reset(), offered.reset()
    for _ in range(150):
        seen, reward, _, _ = plain.step(np.array([-1.0, -0.5, 0.0, 0.5, 1.0]))
        chosen, other, _, _ = offered.step(np.arange(5))
        assert seen.tobytes() == chosen.tobytes() and reward.tobytes() == other.tobytes()
    assert offered.action_space.n == 5


def test_acting_for_validation_is_prediction_bit_for_bit():
    """Proves that the short way to the mean action gives the bits of Stable-Baselines3's own."""
    _, model = lively_model("counterfactual-ppo")
    seen = np.random.default_rng(3).normal(size=(16, model.observation_space.shape[0])).astype(np.float32)
    predicted, _ = model.predict(seen, deterministic=True)
    assert actor(model)(seen).tobytes() == predicted.tobytes()


def test_an_exported_base_rule_is_corrected_as_the_text_says(tmp_path):
    """Proves |Δ| ≤ 1e-6 to the torch modules led through the definition; what lies inside is held to the bit."""
    settings, model = lively_model("counterfactual-ppo")
    torch.manual_seed(2)
    size = EPISODES.observation_size
    net = RegionNet(torch.full((size - 3,), -1.0), 6, 0.3)
    base, bound = net.layers(list(range(size - 3)), size), 0.25
    card = export(tmp_path, settings, acting_weights(model), base, base_hidden=(12, 12), overlay=bound)
    observation = observations(3)
    observation[:, -3:-1] *= 0.15
    with torch.no_grad():
        lower, upper = (edge.numpy().astype(float) for edge in net(torch.from_numpy(observation[:, :-3])))
    shift = bound * model.act(observation).astype(float)
    held = np.sign(observation[:, -3]) * np.abs(observation[:, -3:-1].astype(float)).sum(axis=1)
    low, high = np.clip(lower + shift, -1.0, 1.0), np.clip(upper + shift, -1.0, 1.0)
    acted = load_policy(card).act(observation)
    assert acted == pytest.approx(np.minimum(np.maximum(held, low), high), abs=1e-6)
    inside = (held > low + 1e-5) & (held < high - 1e-5)
    assert 10 < inside.sum() < 190
    assert np.array_equal(acted[inside], held[inside])


def test_a_base_rule_of_another_shape_is_refused(tmp_path):
    """Proves that a card whose base rule does not fit its weights does not load."""
    settings, model = lively_model("counterfactual-ppo")
    net = RegionNet(torch.full((3,), -1.0), 6, 0.3)
    base = net.layers([0, 1, 2], EPISODES.observation_size)
    card = export(tmp_path, settings, acting_weights(model), base, base_hidden=(12, 14), overlay=0.25)
    with pytest.raises(ArtifactError, match=r"base0|base1"):
        load_policy(card)
