"""Features in bulk: the scan of the very same steps over a panel, block by block, so that memory stays small."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from numba import njit

from perpfut_lib.features.asset import AssetBar, Indicators
from perpfut_lib.features.block import Block, ScanResult, SymbolScan, wanted_rows
from perpfut_lib.features.pair import PAIR, Pair, advance_pair, describe_pair, empty_pair, filter_noise, pair_dtype
from perpfut_lib.features.settlement import known_funding
from perpfut_lib.features.spec import PAIR_COUNT, FeatureSpec, IntTable, assemble
from perpfut_lib.progress import track
from perpfut_lib.store.panel import Panel
from perpfut_lib.types import Float2D, Float3D, Int1D, Int2D

BLOCK_BARS: Final = 6_000


class Episodes(NamedTuple):
    """Pairs on their trading windows, as compiled code reads them; all are equally long."""

    pairs: npt.NDArray[np.void]
    """Fields of :class:`Pair`, (E,)."""
    states: npt.NDArray[np.void]
    """Before the first bar of the formation window, (E,)."""
    noise: Float3D
    """See :func:`filter_noise`, (E, 2, 2)."""
    columns: Int2D
    """Columns of both legs, (E, 2)."""
    firsts: Int1D
    """Panel row of the first feature row, (E,)."""
    starts: Int1D
    """Panel row of the formation window's first bar, (E,)."""


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
    out = np.empty(episode_shape(spec, panel, pair_days)) if out is None else out
    episodes = _episodes(spec, panel, pair_days, formation)
    _scan_blocks(spec, panel, episodes, threads, out)
    return out


def _scan_blocks(spec: FeatureSpec, panel: Panel, episodes: Episodes, threads: int, out: Float3D) -> None:
    """Step symbols and episodes block by block, and write the features of every episode into ``out``."""
    blocks = list(_blocks(episodes.firsts, out.shape[1]))
    scans = _symbols(spec, panel, episodes, out.shape[1], blocks)

    def scan(numbers: Int1D) -> None:
        scan_episodes((spec.indicators, spec.picks), episodes, numbers, scans.scan_result(), out)

    with ThreadPoolExecutor(threads) as pool:
        for block in track(blocks, label="features", unit="block"):
            scans.advance(block, pool, threads)
            list(pool.map(scan, np.array_split(block.episodes, threads)))


def episode_shape(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame) -> tuple[int, int, int]:
    """Return (E, K + L, F)."""
    bars = int(pair_days["end"].iloc[0] - pair_days["start"].iloc[0]) // panel.timeframe if len(pair_days) else 0
    return len(pair_days), spec.lookback - 1 + bars, len(spec.features)


def symbol_bars(panel: Panel, symbol: str, first: int, stop: int) -> Float2D:
    """Return bars ``first`` to ``stop`` - 1 of one symbol, (T, fields of :class:`AssetBar`)."""
    column, rows = panel.column(symbol), slice(first, stop)
    funding = known_funding(panel.funding.get(symbol), panel.open_time[rows] + panel.timeframe)
    return np.stack([*(getattr(panel, name)[rows, column] for name in AssetBar._fields[:5]), *funding], axis=1)


def _episodes(spec: FeatureSpec, panel: Panel, pair_days: pd.DataFrame, formation: int) -> Episodes:
    """Return the pairs of a table of pair-days before their first bars."""
    pairs = [Pair.of(row, formation, panel.timeframe) for row in pair_days.to_dict("records")]
    states = np.zeros(len(pairs), pair_dtype(spec.indicators))
    for number, pair in enumerate(pairs):
        states[number] = empty_pair(pair, spec.indicators)
    noise = np.array([filter_noise(pair, spec.indicators) for pair in pairs]).reshape(-1, 2, 2)
    columns = np.array([[panel.column(symbol) for symbol in pair_days[leg]] for leg in ("y", "x")], np.int64).T
    firsts = np.searchsorted(panel.open_time, pair_days["start"].to_numpy()) - spec.lookback
    starts = firsts + spec.lookback - round(formation / panel.timeframe)
    return Episodes(np.array(pairs, PAIR), states, noise, columns, firsts, starts)


def _symbols(spec: FeatureSpec, panel: Panel, episodes: Episodes, length: int, blocks: list[Block]) -> SymbolScan:
    """Return the scan of all symbols before the panel's first bar."""
    wanted = wanted_rows(episodes.columns, episodes.firsts, length, (len(panel.symbols), len(panel.open_time)))
    longest = max((block.stop - block.first for block in blocks), default=0)
    return SymbolScan(spec.indicators, panel, wanted, longest)


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


@njit(cache=True, error_model="numpy", nogil=True)
def scan_episodes(
    what: tuple[Indicators, IntTable], episodes: Episodes, numbers: Int1D, scan_result: ScanResult, out: Float3D
) -> None:
    """Write the episodes ``numbers`` into ``out`` (E, K + L, F); ``what`` are the indicators and what features pick."""
    (indicators, picks), length = what, out.shape[1]
    said = np.empty((length, PAIR_COUNT))
    for number in numbers:
        _scan_pair(indicators, episodes, number, scan_result.logs, said)
        place = episodes.firsts[number] - scan_result.first
        y, x = scan_result.said[episodes.columns[number, 0]], scan_result.said[episodes.columns[number, 1]]
        rows = slice(place, place + length)
        assemble(said, y[:, rows], x[:, rows], picks, out[number])


@njit(cache=True, error_model="numpy")
def _scan_pair(indicators: Indicators, episodes: Episodes, number: int, logs: Float2D, said: Float2D) -> None:
    """Step a pair from its formation's first bar; write what it says of the last ``len(said)`` bars."""
    pair, state, noise = episodes.pairs[number], episodes.states[number], episodes.noise[number]
    log_y, log_x = logs[episodes.columns[number, 0]], logs[episodes.columns[number, 1]]
    start, first = episodes.starts[number], episodes.firsts[number]
    for row in range(start, first + said.shape[0]):
        time = pair.formation_start + (row - start) * pair.timeframe
        advance_pair(indicators, pair, noise, state, (time, log_y[row], log_x[row]))
        if row >= first:
            said[row - first] = describe_pair(pair, state, time)
