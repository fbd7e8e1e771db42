"""Hummingbot in a folder of its own, on a local exchange: python runs this first where its folder is on the path.

``PERPFUT_HUMMINGBOT_ROOT`` names the folder, ``PERPFUT_EXCHANGE`` the exchange's address, and
``PERPFUT_EXCHANGE_CLOCK=real`` says that its time is the world's. Nothing but this machine and that exchange can be
reached from here; without the first variable nothing is changed.
"""

import os
import socket
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

FOLDERS = ("conf/connectors", "conf/strategies", "conf/scripts", "conf/controllers", "logs", "data", "certs", "scripts")


def _local(host: Any) -> bool:
    text = host.decode() if isinstance(host, bytes) else host
    return text is None or text in ("localhost", "::1", "0.0.0.0", "") or str(text).startswith("127.")


def guard(exchange: str) -> None:
    """Refuse every address that is neither this machine's nor that of the host ``exchange``."""
    look_up, connect = socket.getaddrinfo, socket.socket.connect
    known = {exchange}

    def local_look_up(host: Any, *arguments: Any, **settings: Any) -> Any:
        text = host.decode() if isinstance(host, bytes) else host
        if not _local(text) and text not in known:
            raise socket.gaierror(socket.EAI_NONAME, f"outside of the sandbox: {host}")
        found = look_up(host, *arguments, **settings)
        if text == exchange:  # it may come back under another address
            known.update(str(entry[4][0]) for entry in found)
        return found

    def local_connect(self: socket.socket, address: Any) -> None:
        inside = _local(address[0]) or address[0] in known
        if self.family in (socket.AF_INET, socket.AF_INET6) and not inside:
            raise OSError(f"outside of the sandbox: {address}")
        return connect(self, address)

    socket.getaddrinfo = local_look_up
    socket.socket.connect = local_connect  # type: ignore[assignment, method-assign]


def move(root: Path) -> None:
    """Let Hummingbot keep configuration, logs and data under ``root``."""
    import hummingbot

    for folder in (*FOLDERS, "controllers"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    link = root / "hummingbot"
    if not link.exists():  # its templates are looked for beside its root
        link.symlink_to(Path(hummingbot.__file__).parent)
    hummingbot.root_path = lambda: root
    hummingbot.set_prefix_path(str(root))
    hummingbot.set_data_path(str(root / "data"))
    sys.path.insert(0, str(root))
    sys.modules.pop("scripts", None)


def point(address: str) -> None:
    """Let both connectors talk to the local exchange."""
    from hummingbot.connector.derivative.binance_perpetual import binance_perpetual_constants as binance
    from hummingbot.connector.derivative.hyperliquid_perpetual import hyperliquid_perpetual_constants as hyperliquid
    from hummingbot.connector.time_synchronizer import TimeSynchronizer

    # The exchange's clock may stand or run fast: requests are stamped with this machine's, which it takes, too.
    if os.environ.get("PERPFUT_EXCHANGE_CLOCK") != "real":
        TimeSynchronizer.time = lambda _synchronizer: time.time()
    streams = address.replace("http", "ws", 1)
    binance.PERPETUAL_BASE_URL = binance.TESTNET_BASE_URL = f"{address}/fapi/"
    binance.PERPETUAL_WS_URL = binance.TESTNET_WS_URL = f"{streams}/"
    hyperliquid.PERPETUAL_BASE_URL = hyperliquid.TESTNET_BASE_URL = address
    hyperliquid.PERPETUAL_WS_URL = hyperliquid.TESTNET_WS_URL = f"{streams}/ws"


if os.environ.get("PERPFUT_HUMMINGBOT_ROOT"):
    guard(urlsplit(os.environ["PERPFUT_EXCHANGE"]).hostname or "")
    move(Path(os.environ["PERPFUT_HUMMINGBOT_ROOT"]).resolve())
    point(os.environ["PERPFUT_EXCHANGE"])
