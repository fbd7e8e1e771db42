"""What the benchmarks measured: ours beside what one would use instead."""

import pandas as pd

from perpfut_lib.artifacts import list_published, read_published


def speed_table() -> pd.DataFrame:
    """Return every published benchmark, a row a metric: ours, the peer, ratio, largest difference."""
    rows = [
        {
            "benchmark": kept["bench"],
            "work": row["metric"],
            "ours": _figure(row["ours"], row["unit"]),
            "peer": "-" if row["peer"] is None else f"{_figure(row['peer'], row['unit'])} ({row['peer_name']})",
            "ratio": "-" if row["ratio"] is None else f"{row['ratio']:,.3g}",
            "largest difference": "-" if row["max_abs_error"] is None else f"{row['max_abs_error']:.1e}",
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
