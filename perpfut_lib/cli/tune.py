"""``perpfut tune``: search for training settings on the validation span."""

import json as json_
from typing import Annotated

import typer

from perpfut_lib.cli.run import ProfileOption, SetOption, chosen_profile


def tune(
    profile: ProfileOption = "default",
    trials: Annotated[
        int, typer.Option("--trials", "-n", min=1, help="Trials of the study, earlier ones included.")
    ] = 20,
    settings: SetOption = None,
    keep: Annotated[
        bool, typer.Option(help="Publish the number of trials, which the deflated Sharpe ratio takes into account.")
    ] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the record of all trials instead.")] = False,
) -> None:
    """Search for training settings with Optuna, by validation utility alone, and print the best ones as YAML.

    Every trial trains the profile's agents (fees x seeds) for train.total_steps. The study lies in artifacts/NAME/tune;
    the same command goes on with it, also after kill -9.
    """
    from perpfut_lib import pipeline
    from perpfut_lib.artifacts import Run, publish
    from perpfut_lib.train.stage import make_training_tasks
    from perpfut_lib.train.tune import Search, as_overrides

    chosen = chosen_profile(profile, settings)
    run = Run.named(chosen.name)
    pipeline.ensure("environment", chosen)
    record = Search(make_training_tasks(chosen, run), run.path / "tune").run(trials)
    if keep:
        publish(f"tune/{chosen.name}", record)
    if json:
        typer.echo(json_.dumps(record))
        return
    counts = f"{record['completed']} trials finished, {record['pruned']} pruned"
    value = "" if record["best"] is None else f"; best validation utility {record['best']['value']:.4g} per episode"
    typer.echo(f"# {counts}{value} (artifacts/{chosen.name}/tune/trials.json)")
    typer.echo(as_overrides(record), nl=False)
