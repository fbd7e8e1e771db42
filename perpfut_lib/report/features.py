"""Figures of the features."""

import numpy as np
from matplotlib.figure import Figure

from perpfut_lib.artifacts import Run
from perpfut_lib.features.stage import load_features
from perpfut_lib.report.style import figure

BOUND = 3.0  # training standard deviations shown in full colour


def plot_feature_map(run: Run, episode: int = 0) -> Figure:
    """Plot the scaled features of one episode over its decisions, one row a feature."""
    features = load_features(run)
    rows = features.scaled()[episode].T.astype(np.float64)
    with figure(height=max(3.4, 0.17 * len(features.names))) as (made, (axes,)):
        image = axes.imshow(rows, aspect="auto", cmap="PuOr", vmin=-BOUND, vmax=BOUND, interpolation="nearest")
        axes.set_yticks(range(len(features.names)), features.names, fontsize=6)
        axes.set_xlabel("decision of the episode (bars)")
        axes.set_ylabel("feature")
        axes.set_title("What the agent sees: some features live by the minute, some by the day")
        axes.grid(visible=False)
        made.colorbar(image, ax=axes, label="training standard deviations")
    return made
