"""What the benchmarks measured: ours beside the library that one would use instead."""

import pandas as pd

from perpfut_lib.artifacts import list_published, read_published
from perpfut_lib.report.style import NOTHING


def speed_table() -> pd.DataFrame:
    """Return every published benchmark, one row per metric: ours, the peer, ratio, largest difference."""
    rows = [
        {
            "benchmark": kept["bench"],
            "work": row["metric"],
            "ours": _figure(row["ours"], row["unit"]),
            "peer": NOTHING if row["peer"] is None else f"{_figure(row['peer'], row['unit'])} ({row['peer_name']})",
            "ratio": NOTHING if row["ratio"] is None else _figure(row["ratio"], "1"),
            "largest difference": _difference(row["max_abs_error"]),
        }
        for kept in map(read_published, list_published("bench"))
        for row in kept["rows"]
    ]
    return pd.DataFrame(rows)


def speed_machines() -> pd.DataFrame:
    """Return the machine and the code that each published benchmark was measured on."""
    kept = [read_published(name) for name in list_published("bench")]
    return pd.DataFrame([{"benchmark": one["bench"], **one["machine"], "code": one["git_commit"][:12]} for one in kept])


def _figure(value: float, unit: str) -> str:
    figure = f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
    return figure if unit == "1" else f"{figure} {unit}"


def _difference(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1e}" if value else "0"
