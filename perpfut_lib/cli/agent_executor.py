"""``perpfut agent simulate`` and ``audit``: the executor under seeded faults, and an audit of its trades."""

import json as json_module
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from perpfut_lib.cli.run import ProfileOption, chosen_profile

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def simulate(
    schedules: Annotated[int, typer.Option(help="Number of random schedules of faults.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Seed of the first; the others count on from it.", min=0)] = 0,
    jobs: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
    json: JsonOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Publish the counts, which the book shows.")] = False,
    minutes: Annotated[int, typer.Option(help="One schedule of so long instead, and its books compared.", min=0)] = 0,
) -> None:
    """Run signals, executor and exchange on a virtual clock under seeded faults; fail if an invariant breaks."""
    if minutes:
        _books(seed, minutes, json=json, keep=keep)
        return
    from agent.testing.planted_faults import planted
    from agent.testing.simulation import simulate_many
    from perpfut_lib.artifacts import git_commit, publish

    result = asdict(simulate_many(seed, schedules, jobs))
    if keep:
        publish("agent/simulation", {"git_commit": git_commit(), "planted": planted()} | result)
    bad = result["violations"]
    lines = [f"{name}: {value}" for name, value in result.items() if name != "violations"]
    lines += [f"seed {number}: {text}" for number, texts in bad.items() for text in texts]
    typer.echo(json_module.dumps(result) if json else "\n".join([*lines, f"violations: {len(bad)}"]))
    if bad:
        typer.echo(f"replay one: perpfut agent simulate --schedules 1 --seed {min(bad)}", err=True)
        raise typer.Exit(1)


def _books(seed: int, minutes: int, *, json: bool, keep: bool) -> None:
    """Run one long schedule and compare audit trail, ledger and exchange at its end."""
    from agent.testing.books import compared
    from perpfut_lib.artifacts import git_commit, publish
    from perpfut_lib.report import books_table

    result = compared(seed, minutes)
    if keep:
        publish("agent/books", {"git_commit": git_commit()} | result)
    shown = json_module.dumps(result) if json else books_table(result).to_string()
    typer.echo("\n".join([shown, *([] if json else result["differences"])]))
    if result["differences"]:
        raise typer.Exit(1)


def outage(
    starts: Annotated[int, typer.Option(help="Moments of the market at which a pair is opened.", min=1)] = 3,
    json: JsonOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Publish the table, which the runbook shows.")] = False,
) -> None:
    """Measure what is lost when agent, executor and network die at the worst moment, with and without stops."""
    from agent.testing.outage import outage as measured
    from perpfut_lib.artifacts import git_commit, publish
    from perpfut_lib.report import outage_table

    result = measured(starts)
    if keep:
        publish("agent/outage", {"git_commit": git_commit()} | result)
    typer.echo(json_module.dumps(result) if json else outage_table(result).to_string())


def audit(
    profile: ProfileOption = "default",
    json: JsonOption = False,
    folder: Annotated[Path | None, typer.Option(help="The agent's folder, instead of the profile's.")] = None,
) -> None:
    """Rebuild positions, fees and P&L from the executor's audit trail and compare them with its ledger."""
    from agent.executor.audit import account_of
    from perpfut_lib.artifacts import Run

    path = folder if folder is not None else Run.named(chosen_profile(profile, None).name).path / "agent"
    found, wrong = account_of(path)
    if json:
        typer.echo(json_module.dumps(found | {"differences": wrong}))
    else:
        typer.echo("\n".join([*(f"{name}: {value}" for name, value in found.items()), *wrong]))
    if wrong:
        raise typer.Exit(1)
