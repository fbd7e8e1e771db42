"""What the script needs of the world besides Hummingbot: names of pairs, and the agent's clock."""

import time
from pathlib import Path

from perpfut_lib.artifacts import read_json, write_json


def trading_pair(symbol: str, connector: str) -> str:
    """Return Hummingbot's name of a symbol: ``ETHUSDT`` is ``ETH-USDT`` on Binance and ``ETH-USD`` on Hyperliquid."""
    base = symbol.removesuffix("USDT")
    if connector.startswith("hyperliquid"):
        return f"{'k' + base.removeprefix('1000') if base.startswith('1000') else base}-USD"
    return f"{base}-USDT"


class PacedClock:
    """The agent's clock: the machine's, or that of a replay which runs at its own pace.

    Parameters
    ----------
    pace : Path or None
        File of :func:`write_pace`, read again whenever it is replaced; none for the machine's clock.
    """

    def __init__(self, pace: Path | None = None) -> None:
        self._file, self._read_at = pace, -1
        self._origin = self._shown = 0
        self._speed = 1.0

    def wall(self) -> int:
        """Return the agent's time, ms UTC."""
        if self._file is not None:
            changed = self._file.stat().st_mtime_ns
            if changed != self._read_at:
                tree, self._read_at = read_json(self._file), changed
                self._origin, self._shown, self._speed = tree["origin"], tree["shown"], tree["speed"]
        return self._shown + int((time.time_ns() // 1_000_000 - self._origin) * self._speed)

    def monotonic(self) -> int:
        """Return ms that never go back, at the pace of the agent's clock."""
        return self.real() if self._file is None else self.wall()

    def real(self) -> int:
        """Return ms of real time that never go back."""
        return time.monotonic_ns() // 1_000_000

    def wait(self, milliseconds: int) -> bool:
        """Wait in real time."""
        time.sleep(max(0, milliseconds) / 1000)
        return False


def write_pace(path: Path, shown: int, speed: float) -> None:
    """Say what the agent's clock shows now (ms UTC), and how many of its seconds pass in one; zero if it stands."""
    write_json(path, {"origin": time.time_ns() // 1_000_000, "shown": shown, "speed": speed})
