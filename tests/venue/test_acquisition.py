"""The true acquisition path against the local exchange: a fault ends in a retry or a named error, never a wrong bar."""

import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from perpfut_lib.acquire.download import Order, download
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.history import CANDLES, FUNDING, MARK, History
from perpfut_lib.acquire.listings import listed_spans, read_listings
from perpfut_lib.acquire.stage import read_source
from perpfut_lib.acquire.wires import BINANCE, HYPERLIQUID
from perpfut_lib.config import DataConfig, ExchangeConfig, SimulationConfig
from perpfut_lib.errors import ExchangeError, MissingInputError
from perpfut_lib.types import MINUTE_MS
from perpfut_lib.venue.faults import Delist, Drop, Gap, Latency, Skew, Status
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig

SERIES = (CANDLES, FUNDING)


@pytest.fixture
def local(tape):
    """Return a function that serves the small tape two minutes after its end, and the order for all of it."""
    order = Order(SERIES, tuple(tape.series), tape.start, tape.end, MINUTE_MS)

    def start(**settings):
        limit = {"weight_limit": 1_000_000} | settings
        return serve(VenueConfig(start=tape.end + 2 * MINUTE_MS, **limit), tape)

    return start, order


def _connect(venue, **settings):
    quick = {"backoff": 0.01, "timeout": 0.5, "retries": 8} | settings
    wire = replace(BINANCE, weight_per_minute=1_000_000)
    return Exchange(wire, ExchangeConfig(url=venue.url, **quick))


def _assert_equal(history, order, tape):
    for symbol in order.symbols:
        series, held = tape.series[symbol], history.read(CANDLES, symbol, order.start, order.end)
        assert np.array_equal(held["open_time"], series.bars.open_time)
        assert np.array_equal(held[["open", "high", "low", "close"]], series.bars.prices)
        assert np.array_equal(held["volume"], series.bars.volume)
        rates = history.read(FUNDING, symbol, order.start, order.end)
        inside = series.funding_time < order.end
        assert np.array_equal(rates["funding_time"] // MINUTE_MS * MINUTE_MS, series.funding_time[inside])
        assert np.array_equal(rates["funding_rate"], series.funding_rate[inside])


def test_the_local_exchange_delivers_the_simulated_market(tmp_path):
    """``venue`` and ``sim`` are the same market, bit for bit, though one went over the wire."""
    simulation = SimulationConfig(days=5, symbols=3, planted_pairs=1)
    wired = read_source(DataConfig(source="venue", simulation=simulation))
    direct = read_source(DataConfig(source="sim", simulation=simulation))
    assert set(wired.candles) == set(direct.candles)
    for symbol, bars in direct.candles.items():
        assert wired.candles[symbol].equals(bars)
        rates = direct.funding[symbol]["funding_rate"].to_numpy()
        assert np.array_equal(wired.funding[symbol]["funding_rate"], rates)
    assert wired.truth == direct.truth
    assert wired.instruments["funding_interval"].isin([1, 4, 8]).all()
    assert (wired.instruments["tick_size"] > 0).all() and (wired.instruments["min_notional"] > 0).all()


FAULTS = {
    "503, three in a row": [Status(status=503, count=3)],
    "500 at every fourth request": [Status(status=500, every=4)],
    "504": [Status(status=504, count=2, path="/fapi/v1/klines")],
    "404 of a gateway": [Status(status=404, count=2, path="/fapi/v1/klines")],
    "dropped connections": [Drop(every=3)],
    "a stalled answer": [Latency(milliseconds=1000, count=2, path="/fapi/v1/klines")],
    "pages with bars left out": [Gap(rows=3, every=2)],
    "a long hole in every fifth page": [Gap(rows=200, every=5)],
    "all at once": [Status(status=502, every=5), Drop(every=7), Gap(rows=9, every=3)],
}


@pytest.mark.parametrize("faults", FAULTS.values(), ids=list(FAULTS))
def test_a_passing_fault_changes_nothing_in_the_store(local, tape, tmp_path, faults):
    start, order = local
    with start() as venue:
        exchange, history = _connect(venue), History(tmp_path)
        exchange.markets()
        for fault in faults:
            venue.exchange.add_fault(fault)
        download(exchange, history, order)
    _assert_equal(history, order, tape)


def test_a_clock_that_is_wrong_costs_bars_at_the_end_but_no_wrong_ones(local, tape, tmp_path):
    """The exchange's own time decides what is final; what is left out comes with the next download."""
    start, order = local
    with start() as venue:
        exchange, history = _connect(venue), History(tmp_path)
        venue.exchange.add_fault(Skew(milliseconds=-3_600_000))
        download(exchange, history, order)
        assert history.read(CANDLES, "SIM01USDT", order.start, order.end)["open_time"].iloc[-1] < order.end - 3_500_000
        venue.exchange.clear_faults()
        download(exchange, history, order)
    _assert_equal(history, order, tape)


@pytest.mark.parametrize("status", [403, 451])
def test_a_refused_address_is_told_at_once(local, tmp_path, status):
    start, order = local
    with start() as venue:
        exchange = _connect(venue, retries=50, backoff=60)
        exchange.markets()
        venue.exchange.add_fault(Status(status=status, path="/fapi/v1/klines"))
        with pytest.raises(ExchangeError, match="refused"):
            download(exchange, History(tmp_path), order)


def test_an_exchange_that_stays_away_is_a_named_error_and_the_next_run_goes_on(local, tape, tmp_path):
    start, order = local
    with start() as venue:
        exchange, history = _connect(venue, retries=2), History(tmp_path)
        exchange.markets()
        venue.exchange.add_fault(Status(status=503, path="/fapi/v1/fundingRate"))
        with pytest.raises(ExchangeError, match=r"no usable answer for funding of SIM\d\dUSDT .* after 3 tries: .*503"):
            download(exchange, history, order)
        venue.exchange.clear_faults()
        download(exchange, history, order)
    _assert_equal(history, order, tape)


def test_nobody_there_is_a_named_error():
    config = ExchangeConfig(url="http://127.0.0.1:9", retries=1, backoff=0.01)
    with pytest.raises(ExchangeError, match="no usable answer for markets after 2 tries: NetworkError"):
        Exchange(BINANCE, config).markets()


def test_an_unknown_symbol_is_a_named_error(local, tmp_path):
    start, order = local
    with start() as venue, pytest.raises(MissingInputError, match="no perpetual future LUNAUSDT on binanceusdm"):
        download(_connect(venue), History(tmp_path), replace(order, symbols=("LUNAUSDT",)))


def test_a_delisted_symbol_keeps_the_bars_it_had(local, tape, tmp_path):
    start, order = local
    with start() as venue:
        exchange, history = _connect(venue), History(tmp_path)
        exchange.markets()
        venue.exchange.delisted["SIM02USDT"] = tape.start + 2000 * MINUTE_MS
        venue.exchange.faults.add(Delist(symbol="SIM02USDT"))
        download(exchange, history, replace(order, series=(CANDLES,)))
    held = history.read(CANDLES, "SIM02USDT", order.start, order.end)
    assert np.array_equal(held["close"][:2000], tape.series["SIM02USDT"].bars.prices[:2000, 3])
    assert len(held) == 2001 and held["volume"][2000] == 0  # the minute that had just begun


def test_the_weight_limit_is_honoured_by_all_threads_together(local, tape, tmp_path):
    """At a budget of five sixths of the limit no request is refused; weights are as Binance counts them."""
    start, order = local
    window = 2.0  # seconds: thirty exchange minutes pass in one of ours
    with start(weight_limit=60, weight_window=window) as venue:
        exchange, history = _connect(venue, weight_per_minute=round(50 * 60 / window), workers=4), History(tmp_path)
        download(exchange, history, order)
        assert all(usage.refused == 0 for usage in venue.exchange.limiter.usage.values())
        # the time of day costs 1, exchange information 1; klines 2 a page of 499; the rest are funding rates
        assert venue.exchange.limiter.total >= 2 * len(order.symbols) * 14
    _assert_equal(history, order, tape)


def test_a_429_is_waited_out_as_long_as_it_says(local, tape, tmp_path):
    """Another client has used the limit up: every thread waits, nobody is banned."""
    start, order = local
    with start(weight_limit=70, weight_window=3.0) as venue:
        exchange, history = _connect(venue, workers=3), History(tmp_path)
        download(exchange, history, replace(order, symbols=order.symbols[:2]))
        assert all(usage.banned_until == 0 for usage in venue.exchange.limiter.usage.values())
    _assert_equal(history, replace(order, symbols=order.symbols[:2]), tape)


def test_mark_prices_are_a_series_of_their_own(local, tmp_path):
    start, order = local
    with start() as venue:
        history, wanted = History(tmp_path), replace(order, series=(MARK,), symbols=("SIM01USDT",))
        download(_connect(venue), history, wanted)
    marks = history.read(MARK, "SIM01USDT", order.start, order.end)
    assert len(marks) == (order.end - order.start) // MINUTE_MS and (marks["close"] > 0).all()


def _write_archive(folder: Path, tape, dead: slice) -> None:
    """Write the tape as monthly zips, with bars ``dead`` flat and without volume as the archive's bad hours are."""
    for symbol, series in tape.series.items():
        prices, volume = series.bars.prices.copy(), series.bars.volume.copy()
        prices[dead], volume[dead] = prices[dead.start - 1, 3], 0.0
        table = pd.DataFrame({"time": series.bars.open_time} | {k: prices[:, k] for k in range(4)} | {"v": volume})
        path = folder / f"{symbol}-1m-2025-01.zip"
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(path.stem + ".csv", table.to_csv(index=False, header=False))
        settled = pd.DataFrame({"time": series.funding_time, "hours": 8, "rate": series.funding_rate})
        with zipfile.ZipFile(folder / f"{symbol}-fundingRate-2025-01.zip", "w") as packed:
            packed.writestr("x.csv", settled.to_csv(index=False, header=False))


@pytest.mark.parametrize("repair", [True, False])
def test_the_archives_bad_hour_is_found_and_mended_from_the_exchange(local, tape, tmp_path, repair):
    start, order = local
    _write_archive(tmp_path, tape, slice(3000, 3074))
    archive = {"location": str(tmp_path), "checksums": "if_present", "cross_check": 1, "repair": repair}
    with start() as venue:
        exchange = {"url": venue.url, "folder": tmp_path / "data"}
        dates = {"start": "2025-01-01", "end": "2025-01-06"}
        config = DataConfig(source="archive", archive=archive, exchange=exchange, symbols=order.symbols, **dates)
        market = read_source(config)
    quiet = market.cross_check.query("reason == 'no trades'")
    assert quiet[["start", "differing"]].values.tolist() == [[tape.start + 3000 * MINUTE_MS, 74]] * len(order.symbols)
    for symbol, series in tape.series.items():
        close = market.candles[symbol]["close"]
        assert np.array_equal(close, series.bars.prices[:, 3]) == repair
        assert np.array_equal(close[3074:], series.bars.prices[3074:, 3])


def test_hyperliquid_is_downloaded_by_the_same_code(local, tape, tmp_path):
    """It keeps the newest 5,000 candles only: what is older is absent, what is there is the tape bit for bit."""
    start, order = local
    symbols = ("SIM01", "SIM02")
    with start() as venue:
        exchange = Exchange(replace(HYPERLIQUID, weight_per_minute=1_000_000), ExchangeConfig(url=venue.url))
        wanted = replace(order, symbols=symbols)
        history = History(tmp_path)
        download(exchange, history, wanted)
        download(exchange, history, wanted)  # a second time changes nothing
    for symbol in symbols:
        bars = tape.series[f"{symbol}USDT"].bars
        held = history.read(CANDLES, symbol, order.start, order.end)
        since = int(held["open_time"].iloc[0])
        rows = bars.open_time >= since
        assert np.array_equal(held["open_time"], bars.open_time[rows]) and rows.sum() >= 4990
        assert np.array_equal(held["close"], bars.prices[rows, 3])
        rates = history.read(FUNDING, symbol, order.start, order.end)
        hours, expected = tape.series[f"{symbol}USDT"].hourly_funding
        assert np.array_equal(rates["funding_time"] // MINUTE_MS * MINUTE_MS, hours[hours < order.end])
        assert np.allclose(rates["funding_rate"], expected[hours < order.end], rtol=0, atol=1e-10)
    assert set(read_listings(tmp_path)) == set(symbols)


def test_the_history_of_hyperliquid_serves_as_its_listings(tape, tmp_path):
    """What a download holds tells from when to when a coin was there."""
    symbols = tuple(tape.series)
    order = Order((FUNDING,), tuple(name.removesuffix("USDT") for name in symbols), tape.start, tape.end, MINUTE_MS)
    with serve(VenueConfig(start=tape.end + 2 * MINUTE_MS), tape) as venue:
        exchange = Exchange(replace(HYPERLIQUID, weight_per_minute=1_000_000), ExchangeConfig(url=venue.url))
        download(exchange, History(tmp_path), order)
    spans = listed_spans(symbols, tmp_path)
    for symbol, own in spans.items():
        hours = tape.series[symbol].hourly_funding[0]
        assert own[0].start // MINUTE_MS == hours[0] // MINUTE_MS
        assert own[0].end // MINUTE_MS == hours[hours < tape.end][-1] // MINUTE_MS + 60


CHILD = """
import sys
from dataclasses import replace
from pathlib import Path
from perpfut_lib.acquire.download import Order, download
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.history import CANDLES, FUNDING, History
from perpfut_lib.acquire.wires import BINANCE
from perpfut_lib.config import ExchangeConfig
url, folder, start, end, *symbols = sys.argv[1:]
exchange = Exchange(replace(BINANCE, weight_per_minute=1_000_000), ExchangeConfig(url=url, workers=2))
download(exchange, History(Path(folder)), Order((CANDLES, FUNDING), tuple(symbols), int(start), int(end), 60_000))
"""


def _content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file() and p.name != ".lock"}


def _bytes_held(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*.journal"))


@pytest.mark.slow
def test_ten_kills_in_mid_download_leave_no_trace(local, tape, tmp_path):
    """Killed (-9) whenever another tenth has arrived: in the end the store equals an undisturbed one byte for byte."""
    start, order = local
    arguments = [str(order.start), str(order.end), *order.symbols]
    with start() as venue:
        download(_connect(venue), History(tmp_path / "undisturbed"), order)
        whole, killed = _bytes_held(tmp_path / "undisturbed"), 0
        venue.exchange.add_fault(Latency(milliseconds=30))
        command = [sys.executable, "-c", CHILD, venue.url, str(tmp_path / "killed"), *arguments]
        for number in range(10):
            child = subprocess.Popen(command)
            while child.poll() is None and _bytes_held(tmp_path / "killed") <= whole * number // 11:
                time.sleep(0.001)
            killed += child.poll() is None
            child.kill()
            child.wait()
        subprocess.run(command, check=True)
    assert killed == 10
    assert _content(tmp_path / "killed") == _content(tmp_path / "undisturbed")
