"""Stage "acquire": read the source, check everything, choose the window, write candles, funding and truth."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from perpfut_lib.acquire.defects import examine
from perpfut_lib.acquire.files import input_paths, read_files
from perpfut_lib.acquire.grid import Span, timeframe_of
from perpfut_lib.acquire.listings import read_listings
from perpfut_lib.acquire.market import Market
from perpfut_lib.acquire.partitions import write_candles, write_funding
from perpfut_lib.acquire.sim import read_simulation
from perpfut_lib.acquire.window import Window, choose_window
from perpfut_lib.artifacts import Run, StageFolder, settled_sha256
from perpfut_lib.calendar import Grid, split_spans
from perpfut_lib.config import DataConfig, Profile, hash_json
from perpfut_lib.progress import track
from perpfut_lib.types import DAY_MS, Json, JsonObject

WINDOW = "window.json"
TRUTH = "truth.json"
INSTRUMENTS = "instruments.parquet"
CROSS_CHECK = "cross_check.parquet"
DEFECTS = "defects.parquet"


def fingerprint(profile: Profile) -> dict[str, str]:
    """Return what this stage depends on beside ``data``: the SHA-256 of each input file, and the universe's settings.

    Raises
    ------
    MissingInputError
        An input file does not exist.
    """
    inputs = {role: settled_sha256(path) for role, path in input_paths(profile.data).items()}
    if profile.universe.hyperliquid is not None:
        inputs["hyperliquid"] = hash_json({name: list(ends) for name, ends in _listings(profile.universe.hyperliquid)})
    return {**inputs, "universe": profile.universe.content_hash()}


def _listings(path: Path) -> list[tuple[str, tuple[int, int]]]:
    return [(coin, (span.start, span.end)) for coin, span in read_listings(path).items()]


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Acquire the candles and funding rates of ``profile`` into ``folder``.

    Everything is read and checked before the first byte is written. Written are ``candles/<symbol>/<month>.parquet``,
    ``funding/<symbol>.parquet``, ``window.json`` (see :class:`Window`; what the source holds of each symbol and why it
    is in or out), ``defects.parquet`` (see :mod:`perpfut_lib.acquire.defects`), for an exchange
    ``instruments.parquet``, for an archive ``cross_check.parquet``, and for a simulated market ``truth.json``.
    """
    market = read_source(profile.data)
    timeframe = timeframe_of(market.candles, profile.data.timeframe)
    examined = examine(market, timeframe, profile.data, profile.quality)
    window = choose_window(examined.market, timeframe, profile.data, profile.universe)
    if profile.split.train_end is not None:  # dates outside the data are refused before anything is written
        split_spans(profile.split, Grid(window.start, window.end, timeframe))
    for symbol in track(window.symbols, label="Writing candles", unit="symbol"):
        write_candles(folder.path, symbol, _inside(market.candles[symbol], window.spans[symbol]))
        if market.funding is not None and symbol in market.funding:
            write_funding(folder.path, symbol, _settled(market.funding[symbol], window))
    reasons = {**window.reasons, **examined.left_out}
    folder.write_json(WINDOW, _window_json(market, window, reasons))
    folder.write_table(DEFECTS, examined.defects)
    for name, table in ((INSTRUMENTS, market.instruments), (CROSS_CHECK, market.cross_check)):
        if table is not None:
            folder.write_table(name, table)
    if market.truth is not None:
        folder.write_json(TRUTH, dict(market.truth))


def read_source(config: DataConfig) -> Market:
    """Return the market of the source that ``config`` names."""
    if config.source == "sim":
        return read_simulation(config.simulation)
    if config.source == "files":
        return read_files(config)
    from perpfut_lib.acquire import online  # ccxt takes a second to import

    readers = {"venue": online.read_venue, "archive": online.read_archive}
    return readers.get(config.source, online.read_exchange)(config)


def _inside(bars: pd.DataFrame, span: Span) -> pd.DataFrame:
    low, high = bars["open_time"].searchsorted([span.start, span.end])
    return bars.iloc[low:high]


def _settled(settlements: pd.DataFrame, window: Window) -> pd.DataFrame:
    """Return the settlements of the window and of a day around it: the last rate before it is known at its start."""
    low, high = settlements["funding_time"].searchsorted([window.start - DAY_MS, window.end + DAY_MS])
    return settlements.iloc[low:high]


def _window_json(market: Market, window: Window, reasons: Mapping[str, str]) -> JsonObject:
    return {
        "start": window.start,
        "end": window.end,
        "timeframe": window.timeframe,
        "symbols": list(window.symbols),
        "pays_funding": market.funding is not None,
        **({"notes": list(market.notes)} if market.notes else {}),
        "source": {symbol: _held(bars, reasons[symbol]) for symbol, bars in market.candles.items()},
    }


def _held(bars: pd.DataFrame, reason: str) -> Mapping[str, Json]:
    """Return what the source holds of one symbol, and why it is in or out."""
    time = bars["open_time"]
    return {"first": int(time.iloc[0]), "last": int(time.iloc[-1]), "bars": len(bars), "reason": reason}
