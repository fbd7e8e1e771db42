"""``perpfut bench``: measure ours beside its peer."""

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import perpfut_lib.bench
from perpfut_lib.errors import ConfigError

if TYPE_CHECKING:
    from perpfut_lib.bench.harness import BenchRow

IN_WORLDS = (["learner"], ["market"])
MORE = "(only learner, market)"


def bench(  # noqa: PLR0913 (options of a command, all keyword-only)
    names: Annotated[list[str] | None, typer.Argument(help="Benchmarks to run; none lists them.")] = None,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    keep: Annotated[
        bool,
        typer.Option("--keep", help="Also publish the figures, which the book shows."),
    ] = False,
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="PUBLISHED",
            help="Folder of published figures, such as artifacts/published/bench: name each ratio to a peer that "
            "fell by more than 15 %.",
        ),
    ] = None,
    worlds: Annotated[int | None, typer.Option(min=1, help=f"Fresh simulated markets {MORE}.")] = None,
    first_seed: Annotated[int | None, typer.Option(min=0, help=f"Seed of the first market {MORE}.")] = None,
    profile: Annotated[str | None, typer.Option("--profile", "-p", help=f"Settings of the study {MORE}.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help=f"Override a setting {MORE}.")
    ] = None,
) -> None:
    """Measure ours beside its peer on the same work, interleaved, and check that both give the same answer."""
    given = {"worlds": worlds, "first_seed": first_seed, "profile": profile, "settings": tuple(settings or ()) or None}
    order = {name: value for name, value in given.items() if value is not None}
    known = _benchmarks()
    if not names:
        typer.echo("\n".join(known))
        return
    for name in names:
        if name not in known:
            raise ConfigError(f"no benchmark {name!r}", f"one of {', '.join(known)}", "choose one of these")
    if order and names not in IN_WORLDS:
        raise ConfigError(
            f"{', '.join(order)} for {', '.join(names)}", "them with learner or market alone", "drop them"
        )
    _run(names, order, json=json, keep=keep, against=against)


def _run(names: list[str], order: dict[str, Any], *, json: bool, keep: bool, against: Path | None) -> None:
    """Run benchmarks one after the other; name the ratios that fell below the published ones."""
    from perpfut_lib.bench import harness

    before = {name: harness.published_ratios(against / f"{name}.json") for name in names} if against else {}
    if not json:
        typer.echo(harness.TABLE.format("bench", "metric", "ours", "peer", "ratio", "max error"))
    fallen = []
    for name in names:
        module = importlib.import_module(f"perpfut_lib.bench.{_module(name)}")
        orders = [module.Order(**order)] if order else []
        rows = list(_measured(module.run(*orders), json))
        fallen += harness.fallen(rows, before.get(name, {}))
        if keep:
            if [name] not in IN_WORLDS:  # those publish worlds and are no speeds
                harness.keep(name, rows)
            getattr(module, "keep", lambda *_: None)(*orders)  # some have more to publish than rows
    if against:
        typer.echo("\n".join(["ratios that fell by more than 15 %:", *(fallen or ["none"])]), err=True)


def _measured(measured: "Iterator[BenchRow]", json: bool) -> "Iterator[BenchRow]":
    """Yield the rows of a benchmark, each printed as soon as it is measured."""
    for row in measured:
        typer.echo(row.to_json() if json else row.to_text())
        yield row


def _benchmarks() -> list[str]:
    """Return the names of the benchmarks, one per module beside the harness."""
    modules = (name for _, name, _ in pkgutil.iter_modules(perpfut_lib.bench.__path__))
    return sorted(name.replace("_", "-") for name in modules if name != "harness" and not name.startswith("_"))


def _module(name: str) -> str:
    return name.replace("-", "_")
