"""What the script needs of the world besides Hummingbot: names of pairs, and the agent's clock."""

import time


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
    origin : float
        Unix time, s, at which the agent's clock showed ``shown``; both zero for the machine's clock.
    shown : float
        Unix time of the agent's clock, s.
    speed : float
        Seconds of the agent's clock per second.
    """

    def __init__(self, origin: float = 0.0, shown: float = 0.0, speed: float = 1.0) -> None:
        self._origin, self._shown, self._speed = origin, shown, speed

    def wall(self) -> int:
        """Return the agent's time, ms UTC."""
        return int(1000 * (self._shown + (time.time() - self._origin) * self._speed))

    def monotonic(self) -> int:
        """Return ms that never go back, at the pace of the agent's clock."""
        return int(time.monotonic() * 1000 * self._speed)

    def real(self) -> int:
        """Return ms of real time that never go back."""
        return time.monotonic_ns() // 1_000_000

    def wait(self, milliseconds: int) -> bool:
        """Wait in real time."""
        time.sleep(max(0, milliseconds) / 1000 / self._speed)
        return False
