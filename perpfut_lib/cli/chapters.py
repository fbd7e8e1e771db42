"""``perpfut chapters``: which chapters there are, whether they may be shown, and keeping their outputs."""

import typer

from perpfut_lib.cli.run import ProfileOption, SetOption, chosen_profile
from perpfut_lib.errors import ChapterError

app = typer.Typer(help="The chapters of the book.")


@app.command("list")
def show(profile: ProfileOption = "default", settings: SetOption = None) -> None:
    """List the chapters and whether each is current, stale, failed or missing under a profile."""
    from perpfut_lib.chapters import Executed, catalogue

    chosen = chosen_profile(profile, settings)
    for chapter in catalogue():
        typer.echo(f"{chapter.name:<24}{Executed(chapter, chosen).status():<10}stage {chapter.stage}")


@app.command()
def verify(profile: ProfileOption = "default", settings: SetOption = None) -> None:
    """Check that every chapter is up to date, and its tables: one cell of each is recomputed from raw ledgers."""
    from perpfut_lib.chapters import Executed, Status, catalogue
    from perpfut_lib.chapters.verify import verify_tables

    chosen = chosen_profile(profile, settings)
    states = {chapter.name: Executed(chapter, chosen).status() for chapter in catalogue()}
    wrong = [f"{name} {state}" for name, state in states.items() if state is not Status.CURRENT]
    if wrong:
        raise ChapterError(", ".join(wrong), "every chapter current", f"run: perpfut run --profile {chosen.name}")
    checked = verify_tables(chosen)
    typer.echo(f"{len(states)} chapters of profile {chosen.name} are current; {checked} tables match their raw ledgers")


@app.command()
def keep(profile: ProfileOption = "default", settings: SetOption = None) -> None:
    """Copy the outputs of the executed chapters into notebooks/, and what is generated from them into book/."""
    from perpfut_lib.chapters import Executed, catalogue
    from perpfut_lib.chapters.keep import keep_outputs, keep_pages

    chosen = chosen_profile(profile, settings)
    for chapter in catalogue():
        keep_outputs(Executed(chapter, chosen))
        typer.echo(f"notebooks/{chapter.path.name}")
    for path in keep_pages(chosen):
        typer.echo(path)


@app.command("howto")
def keep_how_tos() -> None:
    """Execute the how-to guides in notebooks/howto/ and keep their outputs."""
    from perpfut_lib.chapters.book import how_tos
    from perpfut_lib.chapters.howto import keep_how_to
    from perpfut_lib.config import project_root

    for path in how_tos():
        keep_how_to(path)
        typer.echo(path.relative_to(project_root()).as_posix())
