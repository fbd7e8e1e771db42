"""The live agent in operation, for chapter 10: what was measured of it once and published."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.config import hash_json
from perpfut_lib.errors import ArtifactError
from perpfut_lib.report.style import NOTHING, PALETTE, figure
from perpfut_lib.types import JsonObject

PARTS: Final = {
    "backtest": "the backtest of the same bars, net",
    "decisions": "other decisions",
    "rounding": "whole lots",
    "latency": "fills later than the open",
    "slippage": "the book, beyond what the backtest charges",
    "fees": "fees, beyond those of the backtest",
    "funding": "funding, beyond that of the backtest",
    "earned": "the account",
}
"""Parts of the closed loop's result; the last one is the sum of the others."""
BENCHES: Final = ("fast-tick", "slow-tick")
BOOKS: Final = ("audit trail", "ledger", "exchange")


def where_published(make: Callable[[], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
    """Let a table of a result that nobody has published yet say so, instead of failing."""

    @wraps(make)
    def table() -> pd.DataFrame:
        try:
            return make()
        except ArtifactError as error:
            return pd.DataFrame({"not published": [error.found]})

    return table


@where_published
def week_table() -> pd.DataFrame:
    """Return the published replays of days and weeks: bars, restarts, decisions, equal ones."""
    names = list_published("agent/weeks")
    if not names:
        raise ArtifactError("no published replay of a week", "one", "run: perpfut agent replay --keep")
    return pd.DataFrame([_week(read_published(name)) for name in names]).set_index("market")


@where_published
def drill_matrix() -> pd.DataFrame:
    """Return the published fault drill: a row per corrupted file or clock, a column per fault of the exchange."""
    cases = pd.DataFrame(read_published("agent/drill")["cases"])
    table = cases.pivot(index="file", columns="exchange", values="outcome")
    return table.loc[cases["file"].unique(), cases["exchange"].unique()].fillna("")


@where_published
def drill_summary() -> pd.DataFrame:
    """Return how often each outcome occurred in the published fault drill, and how many were unsafe."""
    cases = pd.DataFrame(read_published("agent/drill")["cases"])
    unsafe = cases["outcome"].str.startswith("UNSAFE")
    counts = cases["outcome"].mask(unsafe, "unsafe").value_counts()
    counts["unsafe"] = int(unsafe.sum())
    return counts.rename_axis("outcome").rename("cases").to_frame()


@where_published
def latency_table() -> pd.DataFrame:
    """Return the published times of fast and slow ticks; where there is one, beside the time without tracing."""
    rows = [row for bench in BENCHES for row in read_published(f"bench/{bench}")["rows"] if _is_live(row)]
    table = pd.DataFrame(
        {
            "work": [row["metric"] for row in rows],
            "seconds": [f"{row['ours']:.3g}" for row in rows],
            "without tracing": [NOTHING if row["peer"] is None else f"{row['peer']:.3g}" for row in rows],
            "times as long": [NOTHING if row["peer"] is None else f"{row['ours'] / row['peer']:.2f}" for row in rows],
        }
    )
    return table.set_index("work")


@where_published
def closed_loop_table() -> pd.DataFrame:
    """Return the published closed loop bar by bar: what was asked for, sent, and left between target and position."""
    rows = read_published("closed_loop")["rows"]
    table = pd.DataFrame(
        {
            "bar (UTC)": pd.to_datetime([row["bar_close"] for row in rows], unit="ms").strftime("%H:%M"),
            "actions": [", ".join(_action(*asked) for asked in row["pairs"].values()) for row in rows],
            "gross target (% of equity)": [f"{100 * row['gross_target']:.1f}" for row in rows],
            "signal after (s)": [f"{row['signal_ms'] / 1000:.1f}" for row in rows],
            "fills": [row["fills"] for row in rows],
            "traded (USDT)": [f"{row['traded']:.0f}" for row in rows],
            "last fill after (s)": [
                NOTHING if row["fills"] == 0 else f"{row['last_fill_ms'] / 1000:.1f}" for row in rows
            ],
            "gap (USDT)": [f"{row['gap']:.2f}" for row in rows],
        }
    )
    return table.set_index("bar (UTC)")


@where_published
def closed_loop_summary() -> pd.DataFrame:
    """Return the totals of the published closed loop, in one column."""
    kept = read_published("closed_loop")
    told = {
        "bars": kept["bars"],
        "decisions equal to the replay's": kept["equal_decisions"],
        "orders": kept["orders"],
        "fills": kept["fills"],
        "rejected orders": kept["rejects"],
        "alarms of the governor": ", ".join(kept["governor_alarms"]) or "none",
        "exchange seconds per second": f"{kept['speed']:g}",
        "real time (s)": f"{kept['real_seconds']:.0f}",
        "earned (USDT)": f"{kept['attribution']['earned']:.3f}",
        "not explained (USDT)": f"{abs(kept['residual']):.6f}",
    }
    return pd.DataFrame({"closed loop": told.values()}, index=pd.Index(list(told), name="what"))


@where_published
def container_table() -> pd.DataFrame:
    """Return what was measured in the agent's container."""
    rows = read_published("containers")["rows"]
    told = [f"{row['value']:g} {row['unit']}" for row in rows]
    return pd.DataFrame({"measured": told}, index=pd.Index([row["what"] for row in rows], name="what"))


def outage_table(kept: JsonObject | None = None) -> pd.DataFrame:
    """Return what is lost when everything of ours is dead, with and without stops: the published result or ``kept``."""
    rows = (read_published("agent/outage") if kept is None else kept)["rows"]
    table = pd.DataFrame(
        {
            "market after the death": [row["market"] for row in rows],
            "died while": [row["moment"] for row in rows],
            "lost without stops (%)": [_percent(row["lost_without"]) for row in rows],
            "liquidated": [f"{row['liquidated_without']} of {row['deaths']}" for row in rows],
            "lost with stops (%)": [_percent(row["lost_with"]) for row in rows],
            "down to the stops (%)": [_percent(row["bound"]) for row in rows],
            "without a stop yet (%)": [_percent(row["bare"]) for row in rows],
        }
    )
    return table.set_index("market after the death")


def alarm_table(kept: JsonObject | None = None) -> pd.DataFrame:
    """Return how long after each fault people are told of it: the published drill or ``kept``."""
    rows = (read_published("agent/alarms") if kept is None else kept)["rows"]
    table = pd.DataFrame(
        {
            "fault": [row["fault"] for row in rows],
            "message after (s)": [f"{row['seconds']:.0f}" for row in rows],
            "severity": [row["severity"] for row in rows],
            "what people read first": [row["told"] for row in rows],
        }
    )
    return table.set_index("fault")


def books_table(kept: JsonObject | None = None) -> pd.DataFrame:
    """Return what trail, ledger and exchange say after a long schedule of faults: published or ``kept``."""
    result = read_published("agent/books") if kept is None else kept
    listed, books = result["listed"], [result["books"][name] for name in BOOKS]
    symbols = books[0]["positions"]
    rows = {f"{symbol} (units)": [book["positions"][symbol] for book in books] for symbol in symbols}
    rows["fills"] = [f"{book['fills']}" for book in books]
    rows["of these from the exchange's list, never heard of"] = [str(listed["fills"])] * 2 + [""]
    for name in ("fees", "funding", "earned"):
        rows[f"{name} (USDT)"] = [f"{book[name]:,.4f}" for book in books]
    return pd.DataFrame(rows, index=pd.Index(BOOKS, name="by")).T.rename_axis("what")


def operation_hash() -> str:
    """Return a hash of all published results that this module shows; one that is missing counts as empty."""
    names = [f"bench/{bench}" for bench in BENCHES] + ["agent/drill", "agent/soak", "closed_loop", "containers"]
    return hash_json({name: _or_none(name) for name in [*names, *list_published("agent/weeks")]})


def container_conditions() -> str:
    """Return how the figures of :func:`container_table` were measured, as Markdown."""
    try:
        return str(read_published("containers")["how"])
    except ArtifactError as error:
        return f"Not published: {error.found}."


def plot_closed_loop() -> Figure:
    """Plot how the backtest's result becomes the account's, part by part."""
    with figure(height=3.0) as (made, (axes,)):
        try:
            parts = read_published("closed_loop")["attribution"]
        except ArtifactError as error:
            axes.set_title(f"Not published: {error.found}")
            return made
        names, low = list(PARTS), 0.0
        for place, name in enumerate(names):
            whole = name in (names[0], names[-1])
            low = 0.0 if whole else low
            color = PALETTE[0] if whole else PALETTE[2] if parts[name] >= 0.0 else PALETTE[3]
            axes.barh(place, parts[name], left=low, color=color)
            axes.annotate(
                f"{round(parts[name], 3) + 0.0:+.3f}", (max(low, low + parts[name], 0.0), place), (4, 0), **_BESIDE
            )
            low += parts[name]
        axes.axvline(0.0, color="0.3", linewidth=0.8)
        axes.set_yticks(range(len(names)), [PARTS[name] for name in names])
        axes.invert_yaxis()
        axes.use_sticky_edges = False
        axes.margins(x=0.12)
        axes.set_xlabel("USDT")
        axes.set_title("From the backtest to the account")
    return made


def plot_soak() -> Figure:
    """Plot memory and disk of the published soak."""
    with figure() as (made, (axes,)):
        try:
            samples = pd.DataFrame(read_published("agent/soak")["samples"])
        except ArtifactError as error:
            axes.set_title(f"Not published: {error.found}")
            return made
        for column, label in (
            ("memory_mib", "resident memory"),
            ("logs_mib", "logs (rotated)"),
            ("disk_mib", "all other files"),
        ):
            axes.plot(samples["ticks"], samples[column], label=label)
        axes.set_yscale("log")
        axes.set_xlabel("ticks")
        axes.set_ylabel("MiB")
        axes.set_title("One process, many ticks: memory and files stay flat, logs grow until rotated")
        axes.legend()
    return made


_BESIDE: Final[dict[str, Any]] = {"textcoords": "offset points", "va": "center", "fontsize": 8}


def _week(kept: JsonObject) -> JsonObject:
    rows = pd.DataFrame(kept["pair_days"])
    return {
        "market": kept["market"].partition(":")[0],  # what it is, without how it was got
        "policy": kept["policy"],
        "bars": kept["bars"],
        "restarts": kept["restarts"],
        "pair-days": len(rows),
        "decisions": int(rows["decisions"].sum()),
        "equal to the bit": int(rows["equal"].sum()),
        "code": kept["git_commit"][:12],
    }


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _or_none(name: str) -> Any:
    try:
        return read_published(name)
    except ArtifactError:
        return None


def _is_live(row: JsonObject) -> bool:
    """Return whether a row is about the agent's own ticks, not about a part of them beside another library's."""
    return row["peer"] is None or row["peer_name"] == "tracing off"


def _action(action: float | None, status: str) -> str:
    return status if action is None else f"{action:+.2f}"
