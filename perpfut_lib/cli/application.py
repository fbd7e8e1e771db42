"""Put the commands together: the verbs named here, and a sub-command for every module here that offers ``app``."""

import importlib
import pkgutil
import re
import sys
from importlib.metadata import PackageNotFoundError, requires
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
    """Run the command; turn a :class:`PerpfutError` into one message on standard error and exit code 2.

    So is a package that one of the extras brings and that is not installed.
    """
    try:
        application()()
    except PerpfutError as error:
        typer.secho(f"{type(error).__name__}: {error}", fg="red", err=True)
        sys.exit(FAILED)
    except ModuleNotFoundError as error:
        extra = extra_with(error.name or "")
        if extra is None:
            raise
        message = f"found no package {error.name}; expected that of the extra {extra}; pip install 'perpfut[{extra}]'"
        typer.secho(message, fg="red", err=True)
        sys.exit(FAILED)


def extra_with(module: str) -> str | None:
    """Return the first extra of this distribution that brings a module, or None."""
    name = re.escape(module.partition(".")[0].replace("_", "-"))
    try:
        lines = requires("perpfut") or []
    except PackageNotFoundError:  # a checkout that was never installed
        return None
    wanted = re.compile(rf"{name}\b(?!-).*extra == ['\"](\w+)['\"]", re.IGNORECASE)
    found = (wanted.match(line.replace("_", "-")) for line in lines)
    return next((match[1] for match in found if match), None)


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
