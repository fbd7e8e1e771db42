"""Walk-forward folds: train on the past, test on what follows, move on; purged and embargoed."""

from collections.abc import Iterator
from datetime import UTC, date, datetime

import pandas as pd

from perpfut_lib import pipeline
from perpfut_lib.artifacts import Run
from perpfut_lib.calendar import Grid
from perpfut_lib.config import Profile, RobustnessConfig, SplitConfig
from perpfut_lib.errors import SplitError
from perpfut_lib.evaluate import ALL_SEEDS, load_metrics
from perpfut_lib.store.stage import load_panel
from perpfut_lib.types import DAY_MS

COLUMNS = ["agent", "test_fee_bps", "days", "return", "return_lower", "return_upper", "sharpe", "break_even_bps"]


def fold_splits(grid: Grid, settings: RobustnessConfig, formation: int, validate: float) -> list[SplitConfig]:
    """Return the split of every fold, in order of time.

    The last ``fold_test`` of the data's days are cut into ``folds`` test spans of equal length. Each fold trains on
    all days before, the last ``validate`` of which validate.

    Parameters
    ----------
    grid : Grid
        The bars that the data cover.
    settings : RobustnessConfig
        Number of folds, share of test days, embargo.
    formation : int
        Length of the formation window, ms: the *purge*, unless the settings name another. No window of a later span
        begins before it has passed, so that no formation window reaches into bars that an earlier span traded.
    validate : float
        Share of the days before a test span that validate.

    Raises
    ------
    SplitError
        A span would be empty.
    """
    # A position is flattened at the open of the bar behind its window, so the data must go on beyond the last day.
    first, last = -(-grid.start // DAY_MS), (grid.end - grid.timeframe) // DAY_MS
    length = int((last - first) * settings.fold_test) // settings.folds
    gap = (formation if settings.purge is None else settings.purge) + settings.embargo
    splits = []
    for fold in range(settings.folds):
        start = last - (settings.folds - fold) * length
        begin = start - max(1, round(validate * (start - first)), -(-gap // DAY_MS) + 1)
        if begin * DAY_MS <= first * DAY_MS + formation or length * DAY_MS <= gap:
            found = f"a fold of {start - first} days before and {length} days of test"
            raise SplitError(found, "longer than formation and embargo", "lower robustness.folds")
        end = start + length
        bounds = {"train_end": _day(begin), "validate_end": _day(start), "test_end": _day(end)}
        splits.append(SplitConfig(**bounds, embargo=gap))
    return splits


def walk_forward(profile: Profile, run: Run) -> pd.DataFrame:
    """Run every fold to its evaluation and return one row per fold, agent and fee."""
    rows = []
    folds = [
        (folded, Run(run.path.with_name(f"{run.path.name}.fold-{number}")))
        for number, folded in enumerate(fold_profiles(profile, run), 1)
    ]
    pipeline.ensure_all("evaluate", folds, profile.compute, label="folds")
    for number, (folded, beside) in enumerate(folds, 1):
        metrics = load_metrics(beside)
        trained = (metrics["seed"] == ALL_SEEDS) & (metrics["train_fee_bps"] == metrics["test_fee_bps"])
        shown = metrics[trained | metrics["train_fee_bps"].isna()]
        rows.append(shown[COLUMNS].assign(fold=number, start=str(folded.split.validate_end)))
    return pd.concat(rows, ignore_index=True)


def fold_profiles(profile: Profile, run: Run) -> Iterator[Profile]:
    """Yield the profile of every fold: its split, one agent for each fee, the z-score rule beside it."""
    settings, before = profile.robustness, profile.split
    share = before.validate_ / (before.train + before.validate_)
    brief = {
        "train.total_steps": settings.fold_steps or profile.train.total_steps,
        "train.seeds": 1,
        "cointegration.placebos": 0,
        "evaluate.only": [profile.train.algorithm, "z-score"],
        "evaluate.cross_fees": False,
    }
    grid = load_panel(run).grid()
    for number, split in enumerate(fold_splits(grid, settings, profile.cointegration.formation, share), 1):
        yield profile.changed({**brief, "split": split.model_dump(mode="json")}, name=f"{profile.name}.fold-{number}")


def _day(number: int) -> date:
    return datetime.fromtimestamp(number * DAY_MS / 1000, UTC).date()
