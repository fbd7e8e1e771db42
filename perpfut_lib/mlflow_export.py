"""A run in MLflow: its settings, learning curves and results, for whoever keeps experiments there."""

import importlib
import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from perpfut_lib import experiments
from perpfut_lib.artifacts import stage_key
from perpfut_lib.errors import ConfigError, MissingInputError

EXPERIMENT: Final = "perpfut"
KEY: Final = "perpfut.key"
"""Tag that names the content of a run; equal keys are the same run."""
BATCH: Final = 100
"""Most settings in one request, by MLflow's own rule."""


def client(uri: str) -> Any:
    """Return MLflow's client of a tracking server, or of a folder where ``uri`` names no scheme.

    Raises
    ------
    ConfigError
        MLflow is not installed, or ``uri`` is not one that it understands.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nothing leaves but to the server that was named
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    try:
        mlflow = importlib.import_module("mlflow")
    except ImportError as error:
        raise ConfigError("no MLflow", "the extra `mlflow`", "pip install 'perpfut[mlflow]'") from error
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    where = uri if ":" in uri else Path(uri).resolve().as_uri()
    try:
        return mlflow.MlflowClient(tracking_uri=where)
    except mlflow.exceptions.MlflowException as error:
        raise ConfigError(f"compute.mlflow={uri}", "a folder or an address of MLflow", str(error)) from error


def export(name: str, uri: str, root: Path | None = None) -> str | None:
    """Write a run to MLflow and return the id it has there; none if it is there already.

    Parameters
    ----------
    name : str
        Run under ``artifacts/``.
    uri : str
        Folder or address of MLflow.
    root : Path, optional
        Folder of runs, by default ``artifacts/``.

    Raises
    ------
    ConfigError
        See :func:`client`.
    MissingInputError
        There is no run of that name.
    """
    found, server = experiments.experiment(name, root), client(uri)
    known = server.get_experiment_by_name(EXPERIMENT)
    place = known.experiment_id if known else server.create_experiment(EXPERIMENT)
    key = stage_key({stage: manifest.key for stage, manifest in found.stages.items()})
    if server.search_runs([place], f"tags.`{KEY}` = '{key}'"):
        return None
    stages = {f"perpfut.{stage}": manifest.key for stage, manifest in found.stages.items()}
    tags = {KEY: key, "perpfut.commit": found.row()["commit"], **stages}
    made: str = server.create_run(place, run_name=name, tags=tags).info.run_id
    mlflow = importlib.import_module("mlflow.entities")
    params = [mlflow.Param(key, str(value)) for key, value in experiments.settings_of(name, root).items()]
    for first in range(0, len(params), BATCH):
        server.log_batch(made, params=params[first : first + BATCH])
    for metric, value, step in _metrics(name, root):
        server.log_metric(made, metric, value, step=step)
    server.set_terminated(made)
    return made


def _metrics(name: str, root: Path | None) -> Iterator[tuple[str, float, int]]:
    """Yield every known figure of the run: its name in MLflow, value and environment step."""
    for curve in experiments.learning_curves(name, root):
        for step, value in zip(curve["steps"], curve["utility"], strict=True):
            if value is not None:
                yield f"validation_utility/{curve['agent']}", value, step
    try:
        table = experiments.results(name, root)
    except MissingInputError:
        return
    for row in table.to_dict("records"):
        trained = f" trained at {row['train_fee_bps']:g}" if math.isfinite(row["train_fee_bps"]) else ""
        for figure in experiments.RESULTS:
            value = row.get(figure)
            if value is not None and math.isfinite(value):
                yield f"{figure}/{row['agent']}{trained} tested at {row['test_fee_bps']:g}", float(value), 0
