"""``perpfut runs``: experiments beside each other."""

import json as json_module
from typing import Annotated, Any

import typer

app = typer.Typer(help="Experiments: list them, look at one, compare two.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_runs(json: JsonOption = False) -> None:
    """List every run with its stages, and the progress of a training."""
    from perpfut_lib import experiments

    rows = [each.row() for each in experiments.experiments()]
    if json:
        typer.echo(json_module.dumps(rows))
        return
    if not rows:
        typer.echo("no runs yet: perpfut run --profile smoke makes one")
    for row in rows:
        typer.echo(f"{row['run']:<22} {row['last']:<26} {row['minutes']:>8} min {row['commit']:<9} {row['stages']}")
        if row["training"]:
            typer.echo(f"{'':<22} {_progress(row['training'])}")


@app.command()
def show(name: str, json: JsonOption = False) -> None:
    """Show a run: its stages, and its results as means over seeds."""
    from perpfut_lib import experiments

    found = experiments.experiment(name)
    table = experiments.results(name) if "evaluate" in found.stages else None
    if json:
        records = [] if table is None else json_module.loads(table.to_json(orient="records"))
        typer.echo(json_module.dumps(found.row() | {"results": records, "settings": experiments.settings_of(name)}))
        return
    for stage in found.stages.values():
        typer.echo(f"{stage.stage:<14} {stage.created_at}  {stage.seconds:>9.1f} s  {stage.key[:12]}")
    if found.training:
        typer.echo(_progress(vars(found.training)))
    if table is not None:
        typer.echo(table.to_string(index=False, float_format=lambda value: f"{value:.4g}"))


@app.command()
def compare(first: str, second: str, json: JsonOption = False) -> None:
    """Compare two runs: the settings that differ, and their results side by side."""
    from perpfut_lib import experiments

    found = experiments.compare(first, second)
    if json:
        typer.echo(json_module.dumps({name: value for name, value in found.items() if name != "curves"}))
        return
    for gap in found["missing"]:
        typer.echo(f"not there: {gap}")
    for row in found["settings"]:
        typer.echo(f"{row['setting']:<36} {row['a']!s:>24} {row['b']!s:>24}")
    _table(found["results"])


def _table(rows: list[dict[str, Any]]) -> None:
    import pandas as pd

    if rows:
        typer.echo(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.4g}"))


def _progress(training: dict[str, Any]) -> str:
    share = f" of {training['total']:,}" if training["total"] else ""
    left = f", {training['eta_seconds'] / 60:.0f} min to go" if training["eta_seconds"] else ""
    return f"training: {training['steps']:,}{share} steps, {training['steps_per_second']:,.0f}/s{left}"
