"""The prose of the book: one table of contents for two engines, real references, no typed results, no network."""

import re
from pathlib import Path

import nbformat
import pytest

from perpfut_lib.chapters import myst_project
from perpfut_lib.chapters.book import MADE_HERE, refuse_typed_results
from perpfut_lib.chapters.keep import MARKS, with_verdicts
from perpfut_lib.errors import ChapterError

ROOT = Path(__file__).resolve().parents[2]
BOOK = ROOT / "book"
PROSE = sorted(path for path in BOOK.rglob("*.md") if path.relative_to(BOOK).parts[0] not in MADE_HERE)
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
GUIDES = sorted((ROOT / "notebooks" / "howto").glob("*.ipynb"))


def _texts():
    for path in PROSE:
        yield path.relative_to(BOOK), path.read_text()
    for path in CHAPTERS:
        cells = nbformat.read(path, as_version=4).cells
        yield path.name, "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def test_every_page_is_in_the_contents_once():
    """No page is lost, none is listed twice, and none is listed that is not there."""
    notebooks = [f"notebooks/{path.relative_to(ROOT / 'notebooks')}" for path in [*CHAPTERS, *GUIDES]]
    there = [str(path.relative_to(BOOK)) for path in PROSE] + notebooks
    assert sorted(myst_project.pages(BOOK)) == sorted(there)


def test_jupyter_book_2_gets_the_same_contents():
    """``myst.yml`` is what is generated from the contents today, and lists the same pages in the same order."""
    kept = (BOOK / "myst.yml").read_text()
    assert kept == myst_project.myst_project(BOOK)
    assert re.findall(r"file: (\S+)", kept) == myst_project.pages(BOOK)


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


def test_every_source_says_where_it_is_found():
    """Each reference has a DOI, an address, or the number of its book or journal."""
    entries = re.split(r"^(?=@)", (BOOK / "references.bib").read_text(), flags=re.M)[1:]
    assert [
        entry[:40] for entry in entries if not re.search(r"^\s*(doi|url|isbn|issn) *=|, (doi|isbn) =", entry, re.M)
    ] == []


def test_every_exercise_has_one_solution():
    """Labels are used once, and each is solved."""
    text = "\n".join(text for _, text in _texts())
    asked = re.findall(r"^`{4}\{exercise\}.*\n:label: (\S+)$", text, re.M)
    solved = re.findall(r"^`{4}\{solution\} (\S+)\n:class: dropdown$", text, re.M)
    assert len(asked) > 35 and len(set(asked)) == len(asked)
    assert solved == asked


SOLUTIONS = {
    label: code
    for _, text in _texts()
    for label, solution in re.findall(r"^`{4}\{solution\} (\S+)\n(.*?)^`{4}$", text, re.M | re.S)
    for code in re.findall(r"^```python\n(.*?)^```$", solution, re.M | re.S)
}


@pytest.mark.parametrize("label", SOLUTIONS)
def test_solutions_run_and_say_what_is_true(label):
    """The code of each solution runs alone and asserts its answer."""
    assert "assert " in SOLUTIONS[label]
    exec(compile(SOLUTIONS[label], label, "exec"), {})


def test_most_exercises_are_solved_by_code():
    """A solution in words alone is the exception."""
    assert len(SOLUTIONS) >= 25


MATHS = re.compile(r"\$\$(.+?)\$\$|(?<!\$)\$([^$\n]+)\$(?!\$)", re.S)
GREEK = (
    r"\\(var(?:epsilon|theta|rho|pi)|alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|"
    r"upsilon|phi|chi|psi|omega|Gamma|Delta|Sigma|Phi)(?![a-zA-Z])"
)


def test_every_greek_letter_is_in_the_notation():
    """A reader who meets a letter finds it in the table of symbols."""
    known = set(re.findall(GREEK, (BOOK / "notation.md").read_text()))
    used = {}
    for name, text in _texts():
        for display, inline in MATHS.findall(text):
            for letter in re.findall(GREEK, display or inline):
                used.setdefault(letter, name)
    assert {letter: used[letter] for letter in used.keys() - known} == {}


def test_each_symbol_is_listed_once():
    """No symbol has two rows."""
    listed = []
    for row in (BOOK / "notation.md").read_text().splitlines():
        if row.startswith("| $"):
            listed += re.findall(r"\$([^$]+)\$", row.split("|")[1])
    assert len(listed) > 60
    assert sorted(set(listed)) == sorted(listed)


def test_the_code_that_the_text_names_is_there():
    """Every path of a module or test in the prose is a file of this repository."""
    named = {
        path
        for _, text in _texts()
        for path in re.findall(r"`((?:perpfut_lib|agent|tests|configs|docker)/[\w/.-]+\.\w+)`", text)
    }
    assert len(named) > 25
    assert [path for path in sorted(named) if not (ROOT / path).is_file()] == []


def test_the_readme_says_what_was_found():
    """The README's verdicts are those of the published results of today, and stand before everything else."""
    readme = (ROOT / "README.md").read_text()
    assert readme == with_verdicts(readme)
    assert readme.index(MARKS[0]) < readme.index("## Two commands")


def test_a_verdict_changed_by_hand_is_noticed():
    """A planted answer in the README is not what the published results say."""
    readme = (ROOT / "README.md").read_text()
    planted = re.sub(r"\?\* \*\*.+?\*\*", "?* **A gain in all.**", readme, count=1)
    assert planted != readme
    assert with_verdicts(planted) != planted


def test_a_readme_without_marks_is_refused():
    """The verdicts would have no place to stand."""
    with pytest.raises(ChapterError, match="without verdicts"):
        with_verdicts("# A README")


def test_jupyter_book_builds_the_kept_chapters(kept_book):
    """The command of the tool itself, strict, on what the repository holds."""
    for path in CHAPTERS:
        assert (kept_book / "notebooks" / f"{path.stem}.html").is_file()
    assert "What was found" in (kept_book / "index.html").read_text()


def test_one_setting_turns_on_the_launch_buttons(kept_book):
    """With an address each chapter can be opened in Binder and Colab, at the path that the repository has."""
    text = (kept_book / "notebooks" / "07_evaluation.html").read_text()
    assert "mybinder.org/v2/gh/someone/somewhere" in text
    assert "colab.research.google.com/github/someone/somewhere/blob/main/notebooks/07_evaluation.ipynb" in text
