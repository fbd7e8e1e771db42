"""Walk-forward folds: order, purge, embargo, and splits that the calendar honours."""

import numpy as np
import pytest

from perpfut_lib.calendar import Grid, trading_windows
from perpfut_lib.config import CointegrationConfig, RobustnessConfig, SplitConfig
from perpfut_lib.errors import SplitError
from perpfut_lib.robustness import fold_splits
from perpfut_lib.types import DAY_MS, MINUTE_MS

GRID = Grid(0, 60 * DAY_MS + MINUTE_MS, MINUTE_MS)  # sixty days, and the bar whose open flattens the last window
CONFIG = CointegrationConfig()


def windows(split):
    return trading_windows(GRID, CONFIG, split)


@pytest.fixture(scope="module")
def splits():
    """Return three folds over the last half of sixty days."""
    settings = RobustnessConfig(folds=3, fold_test=0.5, embargo="1d")
    return fold_splits(GRID, settings, CONFIG.formation, 0.2)


def test_test_spans_follow_each_other_to_the_end_of_the_data(splits):
    days = [
        ((split.validate_end - split.train_end).days, (split.test_end - split.validate_end).days) for split in splits
    ]
    assert [test for _, test in days] == [10, 10, 10]
    assert [split.validate_end for split in splits[1:]] == [split.test_end for split in splits[:-1]]
    assert (splits[-1].test_end - splits[0].validate_end).days == 30


def test_no_test_sees_a_bar_that_training_or_validation_traded(splits):
    """Purge: every formation window of a later span begins after the last traded bar of the span before."""
    for split in splits:
        table = windows(split)
        for before, after in (("train", "validate"), ("validate", "test")):
            last = table.loc[table["split"] == before, "end"].max()
            first = table.loc[table["split"] == after, "start"].min() - CONFIG.formation
            assert first >= last + DAY_MS  # the embargo of one day comes on top


def test_an_embargo_drops_windows_and_nothing_else(splits):
    split = splits[0]
    table, free = windows(split), windows(split.model_copy(update={"embargo": 0}))
    kept = free.merge(table, on=["start", "end", "split", "row"])
    assert len(kept) == len(table) < len(free)
    assert (table["split"] == "train").sum() == (free["split"] == "train").sum()


def test_later_folds_train_on_more(splits):
    counts = [(windows(split)["split"] == "train").sum() for split in splits]
    assert np.all(np.diff(counts) > 0)


def test_folds_that_leave_nothing_are_refused():
    with pytest.raises(SplitError, match="longer than formation and embargo"):
        fold_splits(GRID, RobustnessConfig(folds=20, fold_test=0.5), CONFIG.formation, 0.2)
    assert SplitConfig().embargo == 0
