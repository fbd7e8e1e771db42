"""Tables of the audit: what each symbol's candles and funding look like, and every finding."""

import pandas as pd

from perpfut_lib.artifacts import Run, read_published
from perpfut_lib.report.tables import utc
from perpfut_lib.store.stage import load_quality, load_universe

SHOWN = {
    "bars": "bars",
    "missing": "missing",
    "longest_gap": "longest gap",
    "filled": "filled",
    "longest_zero_volume": "longest without volume",
    "longest_frozen": "longest frozen",
    "outliers": "outliers",
    "funding_interval": "funding every",
    "interval_changes": "interval changes",
    "missing_settlements": "missing settlements",
}


def quality_table(run: Run) -> pd.DataFrame:
    """Return one row per symbol: bars, holes, dead and frozen stretches (bars), outliers, regularity of funding."""
    return load_quality(run).summary.set_index("symbol")[list(SHOWN)].rename(columns=SHOWN)


def findings_table(run: Run) -> pd.DataFrame:
    """Return one row per finding: symbol, kind, first bar, length in bars, and what was seen."""
    findings = load_quality(run).findings
    return findings.assign(start=utc(findings["start"].to_numpy())).rename(columns={"start": "from (UTC)"})


def universe_table(run: Run) -> pd.DataFrame:
    """Return why each symbol of the source is in the universe or out of it."""
    table = load_universe(run)[["symbol", "in_universe", "reason", "bars"]]
    return table.rename(columns={"in_universe": "in the universe", "reason": "why"}).set_index("symbol")


def calibration_table() -> pd.DataFrame:
    """Return statistics of recorded candles beside those of the simulated market, as published with this project."""
    published = read_published("calibration")
    table = pd.DataFrame.from_dict(published["statistics"], orient="index")
    return table.round(4).rename_axis("statistic")
