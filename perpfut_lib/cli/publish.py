"""``perpfut publish``: results that are kept in git, each with everything that it follows from."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from perpfut_lib.cli.run import ProfileOption, SetOption, chosen_profile
from perpfut_lib.errors import ArtifactError

if TYPE_CHECKING:
    from perpfut_lib.artifacts import Run
    from perpfut_lib.config import Profile
    from perpfut_lib.frontier.periods import Period

RECORDED_MINUTES: Final = ("real-1m-2023-07", "real-1m-2025-02", "real-1m-2025-05")

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

    chosen, stages = chosen_profile(profile, settings), STAGES[: STAGES.index(to) + 1]
    for name, digest in write_results(chosen, _ran(chosen, stages), stages).items():
        typer.echo(f"artifacts/published/{chosen.name}/{name}.csv {digest[:16]}")


@app.command()
def check(profile: ProfileOption = "real-1h", settings: SetOption = None) -> None:
    """Make the tables of a profile again and compare them, bit for bit, with the published ones."""
    import hashlib

    from perpfut_lib.report.sources import STAGES, TABLES, csv_tables, published_tables

    chosen = chosen_profile(profile, settings)
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
    agents: Annotated[int, typer.Option(help="Worlds of each kind in which an agent is judged too.")] = 20,
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


@app.command()
def original(
    weights: Annotated[Path, typer.Option(help="Folder of the study's policies: no_fees.safetensors and so on.")],
    profile: ProfileOption = "real-1m",
    settings: SetOption = None,
) -> None:
    """Run the original study's own policies by its rules and by correct ones; publish what each fault is worth."""
    from perpfut_lib.artifacts import list_published, publish, read_published
    from perpfut_lib.original import load_policies, run_study
    from perpfut_lib.pipeline import fingerprint
    from perpfut_lib.store.stage import load_panel

    chosen, policies = chosen_profile(profile, settings), load_policies(weights)
    found = run_study(load_panel(_ran(chosen, ["quality"])), policies)
    periods = read_published("original_weights") if "original_weights" in list_published() else {}
    publish("original_weights", periods | {chosen.name: {"inputs": fingerprint(chosen), **found}})
    for entry in found["policies"]:
        by_rules = next(row for row in entry["original_rules"] if row["fee_bps"] == entry["fee_bps"])
        right = next(row for row in entry["correct_rules"] if row["fee_bps"] == entry["fee_bps"])
        typer.echo(
            f"{entry['policy']:<10} turnover {entry['turnover_per_day']:.1f} a day, by its rules "
            f"{by_rules['estimate']:+.1%} [{by_rules['lower']:+.1%}, {by_rules['upper']:+.1%}], by correct ones "
            f"{right['estimate']:+.1%} [{right['lower']:+.1%}, {right['upper']:+.1%}]"
        )


@app.command()
def coverage(worlds: Annotated[int, typer.Option(min=100, help="Samples for each number of days.")] = 2000) -> None:
    """Measure what intervals cover and how often tests reject a truth, by number of days, and publish it."""
    from perpfut_lib.artifacts import publish
    from perpfut_lib.protocol.coverage import measured_coverage

    content = measured_coverage(worlds)
    publish("coverage", content)
    for row in content["rows"]:
        typer.echo(
            "{days:>4} days: return {return:.1%}, Sharpe ratio {sharpe:.1%} (bootstrap {bootstrap:.1%}) "
            "of 95 %; best of worthless ones {spa:.1%} of 5 %".format(**row)
        )


@app.command()
def frontier(profile: ProfileOption = "real-1m-2025-05", settings: SetOption = None) -> None:
    """Run fixed rules over all days of a profile at every decision interval and delay; publish break-even costs."""
    from perpfut_lib.artifacts import publish
    from perpfut_lib.frontier import frontier_rows, study_period
    from perpfut_lib.pipeline import fingerprint

    chosen = chosen_profile(profile, settings)
    found = study_period(chosen, _ran(chosen, ["cointegration"]))
    publish(f"frontier/{chosen.name}", {"inputs": fingerprint(chosen), **found})
    for row in frontier_rows({chosen.name: found}):
        cost, memory = row.break_even, "formation" if row.memory is None else f"{row.memory} min"
        typer.echo(
            f"mean over {memory:<9} decided every {row.interval:>2} min, filled {row.delay} bars late, {row.rule}: "
            f"break-even {cost.estimate:+.2f} [{cost.lower:+.2f}, {cost.upper:+.2f}] bps per side"
        )


@app.command()
def across(
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", "-p", help="A period of recorded data; two or more. [default: all of minutes]"),
    ] = None,
    settings: SetOption = None,
    name: Annotated[str, typer.Option(help="Under which name it is published.")] = "minutes",
    maker_fee: Annotated[
        float,
        typer.Option(help="Fee of limit orders, basis points, or the taker fee where that is less; may be negative."),
    ] = 1.5,
) -> None:
    """Train on all periods but one, test on every day of that one, each in turn; publish what agents and rules earn.

    Orders fill one bar late unless --set env.latency says otherwise. The same positions are also sent as limit orders.
    """
    from perpfut_lib.artifacts import Run, publish
    from perpfut_lib.frontier.across import study_across
    from perpfut_lib.pipeline import fingerprint
    from perpfut_lib.report.across import across_lines

    late = ["env.latency=1", *(settings or [])]
    chosen = [chosen_profile(profile, late) for profile in profiles or RECORDED_MINUTES]
    found = study_across(_periods(chosen), Run.named(f"across.{name}"))
    inputs = {one.name: fingerprint(one) for one in chosen}
    publish(f"across/{name}", {"inputs": inputs, "maker_fee_bps": maker_fee, **found})
    for line in across_lines(found):
        typer.echo(line)


@app.command()
def designs(
    names: Annotated[list[str] | None, typer.Argument(help="Files in configs/designs/. [default: all of them]")] = None,
    profiles: Annotated[
        list[str] | None,
        typer.Option("--profile", "-p", help="A period of recorded data; two or more. [default: all of minutes]"),
    ] = None,
    settings: SetOption = None,
) -> None:
    """Train what others published by the rules of `publish across`, on the same periods, and publish what it earns.

    A setting that is given here, such as --set train.seeds=10, goes before the design's own.
    """
    from perpfut_lib.artifacts import Run, publish
    from perpfut_lib.config import Design, design_names
    from perpfut_lib.frontier.across import study_across
    from perpfut_lib.pipeline import fingerprint
    from perpfut_lib.report.across import across_lines

    late = ["env.latency=1", *(settings or [])]
    for design in [Design.load(name) for name in names or design_names()]:
        base = [chosen_profile(profile, late) for profile in profiles or RECORDED_MINUTES]
        chosen = [one.changed(design.settings, name=f"{one.name}.{design.name}") for one in base]
        found = study_across(_periods(chosen), Run.named(f"designs.{design.name}"), rules=False)
        publish(f"designs/{design.name}", {"inputs": {one.name: fingerprint(one) for one in chosen}, **found})
        typer.echo(design.title)
        for line in across_lines(found):
            typer.echo(line)


@app.command()
def carry(
    binance: Annotated[str, typer.Option(help="Profile of the first venue.")] = "carry-binance",
    hyperliquid: Annotated[str, typer.Option(help="Profile of the second venue, over the same days.")] = (
        "carry-hyperliquid"
    ),
    fees: Annotated[
        tuple[float, float], typer.Option(help="Taker fees of both venues, basis points: base tiers of those months.")
    ] = (5.0, 3.5),
    settings: SetOption = None,
) -> None:
    """Hold each coin long where funding is lower and short where it is higher; publish what that earns.

    Beside the venues' own fees stand those of `costs.fees_bps`, on both venues alike.
    """
    from perpfut_lib.artifacts import publish
    from perpfut_lib.frontier.carry import Fees, study_carry
    from perpfut_lib.frontier.venues import joined_panel
    from perpfut_lib.pipeline import fingerprint
    from perpfut_lib.report.carry import carry_lines
    from perpfut_lib.store.stage import load_panel

    chosen = [chosen_profile(profile, settings) for profile in (binance, hyperliquid)]
    panel, pairs = joined_panel(*(load_panel(_ran(one, ["quality"])) for one in chosen))
    regimes = [*(Fees(fee, fee) for fee in chosen[0].costs.fees_bps), Fees(*fees)]
    found = study_carry(panel, pairs, chosen[0], regimes)
    publish("carry", {"inputs": {one.name: fingerprint(one) for one in chosen}, **found})
    for line in carry_lines(found):
        typer.echo(line)


def _periods(profiles: "Sequence[Profile]") -> "list[Period]":
    """Return periods of recorded data, each screened twice: for the test, and more loosely for training."""
    from perpfut_lib.frontier.periods import TRAINING_SCREEN, load_period

    wide = [one.changed(TRAINING_SCREEN, name=f"{one.name}.wide") for one in profiles]
    stages = ["features"]
    return [load_period(one, _ran(one, stages), _ran(wider, stages)) for one, wider in zip(profiles, wide, strict=True)]


def _ran(profile: "Profile", stages: Sequence[str]) -> "Run":
    from perpfut_lib import pipeline
    from perpfut_lib.artifacts import Run

    run = Run.named(profile.name)
    for stage in stages:
        pipeline.ensure(stage, profile, run)
    return run
