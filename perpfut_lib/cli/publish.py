"""``perpfut publish``: results that are kept in git, each with everything that it follows from."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from perpfut_lib.cli.run import ProfileOption, SetOption
from perpfut_lib.config import Profile, load_profile
from perpfut_lib.errors import ArtifactError

if TYPE_CHECKING:
    from perpfut_lib.artifacts import Run

app = typer.Typer(help="Results that are kept in git: make them, publish them, make them again and compare.")


@app.command()
def results(
    profile: ProfileOption = "real-1h",
    settings: SetOption = None,
    to: Annotated[
        Literal["evaluate", "attribution", "robustness"], typer.Option(help="Last stage whose tables are published.")
    ] = "robustness",
) -> None:
    """Run a profile to its last stage and publish its tables in artifacts/published/<profile>/."""
    from perpfut_lib.report.sources import STAGES, write_results

    chosen, stages = load_profile(profile, settings or ()), STAGES[: STAGES.index(to) + 1]
    for name, digest in write_results(chosen, _ran(chosen, stages), stages).items():
        typer.echo(f"artifacts/published/{chosen.name}/{name}.csv {digest[:16]}")


@app.command()
def check(profile: ProfileOption = "real-1h", settings: SetOption = None) -> None:
    """Make the tables of a profile again and compare them, bit for bit, with the published ones."""
    import hashlib

    from perpfut_lib.report.sources import STAGES, TABLES, csv_tables, published_tables

    chosen = load_profile(profile, settings or ())
    published = published_tables(chosen.name)
    stages = [stage for stage in STAGES if TABLES[stage][0] in published]
    made = {name: hashlib.sha256(table).hexdigest() for name, table in csv_tables(_ran(chosen, stages), stages).items()}
    differ = [name for name in published if made.get(name) != published[name]]
    if differ:
        expected = "the bits that were published (same machine, same code, same settings)"
        raise ArtifactError(f"other {', '.join(differ)}", expected, "see what changed in the manifest, or publish anew")
    typer.echo(f"{len(published)} tables of profile {chosen.name} are made again bit for bit")


@app.command()
def protocol(
    worlds: Annotated[int, typer.Option(help="Worlds of pure noise.")] = 100,
    planted: Annotated[int, typer.Option(help="Worlds for each size of planted edge.")] = 20,
    agents: Annotated[int, typer.Option(help="Worlds of each kind in which a PPO agent is judged too.")] = 5,
) -> None:
    """Run the whole protocol on noise and on planted edges, and publish how often it reports an edge."""
    from perpfut_lib.artifacts import publish
    from perpfut_lib.protocol.power import Plan, run_plan

    content = run_plan(Plan(noise=worlds, planted=planted, agents=agents))
    path = publish("protocol", content)
    for row in content["summary"]:
        typer.echo(
            "{policy:<6} {spread_std_bps:>5g} bps planted, fee {fee_bps:g}: {reported} of {worlds}".format(**row)
        )
    typer.echo(f"artifacts/published/{path.name}")


def _ran(profile: Profile, stages: Sequence[str]) -> "Run":
    from perpfut_lib import pipeline
    from perpfut_lib.artifacts import Run

    run = Run.named(profile.name)
    for stage in stages:
        pipeline.ensure(stage, profile, run)
    return run
