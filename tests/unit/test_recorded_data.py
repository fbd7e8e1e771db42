"""Every recorded candle file goes through acquisition and quality, and its known defects are found."""

import pandas as pd
import pytest

from perpfut_lib.acquire.files import read_files
from perpfut_lib.acquire.partitions import write_candles
from perpfut_lib.artifacts import Run
from perpfut_lib.config import DataConfig, Profile, format_time
from perpfut_lib.errors import GapError
from perpfut_lib.pipeline import ensure
from perpfut_lib.store.build import build_panel
from perpfut_lib.store.quality import audit
from perpfut_lib.store.stage import load_panel, load_quality, load_universe
from perpfut_lib.types import MINUTE_MS

BINANCE_FUNDING = "binance_usdm_funding_2024-05_2025-06"
HYPERLIQUID_FUNDING = "hyperliquid_funding_1h_2024-05_2025-04"


@pytest.fixture
def quality(shared_data, tmp_path):
    """Return a function that runs both data stages on a recorded file."""

    def run(file, funding, **settings):
        folder = shared_data / "market"
        data = {"source": "files", "files": folder / f"{file}.parquet", **settings}
        data["funding"] = "none" if funding is None else folder / f"{funding}.parquet"
        run = Run(tmp_path)
        ensure("quality", Profile.model_validate({"data": data}), run)
        return run

    return run


# file, funding, first bar, end of the last bar, number of symbols
WINDOWS = [
    ("binance_usdm_1m_2025-05-04_2025-06-24", BINANCE_FUNDING, "2025-05-04 15:37", "2025-06-03 15:33", 15),
    ("binance_usdm_1m_2025-01-27_2025-02-28", None, "2025-02-01 00:00", "2025-02-26 13:01", 12),
    ("binance_usdm_1m_2025-01-27_2025-02-28", BINANCE_FUNDING, "2025-01-27 13:03", "2025-02-26 13:01", 8),
    ("binance_usdm_15m_2024-05_2025-01-14_8sym", None, "2024-05-01 00:00", "2025-01-14 12:00", 8),
    ("binance_usdm_1h_2024-05_2025-04_50sym_complete", None, "2024-05-01 00:00", "2025-05-01 00:00", 50),
    ("binance_usdm_1h_2024-05_2025-04_50sym_complete", BINANCE_FUNDING, "2024-05-01 00:00", "2025-05-01 00:00", 11),
    ("binance_usdm_1h_2024-05_2025-04_partial_and_late_listings", None, "2024-09-26 12:00", "2025-04-14 10:00", 7),
    ("hyperliquid_perp_1h_2024-09_2025-04", HYPERLIQUID_FUNDING, "2024-09-05 14:00", "2025-05-01 00:00", 42),
]


@pytest.mark.parametrize("file, funding, first, end, symbols", WINDOWS)
def test_the_window_of_every_recorded_file(quality, file, funding, first, end, symbols):
    panel = load_panel(quality(file, funding))
    assert (format_time(int(panel.open_time[0])), len(panel.symbols)) == (first, symbols)
    assert format_time(int(panel.open_time[-1]) + panel.timeframe) == end
    assert not panel.filled.any()
    assert set(panel.funding) == (set(panel.symbols) if funding else set())


def test_the_real_profile_knows_its_funding_oddities(quality):
    """LAYER settles every 4 h, then every hour; ETC's last settlement and LAYER's are not in the file."""
    run = quality("binance_usdm_1m_2025-05-04_2025-06-24", BINANCE_FUNDING)
    findings = load_quality(run).findings.set_index(["symbol", "kind"])["detail"].to_dict()
    assert findings["LAYERUSDT", "interval_change"] == "funding interval 4h to 1h"
    assert findings["ETCUSDT", "missing_settlement"] == "1 missing between 2025-06-03 00:00 and 2025-06-03 15:33"
    out = load_universe(run).query("not in_universe")["symbol"].tolist()
    assert out == ["ADAUSDT", "DOGEUSDT", "DOTUSDT"]


def test_the_archives_dead_minutes_are_found(shared_data, tmp_path):
    """FIL on 2024-10-28: flat minutes without volume that the exchange never had, 14 and then 74 of them."""
    file = shared_data / "market" / "binance_usdm_1m_scattered_months_2024-06_2025-04.parquet"
    bars = read_files(DataConfig(source="files", files=file, funding="none")).candles["FILUSDT"]
    write_candles(tmp_path, "FILUSDT", bars)
    start, end = (int(pd.Timestamp(day, tz="UTC").value) // 1_000_000 for day in ("2024-10-01", "2024-11-01"))
    report = audit(build_panel(tmp_path, ["FILUSDT"], start, end, MINUTE_MS), pays_funding=False)
    dead = report.findings.query("kind == 'zero_volume'")
    assert [(format_time(row.start), row.bars) for row in dead.itertuples()] == [
        ("2024-10-28 16:21", 14),
        ("2024-10-28 20:00", 74),
    ]
    assert report.summary["bars"].tolist() == [31 * 1440]


def test_holes_between_months_are_an_error(quality):
    with pytest.raises(GapError, match="FILUSDT lacking 263520 bars of 1m in 2 gap"):
        quality("binance_usdm_1m_scattered_months_2024-06_2025-04", None)


def test_a_pagination_bug_is_caught(quality, shared_data):
    """Two hundred bars, then a hole of 13 h 22 min, 77 times over."""
    name = "bybit_linear_1m_GAPPY_pagination_bug_2024-09_2024-10"
    with pytest.raises(GapError, match=r"BTCUSDT lacking 61677 bars of 1m in 77 gap\(s\)"):
        quality(f"../fixtures/{name}", None)
