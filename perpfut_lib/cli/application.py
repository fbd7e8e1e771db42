"""Put the commands together: the verbs named here, and a sub-command for every module here that offers ``app``."""

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from perpfut_lib import __version__
from perpfut_lib.cli import bench, run, tune
from perpfut_lib.errors import PerpfutError

FAILED = 2
SUMMARY = """Statistical arbitrage between perpetual futures: run the study, read its book, drive the agent.

Research and education only; nothing here is investment advice."""


def application() -> typer.Typer:
    """Return the whole command-line application."""
    app = typer.Typer(
        name="perpfut",
        help=SUMMARY,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command("run")(run.run)
    app.command("book")(run.build)
    app.command("bench")(bench.bench)
    app.command("tune")(tune.tune)
    for name, noun in _nouns().items():
        app.add_typer(noun, name=name, no_args_is_help=noun.registered_callback is None)
    return app


def main() -> None:
    """Run the command; turn a :class:`PerpfutError` into one message on standard error and exit code 2."""
    try:
        application()()
    except PerpfutError as error:
        typer.secho(f"{type(error).__name__}: {error}", fg="red", err=True)
        sys.exit(FAILED)


def _nouns() -> dict[str, typer.Typer]:
    """Return the sub-commands that the rooms offer: every module of this package with a typer ``app``."""
    modules = (name for _, name, _ in pkgutil.iter_modules([str(Path(__file__).parent)]))
    found = {name: importlib.import_module(f"perpfut_lib.cli.{name}") for name in modules if name != "application"}
    return {name: module.app for name, module in found.items() if isinstance(getattr(module, "app", None), typer.Typer)}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perpfut {__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Carry the options that stand before any command."""
