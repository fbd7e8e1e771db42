"""Tables and figures of the features."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.artifacts import Run
from perpfut_lib.features.stage import load_clip_report, load_features
from perpfut_lib.report.style import figure

BOUND = 3.0  # training standard deviations shown in full colour


# The environment adds these to every observation; they are shares already, and not scaled.
PORTFOLIO = {
    "weight_y": "value of the first leg over equity, before the decision",
    "weight_x": "value of the second leg over equity, before the decision",
    "cash": "1 - |weight_y| - |weight_x|",
}


def feature_list(run: Run) -> pd.DataFrame:
    """Return one row per feature: formula, unit, look-back in bars, transform, centre and scale.

    A look-back of 0 means the formation window. ``clipped`` is the largest share of scaled values beyond the bound in
    any split, in %. The last rows are the portfolio's, which the environment adds.
    """
    features = load_features(run)
    clipped = 100 * load_clip_report(run).groupby("feature")["clipped"].max()
    rows = [
        {
            "feature": feature.name,
            "formula": feature.formula,
            "unit": feature.unit,
            "look-back": feature.lookback,
            "transform": feature.transform,
            "centre": f"{center:.4g}",
            "scale": f"{scale:.4g}",
            "clipped (%)": f"{clipped[feature.name]:.3f}",
        }
        for feature, center, scale in zip(
            features.spec.features, features.scaler.center, features.scaler.scale, strict=True
        )
    ]
    held = {"unit": "1", "look-back": 1, "transform": "none", "centre": "0", "scale": "1", "clipped (%)": "0.000"}
    rows += [{"feature": name, "formula": formula, **held} for name, formula in PORTFOLIO.items()]
    return pd.DataFrame(rows).set_index("feature")


def plot_feature_map(run: Run, episode: int = 0) -> Figure:
    """Plot the scaled features of one episode over its decisions, one row per feature.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    episode : int
        Row of the pair-days.
    """
    features = load_features(run)
    rows = features.scaled()[episode].T.astype(np.float64)
    with figure(height=max(3.4, 0.2 * len(features.names))) as (made, (axes,)):
        image = axes.imshow(rows, aspect="auto", cmap="PuOr", vmin=-BOUND, vmax=BOUND, interpolation="nearest")
        axes.set_yticks(range(len(features.names)), features.names, fontsize=8)
        axes.set_xlabel("decision of the episode (bars)")
        axes.set_ylabel("feature")
        axes.set_title("What the agent sees: some features live by the minute, some by the day")
        axes.grid(visible=False)
        made.colorbar(image, ax=axes, label="training standard deviations")
    return made
