"""The base rule: its exact gradient against differences, its utility against the environment, its plain network."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from perpfut_lib.config import CostsConfig, EnvConfig, TrainConfig
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.policies.fitting import spread_returns
from perpfut_lib.policies.network import flatten_layers, forward_regions
from perpfut_lib.train.base_rule import RegionNet, edge_gradients, fit_base_rule, flat_base
from perpfut_lib.train.training_task import TrainingTask, walk_validation

TERMS = (1.44, 0.01)


def windows(count=3, length=12, seed=1):
    """Return edges, returns and first exposures of random windows that trade at many bars."""
    rng = np.random.default_rng(seed)
    center, half = rng.uniform(-0.6, 0.6, (count, length)), rng.uniform(0.05, 0.3, (count, length))
    return center - half, center + half, rng.normal(0.0, 8.0, (count, length)), rng.uniform(-1.0, 1.0, count)


def test_the_gradient_is_that_of_small_differences():
    """Proves both derivatives of the utility at every bar against central differences."""
    lower, upper, earned, start = windows()
    _, by_lower, by_upper = edge_gradients(lower, upper, earned, start, TERMS)
    step = 1e-6
    for edge, exact in ((lower, by_lower), (upper, by_upper)):
        found = np.zeros_like(edge)
        for place in np.ndindex(edge.shape):
            kept = edge[place]
            ends = []
            for moved in (kept + step, kept - step):
                edge[place] = moved
                ends.append(edge_gradients(lower, upper, earned, start, TERMS)[0].sum())
            edge[place] = kept
            found[place] = (ends[0] - ends[1]) / (2 * step)
        assert found == pytest.approx(exact, abs=1e-6)
        assert np.count_nonzero(exact) > 5  # edges do move exposures, or nothing was shown


def test_the_utility_is_that_of_the_environment():
    """Proves that windows led by a base rule earn in the environment what the gradient's formula says, within 1 %."""
    task = Planted(length=240, features=3)
    train, check = planted_episodes(task, 30, 1), planted_episodes(task, 20, 2)
    settings = TrainConfig(base_steps=200, base_hidden=8)
    plan = TrainingTask(train, check, EnvConfig(), CostsConfig(), settings, 1.44, 0)
    plan = replace(plan, base=fit_base_rule(plan))
    region = plan.region(check)
    _, earned = walk_validation(plan, lambda rows: np.zeros(len(rows)), region)
    edges = [np.clip(edge, -1.0, 1.0) for edge in (region.lower, region.upper)]
    returns = 1e4 * spread_returns(check, beta_legs=True)
    told, _, _ = edge_gradients(*edges, returns, np.zeros(20), TERMS)
    assert np.abs(told).mean() > 10.0
    assert earned == pytest.approx(told, abs=0.01 * np.abs(told).max())


def test_the_plain_network_is_the_same_map_and_turns_with_the_spread():
    """Proves that exported layers give the edges of the torch module, and mirrored ones for a mirrored spread."""
    torch.manual_seed(3)
    signs = torch.tensor([-1.0, -1.0, 1.0])
    net = RegionNet(signs, 8, 0.5)
    layers = net.layers([4, 0, 2], 8)
    rng = np.random.default_rng(0)
    observation = rng.normal(size=(50, 8)).astype(np.float32)
    seen = torch.from_numpy(observation[:, [4, 0, 2]])
    edges = np.empty((50, 2))
    forward_regions(*flatten_layers(layers), observation, edges)
    with torch.no_grad():
        lower, upper = net(seen)
        turned_lower, turned_upper = net(seen * signs)
    assert edges[:, 0] == pytest.approx(lower.numpy(), abs=1e-5)
    assert edges[:, 1] == pytest.approx(upper.numpy(), abs=1e-5)
    assert turned_lower.numpy() == pytest.approx(-upper.numpy(), abs=1e-6)
    assert turned_upper.numpy() == pytest.approx(-lower.numpy(), abs=1e-6)
    forward_regions(*flatten_layers(flat_base(layers)), observation, edges)
    assert np.abs(edges).max() < 1e-12
