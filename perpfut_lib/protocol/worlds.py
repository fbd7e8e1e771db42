"""Worlds in memory: a panel, its screened pairs and its episodes, made by the functions that the stages call."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from perpfut_lib.calendar import trading_windows
from perpfut_lib.cointegration.stage import choose_pair_days, window_tests
from perpfut_lib.config import Profile, SimulationConfig
from perpfut_lib.env import Episodes
from perpfut_lib.env.assemble import Observed, assemble
from perpfut_lib.features.catalogue import feature_spec
from perpfut_lib.features.scaler import fit_scaler
from perpfut_lib.features.scan import compute
from perpfut_lib.features.stage import Features
from perpfut_lib.policies import Layout
from perpfut_lib.store.halts import carried
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.types import MINUTE_MS, PRICE_COLUMNS
from perpfut_lib.venue.market import simulate

FIELDS = (*PRICE_COLUMNS, "volume")


@dataclass(frozen=True)
class World:
    """Everything that selection, rules and tests need of one world."""

    profile: Profile
    episodes: Episodes
    """Of all splits, in order of time."""
    windows: pd.DataFrame
    """Every trading window: ``start``, ``end``, ``split``."""
    layout: Layout
    panel: Panel
    features: Features


def simulated_panel(config: SimulationConfig) -> Panel:
    """Return the panel of a simulated market, without a detour over files.

    Parameters
    ----------
    config : SimulationConfig
        A market in which all contracts are listed all the time.
    """
    market = simulate(config)
    symbols = tuple(market.candles["symbol"].cat.categories)
    order = np.argsort(symbols)
    shape = (len(symbols), -1)
    values = {name: np.ascontiguousarray(market.candles[name].to_numpy().reshape(shape)[order].T) for name in FIELDS}
    open_time = market.candles["open_time"].to_numpy().reshape(shape)[0].copy()
    funding = {
        str(symbol): FundingEvents(rows["funding_time"].to_numpy(), rows["funding_rate"].to_numpy())
        for symbol, rows in market.funding.groupby("symbol", observed=True)
    }
    names = tuple(symbols[column] for column in order)
    filled = np.zeros(values["close"].shape, np.bool_)
    return Panel(open_time, names, MINUTE_MS, filled=filled, funding=funding, **values)


def coarser(panel: Panel, bars: int) -> Panel:
    """Return a panel whose bars are ``bars`` of those of ``panel``; a remainder at the end is dropped."""
    count = len(panel.open_time) // bars
    blocks = {name: getattr(panel, name)[: count * bars].reshape(count, bars, -1) for name in FIELDS}
    merged = {
        "open": blocks["open"][:, 0],
        "high": blocks["high"].max(axis=1),
        "low": blocks["low"].min(axis=1),
        "close": blocks["close"][:, -1],
        "volume": blocks["volume"].sum(axis=1),
    }
    arrays = {name: np.ascontiguousarray(array) for name, array in merged.items()}
    filled = np.zeros(arrays["close"].shape, np.bool_)
    times = panel.open_time[: count * bars : bars].copy()
    timeframe = bars * panel.timeframe
    return Panel(times, panel.symbols, timeframe, filled=filled, funding=panel.funding, **arrays)


def prepare(panel: Panel, profile: Profile) -> World:
    """Screen a panel and return its episodes.

    Raises
    ------
    NoPairsError
        A split has no pair at all.
    """
    windows = trading_windows(panel.grid(), profile.cointegration, profile.split)
    tests = window_tests(panel, windows, profile)
    pair_days = choose_pair_days(panel, windows, tests, profile.cointegration)
    spec = feature_spec(profile.features)
    raw = compute(spec, carried(panel), pair_days, formation=profile.cointegration.formation)
    scaler = fit_scaler(spec, raw[: int((pair_days["split"] == "train").sum())], profile.features.clip)
    episodes = assemble(panel, pair_days, Observed(spec, raw, scaler), profile)
    layout = Layout(spec.names, spec.lookback, scaler.center, scaler.scale)
    return World(profile, episodes, windows, layout, panel, Features(spec, raw, scaler))
