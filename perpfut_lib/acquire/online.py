"""Exchanges and their archives as sources: get what is lacking, then read the window from the history on disk."""

import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from perpfut_lib.acquire.archive import ARCHIVE_FUNDING, Archive, import_archive
from perpfut_lib.acquire.checks import check_bars, check_settlements
from perpfut_lib.acquire.crosscheck import cross_check
from perpfut_lib.acquire.download import Order, download
from perpfut_lib.acquire.exchange import Exchange
from perpfut_lib.acquire.history import CANDLES, FUNDING, MARK, History
from perpfut_lib.acquire.market import Market
from perpfut_lib.acquire.wires import BINANCE, HYPERLIQUID, Wire
from perpfut_lib.config import DataConfig, ExchangeConfig, format_duration, project_root
from perpfut_lib.errors import MissingInputError
from perpfut_lib.progress import track
from perpfut_lib.types import DAY_MS, MINUTE_MS
from perpfut_lib.venue.market import simulate
from perpfut_lib.venue.server import serve
from perpfut_lib.venue.settings import VenueConfig
from perpfut_lib.venue.tape import Tape

WIRES: Final = {"binance": BINANCE, "hyperliquid": HYPERLIQUID}
LOCAL_WEIGHT: Final = 10_000_000
"""Weight per minute of the local exchange: its limits are for tests, nobody shares it here."""


def read_exchange(config: DataConfig) -> Market:
    """Return the candles and funding rates of ``binance`` or ``hyperliquid`` over [``start``, ``end``).

    What is already in ``exchange.folder`` is not asked for again.

    Raises
    ------
    ExchangeError
        The exchange does not answer or refuses; what was downloaded stays.
    MissingInputError
        A symbol is not listed, or has no candles over the window.
    """
    exchange, history, order = connect(config)
    download(exchange, history, order)
    return replace(_market(history, order, config), instruments=instruments(exchange, order.symbols))


def read_venue(config: DataConfig) -> Market:
    """Return the simulated market as downloaded from a local exchange, by the same code as from the real one."""
    simulated = simulate(config.simulation)
    tape = Tape.of_market(simulated)
    # two minutes after the end, so that the last bar is final
    settings = VenueConfig(start=tape.end + 2 * MINUTE_MS, weight_limit=LOCAL_WEIGHT)
    with serve(settings, tape) as venue, tempfile.TemporaryDirectory() as folder:
        exchange = Exchange(replace(BINANCE, weight_per_minute=LOCAL_WEIGHT), _at(config.exchange, venue.url))
        wanted = _order(exchange, config, tape.start, tape.end)
        download(exchange, History(Path(folder)), wanted)
        market = _market(History(Path(folder)), wanted, config)
        return replace(market, instruments=instruments(exchange, wanted.symbols), truth=simulated.truth)


def read_archive(config: DataConfig) -> Market:
    """Return candles and funding rates of Binance's monthly files, compared with the exchange on a sample.

    Raises
    ------
    ArtifactError, SchemaError, TimestampError, MissingInputError, ExchangeError
        A file does not match its checksum, is not what the archive publishes, or is not there; or the archive or, for
        the cross-check, the exchange does not answer.
    """
    symbols, start, end = tuple(config.symbols), *_window(config)
    order = Order((CANDLES, ARCHIVE_FUNDING), symbols, start, end, _timeframe(config))
    history = History(project_root() / config.exchange.folder / "binance-archive" / format_duration(order.timeframe))
    import_archive(Archive(config.archive, config.exchange), history, symbols, (start, end), order.timeframe)
    market = _market(history, order, config)
    if not config.archive.cross_check:
        return market
    exchange = Exchange(BINANCE, config.exchange)
    checks = {
        symbol: cross_check(exchange, symbol, market.candles[symbol], order.timeframe, config.archive.cross_check)
        for symbol in track(symbols, label="Comparing with the exchange", unit="symbol")
    }
    repaired = {symbol: check.bars for symbol, check in checks.items()} if config.archive.repair else market.candles
    report = pd.concat([check.report for check in checks.values()], ignore_index=True)
    return replace(market, candles=repaired, cross_check=report, instruments=instruments(exchange, symbols))


def connect(config: DataConfig) -> tuple[Exchange, History, Order]:
    """Return the exchange that a profile names, where its downloads are kept, and what is asked of it.

    Raises
    ------
    ExchangeError
        The exchange does not answer or refuses.
    """
    exchange = Exchange(WIRES[config.source], config.exchange)
    history = History(_history_folder(exchange.wire, config))
    return exchange, history, _order(exchange, config, *_window(config))


def _history_folder(wire: Wire, config: DataConfig) -> Path:
    """Return where downloads are kept: by exchange (or the address put in its place) and timeframe."""
    settings = config.exchange
    name = wire.name if settings.url is None else f"{wire.name}@{settings.url.rpartition('//')[2].replace('/', '_')}"
    return project_root() / settings.folder / name / format_duration(_timeframe(config))


def _at(settings: ExchangeConfig, url: str) -> ExchangeConfig:
    return settings.model_copy(update={"url": url, "weight_per_minute": None})


def _order(exchange: Exchange, config: DataConfig, start: int, end: int) -> Order:
    symbols = tuple(sorted(exchange.markets())) if config.symbols == "auto" else config.symbols
    series = (
        CANDLES,
        *([] if config.funding == "none" else [FUNDING]),
        *([MARK] if config.exchange.mark_prices else []),
    )
    return Order(series, symbols, start, end, _timeframe(config))


def _window(config: DataConfig) -> tuple[int, int]:
    if isinstance(config.start, date) and isinstance(config.end, date):
        return _midnight(config.start), _midnight(config.end)
    raise MissingInputError("no data.start or data.end", "the first day and the day after the last", "set both")


def _timeframe(config: DataConfig) -> int:
    return MINUTE_MS if config.timeframe == "auto" else config.timeframe


def _midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def _market(history: History, order: Order, config: DataConfig) -> Market:
    """Return what the history holds of an order."""
    candles = {}
    for symbol in order.symbols:
        bars = history.read(CANDLES, symbol, order.start, order.end)
        if len(bars):
            candles[symbol] = check_bars(symbol, bars)
        elif config.symbols != "auto":
            found = f"no candles of {symbol} over the window"
            raise MissingInputError(found, "bars between data.start and data.end", "check data.symbols and the dates")
    funding = next((series for series in order.series if series.name == FUNDING.name), None)
    if funding is None:
        return Market(candles, None)
    held = {symbol: history.read(funding, symbol, order.start - DAY_MS, order.end) for symbol in candles}
    return Market(candles, {symbol: check_settlements(symbol, table) for symbol, table in held.items() if len(table)})


def instruments(exchange: Exchange, symbols: tuple[str, ...]) -> pd.DataFrame:
    """Return the trading rules of symbols as the exchange states them now.

    Returns
    -------
    DataFrame
        ``symbol``, ``tick_size`` (quote), ``lot_size`` (base units), ``min_notional`` (quote), ``funding_interval``
        (hours), ``listed`` (ms UTC); NaN and -1 where the exchange does not tell.
    """
    markets, intervals = exchange.markets(), exchange.funding_intervals()
    usual = 8 if exchange.wire.name == BINANCE.name else 1
    rows = [
        {
            "symbol": symbol,
            "tick_size": _number(markets[symbol]["precision"].get("price")),
            "lot_size": _number(markets[symbol]["precision"].get("amount")),
            "min_notional": _number(markets[symbol]["limits"]["cost"].get("min")),
            "funding_interval": intervals.get(symbol, usual),
            "listed": int(markets[symbol].get("created") or -1),
        }
        for symbol in symbols
    ]
    return pd.DataFrame(rows)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
