"""Whether the tables of the chapters say what was done: one cell of each is recomputed from raw ledgers."""

from collections.abc import Iterator
from dataclasses import dataclass

import nbformat
import numpy as np
import pandas as pd

from perpfut_lib import report, statistics
from perpfut_lib.artifacts import Run
from perpfut_lib.attribution import studies
from perpfut_lib.attribution.ladder import RULE
from perpfut_lib.chapters.catalogue import catalogue
from perpfut_lib.chapters.record import Executed
from perpfut_lib.chapters.tables import table_html
from perpfut_lib.config import Profile
from perpfut_lib.env import make_rules
from perpfut_lib.errors import ChapterError
from perpfut_lib.evaluate import EpisodeFlows, Trial, combine, days_of
from perpfut_lib.evaluate.portfolio import FLOWS
from perpfut_lib.evaluate.stage import ledger_name, load_test_span
from perpfut_lib.report.sources import RATIO_DAYS, published_profiles, published_tables, read_result
from perpfut_lib.robustness.folds import fold_profiles


@dataclass(frozen=True)
class Cell:
    """One cell of a table of a chapter, and what the raw ledgers say of it."""

    chapter: str
    table: pd.DataFrame
    where: str
    shown: float
    """As the table has it."""
    recomputed: float
    digits: int
    """Decimals that the table rounds to."""

    def agrees(self) -> bool:
        """Return whether the cell equals the ledgers' value, rounded; two that are not numbers agree."""
        if np.isnan(self.shown) or np.isnan(self.recomputed):
            return bool(np.isnan(self.shown) and np.isnan(self.recomputed))
        return abs(self.shown - self.recomputed) <= 0.5000001 * 10.0**-self.digits


def verify_tables(profile: Profile, run: Run | None = None) -> int:
    """Check one cell of every result table, that the chapters show these very tables, and the published ones.

    Parameters
    ----------
    profile : Profile
        The settings that the run was made with.
    run : Run, optional
        Its artifacts, executed chapters among them; by default the profile's own.

    Returns
    -------
    int
        Number of cells that were recomputed.

    Raises
    ------
    ChapterError
        A table does not match the raw ledgers, or a chapter shows another table than its artifact holds.
    ArtifactError
        A published table is not the one that its manifest was written for.
    """
    run = run or Run.named(profile.name)
    shown, checked = _shown_tables(profile, run), 0
    for cell in cells(profile, run):
        if not cell.agrees():
            found = f"{cell.where} = {cell.shown:g} in {cell.chapter}"
            expected = f"{cell.recomputed:.{cell.digits + 2}f}, as the raw ledgers say"
            raise ChapterError(found, expected, f"run: perpfut run --profile {profile.name}")
        if cell.chapter in shown and table_html(cell.table) not in shown[cell.chapter]:
            found = f"chapter {cell.chapter} with another table than the one of {cell.where}"
            raise ChapterError(found, "the table that its artifact holds", f"run: perpfut run --profile {profile.name}")
        checked += 1
    for name in published_profiles():
        for table in published_tables(name):
            read_result(name, table)
    return checked


def cells(profile: Profile, run: Run) -> Iterator[Cell]:
    """Yield one cell of each table with what the raw ledgers of the run say of it."""
    fees, seeds, agent = profile.costs.fees_bps, _seeds(profile), profile.train.algorithm
    days = {(a, b): _pooled(profile, run, [Trial(agent, a, b, s) for s in seeds]) for a in fees for b in (a, fees[-1])}
    rule = _pooled(profile, run, [Trial(RULE, float("nan"), fees[0], 0)])
    first, last = fees[0], fees[-1]
    own, gain, middle = days[last, last], _gain, "07_evaluation"
    table = report.fee_table(run)
    yield Cell(middle, table, "fee table, return", table.loc[(last, agent), "return (%)"], gain(own), 2)
    yield Cell(
        middle, table, "fee table, utility", table.loc[(last, agent), "utility (bps)"], _utility(profile, run), 1
    )
    table = report.measures_table(run)
    ratio = _sharpe(own)
    yield Cell(middle, table, "measures, Sharpe ratio", _number(table.loc["Sharpe ratio", last]), ratio, 2)
    table = report.attribution_table(run)
    paid = 100 * float(own["fees"].sum())
    yield Cell(middle, table, "attribution, fees", -table.loc[last, "fees"], paid, 3)
    table = report.cost_table(run)
    if first in table.columns:
        yield Cell(middle, table, "cost curve", float(table.loc[RULE, first].iloc[0]), gain(rule), 2)
    matrix = report.fee_matrix(run).loc[first, last]
    yield Cell(middle, report.fee_table(run), "fee matrix", matrix, gain(days[first, last]), 2)
    yield from _attribution_cells(profile, run, rule)
    yield from _robustness_cells(profile, run, own)


def _attribution_cells(profile: Profile, run: Run, rule: pd.DataFrame) -> Iterator[Cell]:
    climbed = [study for study in studies(profile) if study.label.startswith("rung")][-1]
    beside = Run(run.path.with_name(f"{run.path.name}.{climbed.label}"))
    fee = profile.costs.fees_bps[0]
    top = _pooled(climbed.profile, beside, [Trial(RULE, float("nan"), fee, 0)])
    table = report.ladder_table(run, RULE)
    shown = table.loc[(climbed.correction, climbed.fault, fee), "return (%)"]
    yield Cell("08_attribution", table, "top of the ladder, return", shown, _gain(top), 2)
    table = report.sweep_table(run)
    zero = 1e4 * float(rule["gross"].sum() / rule["traded"].sum()) if rule["traded"].sum() > 0 else float("nan")
    yield Cell("08_attribution", table, "sweep, break-even", table.loc[(RULE, fee, "last"), "open + 0"], zero, 2)


def _robustness_cells(profile: Profile, run: Run, own: pd.DataFrame) -> Iterator[Cell]:
    last, fees = "09_robustness", profile.costs.fees_bps
    gains = [
        _gain(_pooled(profile, run, [Trial(profile.train.algorithm, fees[-1], fees[-1], seed)]))
        for seed in _seeds(profile)
    ]
    middle = float(statistics.interquartile_mean(np.array(gains)[:, None]))
    table = report.seeds_table(run)
    shown = table.loc[(fees[-1], fees[-1], "return (%)"), "interquartile mean"]
    yield Cell(last, table, "seeds, return", shown, middle, 2)
    table = report.significance_table(run)
    ratio = _sharpe(own)
    yield Cell(last, table, "significance, Sharpe ratio", _number(table.loc["Sharpe ratio", fees[-1]]), ratio, 2)
    folded = next(iter(fold_profiles(profile, run)))
    beside = Run(run.path.with_name(f"{run.path.name}.fold-1"))
    fold = _pooled(folded, beside, [Trial(RULE, float("nan"), fees[0], 0)])
    table = report.folds_table(run)
    yield Cell(last, table, "first fold, return", table.loc[(RULE, fees[0]), table.columns[1]], _gain(fold), 2)


def _sharpe(days: pd.DataFrame) -> float:
    """Return the annual Sharpe ratio; NaN where there are too few days for the tables to show one."""
    return float(statistics.sharpe(days["return"].to_numpy())) if len(days) >= RATIO_DAYS else float("nan")


def _pooled(profile: Profile, run: Run, trials: list[Trial]) -> pd.DataFrame:
    """Return the days of some trials side by side, from their raw ledgers; with ``fees`` paid of each day."""
    span, folder = load_test_span(profile, run), run.stage("evaluate")
    shape, tables = span.episodes.marks.shape[:2], []
    for trial in trials:
        ledger = folder.read_table(f"ledgers/{ledger_name(trial)}")
        flow = {name: ledger[name].to_numpy().reshape(shape) for name in (*FLOWS, "turnover", "equity")}
        before = np.concatenate([np.ones((shape[0], 1)), flow["equity"][:, :-1]], axis=1)
        start, times = span.episodes.pair_days["start"].to_numpy(), span.episodes.fill_times
        steps = [flow[name] for name in FLOWS]
        flows = EpisodeFlows(start, times, steps[0], steps[1], steps[2], steps[3], flow["turnover"] * before)
        portfolio = combine(flows, span.windows, span.slots)
        days = days_of(portfolio)
        tables.append(days.assign(fees=float(portfolio.fees.sum()) / len(days)))
    total = tables[0].copy()
    for name in ("return", "gross", "traded", "fees"):
        total[name] = np.mean([table[name].to_numpy() for table in tables], axis=0)
    return total


def _utility(profile: Profile, run: Run) -> float:
    """Return the agent's utility per pair-day at the last fee in basis points, from its raw ledgers by plain pandas."""
    env, fee, folder = profile.env, profile.costs.fees_bps[-1], run.stage("evaluate")
    found = []
    for seed in _seeds(profile):
        ledger = folder.read_table(f"ledgers/{ledger_name(Trial(profile.train.algorithm, fee, fee, seed))}")
        before = ledger.groupby("episode")["equity"].shift(fill_value=1.0)
        x = env.reward_scale * (ledger["equity"] / before - 1.0)
        reward = x - 0.5 * env.risk_aversion * x**2 - make_rules(env).turnover_penalty * ledger["turnover"]
        bound = make_rules(env).reward_clip
        found.append(float(reward.clip(-bound, bound).sum()) / ledger["episode"].nunique())
    return float(np.mean(found)) * 1e4 / env.reward_scale


def _gain(days: pd.DataFrame) -> float:
    """Return the compounded return of days in per cent."""
    return 100 * float(np.prod(1.0 + days["return"].to_numpy()) - 1.0)


def _shown_tables(profile: Profile, run: Run) -> dict[str, set[str]]:
    """Return the tables in the executed chapters that there are, as HTML, by chapter."""
    found: dict[str, set[str]] = {}
    for chapter in catalogue():
        path = run.path / Executed(chapter, profile).path.relative_to(Run.named(profile.name).path)
        if path.is_file():
            notebook = nbformat.read(path, as_version=4)
            outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
            shown = (output.get("data", {}).get("text/html") for output in outputs)
            found[chapter.name] = {text for text in shown if text}
    return found


def _seeds(profile: Profile) -> range:
    return range(profile.train.first_seed, profile.train.first_seed + profile.train.seeds)


def _number(shown: object) -> float:
    """Return what a cell of text says; a dash is no number."""
    return float("nan") if shown == report.NOTHING else float(str(shown))
