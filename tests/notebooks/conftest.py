"""A toy project: two stages, two chapters, one profile, in a folder of its own."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import nbformat
import pytest

from perpfut_lib import pipeline
from perpfut_lib.chapters import Order, catalogue, run_chapters

REPOSITORY = Path(__file__).resolve().parents[2]
PARAMETERS = 'profile = "default"\noverrides = []'
CELL = "from perpfut_lib.config import load_profile\nsettings = load_profile(profile, overrides)\n"


def write_notebook(path, stage, *cells):
    """Write a chapter with a parameters cell and ``cells``."""
    notebook = nbformat.v4.new_notebook(metadata={"perpfut": {"stage": stage}})
    notebook.cells = [nbformat.v4.new_markdown_cell(f"# {path.stem}")]
    notebook.cells.append(nbformat.v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}))
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, path)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Two chapters: ``01_first`` depends on section ``data``, ``02_second`` on ``data`` and ``train``."""
    for folder in ("configs", "notebooks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "configs" / "default.yaml").write_text("title: toy\ndata: {source: sim}\n")
    write_notebook(tmp_path / "notebooks" / "01_first.ipynb", "first", CELL + "settings.data.simulation.days")
    write_notebook(tmp_path / "notebooks" / "02_second.ipynb", "second", CELL + "settings.train.seeds")
    module = ModuleType("toy_stage")
    module.run_stage = lambda profile, run, folder: folder.write_json("value.json", profile.train.seeds)
    module.fingerprint = lambda profile: {"file": "abc"}
    monkeypatch.setitem(sys.modules, "toy_stage", module)
    stages = (
        pipeline.Stage("first", "toy_stage", ("data",), ()),
        pipeline.Stage("second", "toy_stage", ("train",), ("first",)),
    )
    monkeypatch.setattr(pipeline, "BY_NAME", {stage.name: stage for stage in stages})
    monkeypatch.setenv("PERPFUT_ROOT", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))  # for the kernels
    return SimpleNamespace(root=tmp_path, notebooks=tmp_path / "notebooks", run=_runner(), write=write_notebook)


def _runner():
    """Return a function that makes the stages (the toy kernels cannot), runs the chapters and returns what it said."""
    import io

    def run(*overrides, chapters=None):
        order = Order("default", overrides, tuple(chapters or catalogue()))
        pipeline.ensure("second", order.profile())
        said = io.StringIO()
        run_chapters(order, said)
        return said.getvalue()

    return run
