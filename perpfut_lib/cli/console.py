"""``perpfut console``: the operator's page, metrics and messages, apart from the agent."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perpfut_lib.cli.run import ProfileOption, SetOption, chosen_profile

if TYPE_CHECKING:
    from agent.console.observer import Observer
    from perpfut_lib.config import Profile

app = typer.Typer(help="The operator's console: see the agent, be told, stop it.")


@app.callback(invoke_without_command=True)
def serve(  # noqa: PLR0913 (options of a command, all keyword-only)
    context: typer.Context,
    *,
    profile: ProfileOption = "default",
    settings: SetOption = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; loopback unless a container publishes it.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any free one.")] = 8800,
    name: Annotated[list[str] | None, typer.Option(help="Answer under this host name, too.")] = None,
    book: Annotated[str, typer.Option(help="Address of the built book; faults link its runbook.")] = "",
) -> None:
    """Serve the page, live updates and /metrics until interrupted. Orders need a token: `perpfut console token`."""
    if context.invoked_subcommand is not None:
        return
    from agent.console.server import Place, application, listen
    from agent.console.tokens import Gatekeeper, kept_hash
    from agent.observation.logs import start_logging

    start_logging(None, console=True)
    watched = observer(chosen_profile(profile, settings))
    page = application(watched, Gatekeeper(kept_hash()), tuple(name or ()), book)

    async def work() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await listen(
            page, Place(host, port, tuple(name or ())), stop, lambda url: typer.echo(f"console of {profile}: {url}")
        )

    asyncio.run(work())


@app.command()
def token() -> None:
    """Make a token for orders; only its hash is kept: put it into PERPFUT_CONSOLE_TOKEN_HASH, or a secret's file."""
    from agent.console.tokens import HASH_VARIABLE, new_token

    made, kept = new_token()
    typer.echo(f"token, shown this once: {made}", err=True)
    typer.echo(f"hash, for {HASH_VARIABLE} or the file of {HASH_VARIABLE}_FILE:", err=True)
    typer.echo(kept)


@app.command()
def watch(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    book: Annotated[str, typer.Option(help="Address of the built book; messages link its runbook.")] = "",
    test: Annotated[bool, typer.Option("--test", help="Send one test message and end.")] = False,
    alive: Annotated[Path | None, typer.Option(help="Touch this file after every look: for a health check.")] = None,
) -> None:
    """Tell people what is wrong, by the addresses in PERPFUT_NOTIFY_URLS, until interrupted."""
    from agent.clock import SystemClock
    from agent.console.delivery import AppriseSender, notify_urls
    from agent.console.watch import Watchdog, trial
    from agent.observation.logs import start_logging

    start_logging(None, console=True)
    sender, chosen = AppriseSender(notify_urls()), chosen_profile(profile, settings)
    if test:
        taken = sender.send(trial(chosen.name))
        typer.echo("the test message was taken" if taken else "the test message was not taken", err=not taken)
        raise typer.Exit(0 if taken else 1)
    clock = SystemClock()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: clock.stop.set())
    Watchdog(observer(chosen), sender, book).run(clock, alive)


def observer(profile: "Profile") -> "Observer":
    """Return an observer of a profile's agent."""
    from agent.clock import SystemClock
    from agent.console.limits import Limits
    from agent.console.observer import Observer
    from agent.state.seal_key import seal_key
    from perpfut_lib.artifacts import AgentFolder, Run

    folder = AgentFolder.of(Run.named(profile.name), seal_key())
    return Observer(profile.name, folder, Limits.of(profile), SystemClock().wall, profile.agent.policy)
