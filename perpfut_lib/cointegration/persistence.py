"""Does it last: which pairs still pass in later windows, how far hedge ratios drift, whether both directions agree."""

import numpy as np
import pandas as pd

from perpfut_lib.cointegration.scan import Screen, candidates, passing
from perpfut_lib.config import CointegrationConfig

MOST_AHEAD = 5


def numbered(tests: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return stored tests with the symbols of ``y`` and ``x`` as numbers, in the order of the names, and the names."""
    names = sorted({*tests["y"].astype(str), *tests["x"].astype(str)})
    number = {name: position for position, name in enumerate(names)}
    codes = {leg: tests[leg].astype(str).map(number).astype(np.int64) for leg in ("y", "x")}
    return tests.assign(**codes), names


def survival(tests: pd.DataFrame, windows: pd.DataFrame, config: CointegrationConfig) -> pd.DataFrame:
    """Return how pairs that pass in one window fare 1 to MOST_AHEAD trading windows later.

    Parameters
    ----------
    tests : DataFrame
        All tests, symbols as numbers (:func:`numbered`).
    windows : DataFrame
        Trading windows, in the order of the tests' ``window``.
    config : CointegrationConfig
        Screen and lengths of the windows.

    Returns
    -------
    DataFrame
        By ``ahead``: ``overlap`` (share of bars that both formation windows have in common), ``pairs`` (that passed and
        are tested again), ``survived`` (share of these that passes again), ``base_rate`` (share of all pairs that
        passes in those windows), ``drift`` (median of |β'/β - 1| of the same regression), NaN where there is no pair.
    """
    screen = Screen.of(config)._replace(top=None)
    start = windows["start"].to_numpy()[tests["window"]]
    tests = tests.assign(start=start)
    passed = _unordered(candidates(tests, screen))
    listed = _unordered(tests[tests["y"] < tests["x"]])[["start", "low", "high"]]
    listed = listed.merge(passed.assign(again=True)[["start", "low", "high", "again"]], how="left")
    listed["again"] = listed["again"].notna()
    betas = tests[["start", "y", "x", "beta"]]
    rows = [_survival_ahead(ahead, passed, listed, betas, config) for ahead in range(1, MOST_AHEAD + 1)]
    return pd.DataFrame(rows).set_index("ahead")


def _survival_ahead(
    ahead: int, passed: pd.DataFrame, listed: pd.DataFrame, betas: pd.DataFrame, config: CointegrationConfig
) -> dict[str, float]:
    """Return how the pairs that passed fare ``ahead`` windows later."""
    later = passed.assign(start=passed["start"] + ahead * config.trading)
    met = later.merge(listed, on=["start", "low", "high"])
    base = listed[listed["start"].isin(met["start"])]
    drift = later.merge(betas, on=["start", "y", "x"], suffixes=("", "_later"))
    return {
        "ahead": ahead,
        "overlap": max(0.0, 1.0 - ahead * config.trading / config.formation),
        "pairs": len(met),
        "survived": met["again"].mean(),
        "base_rate": base["again"].mean(),
        "drift": (drift["beta_later"] / drift["beta"] - 1.0).abs().median(),
    }


def direction_agreement(tests: pd.DataFrame, windows: pd.DataFrame, config: CointegrationConfig) -> pd.DataFrame:
    """Return, by split, in how many pairs one direction passes correlation and p-value, and in how many both do.

    Columns ``one`` and ``both`` (pairs), ``agreement`` (their quotient), and of the pairs where both pass ``slopes``,
    the median of β_yx β_xy: 1 if both regressions fit the same line, R² in general.
    """
    screen = Screen.of(config)._replace(direction="both")
    kept = _unordered(tests[passing(tests, screen)])
    split = windows["split"].to_numpy()[kept["window"]]
    pairs = kept.assign(split=split).groupby(["split", "window", "low", "high"], sort=False)["beta"]
    counted = pd.DataFrame({"directions": pairs.size(), "slopes": pairs.prod()}).reset_index()
    by_split = counted.groupby("split", sort=False)
    both = counted[counted["directions"] == 2].groupby("split", sort=False)
    table = pd.DataFrame({"one": by_split.size(), "both": both.size(), "slopes": both["slopes"].median()})
    table["both"] = table["both"].fillna(0).astype(np.int64)
    table.insert(2, "agreement", table["both"] / table["one"])
    return table.reindex(list(dict.fromkeys(windows["split"]))).dropna(subset="one")


def _unordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Return ``rows`` with the smaller and the larger symbol of each pair as ``low`` and ``high``."""
    legs = rows[["y", "x"]].to_numpy()
    return rows.assign(low=legs.min(axis=1), high=legs.max(axis=1))
