"""One fresh simulated market through the study's own stages: what agent, rules and informed trader earn there."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from perpfut_lib import pipeline, statistics
from perpfut_lib.accounting import Costs, Ledger
from perpfut_lib.artifacts import Run, kept_json
from perpfut_lib.config import Profile
from perpfut_lib.env import load_episodes, make_costs, make_rules
from perpfut_lib.evaluate import days_of, rollout
from perpfut_lib.evaluate.draws import random_rollouts
from perpfut_lib.evaluate.fresh_worlds import AGENT, BEST, INFORMED
from perpfut_lib.evaluate.stage import TestSpan, load_test_span, rule_policies
from perpfut_lib.evaluate.utility import utility_bps
from perpfut_lib.policies import RandomSwitch
from perpfut_lib.policies.informed import informed_episodes, informed_policy
from perpfut_lib.store.stage import load_panel
from perpfut_lib.train.agents import load_policies
from perpfut_lib.types import JsonObject


@dataclass(frozen=True)
class World:
    """A market to judge the learner in."""

    profile: Profile
    """Settings, the market's seed among them."""
    seed: int
    folder: Path
    """Where answers are kept, and artifacts while they are made."""


@dataclass
class Account:
    """What one policy earned in the test span at one fee."""

    utility: float
    """Mean utility per pair-day, basis points."""
    growth: float
    """Return of the portfolio, as a fraction."""
    sharpe: float
    """Annualised Sharpe ratio of its daily returns; 0 if it never varied, or there is one day only."""
    turnover: float
    """Notional traded per pair-day, in equities."""
    more: JsonObject = field(default_factory=dict)


def kept_world(world: World) -> JsonObject:
    """Return what a world gave, from its file where there is one."""
    run = Run(world.folder / f"run-{world.seed}")
    path = world.folder / f"world-{world.seed}.json"
    kept: JsonObject = kept_json(path, lambda: {"seed": world.seed, "rows": list(judge(world.profile, run))})
    shutil.rmtree(run.path, ignore_errors=True)  # a hundred worlds would fill the disk; the seed makes it again
    return kept


def judge(profile: Profile, run: Run) -> Iterator[JsonObject]:
    """Yield one row per fee and policy, the pipeline's stages up to training run first."""
    pipeline.ensure("train", profile, run)
    span = load_test_span(profile, run)
    for fee in profile.costs.fees_bps:
        costs = make_costs(fee, profile.costs)
        accounts = rule_accounts(profile, run, span, costs, fee)
        accounts |= {AGENT: agent_account(profile, run, span, costs, fee)}
        accounts |= {INFORMED: informed_account(profile, run, span, costs)}
        for name, account in accounts.items():
            found = {"utility": account.utility, "return": account.growth, "sharpe": account.sharpe}
            days = {"pair_days": len(span.episodes), "turnover": account.turnover}
            yield {"fee_bps": fee, "policy": name, **found, **days, **account.more}


def agent_account(profile: Profile, run: Run, span: TestSpan, costs: Costs, fee: float) -> Account:
    """Return the mean over the seeds that were trained for this fee."""
    trained = [one.policy for one in load_policies(run) if one.fee_bps == fee]
    return _mean([_account(profile, span, rollout(span.episodes, policy, costs).ledger) for policy in trained])


def rule_accounts(profile: Profile, run: Run, span: TestSpan, costs: Costs, fee: float) -> dict[str, Account]:
    """Return every rule, fitted for this fee, and the one that earned most on validation; chance cannot be that one."""
    checked, rules = load_episodes(run).select("validate"), make_rules(profile.env)
    accounts, before = {}, {}
    for name, policy in rule_policies(profile, run, fee).items():
        if isinstance(policy, RandomSwitch):
            books = (each.ledger for each in random_rollouts(policy, span.episodes, costs))
            accounts[name] = _mean([_account(profile, span, book) for book in books])
            continue
        before[name] = float(utility_bps(rollout(checked, policy, costs).ledger, rules).mean())
        accounts[name] = _account(profile, span, rollout(span.episodes, policy, costs).ledger)
    chosen = max(before, key=lambda name: before[name])
    return accounts | {BEST: replace(accounts[chosen], more={"chosen": chosen, "validation_utility": before})}


def informed_account(profile: Profile, run: Run, span: TestSpan, costs: Costs) -> Account:
    """Return the trader who knows how the market was made."""
    truth = run.stage("acquire").read_json("truth.json")
    rules, latency = make_rules(profile.env), profile.env.latency
    episodes = informed_episodes(span.episodes, load_panel(run), truth, rules, costs, latency=latency)
    return _account(profile, span, rollout(episodes, informed_policy(rules), costs).ledger)


def _account(profile: Profile, span: TestSpan, book: Ledger) -> Account:
    utility = float(utility_bps(book, make_rules(profile.env)).mean())
    returns = days_of(span.portfolio_of(book))["return"].to_numpy()
    sharpe = float(np.nan_to_num(statistics.sharpe(returns))) if len(returns) > 1 else 0.0
    turnover = float(book.turnover.sum(axis=1).mean())
    return Account(utility, float(statistics.cumulative_return(returns)), sharpe, turnover)


def _mean(each: list[Account]) -> Account:
    """Return means over seeds or draws."""
    return Account(
        utility=float(np.mean([one.utility for one in each])),
        growth=float(np.mean([one.growth for one in each])),
        sharpe=float(np.mean([one.sharpe for one in each])),
        turnover=float(np.mean([one.turnover for one in each])),
        more={"utility_by_seed": [one.utility for one in each]},
    )


def world_settings(profile: Profile, seed: int) -> Profile:
    """Return the profile on a market of its own, simulated here (the local exchange would serve the same bars)."""
    own = {"data.source": "sim", "data.simulation.seed": seed, "compute.workers": 1}
    return profile.changed(own, name=f"{profile.name}.world-{seed}")
