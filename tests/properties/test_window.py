"""The chosen window is the best there is, and the store loses nothing: compared with brute force on random markets."""

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpfut_lib.acquire.market import BAR_COLUMNS, Market
from perpfut_lib.acquire.partitions import read_candles, write_candles
from perpfut_lib.acquire.window import choose_window
from perpfut_lib.config import DataConfig, UniverseConfig
from perpfut_lib.errors import UniverseError

MINUTE = 60_000
T0 = 1_735_689_600_000
BARS = 24

# each symbol: the set of minutes at which it has a bar, as a bit mask, so that holes and ragged ends both occur
markets = st.lists(st.integers(1, 2**BARS - 1), min_size=2, max_size=5)


def _market(masks):
    candles = {}
    for number, mask in enumerate(masks):
        minutes = np.array([minute for minute in range(BARS) if mask >> minute & 1])
        ones = {name: np.ones(len(minutes)) for name in BAR_COLUMNS[1:]}
        candles[f"S{number}"] = pd.DataFrame({"open_time": T0 + minutes * MINUTE, **ones})
    return Market(candles, None)


def _best_area(masks, needed):
    best = 0
    for start, end in itertools.combinations(range(BARS + 1), 2):
        window = (1 << end) - (1 << start)
        count = sum(mask & window == window for mask in masks)
        best = max(best, count * (end - start) if count >= needed else 0)
    return best


@settings(max_examples=150)
@given(markets)
def test_no_window_holds_more_symbol_bars(masks):
    """Null hypothesis: some window covered by two symbols or more has a larger product than the chosen one."""
    config = DataConfig(gaps="avoid")
    best = _best_area(masks, 2)
    if best == 0:
        with pytest.raises(UniverseError):
            choose_window(_market(masks), MINUTE, config, UniverseConfig())
        return
    window = choose_window(_market(masks), MINUTE, config, UniverseConfig())
    start, end = (window.start - T0) // MINUTE, (window.end - T0) // MINUTE
    needed = (1 << end) - (1 << start)
    covering = tuple(f"S{number}" for number, mask in enumerate(masks) if mask & needed == needed)
    assert window.symbols == covering
    assert len(covering) * (end - start) == best


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 60_000), st.floats(1e-9, 1e9)), min_size=1, unique_by=lambda bar: bar[0]))
def test_stored_candles_come_back_bit_for_bit(bars):
    """Any times over several months and any finite prices survive the partitions."""
    ordered = sorted(bars)
    time = T0 + np.array([minute for minute, _ in ordered], np.int64) * 7 * MINUTE
    table = pd.DataFrame({"open_time": time} | {name: [price for _, price in ordered] for name in BAR_COLUMNS[1:]})
    with tempfile.TemporaryDirectory() as folder:
        write_candles(Path(folder), "币安人生/USDT:USDT", table)
        pd.testing.assert_frame_equal(read_candles(Path(folder), "币安人生/USDT:USDT"), table, check_exact=True)
