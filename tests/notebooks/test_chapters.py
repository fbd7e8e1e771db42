"""The chapters as the repository keeps them: shape, outputs, and nothing that only holds on one machine."""

import re
from pathlib import Path

import nbformat
import pytest

from perpfut_lib import pipeline
from perpfut_lib.chapters.keep import PICTURE, PICTURE_FILE, pictures, renew_ids

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
CHAPTERS = sorted(FOLDER.glob("*.ipynb"))
LEAK = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|work|mnt|opt)/\w|[A-Z]:\\\\")


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def notebook(request):
    """Return one chapter."""
    return nbformat.read(request.param, as_version=4)


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_chapters_are_numbered_without_a_hole():
    """01, 02, 03 … in the order of the pipeline."""
    assert [int(path.stem[:2]) for path in CHAPTERS] == list(range(1, len(CHAPTERS) + 1))


def test_no_two_chapters_share_the_name_of_a_cell():
    """Jupyter Book 2 refuses cells of one name; a chapter that was copied gets others when it is kept."""
    names = [cell.id for path in CHAPTERS for cell in nbformat.read(path, as_version=4).cells]
    assert len(set(names)) == len(names)
    copied = nbformat.read(CHAPTERS[0], as_version=4)
    own = copied.cells[-1].id = "a-cell-of-its-own"
    renew_ids(copied, set(names), 11)
    assert not {cell.id for cell in copied.cells} & set(names)
    assert copied.cells[-1].id == own
    nbformat.validate(copied)


def test_parameters_come_first_with_the_defaults(notebook):
    """Papermill finds ``profile`` and ``overrides`` in the first code cell."""
    first = _code(notebook)[0]
    assert "parameters" in first.metadata.tags
    assert first.source == 'profile = "default"\noverrides = []'


def test_notebooks_narrate_and_the_library_computes(notebook):
    """Cells are short; nothing is defined, installed, drawn or written in them."""
    for cell in _code(notebook):
        assert len(cell.source.splitlines()) <= 15
        assert not re.search(r"^\s*(class |def |!|%pip|import matplotlib|from matplotlib)", cell.source, re.M)


def test_kept_outputs_are_of_a_complete_run(notebook):
    """Every code cell was executed, in order, without an error: nbval would pass a notebook that never ran."""
    counts = [cell.execution_count for cell in _code(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in _code(notebook) for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert len(outputs) >= 2


def test_progress_bars_and_warnings_stay_out(notebook):
    """No cell shows a stream: bars go to the reader's terminal, warnings are mended."""
    assert not [output for cell in _code(notebook) for output in cell.outputs if output.output_type == "stream"]


def test_no_path_of_a_machine(notebook):
    """No cell, output or metadata holds an absolute path."""
    text = nbformat.writes(notebook)
    images = re.sub(r'"image/png": "[^"]*"', "", text)
    assert LEAK.search(images) is None


def test_provenance_closes_the_chapter(notebook):
    """The last cell says where the results come from, for the stage that the chapter shows."""
    stage = notebook.metadata.perpfut.stage
    assert stage in pipeline.BY_NAME
    assert _code(notebook)[-1].source == f'stamp(profile, "{stage}")'
    assert "nbval-ignore-output" in _code(notebook)[-1].metadata.tags


def test_figures_have_a_caption_and_a_description(notebook):
    """A figure says its message below, and in words for those who can not see it."""
    for cell in _code(notebook):
        if any("image/png" in output.get("data", {}) for output in cell.outputs):
            assert cell.metadata.mystnb.figure.caption
            assert cell.metadata.mystnb.image.alt


def test_figures_are_labelled_for_both_engines(notebook):
    """Sphinx numbers what ``mystnb`` names, Jupyter Book 2 what the cell is labelled: the same name and caption."""
    for cell in _code(notebook):
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        assert cell.metadata.get("label") == figure.get("name")
        assert cell.metadata.get("caption") == figure.get("caption")


def test_the_readme_shows_the_kept_figure():
    """The picture of the result is the figure that chapter 07 keeps, to the byte."""
    kept = nbformat.read(FOLDER / "07_evaluation.ipynb", as_version=4)
    assert pictures(kept, PICTURE) == [(FOLDER.parent / PICTURE_FILE).read_bytes()]
    assert f"]({PICTURE_FILE})" in (FOLDER.parent / "README.md").read_text()
