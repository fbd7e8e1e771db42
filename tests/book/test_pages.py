"""The prose of the book: one table of contents for two engines, real references, no typed results, no network."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from perpfut_lib.chapters.book import refuse_typed_results
from perpfut_lib.errors import ChapterError

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
PROSE = sorted(path for path in BOOK.rglob("*.md") if "_build" not in path.parts)
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def _contents(entries):
    for entry in entries:
        if "file" in entry:
            yield entry["file"]
        if "pattern" in entry:
            folder = ROOT if entry["pattern"].startswith("notebooks") else BOOK
            yield from (str(path.relative_to(folder)) for path in sorted(folder.glob(entry["pattern"])))
        yield from _contents(entry.get("children", []))


def _texts():
    for path in PROSE:
        yield path.relative_to(BOOK), path.read_text()
    for path in CHAPTERS:
        cells = nbformat.read(path, as_version=4).cells
        yield path.name, "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_every_page_is_in_the_contents_once():
    """No page is lost, none is listed twice, and none is listed that is not there."""
    listed = list(_contents(yaml.safe_load((BOOK / "myst.yml").read_text())["project"]["toc"]))
    there = [str(path.relative_to(BOOK)) for path in PROSE] + [f"notebooks/{path.name}" for path in CHAPTERS]
    assert sorted(listed) == sorted(there)


def test_every_citation_has_a_reference_and_every_reference_is_cited():
    """The bibliography holds what the text cites, and nothing else."""
    references = set(re.findall(r"^@\w+\{(\w+),", (BOOK / "references.bib").read_text(), re.M))
    cited = set()
    for _, text in _texts():
        for names in re.findall(r"\{cite(?::\w)?\}`([^`]+)`", text):
            cited.update(name.strip() for name in names.split(","))
    assert cited == references


def test_every_equation_that_is_referred_to_exists():
    """A reference to an equation names a label that some page defines, once."""
    labels, used = [], set()
    for _, text in _texts():
        labels += re.findall(r"^\$\$ \((eq-[\w-]+)\)$", text, re.M)
        used.update(re.findall(r"\{eq\}`([\w-]+)`", text))
    assert len(labels) == len(set(labels))
    assert used <= set(labels)


def test_every_figure_is_named_once_and_every_reference_names_one():
    """A reference to a figure names one that some chapter draws; no two figures have the same name."""
    cells = [cell for path in CHAPTERS for cell in nbformat.read(path, as_version=4).cells]
    labels = [cell.metadata["label"] for cell in cells if "label" in cell.metadata]
    used = {name for _, text in _texts() for name in re.findall(r"\{numref\}`(fig-[\w-]+)`", text)}
    assert len(labels) == len(set(labels))
    assert used and used <= set(labels)


@pytest.mark.parametrize("figure", ["+3.2 %", "a return of 12 %", "a Sharpe ratio of 1.43", "costs 4 bps"])
def test_a_number_typed_among_results_is_refused(figure):
    """A wrong number planted in the prose of a page with results stops the build and is named."""
    page = (BOOK / "discussion.md").read_text()
    refuse_typed_results({"discussion.md": page.encode()})
    planted = page.replace("An honest", f"It made {figure}. An honest")
    assert planted != page
    with pytest.raises(ChapterError, match=r"typed into discussion\.md"):
        refuse_typed_results({"discussion.md": planted.encode()})


def test_disclaimer_is_on_the_first_page_and_on_its_own():
    """The reader meets the disclaimer at once."""
    assert "not investment advice" in (BOOK / "limitations.md").read_text()
    assert "research and education only" in (BOOK / "index.md").read_text()


@pytest.mark.skipif(shutil.which("node") is None, reason="Jupyter Book 2 needs node, which is not installed")
def test_tree_is_a_valid_jupyter_book_2_project(tmp_path):
    """Jupyter Book 2 reads every page without a warning; rendering needs its theme from the network, which it says."""
    shutil.copytree(BOOK, tmp_path / "book", ignore=shutil.ignore_patterns("_build", "__pycache__"))
    shutil.copytree(ROOT / "notebooks", tmp_path / "book" / "notebooks")
    for name in re.findall(r"generated/(\w+\.md)", "".join(path.read_text() for path in PROSE)):
        page = tmp_path / "book" / "generated" / name
        page.parent.mkdir(exist_ok=True)
        page.write_text("generated\n")
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", "--strict", "--ci", "--keep-host"]
    done = subprocess.run(command, cwd=tmp_path / "book", capture_output=True, text=True, check=False, timeout=120)
    said = done.stdout + done.stderr
    assert f"Built {len(PROSE) + len(CHAPTERS)} pages" in said
    assert "⚠️" not in said, said
    assert "⛔" not in said, said
    page = tmp_path / "book" / "_build" / "site" / "content" / "notebooks.cointegration.json"
    numbers = dict(_figures_referred_to(json.loads(page.read_text())["mdast"]))
    assert [numbers[name] for name in ("fig-pass-rates", "fig-survival", "fig-scan-cost")] == ["1", "2", "3"]


def _figures_referred_to(node):
    """Yield name and number of every figure that a page of Jupyter Book 2 refers to."""
    if isinstance(node, dict) and node.get("type") == "crossReference" and node.get("kind") == "figure":
        yield node["identifier"], node["enumerator"]
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _figures_referred_to(child)
