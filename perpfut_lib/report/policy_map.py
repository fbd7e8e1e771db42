"""What agents do: between which exposures they hold still, against the spread, beside a trader who knows the market."""

from typing import Final, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perpfut_lib.accounting import target_weights
from perpfut_lib.artifacts import Run
from perpfut_lib.config import Profile
from perpfut_lib.env import Episodes, load_episodes, make_costs, make_rules
from perpfut_lib.features.stage import Features, load_features
from perpfut_lib.policies import ExportedPolicy, Policy
from perpfut_lib.policies.informed import informed_episodes
from perpfut_lib.report.style import PALETTE, figure
from perpfut_lib.store.stage import load_panel
from perpfut_lib.train.agents import load_policies
from perpfut_lib.types import Bool1D, Float1D, Float2D, Float32, Int1D

SAMPLE: Final = 6000
"""Decisions of the test span that are asked."""
BINS: Final = np.linspace(-4.0, 4.0, 17)
LEAST: Final = 20
"""Decisions in a bin, below which its mean is not drawn."""
INFORMED_DAYS: Final = 8
"""Pair-days for which the informed trader's regions are computed."""


class Decisions(NamedTuple):
    """Decisions of the test span."""

    episode: Int1D
    """(P,)."""
    step: Int1D
    z: Float1D
    """Spread in standard deviations of the formation window."""
    quick: Bool1D
    """Whether the formation spread's half-life is below the median."""


def plot_policy(profile: Profile, run: Run) -> Figure:
    """Plot the mean no-trade region of the first agent of each fee over the spread, a panel for each.

    Two shades: pair-days with half-lives below and above the median. Where the market is simulated, dashed lines are
    the region of the informed trader, which knows how it was made.

    Parameters
    ----------
    profile : Profile
        Settings of the run.
    run : Run
        Where its artifacts are.
    """
    agents = {one.fee_bps: one.policy for one in reversed(load_policies(run)) if isinstance(one.policy, ExportedPolicy)}
    span, features = load_episodes(run).select("test"), load_features(run)
    decisions, panel = sample(span, features), load_panel(run)
    made_of = run.path / "acquire" / "truth.json"
    truth = run.stage("acquire").read_json(made_of.name) if made_of.is_file() else None
    with figure(1, max(1, len(agents)), height=3.6) as (made, panels):
        made.set_size_inches(9.6, 3.8)
        for axes, (fee, policy) in zip(panels, sorted(agents.items()), strict=False):
            _draw_agent(axes, policy, span, decisions)
            if truth is not None:
                costs, rules = make_costs(fee, profile.costs), make_rules(profile.env)
                few = span.rows(np.unique(np.linspace(0, len(span) - 1, INFORMED_DAYS).astype(np.int64)))
                known = informed_episodes(few, panel, truth, rules, costs, latency=profile.env.latency)
                _draw_informed(axes, spread_z(few, features), known)
            axes.set_title(f"fee {fee:g} bps")
            axes.set_xlabel("spread (formation std)")
            axes.set_ylim(-1.05, 1.05)
        panels[0].set_ylabel("exposure (share of equity)")
        made.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    return made


def sample(span: Episodes, features: Features) -> Decisions:
    """Return decisions of the test span, evenly spaced; all of them where there are few."""
    count = len(span) * span.length
    number = np.unique(np.linspace(0, count - 1, min(SAMPLE, count)).astype(np.int64))
    episode, step = number // span.length, number % span.length
    half_life = span.pair_days["half_life"].to_numpy(np.float64)
    return Decisions(
        episode, step, spread_z(span, features)[episode, step], (half_life < np.median(half_life))[episode]
    )


def spread_z(span: Episodes, features: Features) -> Float2D:
    """Return the spread at each decision in standard deviations of the formation window, (E, L)."""
    column, scaler = features.names.index("spread_z"), features.scaler
    scaled = span.features[:, span.lookback - 1 :, column].astype(np.float64)
    unscaled: Float2D = scaled * scaler.scale[column] + scaler.center[column]
    return unscaled


def region_of(policy: Policy, span: Episodes, decisions: Decisions) -> Float2D:
    """Return the edges of a policy's no-trade region at each decision, (P, 2): where it goes from -1 and from +1."""
    edges = [policy.act(_observation(span, decisions, exposure)) for exposure in (-1.0, 1.0)]
    return np.clip(np.stack(edges, axis=1), -1.0, 1.0)


def _observation(span: Episodes, decisions: Decisions, exposure: float) -> Float32:
    """Return observations of decisions as if an exposure was held, (P, D)."""
    rows = decisions.step[:, None] + np.arange(span.lookback)
    window = span.features[decisions.episode[:, None], rows].reshape(len(rows), -1)
    weights = np.array([target_weights(exposure, span.hedge_ratio[each]) for each in decisions.episode])
    cash = 1.0 - np.abs(weights).sum(axis=1, keepdims=True)
    return np.concatenate([window, weights, cash], axis=1).astype(np.float32)


def binned(z: Float1D, values: Float1D) -> Float1D:
    """Return the mean of ``values`` (P,) in each of :data:`BINS`; NaN where there are fewer than :data:`LEAST`."""
    place = np.digitize(z, BINS) - 1
    inside = (place >= 0) & (place < len(BINS) - 1)
    count = np.bincount(place[inside], minlength=len(BINS) - 1)
    total = np.bincount(place[inside], values[inside], len(BINS) - 1)
    return np.where(count >= LEAST, total / np.maximum(count, 1), np.nan)


def _draw_agent(axes: Axes, policy: Policy, span: Episodes, decisions: Decisions) -> None:
    edges, middle = region_of(policy, span, decisions), 0.5 * (BINS[1:] + BINS[:-1])
    for quick, color, name in ((True, PALETTE[0], "short half-life"), (False, PALETTE[1], "long half-life")):
        own = decisions.quick == quick
        lower, upper = (binned(decisions.z[own], edges[own, side]) for side in (0, 1))
        axes.fill_between(middle, lower, upper, color=color, alpha=0.35, label=f"agent holds still, {name}")
        axes.plot(middle, 0.5 * (lower + upper), color=color, linewidth=1.6)
    axes.axhline(0.0, color="0.3", linewidth=0.8)


def _draw_informed(axes: Axes, z: Float2D, known: Episodes) -> None:
    """Draw the region of the informed trader over the pair-days ``known``, whose spreads are ``z``, (E, L)."""
    edges = known.features[..., :2].reshape(-1, 2).astype(np.float64)
    alive, middle = (edges != 0.0).any(axis=1), 0.5 * (BINS[1:] + BINS[:-1])
    for side in (0, 1):
        line = binned(z.ravel()[alive], edges[alive, side])
        axes.plot(middle, line, color="0.1", linestyle="--", linewidth=1.3, label="informed trader" if side else None)
