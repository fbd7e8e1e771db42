"""The chapters as the repository keeps them: shape, outputs, and nothing that only holds on one machine."""

import re
from pathlib import Path

import nbformat
import pytest

from perpfut_lib import pipeline
from perpfut_lib.chapters.keep import renew_ids

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
    """Cells are short; nothing is installed, drawn or written in them, and only an algorithm by hand is defined."""
    for cell in _code(notebook):
        by_hand = "algorithm" in cell.metadata.get("tags", [])
        assert len(cell.source.splitlines()) <= (25 if by_hand else 15)
        assert not re.search(r"^\s*(class |!|%pip|import matplotlib|from matplotlib)", cell.source, re.M)
        assert by_hand or not re.search(r"^\s*def ", cell.source, re.M)


def test_algorithms_by_hand_equal_the_library(notebook):
    """An algorithm that is written out in a chapter is asserted to give what the library gives."""
    by_hand = [cell for cell in _code(notebook) if "algorithm" in cell.metadata.get("tags", [])]
    last = by_hand[-1:]  # the first of two cells may only prepare
    assert all("assert " in cell.source for cell in last)
    for cell in by_hand:
        assert "by_hand" in cell.source or "perpfut_lib" in cell.source


def test_every_chapter_ends_with_what_was_found(notebook):
    """The three sentences come before what could be wrong with them."""
    sources = [cell.source for cell in notebook.cells]
    found = next(place for place, source in enumerate(sources) if "report.chapter_findings(" in source)
    wrong = next(place for place, source in enumerate(sources) if source.startswith("## What could be wrong"))
    assert sources[found - 1] == "## What was found" and found < wrong


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


def test_tables_are_numbered_and_captioned(notebook):
    """A table that a chapter shows has a name and says what it shows."""
    for cell in _code(notebook):
        if any("text/html" in output.get("data", {}) for output in cell.outputs):
            figure = cell.metadata.mystnb.figure
            assert figure.name.startswith("tab-") and figure.caption.endswith(".")
