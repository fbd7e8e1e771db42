"""The operator's standing orders: what `perpfut agent control` writes."""

import time
from dataclasses import dataclass

from perpfut_lib.artifacts import AgentFolder, Control
from perpfut_lib.artifacts.contract import SCHEMA_VERSION
from perpfut_lib.errors import ConfigError, PerpfutError


@dataclass(frozen=True)
class Orders:
    """Orders, and the symbols that they apply to."""

    order: str
    """``run``, ``pause`` or ``kill``."""
    max_exposure: float | None = None
    """Cap on gross exposure, share of equity."""
    allow: tuple[str, ...] | None = None
    """The only symbols to trade; none: all."""
    deny: tuple[str, ...] = ()
    """Symbols never to trade."""
    note: str = ""
    """For people."""
    by: str = "operator"
    """Who gives them."""


def write_control(folder: AgentFolder, orders: Orders, now: int | None = None) -> Control:
    """Write new standing orders under the next sequence number and return them.

    Parameters
    ----------
    folder : AgentFolder
        Where they go.
    orders : Orders
        What is to be done.
    now : int, optional
        Their date, ms UTC: by default this machine's time; of a local exchange in a demo.

    Raises
    ------
    ConfigError
        The order is unknown.
    """
    if orders.order not in ("run", "pause", "kill"):
        raise ConfigError(f"order {orders.order!r}", "run, pause or kill", "give one of them")
    now = time.time_ns() // 1_000_000 if now is None else now
    control = Control(
        schema_version=SCHEMA_VERSION,
        kind="control",
        seq=_next_seq(folder, now),
        run_id=orders.by,
        created_at=now,
        pause=orders.order == "pause",
        kill=orders.order == "kill",
        max_exposure=orders.max_exposure,
        allow=orders.allow,
        deny=orders.deny,
        note=orders.note,
    )
    folder.write(control)
    return control


def _next_seq(folder: AgentFolder, now: int) -> int:
    """Return a number above the last one; ms of the clock number the first, so that none that was lost comes back."""
    try:
        return max(folder.read(Control).seq + 1, now)
    except PerpfutError:
        return now
