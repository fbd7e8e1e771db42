"""Experiments beside each other: what each run is made of, how far it is, and where two of them differ."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from perpfut_lib.artifacts import MANIFEST, Manifest, Run, read_json
from perpfut_lib.config import project_root
from perpfut_lib.errors import ArtifactError, ConfigError, MissingInputError
from perpfut_lib.progress import CURVE_SUFFIX, begun
from perpfut_lib.types import Json, JsonObject

if TYPE_CHECKING:
    import pandas as pd

RESULTS: Final = (
    "return",
    "return_lower",
    "return_upper",
    "sharpe",
    "max_drawdown",
    "turnover_per_day",
    "break_even_bps",
)
"""Columns of an evaluation that are compared; means over seeds."""
BY: Final = ["agent", "train_fee_bps", "test_fee_bps"]
CURVE_POINTS: Final = 300


@dataclass(frozen=True)
class Progress:
    """How far a training is."""

    steps: int
    """Environment steps taken so far, all agents together."""
    agents: int
    """Agents in training."""
    total: int | None
    """Steps of all agents; none where the run's settings are not known."""
    steps_per_second: float
    """Mean since the training began."""
    eta_seconds: float | None
    """Time to go at that speed."""


@dataclass(frozen=True)
class Experiment:
    """One run under ``artifacts/``."""

    name: str
    """Name of the folder."""
    stages: Mapping[str, Manifest]
    """Manifests of the committed stages."""
    training: Progress | None
    """The training in progress, if there is one."""

    def row(self) -> JsonObject:
        """Return one line of a list."""
        manifests = sorted(self.stages.values(), key=lambda manifest: manifest.created_at)
        last = manifests[-1] if manifests else None
        return {
            "run": self.name,
            "stages": " ".join(manifest.stage for manifest in manifests),
            "last": last.created_at if last else "",
            "minutes": round(sum(manifest.seconds for manifest in manifests) / 60, 1),
            "commit": last.git_commit[:8] if last else "",
            "training": None if self.training is None else vars(self.training),
        }


def experiments(root: Path | None = None) -> list[Experiment]:
    """Return every run with at least one stage, or a training in progress, by name."""
    base = root or project_root() / "artifacts"
    found = (_experiment(Run(folder)) for folder in sorted(base.iterdir()) if folder.is_dir())
    return [each for each in found if each.stages or each.training]


def experiment(name: str, root: Path | None = None) -> Experiment:
    """Return one run.

    Raises
    ------
    MissingInputError
        There is none of that name.
    """
    known = {each.name: each for each in experiments(root)}
    if name not in known:
        raise MissingInputError(f"no run {name!r}", f"one of {', '.join(known) or 'none yet'}", "perpfut runs list")
    return known[name]


def settings_of(name: str, root: Path | None = None) -> JsonObject:
    """Return the settings that a run was made with, flat: ``train.total_steps`` to its value; empty if not recorded."""
    try:
        return dict(_flat("", read_json(_run(name, root).settings)))
    except (MissingInputError, ArtifactError):
        return {}


def results(name: str, root: Path | None = None) -> "pd.DataFrame":
    """Return the evaluation of a run, means over seeds, one row per agent, training fee and test fee."""
    table = _run(name, root).stage("evaluate").read_table("metrics.parquet")
    kept = [column for column in RESULTS if column in table]
    return table.groupby(BY, as_index=False, dropna=False)[kept].mean()


def compare(first: str, second: str, root: Path | None = None) -> JsonObject:
    """Return where two runs differ: settings, results side by side, and equity curves.

    Returns
    -------
    dict
        ``settings``: rows of ``setting``, ``a``, ``b`` where they differ; ``results``: rows of agent and fees with
        each figure of both; ``curves``: per run and agent, time (ms UTC) and equity; ``missing``: what was not there.
    """
    for name in (first, second):
        experiment(name, root)
    a, b = settings_of(first, root), settings_of(second, root)
    differing = [key for key in sorted(a.keys() | b.keys()) if a.get(key) != b.get(key) and key != "name"]
    missing = [f"settings of {name}" for name, kept in ((first, a), (second, b)) if not kept]
    tables, curves = [], {}
    for name in (first, second):
        try:
            tables.append(results(name, root))
            curves[name] = equity_curves(name, root)
        except MissingInputError as error:
            missing.append(f"{name}: {error.found}")
    rows = [{"setting": key, "a": a.get(key), "b": b.get(key)} for key in differing] if a and b else []
    return {
        "a": first,
        "b": second,
        "settings": rows,
        "results": _side_by_side(*tables) if len(tables) == 2 else [],
        "curves": curves,
        "missing": missing,
    }


def equity_curves(name: str, root: Path | None = None) -> list[JsonObject]:
    """Return the mean equity over seeds of every agent at the fee that it was trained with, thinned for drawing."""
    import pandas as pd  # a list of runs does without

    path = _run(name, root).stage("evaluate").path / "curves.parquet"
    columns = ["time", "equity", *BY]
    table = pd.read_parquet(path, columns=columns)
    table = table[table["train_fee_bps"].isna() | (table["train_fee_bps"] == table["test_fee_bps"])]
    curves = []
    for (agent, trained, fee), rows in table.groupby(BY, dropna=False):
        mean = rows.groupby("time")["equity"].mean()
        mean = mean.iloc[:: max(1, len(mean) // CURVE_POINTS)]
        curve = {"agent": str(agent), "fee_bps": float(fee), "time": [int(each) for each in mean.index]}
        curve["trained"] = bool(trained == fee)
        curves.append(curve | {"equity": [float(each) for each in mean]})
    return curves


def learning_curves(name: str, root: Path | None = None) -> list[JsonObject]:
    """Return the learning curve of every agent: while it trains, as far as it is; else as the stage keeps it.

    Returns
    -------
    list of dict
        ``agent`` (its fee and seed), ``steps`` and ``utility`` (validation, mean sum of rewards per episode).
    """
    import pandas as pd

    run, found = _run(name, root), []
    for path in sorted(run.scratch("train").glob(f"*{CURVE_SUFFIX}")):
        try:
            found.append({"agent": path.name.removesuffix(CURVE_SUFFIX), **read_json(path)})
        except (MissingInputError, ArtifactError):
            continue  # replaced at this moment
    kept = run.path / "train" / "curves.parquet"
    if found or not kept.is_file():
        return found
    for (fee, seed), rows in pd.read_parquet(kept).groupby(["fee_bps", "seed"]):
        curve = {"steps": [int(each) for each in rows["steps"]]}
        utility = [_plain(each) for each in rows["validation_utility"]]
        found.append({"agent": f"fee-{fee:g}_seed-{seed}", **curve, "utility": utility})
    return found


def _experiment(run: Run) -> Experiment:
    stages = {}
    for path in sorted(run.path.glob(f"*/{MANIFEST}")):
        try:
            stages[path.parent.name] = Manifest.model_validate(read_json(path))
        except (MissingInputError, ArtifactError, ValueError):
            continue  # a stage that is being replaced, or of another version: not part of this run now
    return Experiment(run.path.name, stages, _progress(run))


def _progress(run: Run) -> Progress | None:
    tally = run.scratch("train") / "steps"
    try:
        counts = np.fromfile(tally, np.int64)
        started = begun(tally).stat().st_mtime
    except OSError:
        return None
    if not counts.size:
        return None
    steps, seconds = int(counts.sum()), max(1.0, time.time() - started)
    settings = settings_of(run.path.name, run.path.parent)
    each = settings.get("train.total_steps")
    total = int(each) * int(counts.size) if each else None
    speed = steps / seconds
    eta = (total - steps) / speed if total and speed > 0 else None
    return Progress(steps, int(counts.size), total, speed, eta)


def _side_by_side(first: "pd.DataFrame", second: "pd.DataFrame") -> list[JsonObject]:
    joined = first.merge(second, on=BY, how="outer", suffixes=(" a", " b"))
    return [{key: _plain(value) for key, value in row.items()} for row in joined.to_dict("records")]


def _plain(value: Any) -> Any:
    """Return a value as JSON takes it: a number that is not finite is none."""
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value


def _flat(prefix: str, tree: Mapping[str, Json]) -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from _flat(f"{path}.", value)
        else:
            yield path, value


def _run(name: str, root: Path | None) -> Run:
    if not name or "/" in name or name.startswith("."):
        raise ConfigError(f"a run named {name!r}", "a folder of artifacts/", "perpfut runs list")
    return Run((root or project_root() / "artifacts") / name)
