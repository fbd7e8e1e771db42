"""Tables and figures of the environment: what trading costs, how far liquidation is, what risk aversion does."""

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.accounting import Holding, Sizing, liquidation_distance
from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration import load_pair_days
from perpfut_lib.config import CostsConfig, EnvConfig, Profile
from perpfut_lib.env import Episodes, load_episodes, make_costs, make_rules
from perpfut_lib.env.impact import impact_coefficients
from perpfut_lib.env.kernel import Rules, advance
from perpfut_lib.env.planted import Planted, planted_episodes
from perpfut_lib.env.reference import ReferenceEpisode
from perpfut_lib.env.stage import decision_rows
from perpfut_lib.policies.fitting import Fitting, walk
from perpfut_lib.policies.oracle import solve_oracle
from perpfut_lib.report.sources import LOW_FEE_BPS
from perpfut_lib.report.style import PALETTE, figure
from perpfut_lib.store.stage import load_panel

TOLERANCE: Final = 1e-12
LEVERAGES: Final = (1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
RISK_AVERSIONS: Final = (0.0, 0.0006, 0.003, 0.01, 0.03, 0.1)
STUDY: Final = 0.0006
"""λ = 6 on raw returns, per basis point: 6 · (1e-4)² x² against 1e-4 x."""


def kernel_check(run: Run, profile: Profile) -> pd.DataFrame:
    """Return, for each rule, whether the compiled step equals the readable loop over the first episode.

    Holdings and rewards (as returns) agree where no difference exceeds 1e-12; actions are drawn at random.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    profile : Profile
        Settings of the run.
    """
    plain, episodes = make_rules(profile.env)._replace(reward_scale=1.0), load_episodes(run).rows(np.array([0]))
    options = {
        "as configured": plain,
        "no-trade band": plain._replace(sizing=Sizing(plain.sizing.beta_legs, 0.3, 1.3)),
        "turnover penalty": plain._replace(turnover_penalty=5e-4),
        "five choices": plain._replace(choices=5),
    }
    rows = {name: _differences(episodes, rules, profile.costs) for name, rules in options.items()}
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["decisions", "holdings agree", "rewards agree"])
    return table.rename_axis("rule")


def _differences(episodes: Episodes, rules: Rules, costs: CostsConfig) -> tuple[int, bool, bool]:
    charged, world, generator = make_costs(LOW_FEE_BPS, costs), episodes.world(), np.random.default_rng(0)
    slow, holding = ReferenceEpisode(episodes, 0, rules, charged), Holding(0.0, 0.0, 1.0)
    holdings, rewards, levels = [], [], np.linspace(-1.0, 1.0, rules.choices or 2)
    for step in range(episodes.length):
        number = int(generator.integers(len(levels)))
        action = float(levels[number]) if rules.choices else float(generator.uniform(-1.0, 1.0))
        holding, reward = advance(world, rules, charged, (0, step), (holding, action))
        rewards.append(abs(reward - slow.advance(number if rules.choices else action)[0]))
        holdings.append(float(np.abs(np.subtract(holding, [*slow.units, slow.cash])).max()))
    return episodes.length, max(holdings) <= TOLERANCE, max(rewards) <= TOLERANCE


def plot_slippage(run: Run, profile: Profile) -> Figure:
    """Plot what the square-root law asks of each leg by the notional traded, fees of the study beside it.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    profile : Profile
        Settings of the run.
    """
    panel, pairs = load_panel(run), load_pair_days(run)
    law = profile.costs.slippage.model_copy(update={"model": "impact", "capital": 1.0})
    kappa = impact_coefficients(panel, pairs, decision_rows(panel, pairs), law)[:, 0].ravel()
    notional = np.geomspace(100.0, 1e6, 60)
    with figure() as (made, (axes,)):
        low, middle, high = (1e4 * share * np.sqrt(notional) for share in np.quantile(kappa, (0.1, 0.5, 0.9)))
        axes.fill_between(notional, low, high, alpha=0.25, label="80 % of the legs")
        axes.plot(notional, middle, label="median leg")
        for color, fee in zip(PALETTE[1:], filter(None, profile.costs.fees_bps), strict=False):
            axes.axhline(fee, color=color, linestyle="--", linewidth=0.9, label=f"fee of {fee:g} bps")
        axes.set(xscale="log", yscale="log", xlabel="notional traded (quote currency)", ylabel="slippage (bps)")
        axes.set_title("Size costs: impact grows with the square root of the notional")
        axes.legend()
    return made


def liquidation_table(maintenance: float) -> pd.DataFrame:
    """Return by leverage the adverse move (%) up to liquidation: one leg in isolated margin, a pair in cross margin."""
    leverage = np.array(LEVERAGES)
    none, half = np.zeros_like(leverage), leverage / 2.0
    moves = {
        "long leg, isolated (%)": liquidation_distance(leverage, none, maintenance),
        "short leg, isolated (%)": liquidation_distance(none, leverage, maintenance),
        "hedged pair, cross (%)": liquidation_distance(half, half, maintenance),
    }
    table = pd.DataFrame({name: np.round(100.0 * np.maximum(move, 0.0), 2) for name, move in moves.items()})
    return table.set_index(pd.Index(LEVERAGES, name="leverage"))


def risk_aversion_table(count: int = 60) -> pd.DataFrame:
    """Return what the best policy does on the reference task at 1.44 bps, by λ per basis point.

    Mean gross exposure, and gain after costs and utility a day, measured on ``count`` episodes.
    """
    task, costs = Planted(features=1), make_costs(LOW_FEE_BPS, CostsConfig())
    episodes, rows = planted_episodes(task, count, seed=1), []
    for risk_aversion in RISK_AVERSIONS:
        policy = solve_oracle(task, LOW_FEE_BPS, risk_aversion, z_count=81, position_count=41).policy
        rules = make_rules(EnvConfig(risk_aversion=risk_aversion))
        rewarded = walk(policy, Fitting(episodes, episodes, rules, costs))
        neutral = walk(policy, Fitting(episodes, episodes, rules._replace(risk_aversion=0.0), costs))
        rows.append((risk_aversion, rewarded.exposure[0], neutral.utility[0], rewarded.utility[0]))
    names = ["λ (per bp)", "mean |exposure|", "gain (bps/day)", "utility (bps/day)"]
    return pd.DataFrame(rows, columns=names).set_index("λ (per bp)").round(3)


def plot_risk_aversion(table: pd.DataFrame) -> Figure:
    """Plot exposure and utility of the best policy by λ, from :func:`risk_aversion_table`."""
    places = np.arange(len(table))
    labels = [f"{value:g}" + ("\n(study)" if value == STUDY else "") for value in table.index]
    with figure(1, 2) as (made, (left, right)):
        left.bar(places, table["mean |exposure|"], color=PALETTE[0])
        left.set_ylabel("mean gross exposure")
        left.set_title("What is held")
        right.plot(places, table["gain (bps/day)"], marker="o", label="gain after costs")
        right.plot(places, table["utility (bps/day)"], marker="s", label="utility")
        right.set_ylabel("bps a day and pair")
        right.set_title("What it brings")
        right.legend()
        for axes in (left, right):
            axes.set_xticks(places, labels, fontsize=8)
            axes.set_xlabel("risk aversion λ (per bp)")
    return made
