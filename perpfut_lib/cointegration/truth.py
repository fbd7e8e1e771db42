"""The screen against the truth of a simulated market: which passes are right, and which bonds are found."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from perpfut_lib.cointegration.placebo import screening_rules
from perpfut_lib.cointegration.scan import candidates
from perpfut_lib.config import CointegrationConfig
from perpfut_lib.types import Json


def bonds(
    truth: Mapping[str, Json], names: list[str], windows: pd.DataFrame, config: CointegrationConfig
) -> pd.DataFrame:
    """Return one row per window and planted pair: ``window``, ``low``, ``high`` (numbers in ``names``) and ``bonded``.

    ``bonded`` is 1 if the pair is cointegrated over the whole formation window, 0 if it has come loose before, and NaN
    if it comes loose inside.
    """
    number = {name: position for position, name in enumerate(names)}
    rows = []
    for pair in truth["pairs"]:
        if pair["y"] not in number or pair["x"] not in number:
            continue
        low, high = sorted((number[pair["y"]], number[pair["x"]]))
        loose = np.inf if pair["break_time"] is None else pair["break_time"]
        for window, start in enumerate(windows["start"]):
            bonded = 1.0 if loose >= start else (0.0 if loose <= start - config.formation else np.nan)
            rows.append((window, low, high, bonded))
    return pd.DataFrame(rows, columns=["window", "low", "high", "bonded"])


def precision_recall(tests: pd.DataFrame, planted: pd.DataFrame, config: CointegrationConfig) -> pd.DataFrame:
    """Return one row per rule of :func:`~perpfut_lib.cointegration.placebo.screening_rules` with its scores.

    Parameters
    ----------
    tests : DataFrame
        All tests, symbols as numbers.
    planted : DataFrame
        Table of :func:`bonds`; pairs that come loose inside a window are left out of it there.
    config : CointegrationConfig
        The screen.

    Returns
    -------
    DataFrame
        ``right``, ``wrong`` and ``missed`` pairs over all windows; ``precision`` = right / (right + wrong) and
        ``false_discoveries`` = 1 - precision, NaN where nothing passes; ``recall`` = right / (right + missed).
    """
    known = planted[planted["bonded"] != 0.0]
    truth = {(window, low, high): np.isfinite(bonded) for window, low, high, bonded in known.itertuples(index=False)}
    listed = tests[tests["y"] < tests["x"]]
    tested = set(zip(listed["window"], listed["y"], listed["x"], strict=True))
    unclear = {key for key, clear in truth.items() if not clear}
    bonded = (set(truth) - unclear) & tested
    rows = {}
    for name, screen in screening_rules(config).items():
        kept = candidates(tests, screen)
        legs = np.sort(kept[["y", "x"]].to_numpy(), axis=1)
        found = set(zip(kept["window"], legs[:, 0], legs[:, 1], strict=True)) - unclear
        right, wrong, missed = len(found & bonded), len(found - bonded), len(bonded - found)
        precision = right / len(found) if found else np.nan
        rows[name] = {
            "right": right,
            "wrong": wrong,
            "missed": missed,
            "precision": precision,
            "recall": right / len(bonded) if bonded else np.nan,
            "false_discoveries": 1.0 - precision,
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("rule")
