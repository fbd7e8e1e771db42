"""``perpfut run`` and ``perpfut book``: bring the chapters of a profile, and their book, up to date."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from perpfut_lib.config import Profile


VARIABLE = "PERPFUT_SETTINGS"


def _after_the_variable(context: typer.Context, given: list[str] | None) -> list[str]:
    """Return the variable's settings, then those of the command: an option adds to the variable, and wins over it."""
    text = os.environ.get(VARIABLE, "")
    if not text or context.resilient_parsing:
        return list(given or ())
    from perpfut_lib.config import settings_of  # pydantic and numpy, which --help does without

    source = context.get_parameter_source("settings")
    typed = given if source is not None and source.name == "COMMANDLINE" else ()
    return [*settings_of(text), *(typed or ())]


ProfileOption = Annotated[
    str, typer.Option("--profile", "-p", envvar="PERPFUT_PROFILE", help="Name of a file in configs/.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        envvar=VARIABLE,
        callback=_after_the_variable,
        help="Override a setting, such as train.seeds=3; added to those that the variable holds, apart by spaces.",
    ),
]


def run(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="Take the data from here (sim, files, venue, ...); sim and venue bring symbols of their own.",
        ),
    ] = None,
    first: Annotated[int | None, typer.Option("--from", help="First chapter to run.")] = None,
    last: Annotated[int | None, typer.Option("--to", help="Last chapter to run.")] = None,
    book: Annotated[bool, typer.Option(help="Build the book after the last chapter.")] = True,
) -> None:
    """Run the chapters that are not up to date, in order; stop at the first one that fails; then build the book."""
    settings = [*_sourced(source), *(settings or ())]
    chosen_profile(profile, settings)  # a wrong setting is named at once, before anything heavy is loaded
    from perpfut_lib import mlflow_export
    from perpfut_lib.chapters import Executed, Order, Status, catalogue, run_chapters, select

    order = Order(profile, tuple(settings), tuple(select(first, last)))
    chosen = order.profile()
    typer.echo(f"profile {chosen.name}: {chosen.title or 'no title'}")
    if chosen.compute.mlflow:
        mlflow_export.client(chosen.compute.mlflow)  # what is missing is said before hours of work
    run_chapters(order)
    if chosen.compute.mlflow:
        made = mlflow_export.export(chosen.name, chosen.compute.mlflow)
        typer.echo(f"MLflow: {f'run {made}' if made else 'there already'}, in {chosen.compute.mlflow}")
    _say_what_it_took(chosen)
    lacking = [each for each in catalogue() if Executed(each, chosen).status() is not Status.CURRENT]
    names = ", ".join(each.name for each in lacking)
    if not any(each.stage == "evaluate" for each in lacking):
        _show_fee_table(chosen)
    if lacking:
        typer.echo(f"no book yet: {names} not up to date")
    elif book:
        build(profile, settings)


def build(
    profile: ProfileOption = "default",
    settings: SetOption = None,
    pdf: Annotated[bool, typer.Option("--pdf", help="Print it to a PDF file too; needs Chromium.")] = False,
    epub: Annotated[bool, typer.Option("--epub", help="Make an EPUB file too.")] = False,
) -> None:
    """Build the HTML book of a profile from its executed chapters; nothing is executed."""
    from perpfut_lib.chapters.book import FILES, book_page, build_book
    from perpfut_lib.config import project_root

    chosen = chosen_profile(profile, settings)
    wanted = [name for name, asked in zip(FILES, (pdf, epub), strict=True) if asked]
    fresh = build_book(chosen, wanted)
    page = book_page(chosen).relative_to(project_root())
    typer.echo(f"book {'built' if fresh else 'up to date'}: {page}")
    for name in wanted:
        typer.echo(f"{name.upper()}: {page.with_name(FILES[name])}")


def chosen_profile(name: str, settings: list[str] | None = None) -> "Profile":
    """Return the settings that a command was given; :class:`perpfut_lib.errors.ConfigError` where they are wrong."""
    from perpfut_lib.config import load_profile  # pydantic and numpy, which --help does without

    return load_profile(name, settings or ())


def _sourced(source: str | None) -> list[str]:
    """Return the settings that a source stands for: a simulated market has none of the profile's symbols."""
    chosen = [] if source is None else [f"data.source={source}"]
    return [*chosen, "data.symbols=auto"] if source in ("sim", "venue") else chosen


def _say_what_it_took(profile: "Profile") -> None:
    from perpfut_lib.chapters.record import read_report

    total = read_report(profile)["total"]
    took = f"all chapters together took {total['seconds']:.0f} s, peak memory {total['peak_memory_mib']:.0f} MiB"
    typer.echo(f"{took} (artifacts/{profile.name}/run_report.json)")


def _show_fee_table(profile: "Profile") -> None:
    from perpfut_lib import report
    from perpfut_lib.artifacts import Run

    typer.echo(f"\n{report.fee_table(Run.named(profile.name)).to_string()}\n")
