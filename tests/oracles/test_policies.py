"""Exported policies against torch, and against everything that must not be loaded."""

import hashlib

import numpy as np
import pytest
import torch

from perpfut_lib.accounting import Sizing
from perpfut_lib.artifacts import write_json
from perpfut_lib.errors import ArtifactError, MissingInputError, PolicyError
from perpfut_lib.policies import ExportedPolicy, Layout, PolicyCard, RandomSwitch, baselines, pack_weights

FEATURES, HIDDEN = 7, (64, 64)


def torch_network(activation, seed=0):
    torch.manual_seed(seed)
    kind = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}[activation]
    return torch.nn.Sequential(
        torch.nn.Linear(FEATURES + 3, 64), kind(), torch.nn.Linear(64, 64), kind(), torch.nn.Linear(64, 1)
    )


def export(folder, network, activation, *, squash=False):
    layers = [(m.weight.detach().numpy(), m.bias.detach().numpy()) for m in network if isinstance(m, torch.nn.Linear)]
    content = pack_weights(layers)
    (folder / "policy.safetensors").write_bytes(content)
    card = PolicyCard(
        algorithm="counterfactual-ppo",
        feature_names=tuple(f"f{i}" for i in range(FEATURES)),
        lookback=1,
        feature_spec={},
        scaler={},
        hidden=HIDDEN,
        activation=activation,
        squash=squash,
        beta_legs=True,
        band=0.5,
        reach=1.5,
        weights_file="policy.safetensors",
        weights_sha256=hashlib.sha256(content).hexdigest(),
        training={"fee_bps": 1.44},
    )
    write_json(folder / "policy.json", card.model_dump(mode="json"))
    return folder / "policy.json"


@pytest.mark.parametrize("activation", ["relu", "tanh"])
@pytest.mark.parametrize("squash", [True, False])
def test_the_exported_policy_equals_torch(tmp_path, activation, squash):
    network = torch_network(activation)
    policy = ExportedPolicy.load(export(tmp_path, network, activation, squash=squash))
    observation = np.random.default_rng(1).normal(0, 2, (500, FEATURES + 3)).astype(np.float32)
    with torch.no_grad():
        expected = network(torch.from_numpy(observation))[:, 0]
        expected = (torch.tanh(expected) if squash else expected).clip(-1, 1).numpy()
    assert np.abs(policy.act(observation) - expected).max() <= 1e-6
    assert policy.sizing == Sizing(True, 0.5, 1.5)


def test_a_row_decides_the_same_bits_whatever_stands_beside_it(tmp_path):
    policy = ExportedPolicy.load(export(tmp_path, torch_network("tanh"), "tanh"))
    observation = np.random.default_rng(2).normal(0, 1, (300, FEATURES + 3)).astype(np.float32)
    together = policy.act(observation)
    assert together.tobytes() == np.concatenate([policy.act(row[None]) for row in observation]).tobytes()


def test_weights_of_another_card_are_refused(tmp_path):
    path = export(tmp_path, torch_network("relu"), "relu")
    weights = tmp_path / "policy.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match="sha256"):
        ExportedPolicy.load(path)
    weights.unlink()
    with pytest.raises(MissingInputError):
        ExportedPolicy.load(path)


def test_a_pickle_in_place_of_weights_is_never_opened(tmp_path):
    """Weights whose hash the card confirms are still only ever parsed as safetensors."""
    path = export(tmp_path, torch_network("relu"), "relu")
    content = b"\x80\x04cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR."
    (tmp_path / "policy.safetensors").write_bytes(content)
    card = PolicyCard.model_validate_json(path.read_text())
    forged = card.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
    write_json(path, forged.model_dump(mode="json"))
    with pytest.raises(ArtifactError, match="safetensors"):
        ExportedPolicy.load(path)
    assert not (tmp_path / "owned").exists()


def test_a_card_that_points_elsewhere_or_has_other_shapes_is_refused(tmp_path):
    path = export(tmp_path, torch_network("relu"), "relu")
    card = PolicyCard.model_validate_json(path.read_text())
    for change in ({"weights_file": "../policy.safetensors"}, {"hidden": (64, 32)}, {"lookback": 2}):
        write_json(path, card.model_copy(update=change).model_dump(mode="json"))
        with pytest.raises(ArtifactError):
            ExportedPolicy.load(path)


def test_an_observation_of_another_width_or_with_nan_is_refused(tmp_path):
    policy = ExportedPolicy.load(export(tmp_path, torch_network("relu"), "relu"))
    with pytest.raises(PolicyError, match=r"\(P, 10\)"):
        policy.act(np.zeros((1, 9), np.float32))
    with pytest.raises(PolicyError, match="not finite"):
        policy.act(np.full((1, 10), np.nan, np.float32))


LAYOUT = Layout(("volatility", "spread_z"), 2, np.array([0.0, 1.0]), np.array([1.0, 2.0]))


def observation(z, held):
    """One row whose newest z is ``z`` and whose first leg holds ``held``."""
    return np.array([[9, 9, 0, (z - 1.0) / 2.0, held, -held, 1 - 2 * abs(held)]], np.float32)


@pytest.mark.parametrize(
    ("z", "held", "action"),
    [(2.5, 0, -1), (-2.5, 0, 1), (1.5, 0, 0), (1.5, -0.5, -1), (0.4, -0.5, 0), (-1.0, -0.5, 0), (-2.5, -0.5, 1)],
)
def test_the_z_score_rule(z, held, action):
    """Enters beyond 2, holds until within 0.5 of the mean, turns when the other side is beyond 2."""
    assert baselines(LAYOUT, Sizing())["z-score"].act(observation(z, held)).tolist() == [action]


def test_the_random_baseline_switches_as_often_as_it_says_and_repeats():
    policy = baselines(LAYOUT, Sizing())["random"]
    rows = np.random.default_rng(3).normal(0, 1, (40_000, 7)).astype(np.float32)
    rows[:, -3] = 0.5
    first, second = policy.act(rows), policy.act(rows)
    assert np.array_equal(first, second)
    assert np.mean(first == -1) == pytest.approx(12 / 1440, rel=0.25)


@pytest.mark.parametrize("switch", [0.0, 0.5, 1.0])
def test_the_first_side_is_a_fair_coin_however_seldom_it_switches(switch):
    """Null: from flat half go long. One that never switches would otherwise be the constant short position."""
    rows = np.random.default_rng(4).normal(0, 1, (10_000, 7)).astype(np.float32)
    rows[:, -3:-1] = 0.0
    assert np.mean(RandomSwitch(switch).act(rows) == 1.0) == pytest.approx(0.5, abs=0.02)  # four standard errors


def test_a_rule_without_its_feature_is_refused():
    with pytest.raises(PolicyError, match="spread_z"):
        Layout(("a",), 1, np.zeros(1), np.ones(1)).column("spread_z")
