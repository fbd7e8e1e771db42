"""Unit tests of the trading calendar and of the choice of pair-days."""

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.calendar import SPLITS, split_spans, trading_windows
from perpfut_lib.cointegration.scan import Screen
from perpfut_lib.cointegration.stage import choose_pair_days, count_windows, window_tests
from perpfut_lib.config import CointegrationConfig, Profile, SplitConfig
from perpfut_lib.errors import ConfigError, NoPairsError, SplitError
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import DAY_MS, HOUR_MS

START = pd.Timestamp("2025-01-01", tz="UTC").value // 1_000_000
TIMEFRAME = 15 * 60_000
BARS_A_DAY = DAY_MS // TIMEFRAME


def make_panel(days: float = 12.0, offset: int = 0, seed: int = 0) -> Panel:
    """Return four symbols, A with B and C with D cointegrated, from 2025-01-01 plus ``offset`` ms."""
    rng = np.random.default_rng(seed)
    bars = round(days * BARS_A_DAY)
    walks = 3.0 + 0.005 * rng.standard_normal((bars, 2)).cumsum(axis=0)
    close = np.exp(walks[:, [0, 0, 1, 1]] + 0.002 * rng.standard_normal((bars, 4)))
    opens = np.vstack([close[:1], close[:-1]])
    time = START + offset + TIMEFRAME * np.arange(bars)
    high, low = np.maximum(opens, close) * 1.001, np.minimum(opens, close) * 0.999
    filled = np.zeros(close.shape, bool)
    return Panel(time, tuple("ABCD"), TIMEFRAME, opens, high, low, close, np.ones_like(close), filled, {})


PROFILE = Profile(compute={"workers": 1})


def _pair_days(panel: Panel, profile: Profile = PROFILE) -> pd.DataFrame:
    windows = trading_windows(panel.grid(), profile.cointegration, profile.split)
    return choose_pair_days(panel, windows, window_tests(panel, windows, profile), profile.cointegration)


def test_windows_follow_each_other_on_utc_days_inside_one_split() -> None:
    """Windows start at UTC midnight behind a whole formation, need one bar after their end, and never cross a bound."""
    panel = make_panel(12.5, offset=9 * HOUR_MS)
    windows = trading_windows(panel.grid(), CointegrationConfig(), SplitConfig())
    assert (windows["start"] % DAY_MS == 0).all()
    assert ((windows["end"] - windows["start"]) == DAY_MS).all()
    assert windows["start"].iloc[0] == START + 4 * DAY_MS
    assert (panel.open_time[windows["row"]] == windows["start"]).all()
    spans = split_spans(SplitConfig(), panel.grid())
    for name in SPLITS:
        rows = windows[windows["split"] == name]
        low, high = spans.of(name)
        assert len(rows)
        assert low <= rows["start"].min() and rows["end"].max() <= high
    assert all(first <= second for first, second in pairwise(windows["start"]))


def test_the_last_window_needs_one_bar_after_its_end() -> None:
    """Twelve days and no bar more: day twelve cannot be flattened; with one bar more it can."""
    ends = [
        trading_windows(make_panel(days).grid(), CointegrationConfig(), SplitConfig())["end"].max()
        for days in (12, 12 + 1 / BARS_A_DAY)
    ]
    assert ends == [START + 11 * DAY_MS, START + 12 * DAY_MS]


def test_shares_round_to_whole_days() -> None:
    """Twelve days at shares 20/30 and 4/30: eight train, two validate, two test."""
    spans = split_spans(SplitConfig(), make_panel(12).grid())
    assert [(time - START) / DAY_MS for time in spans] == [0, 8, 10, 12]


@pytest.mark.parametrize(
    ("split", "found"),
    [
        ({"train_end": date(2024, 12, 1), "validate_end": date(2025, 1, 8)}, "2024-12-01"),
        ({"train_end": date(2025, 1, 6), "validate_end": date(2025, 2, 1)}, "2025-02-01"),
        ({"test_end": date(2025, 3, 1)}, "2025-03-01"),
        ({"train": 0.2, "validate": 0.4}, "train span 2025-01-01"),
        ({"train": 0.98, "validate": 0.0}, "a split at 2025-01-13 00:00"),
    ],
)
def test_a_split_that_does_not_fit_is_named(split: dict[str, object], found: str) -> None:
    """Dates outside the data, and spans without a window, raise a SplitError that says which."""
    with pytest.raises(SplitError, match=found):
        trading_windows(make_panel().grid(), CointegrationConfig(), SplitConfig(**split))


def test_validation_may_be_left_out() -> None:
    """A validation share of zero asks for no validation window."""
    windows = trading_windows(make_panel().grid(), CointegrationConfig(), SplitConfig(train=0.7, validate=0.0))
    assert set(windows["split"]) == {"train", "test"}


def test_two_days_are_too_few() -> None:
    """Three spans need three days."""
    with pytest.raises(SplitError, match="2 whole days"):
        split_spans(SplitConfig(), make_panel(2).grid())


def test_windows_are_whole_bars() -> None:
    """A trading window of 20 minutes does not consist of 15-minute bars."""
    with pytest.raises(ConfigError, match=r"cointegration\.trading of 20m"):
        trading_windows(make_panel().grid(), CointegrationConfig(trading="20m"), SplitConfig())


def test_pair_days_keep_the_contract() -> None:
    """Episodes are numbered in order of start and rank, hold the planted pairs, and carry their formation's moments."""
    panel = make_panel()
    days = _pair_days(panel)
    assert days["episode"].tolist() == list(range(len(days)))
    assert days.sort_values(["start", "rank"])["episode"].is_monotonic_increasing
    assert {frozenset(pair) for pair in zip(days["y"], days["x"], strict=True)} == {frozenset("AB"), frozenset("CD")}
    row = days.iloc[3]
    stop = panel.row(int(row["start"]))
    formation = panel.rows(stop - 3 * BARS_A_DAY, stop)
    y, x = (np.log(formation.close[:, panel.column(row[leg])]) for leg in ("y", "x"))
    spread = y - row["alpha"] - row["beta"] * x
    assert (spread.mean(), spread.std(ddof=1)) == pytest.approx((row["spread_mean"], row["spread_std"]), abs=1e-12)
    assert days.dtypes[["start", "end", "lag", "rank"]].eq("int64").all()


def test_what_comes_after_formation_selects_nothing() -> None:
    """Prices from the trading window's first bar on do not change what is selected for it."""
    panel, other = make_panel(), make_panel(seed=1)
    start = START + 6 * DAY_MS
    later = panel.open_time >= start
    close = np.where(later[:, None], other.close, panel.close)
    changed = Panel(
        panel.open_time,
        panel.symbols,
        TIMEFRAME,
        panel.open,
        panel.high,
        panel.low,
        close,
        panel.volume,
        later[:, None],
        {},
    )
    profile = Profile(cointegration={"max_pvalue": 1.0, "min_correlation": -1.0}, compute={"workers": 1})
    known = [days[days["start"] <= start] for days in (_pair_days(panel, profile), _pair_days(changed, profile))]
    pd.testing.assert_frame_equal(*known, check_exact=True)


def test_a_pair_whose_leg_ends_in_its_window_stays_a_pair_day() -> None:
    """What goes wrong after the choice does not undo it: no survivorship; the day after, the symbol is gone."""
    panel = make_panel()
    close = panel.close.copy()
    stop = panel.row(START + 9 * DAY_MS)
    close[stop + 5 :, 0] = np.nan
    ended = Panel(
        panel.open_time,
        panel.symbols,
        TIMEFRAME,
        panel.open,
        panel.high,
        panel.low,
        close,
        panel.volume,
        panel.filled,
        {},
    )
    full, cut = (_pair_days(each) for each in (panel, ended))
    start = START + 9 * DAY_MS
    pd.testing.assert_frame_equal(full[full["start"] <= start], cut[cut["start"] <= start], check_exact=True)
    assert {"A"} <= set(cut[cut["start"] == start][["y", "x"]].to_numpy().ravel())
    assert "A" not in set(cut[cut["start"] > start][["y", "x"]].to_numpy().ravel())


def test_no_pair_in_a_split_is_named() -> None:
    """A screen that nothing passes raises before anything is written, and says in which spans."""
    profile = Profile(cointegration={"min_correlation": 1.0}, compute={"workers": 1})
    with pytest.raises(NoPairsError, match="no pair in 8 windows of train, validate, test"):
        _pair_days(make_panel(), profile)


def test_windows_count_pairs() -> None:
    """Every window is counted, also one without a pair: 6 pairs tested, the planted two correlated and passed."""
    panel = make_panel()
    windows = trading_windows(panel.grid(), PROFILE.cointegration, PROFILE.split)
    tests = window_tests(panel, windows, PROFILE)
    counts = count_windows(windows, tests, Screen.of(PROFILE.cointegration))
    assert (counts["tested"] == 6).all()
    assert (counts["passed"] == 2).all()
    assert (counts["correlated"] >= 2).all()
    none = count_windows(windows, tests, Screen(2.0, 0.05))
    assert len(none) == len(windows) and (none[["correlated", "passed"]] == 0).all(axis=None)
