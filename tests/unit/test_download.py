"""Downloads are complete, resumable and believed only when the exchange repeats itself; a fake exchange plays along."""

import itertools
import threading
from dataclasses import replace

import numpy as np
import pytest

from perpfut_lib.acquire import history as module_history
from perpfut_lib.acquire.budget import Page, WeightBudget
from perpfut_lib.acquire.download import Order, download, estimate
from perpfut_lib.acquire.exchange import Answer
from perpfut_lib.acquire.history import CANDLES, FUNDING, History, Journal, units
from perpfut_lib.acquire.wires import BINANCE, HYPERLIQUID
from perpfut_lib.config import ExchangeConfig
from perpfut_lib.errors import ArtifactError, ExchangeError

HOUR = 3_600_000
START = 1_735_689_600_000  # 2025-01-01
END = START + 75 * 24 * HOUR  # mid-March: two whole months and a part


class FakeExchange:
    """Serves hourly bars of any symbol from memory, in pages, like Binance or like Hyperliquid."""

    def __init__(self, rows, wire=BINANCE, now=END + 30 * 24 * HOUR, fault=None):
        self.rows, self.wire, self.time, self.fault = rows, replace(wire, candles=Page(100, 1)), now, fault
        self.config, self.budget = ExchangeConfig(workers=3), WeightBudget(10**9)
        self.stopped, self.asked = threading.Event(), []
        self.numbers = itertools.count(1)  # threads that ask together still get numbers of their own

    def now(self):
        return self.time

    def another(self):
        return self

    def candles(self, symbol, timeframe, since, *, mark=False):
        self.asked.append((symbol, since))
        number = next(self.numbers)
        rows, size = self.rows[symbol], self.wire.candles.rows
        until = since + size * timeframe if not self.wire.from_start else float("inf")
        page = rows[(rows[:, 0] >= since) & (rows[:, 0] < until)][:size]
        if self.fault:
            page = self.fault(number, page)
        return Answer(page, float(page[-1, 0]) + 1 if len(page) >= size else until)

    def settlements(self, symbol, since):
        self.asked.append((symbol, since))
        next(self.numbers)
        time = np.arange(START, END, 8 * HOUR) + 7.0
        rows = np.column_stack([time, np.full(len(time), 1e-4)])
        page = rows[rows[:, 0] >= since][:60]
        return Answer(page, float(page[-1, 0]) + 1 if len(page) >= 60 else float("inf"))


def _bars(first=START, end=END):
    time = np.arange(first, end + 100 * HOUR, HOUR, dtype=np.float64)
    price = 100 + np.random.default_rng(int(first // HOUR)).normal(size=len(time))
    return np.column_stack([time, price, price + 1, price - 1, price, np.ones(len(time))])


def _order(symbols=("AAA",), series=(CANDLES,), end=END):
    return Order(series, symbols, START, end, HOUR)


def _content(root):
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.name != ".lock" and path.is_file()
    }


@pytest.mark.parametrize("wire", [BINANCE, HYPERLIQUID])
def test_every_bar_arrives_once_and_bit_for_bit(tmp_path, wire):
    rows = {"AAA": _bars(), "BBB": _bars(START + 40 * 24 * HOUR)}  # BBB is listed in February
    history = History(tmp_path)
    download(FakeExchange(rows, wire), history, _order(("AAA", "BBB")))
    for symbol, expected in rows.items():
        held = history.read(CANDLES, symbol, START, END).to_numpy()
        assert np.array_equal(held, expected[expected[:, 0] < END])
    assert [entry["rows"] for entry in history.manifest(CANDLES, "BBB").values()] == [0, 456]
    assert sorted(path.name for path in (tmp_path / "candles" / "AAA").iterdir()) == [
        "2025-01.parquet", "2025-02.parquet", "2025-03.journal", "manifest.json",
    ]  # fmt: skip


def test_a_second_download_asks_for_nothing_that_is_there(tmp_path):
    exchange, history = FakeExchange({"AAA": _bars()}), History(tmp_path)
    download(exchange, history, _order())
    before, exchange.asked = _content(tmp_path), []
    assert estimate(exchange, history, _order()).bars == 0
    download(exchange, history, _order())
    assert exchange.asked == [] and _content(tmp_path) == before


class Killed(BaseException):
    """Stands for kill -9: nothing that comes after it runs."""


def test_a_kill_at_any_write_leaves_a_store_that_ends_up_the_same(tmp_path, monkeypatch):
    """Killed before, inside (a torn record) or after every single write, then resumed: byte for byte the same."""
    rows, order = {"AAA": _bars()}, _order(series=(CANDLES, FUNDING))
    download(FakeExchange(rows), History(tmp_path / "undisturbed"), order)
    expected, writes, kill_at = _content(tmp_path / "undisturbed"), [0], [0]

    def die(path=None):
        writes[0] += 1
        if writes[0] == kill_at[0]:
            if path is not None and path.is_file():
                with path.open("ab") as stream:
                    stream.write(b"torn")
            raise Killed

    append, write_bytes, write_json = Journal.append, module_history.write_bytes, module_history.write_json
    monkeypatch.setattr(Journal, "append", lambda self, page: (die(self.path), append(self, page), die(self.path)))
    monkeypatch.setattr(module_history, "write_bytes", lambda *a: (die(), write_bytes(*a), die()))
    monkeypatch.setattr(module_history, "write_json", lambda *a: (die(), write_json(*a), die()))
    for number in range(1, 200):
        writes[0], kill_at[0] = 0, number
        folder = tmp_path / f"killed {number}"
        try:
            download(FakeExchange(rows), History(folder), order)
            break
        except Killed:
            kill_at[0] = 0
            download(FakeExchange(rows), History(folder), order)
        assert _content(folder) == expected
    assert 50 < number < 199


def test_a_page_with_a_bar_left_out_makes_no_hole(tmp_path):
    """The third answer lacks a bar in its middle; the next one, asked for from there, has it."""

    def forget(number, page):
        return np.delete(page, 50, axis=0) if number == 3 else page

    history = History(tmp_path)
    download(FakeExchange({"AAA": _bars()}, fault=forget), history, _order())
    assert len(history.read(CANDLES, "AAA", START, END)) == 75 * 24


def test_an_empty_answer_does_not_end_a_history(tmp_path):
    history = History(tmp_path)
    download(FakeExchange({"AAA": _bars()}, fault=lambda n, page: page[:0] if n == 4 else page), history, _order())
    assert len(history.read(CANDLES, "AAA", START, END)) == 75 * 24


@pytest.mark.parametrize("wire", [BINANCE, HYPERLIQUID])
def test_a_hole_that_the_exchange_insists_on_is_kept_as_it_is(tmp_path, wire):
    bars = _bars()
    holed = np.delete(bars, np.s_[500:730], axis=0)
    history = History(tmp_path)
    download(FakeExchange({"AAA": holed}, wire), history, _order())
    assert np.array_equal(history.read(CANDLES, "AAA", START, END).to_numpy(), holed[holed[:, 0] < END])


def test_a_delisted_symbol_ends_where_its_bars_end(tmp_path):
    bars = _bars()
    history = History(tmp_path)
    download(FakeExchange({"AAA": bars[:1000]}), history, _order())
    assert len(history.read(CANDLES, "AAA", START, END)) == 1000


def test_a_bar_that_changes_is_refused(tmp_path):
    def revise(number, page):
        if number == 2:
            page = page.copy()
            page[0, 4] += 0.01
        return page

    with pytest.raises(ExchangeError, match="history that does not change"):
        download(FakeExchange({"AAA": _bars()}, fault=revise), History(tmp_path), _order())


def test_bars_that_are_not_final_are_left_for_the_next_time(tmp_path):
    exchange, history = FakeExchange({"AAA": _bars()}, now=END - 5 * HOUR + 10_000), History(tmp_path)
    download(exchange, history, _order())
    assert history.read(CANDLES, "AAA", START, END)["open_time"].iloc[-1] == END - 7 * HOUR
    exchange.time += 60_000
    download(exchange, history, _order())
    assert history.read(CANDLES, "AAA", START, END)["open_time"].iloc[-1] == END - 6 * HOUR


def test_settlements_keep_their_jitter(tmp_path):
    history = History(tmp_path)
    download(FakeExchange({}), history, _order(series=(FUNDING,)))
    held = history.read(FUNDING, "AAA", START, END)
    assert held["funding_time"].tolist() == list(range(START + 7, END, 8 * HOUR))


def test_two_downloads_into_one_folder_are_refused(tmp_path):
    history = History(tmp_path)
    with history.lock(), pytest.raises(ArtifactError, match="another download at work"):
        download(FakeExchange({"AAA": _bars()}), History(tmp_path), _order())


def test_a_changed_file_is_noticed(tmp_path):
    history = History(tmp_path)
    download(FakeExchange({"AAA": _bars()}), history, _order())
    path = tmp_path / "candles" / "AAA" / "2025-01.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match="changed since it was downloaded"):
        history.read(CANDLES, "AAA", START, END)


def test_the_first_error_stops_all_and_is_the_one_raised(tmp_path):
    def fail(number, page):
        if number == 5:
            raise ExchangeError("a broken cable", "an answer", "mend it")
        return page

    with pytest.raises(ExchangeError, match="a broken cable"):
        download(FakeExchange({s: _bars() for s in "ABCDEF"}, fault=fail), History(tmp_path), _order(tuple("ABCDEF")))


def test_units_are_whole_months_and_years():
    assert [unit.label for unit in units(CANDLES, START, END)] == ["2025-01", "2025-02", "2025-03"]
    (year,) = units(FUNDING, START, END)
    assert (year.label, year.start, year.end - year.start) == ("2025", START, 365 * 24 * HOUR)
