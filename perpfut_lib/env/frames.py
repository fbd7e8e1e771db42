"""Episodes from tables in memory: candles and funding rates of one's own, without profiles, stages and files."""

import warnings
from collections.abc import Collection, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd

from perpfut_lib.acquire.checks import by_symbol, check_bars, check_settlements
from perpfut_lib.acquire.defects import examine
from perpfut_lib.acquire.grid import gap_error, gaps, timeframe_of
from perpfut_lib.acquire.market import Market
from perpfut_lib.calendar import trading_windows
from perpfut_lib.cointegration.stage import choose_pair_days, pair_day_table, window_tests
from perpfut_lib.config import Profile
from perpfut_lib.env.assemble import Observed, assemble
from perpfut_lib.env.episodes import Episodes
from perpfut_lib.errors import NoPairsError, SchemaError
from perpfut_lib.features.catalogue import feature_spec
from perpfut_lib.features.scaler import fit_scaler
from perpfut_lib.features.scan import compute
from perpfut_lib.store.build import panel_of
from perpfut_lib.store.frames import ArrowTable, as_frame
from perpfut_lib.store.halts import carried
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import CANDLE_COLUMNS, FUNDING_COLUMNS

Table: TypeAlias = pd.DataFrame | ArrowTable
Pairs: TypeAlias = Sequence[tuple[str, str]]


def episodes_from_frames(candles: Table, funding: Table | None, pairs: Pairs | None, profile: Profile) -> Episodes:
    """Return the episodes of tables in memory; see :meth:`perpfut_lib.env.Episodes.from_frames`."""
    panel = panel_from_frames(candles, funding, profile, {symbol for pair in pairs or () for symbol in pair})
    windows = trading_windows(panel.grid(), profile.cointegration, profile.split)
    tests = window_tests(panel, windows, profile)
    if pairs is None:
        pair_days = choose_pair_days(panel, windows, tests, profile.cointegration)
    else:
        pair_days = listed_pair_days(panel, windows, tests, pairs)
    return build_episodes(panel, pair_days, profile)


def build_episodes(panel: Panel, pair_days: pd.DataFrame, profile: Profile) -> Episodes:
    """Return the episodes of pair-days on a panel, their features scaled by what the training episodes show."""
    spec = feature_spec(profile.features)
    raw = compute(spec, carried(panel), pair_days, formation=profile.cointegration.formation)
    scaler = fit_scaler(spec, raw[: int((pair_days["split"] == "train").sum())], profile.features.clip)
    return assemble(panel, pair_days, Observed(spec, raw, scaler), profile)


def panel_from_frames(candles: Table, funding: Table | None, profile: Profile, wanted: Collection[str] = ()) -> Panel:
    """Return the panel of long tables; every check of recorded files applies, and the search for data that lie.

    A symbol with a defect is refused where it is ``wanted``, and otherwise left out with a warning.

    Raises
    ------
    SchemaError, PriceError, DuplicateBarError, TimestampError, GapError, FundingError, SuspectDataError
        Each names the symbol, the time and what was expected instead.
    """
    bars = by_symbol([_long(candles, CANDLE_COLUMNS)], "open_time")
    checked = {symbol: check_bars(symbol, table) for symbol, table in bars.items()}
    rates: dict[str, pd.DataFrame] = (
        {} if funding is None else by_symbol([_long(funding, FUNDING_COLUMNS)], "funding_time")
    )
    settled = {symbol: check_settlements(symbol, table) for symbol, table in rates.items() if symbol in checked}
    timeframe, allowed = timeframe_of(checked, profile.data.timeframe), profile.data.max_gap_bars
    for symbol, table in checked.items():
        holes = gaps(table["open_time"].to_numpy(), timeframe, allowed)
        if holes:
            raise gap_error(symbol, holes, timeframe, allowed)
    data = profile.data.model_copy(update={"symbols": tuple(sorted(wanted))}) if wanted else profile.data
    examined = examine(Market(checked, settled), timeframe, data, profile.quality)
    for symbol, why in examined.left_out.items():
        warnings.warn(f"{symbol} left {why}", stacklevel=4)
    return panel_of(examined.market, timeframe)


def listed_pair_days(panel: Panel, windows: pd.DataFrame, tests: pd.DataFrame, pairs: Pairs) -> pd.DataFrame:
    """Return the pair-days of the pairs (y, x) asked for, in every window in which both may be paired; no screen.

    Raises
    ------
    NoPairsError
        There is none.
    """
    rank = {(panel.column(y), panel.column(x)): number for number, (y, x) in enumerate(pairs, start=1)}
    ranks = np.array([rank.get(legs, 0) for legs in zip(tests["y"], tests["x"], strict=True)], np.int64)
    chosen = tests.assign(rank=ranks)[ranks > 0].sort_values(["window", "rank"], ignore_index=True)
    if chosen.empty:
        remedy = "use longer data, or shorter cointegration.formation"
        raise NoPairsError(f"no window in which {len(pairs)} pair(s) have all bars", "one", remedy)
    return pair_day_table(panel, windows, chosen)


def _long(table: Table, columns: Sequence[str]) -> pd.DataFrame:
    """Return the wanted columns with int64 milliseconds and a categorical symbol."""
    frame = as_frame(table)
    missing = [name for name in columns if name not in frame]
    if missing:
        found = f"a table without column {', '.join(missing)} (it has {', '.join(map(str, frame.columns))})"
        raise SchemaError(found, f"the columns {', '.join(columns)}", "rename or add the columns")
    frame = frame.loc[:, list(columns)].astype({"symbol": "category"})
    times = frame[columns[1]]
    if pd.api.types.is_datetime64_any_dtype(times):
        frame[columns[1]] = pd.to_datetime(times, utc=True).dt.as_unit("ms").astype("int64")
    numbers = {name: np.float64 for name in columns[2:]}
    return frame.astype({columns[1]: np.int64, **numbers})
