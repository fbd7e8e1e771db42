"""``perpfut agent``: run the live agent, look at it, stop it, replay it."""

import json as json_module
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perpfut_lib.cli.agent_alarms import alarms
from perpfut_lib.cli.agent_chaos import chaos
from perpfut_lib.cli.agent_demo import demo
from perpfut_lib.cli.agent_executor import audit, outage, simulate
from perpfut_lib.cli.run import ProfileOption, SetOption, chosen_profile
from perpfut_lib.errors import MissingInputError

if TYPE_CHECKING:
    import pandas as pd

    from agent.operation.status import Line
    from perpfut_lib.artifacts import AgentFolder
    from perpfut_lib.config import Profile

app = typer.Typer(help="The live agent: run it, look at it, stop it, replay it.")
app.command()(alarms)
app.command()(chaos)
app.command()(demo)
app.command()(simulate)
app.command()(outage)
app.command()(audit)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AtOption = Annotated[int | None, typer.Option(help="Close of the bar, ms UTC; by default the last one.")]


@app.command()
def run(profile: ProfileOption = "default", settings: SetOption = None) -> None:
    """Run the agent until SIGTERM: one fast tick a bar, slow tick and governor beside it."""
    from agent.operation.run import leave, run_agent, slow_command

    run_agent(chosen_profile(profile, settings), slow_command(profile, settings or ()))
    leave()


@app.command()
def slow_tick(profile: ProfileOption = "default", settings: SetOption = None, at: AtOption = None) -> None:
    """Select pairs, or test the active ones again, and write active_pairs.json."""
    _one_tick(chosen_profile(profile, settings), "slow", at)


@app.command()
def fast_tick(profile: ProfileOption = "default", settings: SetOption = None, at: AtOption = None) -> None:
    """Decide on one bar and write signal.json."""
    _one_tick(chosen_profile(profile, settings), "fast", at)


@app.command()
def replay(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    first: Annotated[str | None, typer.Option("--from", help="UTC, such as 2025-01-11 or 2025-01-11T06:00.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="UTC, exclusive; by default the end of the window.")] = None,
    json: JsonOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Publish the comparison, which the book shows.")] = False,
) -> None:
    """Replay the agent through a local exchange and compare its decisions with the evaluation's.

    A new process takes over as often as `agent.replay_restarts` says.
    """
    from agent.observation.logs import start_logging
    from perpfut_lib.artifacts import git_commit, publish

    chosen = chosen_profile(profile, settings)
    start_logging(None, console=True, level=30)
    table, bars = _replay(chosen, first, last)
    if keep:
        head = {"git_commit": git_commit(), "market": chosen.title or chosen.name, "bars": bars}
        head |= {"policy": chosen.agent.policy, "restarts": chosen.agent.replay_restarts}
        publish(f"agent/weeks/{chosen.name}", head | {"pair_days": table.to_dict("records")})
    _tell_parity(table, json)


@app.command()
def drill(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    share: Annotated[float, typer.Option(help="Share of the cases in which two things go wrong at once.")] = 1.0,
    json: JsonOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Publish the outcomes, which the book shows.")] = False,
) -> None:
    """Run every fault of the exchange against every corrupted file, on a trained run; fail if an outcome is unsafe."""
    import tempfile

    from agent.decision.context import open_policy
    from agent.observation.logs import start_logging
    from agent.replay.replay import tested_span
    from agent.testing import fault_drill as drills
    from perpfut_lib.artifacts import Run, git_commit, publish
    from perpfut_lib.store.stage import load_panel

    chosen = chosen_profile(profile, settings)
    start_logging(None, console=False)
    run, policy = Run.named(chosen.name), open_policy(chosen, Run.named(chosen.name))
    if policy is None:
        raise MissingInputError(f"no policy {chosen.agent.policy}", "a trained one", "run the profile's chapters first")
    with tempfile.TemporaryDirectory() as scratch:
        start, _ = tested_span(run)
        cases = drills.drill(chosen, load_panel(run), policy, start, Path(scratch), share=share)
    if keep:
        content = {"git_commit": git_commit(), "profile": chosen.name, "cases": cases.to_dict("records")}
        publish("agent/drill", content)
    bad = drills.unsafe(cases)
    typer.echo(cases.to_json(orient="records") if json else drills.matrix(cases).to_string())
    typer.echo(f"{len(cases)} cases, {len(bad)} unsafe", err=json)
    if len(bad):
        raise typer.Exit(1)


@app.command()
def status(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    json: JsonOption = False,
    max_age: Annotated[float | None, typer.Option(help="Fail if the scheduler was last seen longer ago (s).")] = None,
) -> None:
    """Show the state of the agent as its files tell it."""
    from agent.operation import status as states

    folder = _agent_folder(profile, settings)
    now = time.time_ns() // 1_000_000
    _show(states.status(folder, now), json)
    age = states.heartbeat_age(folder, now)
    if max_age is not None and (age is None or age > 1000 * max_age):
        raise typer.Exit(1)


@app.command()
def doctor(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    json: JsonOption = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the exchange.")] = False,
    exchange: Annotated[
        bool, typer.Option("--exchange", help="Ask the exchange alone, and everything of its public side.")
    ] = False,
) -> None:
    """Check that everything is in place to run the agent."""
    chosen = chosen_profile(profile, settings)
    if exchange:
        from agent.operation.exchange_check import exchange_lines

        lines = exchange_lines(chosen)
    else:
        from agent.operation.doctor import doctor as examine

        lines = examine(chosen, offline=offline)
    _show(lines, json)
    unasked = exchange and lines[0].state != "ok"
    if unasked or any(line.state == "bad" for line in lines):
        raise typer.Exit(1)


@app.command()
def control(  # noqa: PLR0913, PLR0917 (options of a command)
    order: Annotated[str, typer.Argument(help="run, pause or kill.")],
    profile: ProfileOption = "default",
    settings: SetOption = None,
    max_exposure: Annotated[float | None, typer.Option(help="Cap on gross exposure, share of equity.")] = None,
    allow: Annotated[list[str] | None, typer.Option(help="Trade these symbols only.")] = None,
    deny: Annotated[list[str] | None, typer.Option(help="Never trade these symbols.")] = None,
    note: Annotated[str, typer.Option(help="For people.")] = "",
) -> None:
    """Write the operator's standing orders. Without them the agent stays flat."""
    from agent.operation.control import Orders, write_control

    folder = _agent_folder(profile, settings)
    orders = Orders(order, max_exposure, tuple(allow) if allow else None, tuple(deny or ()), note)
    written = write_control(folder, orders)
    typer.echo(f"control no. {written.seq}: {order}")


@app.command()
def deploy(
    research: Annotated[Path, typer.Option(help="Folder of the research runs, on the machine that trained.")],
    profile: ProfileOption = "default",
    settings: SetOption = None,
) -> None:
    """Copy the trained policy to where the agent looks for it, if it is what its card says."""
    from agent.operation.deploy import deploy as hand_over

    chosen = chosen_profile(profile, settings)
    policy = hand_over(chosen, research)
    typer.echo(f"{chosen.agent.policy} of {chosen.name}, weights {policy.exported.card.weights_sha256[:12]}")


@app.command()
def schemas() -> None:
    """Export the JSON Schemas of all documents to artifacts/schema/."""
    from perpfut_lib.artifacts.contract_schema import export_schemas

    for file in export_schemas():
        typer.echo(file.name)


@app.command()
def graphs() -> None:
    """Draw the graphs as Mermaid text, from the code that runs."""
    from agent.replay.report import drawings

    for name, drawing in drawings().items():
        typer.echo(f"%% {name}\n{drawing}")


def _agent_folder(profile: str, settings: list[str] | None) -> "AgentFolder":
    """Return the folder of the agent that ``perpfut agent run`` starts with the same profile and settings."""
    from agent.state.seal_key import seal_key
    from perpfut_lib.artifacts import AgentFolder, Run

    return AgentFolder.of(Run.named(chosen_profile(profile, settings).name), seal_key())


def _one_tick(profile: "Profile", kind: str, at: int | None) -> None:
    from agent.operation.session import session

    with session(profile, kind) as opened:
        timeframe = profile.agent.timeframe
        bar_close = at if at is not None else opened.clock.wall() // timeframe * timeframe
        if kind == "fast":
            opened.ticks.fast_tick(bar_close)
        elif not opened.ticks.slow_tick(bar_close):
            raise typer.Exit(1)


def _replay(profile: "Profile", first: str | None, last: str | None) -> "tuple[pd.DataFrame, int]":
    """Return the parity table of a replay, and its number of bars."""
    from agent.replay.replay import replay as run_replay
    from agent.replay.replay import tested_span
    from agent.replay.report import load_signals, parity_table
    from perpfut_lib.artifacts import Run

    research = Run.named(profile.name)
    start, end = tested_span(research)
    start = start if first is None else _milliseconds(first)
    end = min(end, start + profile.cointegration.trading) if last is None else _milliseconds(last)
    signals = load_signals(run_replay(profile, research, start, end, restarts=profile.agent.replay_restarts))
    return parity_table(profile, research, signals), len(signals)


def _tell_parity(table: "pd.DataFrame", as_json: bool) -> None:
    if as_json:
        typer.echo(table.to_json(orient="records"))
        return
    typer.echo(table.to_string(index=False))
    typer.echo(f"{table['equal'].sum()} of {table['decisions'].sum()} decisions equal the evaluation's to the last bit")
    if (table["equal"] < table["decisions"]).any():
        raise typer.Exit(1)


def _milliseconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no time such as 2025-01-11T06:00") from error
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)


def _show(lines: "list[Line]", as_json: bool) -> None:
    if as_json:
        typer.echo(json_module.dumps([{"name": line.name, "state": line.state, "text": line.text} for line in lines]))
        return
    for line in lines:
        colour = {"ok": "green", "bad": "red"}.get(line.state)
        typer.echo(f"{typer.style(f'{line.state:<4}', fg=colour)}{line.name:<13}{line.text}", file=sys.stdout)
