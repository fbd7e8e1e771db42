"""The monthly archive: checksums, headers, units of time, missing months; and the recorded zips."""

import hashlib
import io
import zipfile

import numpy as np
import pandas as pd
import pytest
import requests

from perpfut_lib.acquire.archive import ARCHIVE_FUNDING, Archive, import_archive
from perpfut_lib.acquire.history import CANDLES, History
from perpfut_lib.acquire.stage import read_source
from perpfut_lib.config import ArchiveConfig, DataConfig, ExchangeConfig, format_time
from perpfut_lib.errors import ArtifactError, ExchangeError, MissingInputError, SchemaError, TimestampError

HOUR = 3_600_000
HEADER = b"open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_volume,taker_quote,ignore\n"
WINDOW = tuple(pd.Timestamp(day, tz="UTC").value // 1_000_000 for day in ("2025-01-01", "2025-04-01"))


def _packed(name, text):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(name, text)
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path, make_candles):
    """Write three months of AAA in the archive's layout; return (archive, candles, function to write one file)."""
    candles = make_candles(symbols=("AAA",), bars=90 * 24, timeframe=HOUR).drop(columns="symbol")
    folder = tmp_path / "archive"

    def write(month, text, name=None, kind="klines/AAA/1h", checksum=None):
        path = folder / "futures/um/monthly" / kind / (name or f"AAA-1h-{month}.zip")
        path.parent.mkdir(parents=True, exist_ok=True)
        content = _packed(path.stem + ".csv", text)
        path.write_bytes(content)
        digest = checksum or hashlib.sha256(content).hexdigest()
        path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
        return path

    for month, part in candles.groupby(pd.to_datetime(candles["open_time"], unit="ms").dt.strftime("%Y-%m")):
        rows = part.assign(close_time=part["open_time"] + HOUR - 1, quote=0, count=1, taker=0, taker_quote=0, ignore=0)
        write(month, (HEADER if month == "2025-02" else b"") + rows.to_csv(index=False, header=False).encode())
        settled = part["open_time"][::8]
        lines = "".join(f"{time + 3},8,0.0001\n" for time in settled)
        text = "calc_time,funding_interval_hours,last_funding_rate\n" + lines
        write(month, text, f"AAA-fundingRate-{month}.zip", "fundingRate/AAA")
    return Archive(ArchiveConfig(location=str(folder)), ExchangeConfig(workers=2)), candles, write


def test_months_with_and_without_header_are_read_bit_for_bit(archive, tmp_path):
    source, candles, _ = archive
    history = History(tmp_path / "history")
    import_archive(source, history, ("AAA",), WINDOW, HOUR)
    pd.testing.assert_frame_equal(history.read(CANDLES, "AAA", *WINDOW), candles, check_exact=True)
    assert len(history.read(ARCHIVE_FUNDING, "AAA", *WINDOW)) == 270
    noted = [entry["zip_sha256"] for entry in history.manifest(CANDLES, "AAA").values()]
    assert len(set(noted)) == 3


def test_a_second_import_reads_no_file_again(archive, tmp_path, monkeypatch):
    source, _, _ = archive
    history = History(tmp_path / "history")
    import_archive(source, history, ("AAA",), WINDOW, HOUR)
    monkeypatch.setattr(Archive, "fetch", lambda *a: pytest.fail("asked again"))
    import_archive(source, history, ("AAA",), WINDOW, HOUR)


def test_microseconds_become_milliseconds(archive, tmp_path):
    source, candles, write = archive
    march = candles[candles["open_time"] >= pd.Timestamp("2025-03-01", tz="UTC").value // 1_000_000]
    rows = march.assign(open_time=march["open_time"] * 1000)
    write("2025-03", rows.to_csv(index=False, header=False))
    history = History(tmp_path / "history")
    import_archive(source, history, ("AAA",), WINDOW, HOUR)
    assert np.array_equal(history.read(CANDLES, "AAA", *WINDOW)["open_time"], candles["open_time"])


def test_a_wrong_checksum_is_refused(archive, tmp_path):
    source, _, write = archive
    write("2025-02", "1738368000000,1,1,1,1,1\n", checksum="0" * 64)
    with pytest.raises(ArtifactError, match=r"AAA-1h-2025-02.zip with SHA-256 .*000000000000… as its .CHECKSUM says"):
        import_archive(source, History(tmp_path / "history"), ("AAA",), WINDOW, HOUR)


def test_an_absent_checksum_is_refused_unless_it_may_be(archive, tmp_path):
    source, _, write = archive
    path = write("2025-02", "1738368000000,1,1,1,1,1\n")
    path.with_name(path.name + ".CHECKSUM").unlink()
    with pytest.raises(ArtifactError, match=r"AAA-1h-2025-02.zip without its .CHECKSUM"):
        import_archive(source, History(tmp_path / "history"), ("AAA",), WINDOW, HOUR)
    relaxed = Archive(source.config.model_copy(update={"checksums": "if_present"}))
    import_archive(relaxed, History(tmp_path / "other"), ("AAA",), WINDOW, HOUR)


@pytest.mark.parametrize(
    "text, error, message",
    [
        ("1738368000000,1,1\n", SchemaError, "with 3 columns; expected at least 6"),
        ("1738368000000,1,x,1,1,1\n", SchemaError, "could not convert"),
        ("1735689600000,1,1,1,1,1\n", TimestampError, "outside the month"),
        ("1738371600000,1,1,1,1,1\n1738371600000,1,1,1,1,1\n", TimestampError, "doubled"),
    ],
)
def test_content_that_the_archive_never_publishes_is_refused(archive, tmp_path, text, error, message):
    source, _, write = archive
    write("2025-02", text)
    with pytest.raises(error, match=message):
        import_archive(source, History(tmp_path / "history"), ("AAA",), WINDOW, HOUR)


def test_a_month_missing_in_the_middle_is_named(archive, tmp_path):
    source, _, write = archive
    write("2025-02", "").unlink()
    with pytest.raises(MissingInputError, match="AAA without 2025-02"):
        import_archive(source, History(tmp_path / "history"), ("AAA",), WINDOW, HOUR)


def test_a_symbol_without_any_file_is_named(archive, tmp_path):
    with pytest.raises(MissingInputError, match="no candles of ZZZ from 2025-01 to 2025-03"):
        import_archive(archive[0], History(tmp_path / "history"), ("ZZZ",), WINDOW, HOUR)


class Answer:
    def __init__(self, status, content=b""):
        self.status_code, self.content = status, content

    def raise_for_status(self):
        if self.status_code >= 400:
            raise requests.HTTPError(f"{self.status_code} Server Error")


def test_the_network_is_tried_again_and_a_404_is_no_file(archive, tmp_path, monkeypatch):
    """Every second answer is a 503; what is not there answers 404, as the archive does."""
    _, candles, _ = archive
    asked, waits = [], []

    def get(url, timeout):
        asked.append(url)
        path = tmp_path / "archive" / url.removeprefix("https://archive.example/data/")
        if len(asked) % 2:
            return Answer(503)
        return Answer(200, path.read_bytes()) if path.is_file() else Answer(404)

    monkeypatch.setattr(requests, "get", get)
    config = ArchiveConfig(location="https://archive.example/data/")
    remote = Archive(config, ExchangeConfig(workers=1), sleep=waits.append)
    history = History(tmp_path / "history")
    earlier = pd.Timestamp("2024-12-01", tz="UTC").value // 1_000_000
    import_archive(remote, history, ("AAA",), (earlier, WINDOW[1]), HOUR)
    pd.testing.assert_frame_equal(history.read(CANDLES, "AAA", *WINDOW), candles, check_exact=True)
    assert set(waits) == {1.0}


def test_an_archive_that_stays_away_is_a_named_error(monkeypatch):
    monkeypatch.setattr(requests, "get", lambda url, timeout: Answer(500))
    remote = Archive(ArchiveConfig(), ExchangeConfig(retries=2), sleep=lambda seconds: None)
    with pytest.raises(ExchangeError, match="after 3 tries: 500 Server Error"):
        remote.fetch(CANDLES, "AAA", HOUR, "2025-01")


def test_the_recorded_zips_equal_the_recorded_candles(shared_data, tmp_path):
    """Twelve real months of four symbols equal the exchange's own candles, but for the archive's known bad hours."""
    location = shared_data / "fixtures" / "data.binance.vision_zips"
    config = DataConfig(
        source="archive",
        archive={"location": str(location), "checksums": "if_present", "cross_check": 0},
        exchange={"folder": tmp_path},
        symbols=("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT"),
        timeframe="1h",
        start="2024-05-01",
        end="2025-05-01",
    )
    market = read_source(config)
    panel = shared_data / "market" / "binance_usdm_1h_2024-05_2025-04_50sym_complete.parquet"
    recorded = pd.read_parquet(panel)
    for symbol, bars in market.candles.items():
        own = recorded[recorded["symbol"] == symbol][bars.columns].reset_index(drop=True)
        differing = bars["open_time"][(own != bars).any(axis=1)]
        bad = ["2024-10-28 20:00", "2024-10-28 21:00", "2025-01-14 13:00", "2025-01-14 15:00"]
        assert [format_time(time) for time in differing] == bad
        assert len(market.funding[symbol]) == 3 * 365


def test_where_no_archive_is_the_first_contact_ends_within_seconds():
    """A name that does not resolve is refused after a few tries, whatever patience the settings allow."""
    waits = []
    archive = Archive(ArchiveConfig(location="https://archive.invalid/data"), sleep=waits.append)
    with pytest.raises(ExchangeError, match=r"no archive at https://archive\.invalid/.*: the name does not resolve"):
        archive.fetch(CANDLES, "AAA", 60_000, "2025-01")
    assert sum(waits) <= 3.0
