"""``perpfut venue``: a local exchange that real clients can talk to."""

import asyncio
from typing import Annotated

import typer

app = typer.Typer(help="A local exchange on loopback: simulated market or replay, in the wire formats of real ones.")


@app.callback()
def _group() -> None:
    """Keep ``serve`` a sub-command while it is the only one."""


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.")] = 8787,
    clock: Annotated[str, typer.Option(help="real, accelerated or stepped.")] = "real",
    days: Annotated[int, typer.Option(help="Days of the simulated market, history included.")] = 37,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Any setting, such as simulation.symbols=25.")
    ] = None,
) -> None:
    """Serve Binance USD-M and Hyperliquid on one address until interrupted.

    The settings are those of perpfut_lib/venue/settings.py; `--set candles=F.parquet --set funding=G.parquet` replays
    recorded candles.
    """
    from perpfut_lib.venue.server import run
    from perpfut_lib.venue.settings import read_settings

    chosen = [f"port={port}", f"clock={clock}", f"simulation.days={days}", *(settings or ())]
    asyncio.run(run(read_settings(chosen), typer.echo))
