"""The figure of what agents do: its edges are those between which the agent itself holds still."""

import numpy as np
import pytest

from perpfut_lib.env import load_episodes
from perpfut_lib.features.stage import load_features
from perpfut_lib.report import plot_policy, policy_map
from perpfut_lib.train.agents import load_policies


def test_between_its_edges_an_agent_holds_and_beyond_them_it_goes_to_the_nearer(smoke):
    """Null hypothesis: an exposure inside the region that is drawn is traded away, or one outside is kept."""
    span = load_episodes(smoke.run).select("test")
    decisions = policy_map.sample(span, load_features(smoke.run))
    few = policy_map.Decisions(*(column[::50] for column in decisions))
    agent = next(one for one in load_policies(smoke.run) if one.fee_bps > 0.0)
    lower, upper = policy_map.region_of(agent.policy, span, few).T
    assert (lower <= upper + 1e-6).all()
    for held in (-0.5, 0.0, 0.5):
        action = agent.policy.act(policy_map._observation(span, few, held))
        assert action == pytest.approx(np.clip(held, lower, upper), abs=2e-6)


def test_bins_with_few_decisions_are_left_out():
    """A mean of fewer than twenty is not drawn; the others are means of what lies in them."""
    z = np.concatenate([np.full(policy_map.LEAST, -3.9), np.full(policy_map.LEAST - 1, 3.9), [9.0]])
    found = policy_map.binned(z, np.arange(len(z), dtype=float))
    assert found[0] == pytest.approx(np.arange(policy_map.LEAST).mean())
    assert np.isnan(found[1:]).all()


def test_the_figure_has_a_panel_for_each_fee(smoke):
    """Each with the agent's region for two half-lives, and the informed trader's, whose market is simulated."""
    panels = plot_policy(smoke.profile, smoke.run).axes
    assert [axes.get_title() for axes in panels] == [f"fee {fee:g} bps" for fee in smoke.profile.costs.fees_bps]
    assert all({"-", "--"} <= {line.get_linestyle() for line in axes.lines} for axes in panels)
