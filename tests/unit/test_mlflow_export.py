"""A run is in MLflow as it is in its folder: settings, learning curves, results, and it is there once."""

import sys

import pandas as pd
import pytest

from perpfut_lib import mlflow_export
from perpfut_lib.artifacts import Run, write_json
from perpfut_lib.errors import ConfigError


@pytest.fixture
def root(tmp_path):
    """Return a folder of runs with one that was trained and evaluated."""
    run = Run(tmp_path / "artifacts" / "small")
    with run.commit("train", {"seed": "1"}) as stage:
        curve = {"fee_bps": 1.44, "seed": 0, "steps": [10, 20], "validation_utility": [0.5, 0.75]}
        stage.write_table("curves.parquet", pd.DataFrame(curve))
    with run.commit("evaluate", {"seed": "1"}) as stage:
        row = {"agent": "agent", "train_fee_bps": 1.44, "test_fee_bps": 1.44, "seed": 0, "return": 0.02, "sharpe": 1.5}
        stage.write_table("metrics.parquet", pd.DataFrame([row]))
    write_json(run.settings, {"name": "small", "train": {"seeds": 1, "total_steps": 20}})
    return tmp_path / "artifacts"


def test_everything_of_a_run_is_found_again_and_written_once(root, tmp_path):
    """MLflow's own client reads back what the run's folder says; the same content is not written twice."""
    pytest.importorskip("mlflow", reason="the extra `mlflow` is not installed")
    store = str(tmp_path / "mlruns")
    made = mlflow_export.export("small", store, root)
    assert made is not None and mlflow_export.export("small", store, root) is None
    found = mlflow_export.client(store).get_run(made)
    assert found.info.run_name == "small" and found.info.status == "FINISHED"
    assert found.data.params == {"name": "small", "train.seeds": "1", "train.total_steps": "20"}
    assert found.data.metrics["return/agent trained at 1.44 tested at 1.44"] == 0.02
    curve = mlflow_export.client(store).get_metric_history(made, "validation_utility/fee-1.44_seed-0")
    assert [(point.step, point.value) for point in curve] == [(10, 0.5), (20, 0.75)]


def test_without_mlflow_the_error_says_what_to_install(monkeypatch):
    """The extra is named, and nothing else of the package needs it."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(ConfigError, match=r"perpfut\[mlflow\]"):
        mlflow_export.client("somewhere")
