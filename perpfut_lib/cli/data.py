"""``perpfut data``: what a profile's data will take, get it, and show what is wrong with it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from perpfut_lib.cli.run import ProfileOption, SetOption, chosen_profile
from perpfut_lib.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from perpfut_lib.config import Profile

app = typer.Typer(help="Market data: estimate a download, get it, audit it.")
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")]


@app.command()
def estimate(profile: ProfileOption = "thesis", settings: SetOption = None) -> None:
    """Say what a download from an exchange still takes: bars, requests, weight, minutes."""
    from perpfut_lib.acquire.download import estimate as estimated
    from perpfut_lib.acquire.online import connect

    exchange, history, order = connect(_online(profile, settings).data)
    typer.echo(f"{len(order.symbols)} symbols from {exchange.wire.name} into {history.root}")
    typer.echo(f"still to come: {estimated(exchange, history, order)}")


@app.command()
def download(profile: ProfileOption = "thesis", settings: SetOption = None) -> None:
    """Bring the downloads of a profile up to date; interrupted at any moment, the next call goes on from there."""
    from perpfut_lib.acquire.download import download as bring
    from perpfut_lib.acquire.online import connect

    exchange, history, order = connect(_online(profile, settings).data)
    bring(exchange, history, order)
    typer.echo(f"complete in {history.root}: {exchange.budget.requests} requests of weight {exchange.budget.spent}")


@app.command()
def audit(profile: ProfileOption = "default", settings: SetOption = None, as_json: JsonOption = False) -> None:
    """Acquire and audit a profile's data; list every finding, and why each symbol is in or out."""
    from perpfut_lib.artifacts import Run
    from perpfut_lib.pipeline import ensure
    from perpfut_lib.store.stage import load_defects, load_quality, load_universe

    chosen = chosen_profile(profile, settings)
    run = Run.named(chosen.name)
    ensure("quality", chosen, run)
    report, universe = load_quality(run), load_universe(run)
    found = {"findings": report.findings, "defects": load_defects(run)}
    tables = {"summary": report.summary, **found, "universe": universe}
    for name, table in tables.items():
        if as_json:
            for row in json.loads(table.to_json(orient="records")):
                typer.echo(json.dumps({"table": name, **row}))
        else:
            typer.echo(f"\n{name}\n{_readable(table)}")


def _online(profile: str, settings: list[str] | None) -> "Profile":
    chosen = chosen_profile(profile, settings)
    if chosen.data.source not in ("binance", "hyperliquid"):
        expected = "data.source binance or hyperliquid"
        raise ConfigError(f"data.source {chosen.data.source}", expected, "choose another profile, or --set data.source")
    return chosen


def _readable(table: "pd.DataFrame") -> str:
    from perpfut_lib.config import format_time

    if table.empty:
        return "nothing"
    times = [name for name in ("start", "time", "first_bar", "last_bar") if name in table]
    text = table.assign(**{name: [format_time(int(time)) for time in table[name]] for name in times})
    return text.to_string(index=False)
