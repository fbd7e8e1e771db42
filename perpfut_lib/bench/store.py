"""A year of 25 symbols, 13.14 million minute bars: from the store to the panel, and its audit."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from perpfut_lib.acquire.partitions import CANDLES, write_candles
from perpfut_lib.bench.harness import BenchRow, Contest
from perpfut_lib.store.build import build_panel
from perpfut_lib.store.panel import Panel
from perpfut_lib.store.quality import audit
from perpfut_lib.types import MINUTE_MS

SYMBOLS: Final = tuple(f"S{number:02d}USDT" for number in range(25))
START: Final = 1_714_521_600_000  # 2024-05-01, the study's first day
BARS: Final = 525_600
END: Final = START + BARS * MINUTE_MS
PEER_SYMBOLS: Final = 5
SIZE: Final = f"{len(SYMBOLS)} x {BARS}"

_PEAK: Final = """
import sys
from pathlib import Path
from perpfut_lib.store.build import build_panel
root, start, end, step, *symbols = sys.argv[1:]
panel = build_panel(Path(root), symbols, int(start), int(end), int(step))
# the high-water mark of this process alone: getrusage would begin with the parent's
status = Path("/proc/self/status").read_text()
print(int(status.partition("VmHWM:")[2].split()[0]) / 2**20)
"""


def run() -> Iterator[BenchRow]:
    """Measure reading the panel against pandas, its peak memory in a process of its own, and the audit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for number, symbol in enumerate(SYMBOLS):
            write_candles(root, symbol, _bars(number))
        yield Contest(
            "store",
            f"panel of {SIZE} bars from parquet",
            ours=lambda: build_panel(root, SYMBOLS, START, END, MINUTE_MS),
            peer=lambda: _pandas_panel(root),
            peer_name="pandas read_parquet and pivot",
            error=_difference,
            peer_share=PEER_SYMBOLS / len(SYMBOLS),
            repeats=3,
        ).run()
        yield BenchRow("store", f"peak memory, panel of {SIZE}", "GiB", _peak(root), None, None, None, None)
        panel = build_panel(root, SYMBOLS, START, END, MINUTE_MS)
        yield Contest("store", f"audit of {SIZE} bars", ours=lambda: audit(panel, pays_funding=False), repeats=3).run()


def _bars(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 1e-3, BARS))), 2)
    first = np.concatenate((close[:1], close[:-1]))
    time = START + MINUTE_MS * np.arange(BARS)
    prices = {"open": first, "high": np.maximum(first, close) + 0.01, "low": np.minimum(first, close) - 0.01}
    return pd.DataFrame({"open_time": time, **prices, "close": close, "volume": np.round(rng.exponential(5, BARS), 3)})


def _pandas_panel(root: Path) -> dict[str, pd.DataFrame]:
    """Return one table of bars x symbols a field, as pandas users get it."""
    files = {symbol: sorted((root / CANDLES / symbol).glob("*.parquet")) for symbol in SYMBOLS[:PEER_SYMBOLS]}
    parts = [pd.read_parquet(file).assign(symbol=symbol) for symbol, own in files.items() for file in own]
    whole = pd.concat(parts, ignore_index=True)
    fields = ("open", "high", "low", "close", "volume")
    return {field: whole.pivot(index="open_time", columns="symbol", values=field) for field in fields}


def _difference(ours: Panel, peer: dict[str, pd.DataFrame]) -> float:
    return max(
        float(np.abs(getattr(ours, field)[:, :PEER_SYMBOLS] - table.to_numpy()).max()) for field, table in peer.items()
    )


def _peak(root: Path) -> float:
    """Return the peak memory (GiB) of a fresh process that builds the panel."""
    command = [sys.executable, "-c", _PEAK, str(root), str(START), str(END), str(MINUTE_MS), *SYMBOLS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)
