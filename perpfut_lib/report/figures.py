"""Figures of the book, each made from a run's artifacts only."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.artifacts import Run
from perpfut_lib.cointegration.stage import load_pair_days, load_windows
from perpfut_lib.env import Episodes, load_episodes
from perpfut_lib.evaluate import load_curves
from perpfut_lib.report.evaluation import fee_matrix
from perpfut_lib.report.style import PALETTE, figure, time_axis
from perpfut_lib.store.stage import load_panel
from perpfut_lib.train.agents import load_curves as load_learning_curves
from perpfut_lib.types import Float1D

MOST_POINTS = 2000  # more points than pixels only make a figure slow


def plot_prices(run: Run) -> Figure:
    """Plot log prices of all symbols, each from zero."""
    panel = load_panel(run)
    thin = slice(None, None, max(1, len(panel.open_time) // MOST_POINTS))
    close = np.log(panel.close[thin])
    with figure() as (made, (axes,)):
        styles = ("-", "--", "-.", ":")  # beside colour: eight lines lie close together
        for number, line in enumerate(100 * (close - close[0]).T):
            axes.plot(_dates(panel.open_time[thin]), line, linewidth=1.2, linestyle=styles[number % len(styles)])
        axes.set_ylabel("log price change (%)")
        axes.set_title("Prices move together: a common factor dominates")
        made.legend(axes.lines, panel.symbols, loc="outside lower center", fontsize=8, ncols=4)
        time_axis(axes)
    return made


def plot_pass_rates(run: Run) -> Figure:
    """Plot the share of tested pairs that pass the screen, window by window."""
    windows = load_windows(run)
    share = 100 * windows["passed"] / windows["tested"]
    with figure() as (made, (axes,)):
        for color, split in zip(PALETTE, ("train", "validate", "test"), strict=False):
            rows = windows["split"] == split
            axes.bar(_dates(windows.loc[rows, "start"]), share[rows], width=0.8, color=color, label=split)
        axes.set_ylabel("pairs that pass (%)")
        axes.set_title("How many pairs look cointegrated changes from window to window")
        axes.legend()
        time_axis(axes)
    return made


def plot_spread(run: Run, episode: int = 0) -> Figure:
    """Plot the spread of one episode in formation standard deviations, as the decisions saw it.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    episode : int
        Row of the pair-days.
    """
    episodes, pair = load_episodes(run), load_pair_days(run).iloc[episode]
    spread = formation_spread(episodes, pair, episode)
    with figure() as (made, (axes,)):
        axes.plot(_dates(episodes.fill_times[episode, :-1]), spread)
        for level in (-2, 0, 2):
            axes.axhline(level, color="0.4", linewidth=0.8, linestyle="--" if level else "-")
        axes.margins(y=0.08)
        axes.set_ylabel("spread (formation std)")
        axes.set_title(f"{pair['y']} against {pair['x']}, β = {pair['beta']:.2f}")
        time_axis(axes)
    return made


def formation_spread(episodes: Episodes, pair: pd.Series, episode: int) -> Float1D:
    """Return the spread of one episode at each decision, in standard deviations of the formation window, (L,)."""
    marks = np.log(episodes.marks[episode])
    spread: Float1D = (marks[:, 0] - pair["alpha"] - pair["beta"] * marks[:, 1] - pair["spread_mean"]) / pair[
        "spread_std"
    ]
    return spread


def learning_curves(run: Run) -> Figure:
    """Plot validation utility over training steps, one colour per fee regime."""
    curves = load_learning_curves(run)
    with figure() as (made, (axes,)):
        for color, (fee, group) in zip(PALETTE, curves.groupby("fee_bps"), strict=False):
            for number, (_, seed) in enumerate(group.groupby("seed")):
                label = f"{fee:g} bps" if number == 0 else None
                axes.plot(seed["steps"] / 1e6, seed["validation_utility"], color=color, marker=".", label=label)
        axes.axhline(0.0, color="0.4", linewidth=0.8)
        axes.set_xlabel("environment steps (millions)")
        axes.set_ylabel("validation utility (a day and pair)")
        axes.set_title("What the agent learns, by fee it trains with")
        axes.legend(title="fee per side")
    return made


def plot_equity(run: Run) -> Figure:
    """Plot the test equity of each agent at its own fee, and its drawdown below."""
    curves = load_curves(run)
    own = curves[curves["train_fee_bps"] == curves["test_fee_bps"]]
    with figure(2, 1, height=2.6) as (made, (top, bottom)):
        for color, (fee, group) in zip(PALETTE, own.groupby("test_fee_bps"), strict=False):
            for number, (_, seed) in enumerate(group.groupby("seed")):
                label = f"{fee:g} bps" if number == 0 else None
                peak = seed["equity"].cummax()
                top.plot(_dates(seed["time"]), 100 * (seed["equity"] - 1), color=color, linewidth=1, label=label)
                bottom.plot(_dates(seed["time"]), 100 * (seed["equity"] / peak - 1), color=color, linewidth=1)
        top.set_ylabel("return (%)")
        top.set_title("Out of sample: equity after costs, one line per seed")
        top.legend(title="fee per side")
        bottom.set_ylabel("drawdown (%)")
        time_axis(top)
        time_axis(bottom)
    return made


def plot_fee_matrix(run: Run) -> Figure:
    """Plot returns by the fee an agent was trained with and the fee it was tested with."""
    from seaborn import heatmap  # a second or two to import

    matrix = fee_matrix(run)
    bound = float(np.nanmax(np.abs(matrix.to_numpy())))
    with figure() as (made, (axes,)):
        scale = {"cmap": "PuOr", "vmin": -bound, "vmax": bound, "cbar_kws": {"label": "return (%)"}}
        heatmap(matrix.rename(index=str, columns=str), annot=True, fmt=".2f", ax=axes, **scale)
        axes.set_xlabel("fee in the test (bps)")
        axes.set_ylabel("fee in training (bps)")
        axes.set_title("Test return (%) by training and test fee")
    return made


def _dates(milliseconds: object) -> pd.DatetimeIndex:
    return pd.to_datetime(np.asarray(milliseconds), unit="ms")
