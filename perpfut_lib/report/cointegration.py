"""Tables and figures on how good the screen is: chance, truth, persistence, a second test, and its cost."""

import re
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.artifacts import Run, read_published
from perpfut_lib.cointegration.persistence import direction_agreement, numbered, survival
from perpfut_lib.cointegration.placebo import count_passes, false_discoveries
from perpfut_lib.cointegration.stage import load_johansen, load_pair_days, load_placebo, load_tests, load_windows
from perpfut_lib.cointegration.truth import bonds, precision_recall
from perpfut_lib.config import Profile
from perpfut_lib.report.style import PALETTE, figure
from perpfut_lib.store.stage import load_truth

COST: Final = re.compile(r"one window, (\d+) assets, (\d+) tests")


def discovery_table(run: Run, profile: Profile) -> pd.DataFrame:
    """Return one row per screening rule: what passes in the data and in placebos, and what of it is true.

    Shares are of the pairs tested, in %; FDR is the false-discovery rate that placebos of each null hypothesis tell;
    the last columns, of a simulated market only, are the share of passes that are wrong, and of planted pairs found.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    profile : Profile
        Settings of the run.
    """
    tests, names = numbered(load_tests(run))
    windows, config = load_windows(run), profile.cointegration
    told = false_discoveries(count_passes(tests, len(windows), config), load_placebo(run))
    percent = 100 * told.drop(columns="passed")
    table = percent.rename(columns={name: f"{name} (%)" for name in percent.columns}).round(1)
    table.insert(0, "passed", told["passed"])
    truth = load_truth(run)
    if truth is not None:
        scores = 100 * precision_recall(tests, bonds(truth, names, windows, config), config)
        table["wrong (%)"] = scores["false_discoveries"].round(1)
        table["found (%)"] = scores["recall"].round(1)
    return table


def survival_table(run: Run, profile: Profile) -> pd.DataFrame:
    """Return how pairs that pass fare 1 to 5 trading windows later; shares and the drift of β in %.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    profile : Profile
        Settings of the run.
    """
    table = survival(*_tests_and_windows(run), profile.cointegration)
    return pd.DataFrame(
        {
            "overlap of formation (%)": (100 * table["overlap"]).round(0),
            "pairs": table["pairs"],
            "pass again (%)": (100 * table["survived"]).round(1),
            "any pair passes (%)": (100 * table["base_rate"]).round(1),
            "drift of β, median (%)": (100 * table["drift"]).round(1),
        }
    ).rename_axis("windows later")


def plot_survival(run: Run, profile: Profile) -> Figure:
    """Plot how many pairs pass again, beside the rate of any pair, and how far hedge ratios have drifted.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    profile : Profile
        Settings of the run.
    """
    table = survival(*_tests_and_windows(run), profile.cointegration)
    apart = table.index[table["overlap"] == 0.0]
    with figure(1, 2) as (made, (left, right)):
        left.plot(table.index, 100 * table["survived"], marker="o", color=PALETTE[0], label="passed before")
        left.plot(table.index, 100 * table["base_rate"], marker="o", color=PALETTE[1], label="any pair")
        left.set_ylabel("pairs that pass (%)")
        left.set_ylim(bottom=0)
        left.legend(loc="center right")
        right.plot(table.index, 100 * table["drift"], marker="o", color=PALETTE[2])
        right.set_ylabel("median change of β (%)")
        right.set_ylim(bottom=0)
        for axes in (left, right):
            axes.set_xlabel("trading windows later")
            axes.set_xticks(table.index)
            if len(apart):
                axes.axvspan(apart[0] - 0.5, table.index[-1] + 0.3, color="0.93", zorder=0)
        left.set_title("Does it last?", fontsize=10)
        right.set_title("Hedge ratios drift", fontsize=10)
    return made


def direction_table(run: Run, profile: Profile) -> pd.DataFrame:
    """Return, by split, in how many pairs one direction of the regression passes, and in how many both do.

    Parameters
    ----------
    run : Run
        Where its artifacts are.
    profile : Profile
        Settings of the run.
    """
    table = direction_agreement(*_tests_and_windows(run), profile.cointegration)
    return pd.DataFrame(
        {
            "one direction passes": table["one"],
            "both pass": table["both"],
            "agreement (%)": (100 * table["agreement"]).round(1),
            "median β β'": table["slopes"].round(3),
        }
    )


def johansen_table(run: Run) -> pd.DataFrame:
    """Return, by split, what Johansen's trace test says of the pairs that are traded, at 5 %.

    Shares of pair-days by rank in %: 0 no cointegration, 1 cointegration, 2 both prices stationary (so they look in a
    short window); and the median distance of its hedge ratio from that of least squares, in %.
    """
    pairs = load_pair_days(run)
    tests = load_johansen(run).set_index("episode").reindex(pairs["episode"])
    distance = np.abs(tests["beta"].to_numpy() / pairs["beta"].to_numpy() - 1.0)
    rows = pd.DataFrame({"split": pairs["split"], "rank": tests["rank"].to_numpy(), "distance": distance})
    by_split = rows.groupby("split", sort=False)
    shares = {f"rank {rank} (%)": (100 * by_split["rank"].agg(lambda r, k=rank: (r == k).mean())) for rank in range(3)}
    table = pd.DataFrame({"pair-days": by_split.size(), **shares})
    table["β apart, median (%)"] = 100 * by_split["distance"].median()
    return table.round(1)


def scan_costs() -> pd.DataFrame:
    """Return assets, tests and seconds of one window's scan, as the published benchmark measured them."""
    rows = read_published("bench/cointegration")["rows"]
    found = [(COST.match(row["metric"]), row["ours"]) for row in rows]
    costs = [(int(match[1]), int(match[2]), seconds) for match, seconds in found if match]
    return pd.DataFrame(costs, columns=["assets", "tests", "seconds"])


def plot_scan_cost() -> Figure:
    """Plot seconds of one window's scan against its tests, both axes logarithmic, beside a line of slope one."""
    costs = scan_costs()
    each = float((costs["seconds"] / costs["tests"]).median())
    with figure() as (made, (axes,)):
        axes.loglog(costs["tests"], each * costs["tests"], color="0.5", linestyle="--", linewidth=1)
        axes.loglog(costs["tests"], costs["seconds"], marker="o", linestyle="none", color=PALETTE[0])
        for assets, tests, seconds in costs.itertuples(index=False):
            axes.annotate(f"{assets}", (tests, seconds), textcoords="offset points", xytext=(5, -9), fontsize=8)
        axes.margins(0.08)
        axes.set_xlabel("tests of one window (ordered pairs)")
        axes.set_ylabel("time on one thread (s)")
        axes.set_title(f"Cost grows as the number of pairs: {1e6 * each:.0f} µs a test; labels: assets")
    return made


def _tests_and_windows(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    return numbered(load_tests(run))[0], load_windows(run)
