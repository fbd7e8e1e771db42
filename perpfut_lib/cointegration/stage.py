"""The cointegration stage: from the panel to the pair-days that are traded."""

import numpy as np
import pandas as pd

from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.calendar import SPLITS, trading_windows
from perpfut_lib.cointegration.johansen import Johansen, johansen_task
from perpfut_lib.cointegration.placebo import placebo_counts
from perpfut_lib.cointegration.scan import Screen, candidates, select
from perpfut_lib.cointegration.seed_rules import with_seed_faults
from perpfut_lib.cointegration.windows import LagRule, scan_windows
from perpfut_lib.compute import run_tasks
from perpfut_lib.config import CointegrationConfig, Profile
from perpfut_lib.errors import NoPairsError
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float2D
from perpfut_lib.universe import eligible_windows

PAIR_DAYS = "pair_days.parquet"
WINDOWS = "windows.parquet"
TESTS = "tests.parquet"
JOHANSEN = "johansen.parquet"
PLACEBO = "placebo.parquet"


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write pair-days, windows and all tests of a profile, Johansen's test of the pair-days, and the placebos."""
    from perpfut_lib.store.stage import load_panel  # pyarrow, which panels in memory do without

    panel, config = load_panel(run), profile.cointegration
    windows = trading_windows(panel.grid(), config, profile.split)
    tests = window_tests(panel, windows, profile)
    pair_days = choose_pair_days(panel, windows, tests, config)
    folder.write_table(JOHANSEN, johansen_tests(panel, pair_days, profile))
    log_prices = np.log(panel.close)
    placebo = placebo_counts(
        log_prices, lambda surrogate: window_tests(panel, windows, profile, surrogate), len(windows), config
    )
    folder.write_table(PLACEBO, placebo)
    names = np.array(panel.symbols)
    tests = tests.assign(y=names[tests["y"]], x=names[tests["x"]], start=windows["start"].to_numpy()[tests["window"]])
    folder.write_table(TESTS, tests.astype({"y": "category", "x": "category"}))
    folder.write_table(WINDOWS, count_windows(windows, tests, Screen.of(config)))
    folder.write_table(PAIR_DAYS, pair_days)


def window_tests(
    panel: Panel, windows: pd.DataFrame, profile: Profile, log_prices: Float2D | None = None
) -> pd.DataFrame:
    """Return the tests of all pairs of eligible symbols over the formation window before every trading window.

    ``log_prices`` (T, N), such as a placebo's, stand in for those of the panel.
    """
    config = profile.cointegration
    bars = config.formation // panel.timeframe
    rule = LagRule(config.maxlag, config.autolag)
    log_prices = np.log(panel.close) if log_prices is None else log_prices
    tests = scan_windows(log_prices, windows["row"].to_numpy(np.int64), bars, rule, profile.compute)
    eligible = eligible_windows(
        panel, windows["start"].to_numpy(), config.formation, profile.universe, profile.quality.halt
    )
    both = eligible[tests["window"], tests["y"]] & eligible[tests["window"], tests["x"]]
    return with_seed_faults(tests[both].reset_index(drop=True), panel, config)


def choose_pair_days(
    panel: Panel, windows: pd.DataFrame, tests: pd.DataFrame, config: CointegrationConfig
) -> pd.DataFrame:
    """Return the pair-days: one row per selected pair and trading window, sorted by start and rank.

    Selection sees the formation window only, and what was selected stays: a pair whose leg stops trading in its window
    is flattened there, with its costs (see :mod:`perpfut_lib.env.fills`); days on which something goes wrong count.

    Raises
    ------
    NoPairsError
        A split has no pair at all.
    """
    chosen = select(tests, Screen.of(config))
    table = pair_day_table(panel, windows, chosen)
    _require_pairs(table, windows, config)
    return table


def pair_day_table(panel: Panel, windows: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return the pair-days of chosen tests (with their ``rank``, sorted by window and rank), see `load_pair_days`."""
    days = windows.loc[chosen["window"], ["start", "end", "split"]].reset_index(drop=True)
    table = pd.concat([days, chosen.drop(columns="window").reset_index(drop=True)], axis=1)
    names = np.array(panel.symbols)
    table = table.assign(y=names[table["y"]], x=names[table["x"]])
    table.insert(0, "episode", np.arange(len(table), dtype=np.int64))
    return table


def johansen_tests(panel: Panel, pair_days: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Return Johansen's trace test of every pair-day over its formation window, with the lags of its residual test."""
    bars = profile.cointegration.formation // panel.timeframe
    tasks = []
    for pair in pair_days.itertuples():
        stop, columns = panel.row(int(pair.start)), [panel.column(pair.y), panel.column(pair.x)]
        tasks.append((np.log(panel.close[stop - bars : stop, columns]), int(pair.lag)))
    results = run_tasks(johansen_task, tasks, profile.compute, label="Johansen tests")
    return pd.concat([pair_days[["episode"]], pd.DataFrame(results, columns=Johansen._fields)], axis=1)


def count_windows(windows: pd.DataFrame, tests: pd.DataFrame, screen: Screen) -> pd.DataFrame:
    """Return every trading window with the numbers of pairs tested, correlated enough, and passed."""
    listed = tests[tests["y"] < tests["x"]]
    counted = {
        "tested": listed["window"],
        "correlated": listed["window"][listed["correlation"] >= screen.min_corr],
        "passed": candidates(tests, screen)["window"],
    }
    table = windows[["start", "end", "split"]].copy()
    for name, numbers in counted.items():
        table[name] = np.bincount(numbers, minlength=len(windows)).astype(np.int64)
    return table


def load_pair_days(run: Run) -> pd.DataFrame:
    """Return the pair-days of a run: one *episode* a row, sorted by ``start`` and ``rank``.

    Columns: ``episode``, ``start``, ``end`` (ms UTC, end exclusive), ``split``, ``y``, ``x``, ``correlation``,
    ``alpha``, ``beta``, ``stat``, ``pvalue``, ``lag``, ``half_life`` (bars), ``hurst``, ``spread_mean``,
    ``spread_std`` (log price, over the formation window), ``rank``.
    """
    return run.stage("cointegration").read_table(PAIR_DAYS)


def load_windows(run: Run) -> pd.DataFrame:
    """Return every trading window: ``start``, ``end``, ``split``, and pairs ``tested``, ``correlated``, ``passed``."""
    return run.stage("cointegration").read_table(WINDOWS)


def load_tests(run: Run) -> pd.DataFrame:
    """Return every test that was made: window ``start``, ``y``, ``x`` and the columns of ``TEST_COLUMNS``."""
    return run.stage("cointegration").read_table(TESTS)


def load_johansen(run: Run) -> pd.DataFrame:
    """Return Johansen's trace test of every pair-day: ``episode``, ``trace``, ``critical``, ``rank``, ``beta``."""
    return run.stage("cointegration").read_table(JOHANSEN)


def load_placebo(run: Run) -> pd.DataFrame:
    """Return what passes in each placebo and window, see :func:`perpfut_lib.cointegration.placebo.placebo_counts`."""
    return run.stage("cointegration").read_table(PLACEBO)


def _require_pairs(table: pd.DataFrame, windows: pd.DataFrame, config: CointegrationConfig) -> None:
    """Raise unless every split that has windows has a pair."""
    present = set(windows["split"])
    empty = [name for name in SPLITS if name in present and not (table["split"] == name).any()]
    if empty:
        count = int(windows["split"].isin(empty).sum())
        expected = f"one with correlation ≥ {config.min_correlation:g} and p ≤ {config.max_pvalue:g} in each split"
        remedy = "lower cointegration.min_correlation, raise max_pvalue, or use more symbols"
        raise NoPairsError(f"no pair in {count} windows of {', '.join(empty)}", expected, remedy)
