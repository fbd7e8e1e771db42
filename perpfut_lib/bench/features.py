"""All features of a year of minutes beside pandas, ``ta`` and a filter in plain Python."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from ta.momentum import RSIIndicator, StochRSIIndicator
from ta.trend import MACD

from perpfut_lib.bench._memory import PeakMemory
from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.config import FeaturesConfig
from perpfut_lib.features import FeatureSpec, Pair, compute, feature_spec, init_state, open_pair, step
from perpfut_lib.features.asset import MOVES, AssetBar, AssetQuantities, Indicators
from perpfut_lib.features.block import Block, SymbolScan
from perpfut_lib.features.pair import empty_pair, filter_noise
from perpfut_lib.features.scan import BLOCK_BARS, episode_shape, symbol_bars
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import DAY_MS, HOUR_MS, MINUTE_MS, Float2D

BENCH: Final = "features"
ASSETS, BARS = 25, 525_600
FORMATION, TRADING, PAIRS_A_DAY = 4320, 1440, 5
START: Final = 1_714_521_600_000  # 2024-05-01 UTC
CANDLE_NAMES: Final = ("upper_shadow", "lower_shadow", "volume")


class _Year(NamedTuple):
    panel: Panel
    pair_days: pd.DataFrame
    spec: FeatureSpec


def run() -> Iterator[BenchRow]:
    """Yield indicators alone, all features with their memory, and one live step."""
    spec = feature_spec(FeaturesConfig())
    panel = simulated_panel(BARS, ASSETS)
    year = _Year(panel, daily_pairs(panel, PAIRS_A_DAY), spec)
    yield _indicators(year)
    yield from _everything(year)
    yield _live_step(year)


def simulated_panel(bars: int, assets: int) -> Panel:
    """Return random walks with a common trend, one-minute candles and eight-hour funding."""
    rng = np.random.default_rng(0)
    close = 6e-4 * rng.standard_normal((bars, 1)) + 6e-4 * rng.standard_normal((bars, assets))
    close = 100.0 * np.exp(np.cumsum(close, axis=0, out=close), out=close)
    opens = np.vstack([close[:1], close[:-1]])
    high, low = np.maximum(opens, close) * 1.0003, np.minimum(opens, close) * 0.9997
    names = tuple(f"S{number:02d}" for number in range(assets))
    stamps = np.arange(START, START + bars * MINUTE_MS, 8 * HOUR_MS)
    funding = {name: FundingEvents(stamps, 1e-4 * rng.standard_normal(len(stamps))) for name in names}
    volume, filled = rng.exponential(size=close.shape), np.zeros(close.shape, bool)
    return Panel(
        START + MINUTE_MS * np.arange(bars), names, MINUTE_MS, opens, high, low, close, volume, filled, funding
    )


def daily_pairs(panel: Panel, count: int) -> pd.DataFrame:
    """Return ``count`` random pairs a day with the moments of their formation window."""
    rng, rows = np.random.default_rng(1), []
    for start in range(FORMATION, len(panel.open_time) - TRADING, TRADING):
        for _ in range(count):
            y, x = rng.choice(len(panel.symbols), 2, replace=False)
            log_y, log_x = np.log(panel.close[start - FORMATION : start, [y, x]]).T
            beta = np.cov(log_y, log_x)[0, 1] / log_x.var(ddof=1)
            alpha = log_y.mean() - beta * log_x.mean()
            moments = {"spread_mean": 0.0, "spread_std": (log_y - alpha - beta * log_x).std(ddof=1)}
            times = {"start": panel.open_time[start], "end": panel.open_time[start] + DAY_MS}
            relation = {"alpha": alpha, "beta": beta, "correlation": np.corrcoef(log_y, log_x)[0, 1]}
            names = {"y": panel.symbols[y], "x": panel.symbols[x], "pvalue": 0.01, "half_life": 80.0}
            rows.append({**names, **times, **relation, **moments})
    return pd.DataFrame(rows)


def _indicators(year: _Year) -> BenchRow:
    """Measure all that is said of all assets at every bar; the peer does one asset."""
    names = list(AssetQuantities._fields)
    every, none = np.ones((ASSETS, BARS), bool), np.empty(0, np.int64)

    def ours() -> Float2D:
        scans = SymbolScan(year.spec.indicators, year.panel, every, BLOCK_BARS)
        with ThreadPoolExecutor(1) as pool:
            for stop in range(BLOCK_BARS, BARS + 1, BLOCK_BARS):
                scans.advance(Block(stop - BLOCK_BARS, stop, none), pool)
        return scans.scan_result().said[0]

    def error(said: Float2D, peer: pd.DataFrame) -> float:
        last = BARS // BLOCK_BARS * BLOCK_BARS
        return float(np.abs(said.T - peer[names].to_numpy()[last - BLOCK_BARS : last]).max())

    return Contest(
        bench=BENCH,
        metric=f"{len(names)} quantities of an asset, {ASSETS} assets x {BARS} bars, one thread each",
        ours=ours,
        peer=lambda: quantities_by_pandas(year.panel, "S00", year.spec.indicators),
        peer_name="pandas + ta",
        error=error,
        peer_share=1 / ASSETS,
    ).run()


def _everything(year: _Year) -> Iterator[BenchRow]:
    """Measure all features of all episodes; the peer does the share of one asset."""
    share = 1 / ASSETS
    episodes = year.pair_days.iloc[: round(len(year.pair_days) * share)]
    names = ["spread_z", "kalman_z", "momentum_5", "y_return_15", "x_rsi", "x_macd"]
    columns = [year.spec.names.index(name) for name in names]

    # Written over at every repeat: fresh pages of a gigabyte cost more here than all features.
    out = np.empty(episode_shape(year.spec, year.panel, year.pair_days))

    def ours(threads: int = 1) -> Float2D:
        compute(year.spec, year.panel, year.pair_days, formation=3 * DAY_MS, threads=threads, out=out)
        return out[0][:, columns]

    def peer() -> Float2D:
        by_asset = indicators_by_pandas(year.panel, "S00", year.spec.indicators)
        tables = [episode_by_pandas(year, row, by_asset) for _, row in episodes.iterrows()]
        first = episodes.iloc[0]
        legs = {
            leg: indicators_by_pandas(year.panel.rows(0, 6000), first[leg], year.spec.indicators) for leg in ("y", "x")
        }
        return _first_episode(tables[0], legs)

    metric = f"all features, {ASSETS} assets x {BARS} bars, {len(year.pair_days)} pair-days"
    contest = Contest(
        bench=BENCH,
        metric=f"{metric}, one thread each",
        ours=ours,
        peer=peer,
        peer_name="pandas + ta + filter in plain Python",
        error=lambda mine, theirs: float(np.abs(mine - theirs).max()),
        peer_share=share,
        repeats=3,
    )
    yield contest.run()
    yield replace(contest, metric=f"{metric}, ours on two threads, the peer on its one", ours=lambda: ours(2)).run()
    with PeakMemory() as peak:
        ours(2)
    yield BenchRow(BENCH, f"{metric}, peak memory", "GiB", round(peak.gib, 3), None, None, None, None)


def _live_step(year: _Year) -> BenchRow:
    """Measure one bar of 25 assets and five pairs in the form that the agent runs."""
    panel, spec = year.panel.rows(0, FORMATION + 100), year.spec
    bars = {name: symbol_bars(panel, name, 0, FORMATION + 100) for name in panel.symbols}
    state = init_state(spec, panel.symbols)
    for row in (FORMATION - 2, FORMATION - 1):
        state, _ = step(spec, state, int(panel.open_time[row]), {name: AssetBar(*bars[name][row]) for name in bars})
    for number, row in year.pair_days.iloc[:PAIRS_A_DAY].iterrows():
        closes = panel.close[:FORMATION, [panel.column(row["y"]), panel.column(row["x"])]]
        state = open_pair(spec, state, str(number), (row["y"], row["x"]), Pair.of(row, 3 * DAY_MS, MINUTE_MS), closes)
    now = {name: AssetBar(*bars[name][FORMATION]) for name in bars}
    work = lambda: step(spec, state, int(panel.open_time[FORMATION]), now)  # noqa: E731
    return Contest(BENCH, f"one live step of {ASSETS} assets and {PAIRS_A_DAY} pairs", ours=work, repeats=50).run()


def indicators_by_pandas(panel: Panel, symbol: str, windows: Indicators) -> pd.DataFrame:
    """Return the indicators of one asset as a pandas and ``ta`` user would write them."""
    column = panel.column(symbol)
    opens, high, low, close, volume = (
        pd.Series(np.ascontiguousarray(getattr(panel, name)[:, column])) for name in AssetBar._fields[:5]
    )
    logs = np.log(close)
    vol = np.sqrt((logs.diff() ** 2).ewm(alpha=1 - windows.decay, adjust=False).mean())
    table = {f"return_{h}": logs.diff(h) / (vol * math.sqrt(h)) for h in (1, 15, 60, 240)}
    table["rsi"] = RSIIndicator(close, windows.rsi).rsi()
    table["stochastic_rsi"] = StochRSIIndicator(close, windows.rsi).stochrsi()
    table["macd"] = MACD(close, windows.macd_slow, windows.macd_fast, windows.macd_signal).macd_diff() / close / vol
    table["bias"] = (close / close.rolling(windows.mean).mean() - 1) / (vol * math.sqrt(windows.mean))
    table["volatility"] = vol
    table["upper_shadow"] = (high - np.maximum(opens, close)) / close / vol
    table["lower_shadow"] = (np.minimum(opens, close) - low) / close / vol
    table["volume"] = volume / volume.ewm(alpha=1 - windows.volume_decay, adjust=False).mean()
    return pd.DataFrame(table)


def quantities_by_pandas(panel: Panel, symbol: str, windows: Indicators) -> pd.DataFrame:
    """Return everything that is said of one asset, with what the indicators already hold used again."""
    said = indicators_by_pandas(panel, symbol, windows)
    close = pd.Series(np.ascontiguousarray(panel.close[:, panel.column(symbol)]))
    logs, vol = np.log(close), said["volatility"]
    fast, slow = (close.ewm(span=span, adjust=False).mean() for span in (windows.macd_fast, windows.macd_slow))
    said["log_close"] = logs
    said["return_5"] = logs.diff(5) / (vol * math.sqrt(5))
    said["macd_fraction"] = (fast - slow) / close
    said["bias_fraction"] = said["bias"] * vol * math.sqrt(windows.mean)
    said["mean"] = close / (1 + said["bias_fraction"])
    said["up_share"] = np.sign(logs.diff()).rolling(MOVES).sum() / MOVES
    events = panel.funding[symbol]
    settled = pd.DataFrame({"last": events.time, "rate": events.rate, "interval": np.diff(events.time, prepend=np.nan)})
    closes = pd.DataFrame({"time": panel.open_time + panel.timeframe})
    known = pd.merge_asof(closes, settled.bfill(), left_on="time", right_on="last")
    left = known["interval"] - (known["time"] - known["last"])
    said["funding_bps"] = 1e4 * known["rate"]
    said["settlement_minutes"] = left / MINUTE_MS
    said["settlement_share"] = left / known["interval"]
    said["daily_funding_bps"] = said["funding_bps"] * (DAY_MS / known["interval"])
    return said


def episode_by_pandas(year: _Year, row: pd.Series, by_asset: pd.DataFrame) -> pd.DataFrame:
    """Return one episode: spread features in pandas, the filter in plain Python, both legs' indicators joined."""
    panel = year.panel
    stop = panel.row(int(row["start"])) + TRADING - 1
    rows = slice(stop - FORMATION - TRADING + 1, stop)
    logs = np.log(panel.close[rows, [panel.column(row["y"]), panel.column(row["x"])]])
    spread = pd.Series(logs[:, 0] - row["alpha"] - row["beta"] * logs[:, 1])
    z = spread / row["spread_std"]
    table = {
        "spread_z": z,
        "kalman_z": _filter_in_python(z, logs[:, 1], Pair.of(row, 3 * DAY_MS, MINUTE_MS), year.spec),
    }
    vol = np.sqrt((spread.diff() ** 2).ewm(alpha=1 - year.spec.indicators.decay, adjust=False).mean())
    table["spread_volatility"] = np.log(vol / row["spread_std"])
    for h in (5, 60):
        momentum = spread.diff(h) / row["spread_std"]
        table[f"momentum_{h}"] = momentum / np.sqrt(1 + momentum.abs())
    table["distance"] = (spread - spread.iloc[-TRADING]) / row["spread_std"]
    said = by_asset.iloc[rows].reset_index(drop=True)
    soft = {name: said[name] / np.sqrt(1 + said[name].abs()) for name in CANDLE_NAMES}
    said = said.assign(**soft, volatility=np.log(said["volatility"]))
    joined = [pd.DataFrame(table), said.add_prefix("y_"), said.add_prefix("x_")]
    return pd.concat(joined, axis=1).iloc[-TRADING:].reset_index(drop=True)


def _filter_in_python(z: pd.Series, log_x: Float2D, pair: Pair, spec: FeatureSpec) -> list[float]:
    """Return the standardised innovations of the hedge-ratio filter, one bar after the other."""
    (p00, p01), (_, p11) = empty_pair(pair, spec.indicators)["filter"]["P"].tolist()
    (q00, _), (_, q11) = filter_noise(pair, spec.indicators).tolist()
    level = slope = 0.0
    surprises = []
    for y, x in zip(z.tolist(), (log_x - log_x[0]).tolist(), strict=True):
        to_level, to_slope = p00 + p01 * x, p01 + p11 * x
        variance = to_level + x * to_slope + 1.0
        innovation = y - level - slope * x
        level, slope = level + to_level / variance * innovation, slope + to_slope / variance * innovation
        p00, p01 = p00 + q00 - to_level**2 / variance, p01 - to_level * to_slope / variance
        p11 += q11 - to_slope**2 / variance
        surprises.append(innovation / math.sqrt(variance))
    return surprises


def _first_episode(table: pd.DataFrame, legs: dict[str, pd.DataFrame]) -> Float2D:
    """Return the columns that are compared, with the legs' own indicators."""
    rows = slice(FORMATION - 1, FORMATION + TRADING - 1)
    columns = [table["spread_z"], table["kalman_z"], table["momentum_5"]]
    columns += [legs["y"]["return_15"].iloc[rows], legs["x"]["rsi"].iloc[rows], legs["x"]["macd"].iloc[rows]]
    return np.stack([np.asarray(column) for column in columns], axis=1)
