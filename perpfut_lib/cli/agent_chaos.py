"""``perpfut agent chaos``: kill what an operator starts, and compare what it signalled with an agent that lived."""

import dataclasses
import json as json_module
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from agent.testing.chaos import Plan, Trial
    from agent.testing.chaos_verdict import Verdict

POLICY = "z-score"
FEE_BPS = 4.5
RESULTS = {False: "agent/chaos", True: "agent/chaos-real-time"}


def chaos(
    kills: Annotated[int, typer.Option(help="How often a process is killed.", min=1)] = 200,
    seed: Annotated[int, typer.Option(help="Of what is killed, and when.")] = 1,
    speed: Annotated[float, typer.Option(help="Seconds of the exchange per second; 1: this machine's clock.")] = 2.0,
    hours: Annotated[float, typer.Option(help="Stop before all kills are done, if they take longer.")] = 2.0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    keep: Annotated[bool, typer.Option("--keep", help="Publish the outcome, which the runbook shows.")] = False,
) -> None:
    """Run exchange and agent as processes, kill them at random moments, and fail if a signal is not as it should be."""
    from agent.testing import chaos as trials
    from agent.testing.chaos_verdict import judge
    from agent.testing.small_market import MARKET
    from perpfut_lib.artifacts import publish

    plan = trials.Plan("smoke", ("name=chaos", *MARKET, f"agent.policy={POLICY}"), kills, seed, speed)
    plan = dataclasses.replace(plan, longest_s=3600 * hours)
    _prepare(plan)
    with typer.progressbar(length=kills, label="kills", hidden=json) as bar:
        trial = trials.run(plan, lambda _: bar.update(1))
    with tempfile.TemporaryDirectory() as scratch:
        verdict = judge(trial, Path(scratch))
    outcome = _outcome(trial, verdict)
    if keep:
        publish(RESULTS[speed == 1.0], outcome)
    typer.echo(json_module.dumps(outcome) if json else "\n".join(f"{k:<12}{v}" for k, v in outcome["outcome"].items()))
    if verdict.wrong:
        raise typer.Exit(1)


def _prepare(plan: "Plan") -> None:
    """Make the small market's features, and a rule that trades on them, where training would have put a policy."""
    from agent.demo.rule import export_rule
    from perpfut_lib import pipeline
    from perpfut_lib.artifacts import Run

    profile = plan.chosen()
    run = Run.named(profile.name)
    pipeline.ensure("environment", profile, run)
    with run.commit("train", {"policy": POLICY}) as stage:
        export_rule(stage.file(f"policies/{POLICY}.json"), run, FEE_BPS)


def _outcome(trial: "Trial", verdict: "Verdict") -> dict[str, Any]:
    from agent.testing.chaos_verdict import counted
    from perpfut_lib.artifacts import git_commit

    head = {"git_commit": git_commit(), "seed": trial.plan.seed, "speed": trial.plan.speed}
    return {**head, "seconds": round(trial.seconds), "kills": counted(trial), "outcome": dataclasses.asdict(verdict)}
