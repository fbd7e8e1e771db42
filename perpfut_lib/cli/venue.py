"""``perpfut venue``: a local exchange that real clients can talk to."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="A local exchange on loopback: simulated market or replay, in the wire formats of real ones.")


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


@app.command()
def compare(
    candles: Annotated[Path, typer.Argument(help="Parquet file of recorded candles.")],
    funding: Annotated[Path, typer.Argument(help="Parquet file of recorded funding rates.")],
    start: Annotated[datetime, typer.Option(help="First day, UTC.", formats=["%Y-%m-%d"])],
    end: Annotated[datetime, typer.Option(help="Day after the last one, UTC.", formats=["%Y-%m-%d"])],
    output: Annotated[Path | None, typer.Option(help="JSON file to write, with the inputs' SHA-256.")] = None,
) -> None:
    """Compare recorded candles with a simulated market of the same size, statistic by statistic."""
    import pandas as pd

    from perpfut_lib.artifacts import file_sha256, write_json
    from perpfut_lib.config import SimulationConfig
    from perpfut_lib.errors import MissingInputError
    from perpfut_lib.venue.calibration import complete_symbols, side_by_side
    from perpfut_lib.venue.market import simulate

    for path in (candles, funding):
        if not path.is_file():
            raise MissingInputError(f"no file {path}", "recorded candles and funding", "check the path")
    first, behind = (int(day.replace(tzinfo=UTC).timestamp() * 1000) for day in (start, end))
    bars = complete_symbols(pd.read_parquet(candles), first, behind)
    count = bars["symbol"].nunique()
    pairs = min(SimulationConfig().planted_pairs, count // 2)
    config = SimulationConfig(days=(end - start).days, symbols=count, planted_pairs=pairs, start=start.date())
    market = simulate(config)
    markets = {"recorded": (bars, pd.read_parquet(funding)), "simulated": (market.candles, market.funding)}
    table = side_by_side(markets)
    typer.echo(table.round(4).to_string())
    if output is not None:
        source = {path.name: file_sha256(path) for path in (candles, funding)}
        span = {"start": f"{start:%Y-%m-%d}", "end": f"{end:%Y-%m-%d}", "symbols": sorted(set(bars["symbol"]))}
        statistics = table.astype(object).where(table.notna(), None).to_dict("index")
        content = {"inputs": source, **span, "simulation": config.model_dump(mode="json"), "statistics": statistics}
        write_json(output, content)
