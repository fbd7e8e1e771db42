"""Features in bulk: the scan of the very same steps over a panel, block by block, so that memory stays small."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from perpfut_lib.features.asset import AssetBar, Indicators
from perpfut_lib.features.block import Block, SymbolScan, wanted_rows
from perpfut_lib.features.pair import Pair, PairState, advance_pair, describe_pair, empty_pair, filter_noise
from perpfut_lib.features.settlement import known_funding
from perpfut_lib.features.spec import PAIR_COUNT, FeatureSpec, assemble
from perpfut_lib.progress import track
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float1D, Float2D, Float3D, Int1D

BLOCK_BARS: Final = 6_000


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
    columns = np.array([[panel.column(symbol) for symbol in pair_days[leg]] for leg in ("y", "x")], np.int64).T
    firsts = np.searchsorted(panel.open_time, pair_days["start"].to_numpy()) - spec.lookback
    blocks = list(_blocks(firsts, shape[1]))
    wanted = wanted_rows(columns, firsts, shape[1], (len(panel.symbols), len(panel.open_time)))
    longest = max((block.stop - block.first for block in blocks), default=0)
    scans = SymbolScan(spec.indicators, panel, wanted, longest)
    pairs = [Pair.of(row, formation, panel.timeframe) for _, row in pair_days.iterrows()]

    def episode(number: int) -> None:
        _scan_episode(spec, pairs[number], scans, columns[number], int(firsts[number]), out[number])

    with ThreadPoolExecutor(threads) as pool:
        for block in track(blocks, label="features", unit="block"):
            scans.advance(block, pool)
            list(pool.map(episode, block.episodes))
    return out


def episode_shape(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame) -> tuple[int, int, int]:
    """Return (E, K + L, F)."""
    bars = int(pair_days["end"].iloc[0] - pair_days["start"].iloc[0]) // panel.timeframe if len(pair_days) else 0
    return len(pair_days), spec.lookback - 1 + bars, len(spec.features)


def symbol_bars(panel: Panel, symbol: str, first: int, stop: int) -> Float2D:
    """Return bars ``first`` to ``stop`` - 1 of one symbol, (T, fields of :class:`AssetBar`)."""
    column, rows = panel.column(symbol), slice(first, stop)
    funding = known_funding(panel.funding.get(symbol), panel.open_time[rows] + panel.timeframe)
    return np.stack([*(getattr(panel, name)[rows, column] for name in AssetBar._fields[:5]), *funding], axis=1)


def _blocks(firsts: Int1D, length: int) -> Iterator[Block]:
    """Yield blocks of episodes in order of time, each over at most BLOCK_BARS rows unless one episode is longer."""
    order = np.argsort(firsts, kind="stable")
    begin = 0
    for number in range(len(order)):
        low = int(firsts[order[begin]])
        last = number + 1 == len(order)
        if last or firsts[order[number + 1]] + length - low > BLOCK_BARS:
            yield Block(low, int(firsts[order[number]]) + length, order[begin : number + 1])
            begin = number + 1


def _scan_episode(
    spec: FeatureSpec, pair: Pair, scans: SymbolScan, legs: npt.NDArray[np.int64], first: int, out: Float2D
) -> None:
    """Write one episode (K + L, F) whose first feature row is panel row ``first``."""
    start = first + spec.lookback - round((pair.start - pair.formation_start) / pair.timeframe)
    log_y, log_x = (scans.logs[column, start : first + len(out)] for column in legs)
    said_y, said_x = (scans.said(column, first, len(out)) for column in legs)
    said = np.empty((len(out), PAIR_COUNT))
    recursion = (spec.indicators, pair, filter_noise(pair, spec.indicators))
    _scan_pair(recursion, empty_pair(pair, spec.indicators), log_y, log_x, said)
    assemble(said, said_y, said_x, spec.picks, out)


@njit(cache=True, error_model="numpy", nogil=True)
def _scan_pair(
    recursion: tuple[Indicators, Pair, Float2D], state: PairState, log_y: Float1D, log_x: Float1D, said: Float2D
) -> None:
    """Step a pair from its formation's first bar; write what it says of the last ``len(said)`` bars."""
    indicators, pair, noise = recursion
    skipped = log_y.shape[0] - said.shape[0]
    for t in range(log_y.shape[0]):
        time = pair.formation_start + t * pair.timeframe
        advance_pair(indicators, pair, noise, state, (time, log_y[t], log_x[t]))
        if t >= skipped:
            said[t - skipped] = describe_pair(pair, state, time)
