"""``perpfut run``: bring the chapters of a profile up to date."""

from typing import Annotated

import typer

from perpfut_lib.config import Profile

ProfileOption = Annotated[str, typer.Option("--profile", "-p", help="Name of a file in configs/.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, such as train.seeds=3.")
]


def run(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    first: Annotated[int | None, typer.Option("--from", help="First chapter to run.")] = None,
    last: Annotated[int | None, typer.Option("--to", help="Last chapter to run.")] = None,
) -> None:
    """Run the chapters that are not up to date, in order; stop at the first one that fails."""
    from perpfut_lib.chapters import Order, run_chapters, select

    order = Order(profile, tuple(settings or ()), tuple(select(first, last)))
    chosen = order.profile()
    typer.echo(f"profile {chosen.name}: {chosen.title or 'no title'}")
    run_chapters(order)
    _say_what_it_took(chosen)


def _say_what_it_took(profile: Profile) -> None:
    from perpfut_lib.chapters.record import read_report

    report = read_report(profile)
    if report:
        total = report["total"]
        typer.echo(
            f"all chapters together took {total['seconds']:.0f} s; peak memory {total['peak_memory_mib']:.0f} MiB "
            f"(artifacts/{profile.name}/run_report.json)"
        )
