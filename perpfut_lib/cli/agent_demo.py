"""``perpfut agent demo``: the closed loop on this machine, with its console."""

from typing import Annotated

import typer


def demo(
    bars: Annotated[int, typer.Option(help="Bars of one minute; all of one trading window at most.", max=110)] = 32,
    speed: Annotated[float, typer.Option(help="Seconds of the exchange per second.")] = 6.0,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the result in artifacts/published.")] = False,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the console where there is a display.")
    ] = True,
) -> None:
    """Run the closed loop here: local exchange, agent, governor and Hummingbot, against the backtest."""
    from agent.demo import loop, setup, show
    from agent.demo.console import visit
    from agent.observation.logs import start_logging
    from perpfut_lib.artifacts import publish

    def announce(address: str, token: str) -> None:
        typer.echo(f"console: {address}  (orders: sign in with {token})")
        if browser and not visit(address):
            typer.echo("no display: open the address in a browser of yours")

    start_logging(None, console=True, level=40)
    profile, run_folder, start = setup.prepared()
    found = show.result(loop.closed_loop(profile, run_folder, start, bars, speed, announce), speed)
    if keep:
        publish(show.NAME, found)
    typer.echo(show.text(found))
