"""Features in bulk: the scan of the very same steps over a panel, block by block, so that memory stays small."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numba import njit

from perpfut_lib.features.asset import AssetBar, Indicators, asset_dtype, scan_fields
from perpfut_lib.features.pair import Pair, PairState, advance_pair, describe_pair, empty_pair, filter_noise
from perpfut_lib.features.settlement import known_funding
from perpfut_lib.features.spec import ASSET_COUNT, PAIR_COUNT, FeatureSpec, assemble
from perpfut_lib.indicators import blank
from perpfut_lib.progress import track
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float1D, Float2D, Float3D, Int1D

BLOCK_BARS: Final = 20_000


class _Block(NamedTuple):
    """Rows of the panel whose asset quantities are held at once, and the episodes that lie in them."""

    first: int
    stop: int
    episodes: list[int]


def compute(
    spec: FeatureSpec,
    panel: Panel,
    pair_days: pd.DataFrame,
    *,
    formation: int,
    threads: int = 1,
    out: Float3D | None = None,
) -> Float3D:
    """Compute the raw features of every episode.

    A symbol's recursion runs from the panel's first bar to its last; a pair's starts with its formation window.

    Parameters
    ----------
    spec : FeatureSpec
        Which features.
    panel : Panel
        Candles and funding.
    pair_days : DataFrame
        Episodes, see :func:`perpfut_lib.cointegration.load_pair_days`.
    formation : int
        Length of the formation windows, ms.
    threads : int
        Symbols and episodes scanned side by side; the answer does not depend on it.
    out : Float3D, optional
        Where to write, such as a memory map.

    Returns
    -------
    Float3D
        (E, K + L, F) with K = lookback - 1: row K + j is known when decision j is made, that is, it comes from the bar
        that opens one timeframe before ``start`` + j timeframes.
    """
    shape = episode_shape(spec, panel, pair_days)
    out = np.empty(shape) if out is None else out
    scans = _SymbolScans(spec, panel, pair_days, shape[1])
    pairs = [Pair.of(row, formation, panel.timeframe) for _, row in pair_days.iterrows()]
    with ThreadPoolExecutor(threads) as pool:
        for block in track(list(_blocks(spec, panel, pair_days, shape[1])), label="features", unit="block"):
            scans.advance(block, pool)
            list(pool.map(lambda e: _scan_episode(spec, panel, pairs[e], scans.legs(e), out[e]), block.episodes))
    return out


class _SymbolScans:
    """The running recursion of every symbol and what it said over the block's rows."""

    def __init__(self, spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame, length: int) -> None:
        self.spec, self.panel, self.length = spec, panel, length
        self.pairs = list(zip(pair_days["y"], pair_days["x"], strict=True))
        self.firsts = _first_rows(spec, panel, pair_days)
        self.symbols = sorted({symbol for pair in self.pairs for symbol in pair})
        self.states = {symbol: blank(asset_dtype(spec.indicators)) for symbol in self.symbols}
        self.wanted = {symbol: np.zeros(len(panel.open_time), bool) for symbol in self.symbols}
        for legs, first in zip(self.pairs, self.firsts, strict=True):
            for symbol in legs:
                self.wanted[symbol][first : first + length] = True
        self.held = dict.fromkeys(self.symbols, np.empty((0, ASSET_COUNT)))
        self.done, self.first = 0, 0

    def advance(self, block: _Block, pool: ThreadPoolExecutor) -> None:
        """Step every symbol to the end of a block and keep what it said over the block's rows."""
        panel, rows = self.panel, slice(self.done, block.stop)
        # One transposition for all symbols: a column of the panel alone would touch every line of its memory.
        candles = [np.ascontiguousarray(getattr(panel, name)[rows].T) for name in AssetBar._fields[:5]]

        def scan(symbol: str) -> None:
            funding = known_funding(panel.funding.get(symbol), panel.open_time[rows] + panel.timeframe)
            said = np.empty((block.stop - self.done, ASSET_COUNT))
            fields = (*(table[panel.column(symbol)] for table in candles), *funding)
            scan_fields(self.spec.indicators, self.states[symbol], fields, self.wanted[symbol][rows], said)
            self.held[symbol] = np.concatenate([self.held[symbol], said])[block.first - block.stop :]

        list(pool.map(scan, self.symbols))
        self.done, self.first = block.stop, block.first

    def legs(self, episode: int) -> tuple[tuple[str, str], tuple[Float2D, Float2D]]:
        """Return both symbols of an episode and what they said over its rows."""
        y, x = self.pairs[episode]
        rows = slice(self.firsts[episode] - self.first, self.firsts[episode] - self.first + self.length)
        return (y, x), (self.held[y][rows], self.held[x][rows])


def episode_shape(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame) -> tuple[int, int, int]:
    """Return (E, K + L, F)."""
    bars = int(pair_days["end"].iloc[0] - pair_days["start"].iloc[0]) // panel.timeframe if len(pair_days) else 0
    return len(pair_days), spec.lookback - 1 + bars, len(spec.features)


def symbol_bars(panel: Panel, symbol: str, first: int, stop: int) -> Float2D:
    """Return bars ``first`` to ``stop`` - 1 of one symbol, (T, fields of :class:`AssetBar`)."""
    column, rows = panel.column(symbol), slice(first, stop)
    funding = known_funding(panel.funding.get(symbol), panel.open_time[rows] + panel.timeframe)
    return np.stack([*(getattr(panel, name)[rows, column] for name in AssetBar._fields[:5]), *funding], axis=1)


def _blocks(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame, length: int) -> Iterator[_Block]:
    """Yield blocks of episodes in order of time, each over at most BLOCK_BARS rows unless one episode is longer."""
    firsts = _first_rows(spec, panel, pair_days)
    order = np.argsort(firsts, kind="stable")
    begin = 0
    for number in range(len(order)):
        low = int(firsts[order[begin]])
        last = number + 1 == len(order)
        if last or firsts[order[number + 1]] + length - low > BLOCK_BARS:
            yield _Block(low, int(firsts[order[number]]) + length, order[begin : number + 1].tolist())
            begin = number + 1


def _first_rows(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame) -> Int1D:
    """Return the panel row of the first feature row of every episode."""
    return np.searchsorted(panel.open_time, pair_days["start"].to_numpy()) - spec.lookback


def _scan_episode(
    spec: FeatureSpec,
    panel: Panel,
    pair: Pair,
    legs: tuple[tuple[str, str], tuple[Float2D, Float2D]],
    out: Float2D,
) -> None:
    """Write one episode (K + L, F) from what its legs said over the same rows."""
    symbols, said = legs
    start = panel.row(int(pair.formation_start))
    stop = panel.row(int(pair.start)) - spec.lookback + len(out)
    closes = [np.ascontiguousarray(panel.close[start:stop, panel.column(symbol)]) for symbol in symbols]
    recursion = (spec.indicators, pair, filter_noise(pair, spec.indicators))
    _scan_pair(recursion, empty_pair(pair, spec.indicators), (closes[0], closes[1]), said, spec.picks, out)


@njit(cache=True, error_model="numpy", nogil=True)
def _scan_pair(
    recursion: tuple[Indicators, Pair, Float2D],
    state: PairState,
    closes: tuple[Float1D, Float1D],
    legs: tuple[Float2D, Float2D],
    picks: tuple[Int1D, Int1D],
    out: Float2D,
) -> None:
    """Step a pair from its formation's first bar; write the last ``len(out)`` rows."""
    indicators, pair, noise = recursion
    (close_y, close_x), (said_y, said_x), (columns, transforms) = closes, legs, picks
    said = np.empty((1, PAIR_COUNT))
    skipped = close_y.shape[0] - out.shape[0]
    for t in range(close_y.shape[0]):
        time = pair.formation_start + t * pair.timeframe
        advance_pair(indicators, pair, noise, state, (time, close_y[t], close_x[t]))
        k = t - skipped
        if k >= 0:
            said[0] = describe_pair(pair, state, time)
            assemble(said[0], said_y[k], said_x[k], columns, transforms, out[k])
