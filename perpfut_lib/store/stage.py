"""Stage "quality": the panel, the report on its defects, and the table of why each symbol is in or out."""

from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.stage import DEFECTS, TRUTH, WINDOW
from perpfut_lib.artifacts import Run, StageFolder
from perpfut_lib.config import Profile
from perpfut_lib.errors import UniverseError
from perpfut_lib.store.build import FIELDS, build_panel
from perpfut_lib.store.panel import FundingEvents, Panel
from perpfut_lib.store.quality import QualityReport, audit
from perpfut_lib.types import JsonObject

PANEL: Final = "panel"
SYMBOLS: Final = "panel/symbols.json"
FUNDING: Final = "panel/funding.parquet"
SUMMARY: Final = "quality.parquet"
FINDINGS: Final = "findings.parquet"
UNIVERSE: Final = "universe.parquet"


def run_stage(profile: Profile, run: Run, folder: StageFolder) -> None:
    """Write the panel (``panel/*.npy``), ``quality.parquet``, ``findings.parquet`` and ``universe.parquet``.

    Raises
    ------
    UniverseError
        Fewer symbols than ``universe.min_symbols`` are left.
    """
    acquired = run.stage("acquire")
    window = acquired.read_json(WINDOW)
    symbols = window["symbols"]
    if len(symbols) < profile.universe.min_symbols:
        expected = f"at least universe.min_symbols = {profile.universe.min_symbols}"
        raise UniverseError(f"{len(symbols)} eligible symbols", expected, "acquire more symbols")
    panel = build_panel(acquired.path, symbols, window["start"], window["end"], window["timeframe"])
    report = audit(panel, pays_funding=window["pays_funding"])
    _write_panel(folder, panel)
    folder.write_table(SUMMARY, report.summary)
    folder.write_table(FINDINGS, report.findings)
    folder.write_table(UNIVERSE, _universe(window))


def load_panel(run: Run) -> Panel:
    """Return the panel that stage "quality" wrote, memory-mapped and read-only."""
    folder = run.stage("quality")
    meta = folder.read_json(SYMBOLS)
    # a plain view of the map: numba and pickle know ndarray better than its subclass memmap
    arrays = {name: np.asarray(folder.read_array(f"{PANEL}/{name}.npy", mapped=True)) for name in (*FIELDS, "filled")}
    open_time = folder.read_array(f"{PANEL}/open_time.npy")
    return Panel(open_time, tuple(meta["symbols"]), meta["timeframe"], funding=_read_funding(folder), **arrays)


def load_quality(run: Run) -> QualityReport:
    """Return the report on the panel's defects."""
    folder = run.stage("quality")
    return QualityReport(folder.read_table(SUMMARY), folder.read_table(FINDINGS))


def load_defects(run: Run) -> pd.DataFrame:
    """Return what cannot be true in the source and what was done: ``symbol kind time`` (ms) ``value detail done``."""
    return run.stage("acquire").read_table(DEFECTS)


def load_universe(run: Run) -> pd.DataFrame:
    """Return one row per symbol of the source: ``symbol in_universe reason first_bar last_bar bars`` (times ms UTC)."""
    return run.stage("quality").read_table(UNIVERSE)


def load_truth(run: Run) -> JsonObject | None:
    """Return what the simulated market knows about itself, or None for recorded data."""
    folder = run.stage("acquire")
    return dict(folder.read_json(TRUTH)) if folder.file(TRUTH).is_file() else None


def _write_panel(folder: StageFolder, panel: Panel) -> None:
    for name in (*FIELDS, "filled", "open_time"):
        folder.write_array(f"{PANEL}/{name}.npy", getattr(panel, name))
    folder.write_json(SYMBOLS, {"symbols": list(panel.symbols), "timeframe": panel.timeframe})
    parts = [
        pd.DataFrame({"symbol": symbol, "funding_time": events.time, "funding_rate": events.rate})
        for symbol, events in panel.funding.items()
    ]
    empty = pd.DataFrame({"symbol": [], "funding_time": np.zeros(0, np.int64), "funding_rate": np.zeros(0)})
    folder.write_table(FUNDING, pd.concat(parts, ignore_index=True) if parts else empty)


def _read_funding(folder: StageFolder) -> dict[str, FundingEvents]:
    table = folder.read_table(FUNDING)
    groups = table.groupby("symbol", sort=True)
    return {
        str(symbol): FundingEvents(rows["funding_time"].to_numpy(), rows["funding_rate"].to_numpy())
        for symbol, rows in groups
    }


def _universe(window: JsonObject) -> pd.DataFrame:
    rows = [
        {
            "symbol": symbol,
            "in_universe": symbol in window["symbols"],
            "reason": held["reason"].partition(": ")[2],
            "first_bar": held["first"],
            "last_bar": held["last"],
            "bars": held["bars"],
        }
        for symbol, held in sorted(window["source"].items())
    ]
    return pd.DataFrame(rows)
