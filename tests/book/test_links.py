"""Ways through the book: from a call to its reference and on to the source, and from a question to its answer."""

import ast
import re

import nbformat
import pytest

from perpfut_lib.artifacts import Run
from perpfut_lib.chapters import catalogue
from perpfut_lib.chapters.book import how_tos
from perpfut_lib.config import load_profile, project_root
from perpfut_lib.report import chapter_findings
from perpfut_lib.report.verdicts import verdicts

ROOT = project_root()
NOTEBOOKS = [chapter.path for chapter in catalogue()] + how_tos()
HIDDEN = "remove-cell"
PYDANTIC = ".model_"  # what settings and documents have from pydantic, in its own documentation
LINK = re.compile(r'<a class="sphinx-codeautolink-a" href="([^"#]+)#([^"]+)" title="([^"]+)">')
REPOSITORY = re.compile(r'href="https://github\.com/someone/somewhere/blob/main/([^"#?]+)[^"#]*(?:#L(\d+))?"')


def calls(notebook):
    """Return the full name of everything of ours that a notebook's visible cells call."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [cell.source for cell in cells if HIDDEN not in cell.metadata.get("tags", [])]
    tree = ast.parse("\n".join(shown))
    known = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("perpfut_lib")
        for alias in node.names
    }
    found = set()
    for node in ast.walk(tree):
        name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
        first, _, rest = name.partition(".")
        if first in known and "(" not in rest:
            found.add(f"{known[first]}.{rest}" if rest else known[first])
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_call_in_a_cell_leads_to_its_reference(study, path):
    """Everything of ours that a visible cell calls is a link, and each link ends at an entry that is there."""
    page = study.html / path.relative_to(ROOT).with_suffix(".html")
    links = LINK.findall(page.read_text())
    for target, anchor, _ in links:
        assert f'id="{anchor}"' in (page.parent / target).read_text(), anchor
    linked = {title.rpartition(".")[2] for _, _, title in links}
    wanted = {name for name in calls(nbformat.read(path, as_version=4)) if PYDANTIC not in name}
    assert {name for name in wanted if name.rpartition(".")[2] not in linked} == set()
    assert path.stem.startswith("2_") or len(wanted) > 2


def test_an_entry_of_the_reference_leads_to_its_source_and_lists_who_calls_it(study):
    """Offline each function's entry links to its lines within the book, and names the chapters that show it."""
    for page in (study.html / "api").glob("*.html"):
        text = page.read_text()
        for target, anchor in re.findall(r'href="(\.\./_modules/[^"#]+)#([^"]+)"><span class="viewcode-link', text):
            assert f'id="{anchor}"' in (page.parent / target).read_text(), anchor
        for entry in re.findall(r'<dl class="py function">\s*<dt.*?</dt>', text, re.S):
            assert "_modules/" in entry, entry[:200]
    entry = (study.html / "api" / "cointegration.html").read_text()
    assert 'href="../notebooks/03_cointegration.html#the-test-by-hand"' in entry


def test_a_path_in_the_text_leads_to_its_source(study):
    """Every module that a page names by its path is shown within the book."""
    page = (study.html / "sources.html").read_text()
    named = set(re.findall(r"\| `(perpfut_lib/[\w/]+\.py)`", (ROOT / "book" / "sources.md").read_text()))
    linked = dict(re.findall(r'href="(_modules/[^"]+)"><code[^>]*>.*?>(perpfut_lib/[\w/.]+)<', page))
    assert {path for path in linked.values()} == named
    assert all((study.html / target).is_file() for target in linked)


def test_with_an_address_the_source_is_the_repository_s(kept_book):
    """Each link to the repository names a file that is there; one of the reference, a line where something begins."""
    found = REPOSITORY.findall("".join(path.read_text() for path in kept_book.glob("*/*.html")))
    found += (named := REPOSITORY.findall((kept_book / "sources.html").read_text()))
    assert [path for path, _ in found if not (ROOT / path).is_file()] == []
    begun = {place: (ROOT / place[0]).read_text().splitlines()[int(place[1]) - 1] for place in set(found) if place[1]}
    assert [place for place, line in begun.items() if not re.match(r"\s*(@|def |class )", line)] == []
    assert len(begun) > 150 and len(named) > 15
    assert not (kept_book / "_modules").exists()


def test_live_cells_are_offered_where_a_page_holds_all_that_they_need(kept_book, study):
    """With an address the guides can be run in the page; the chapters cannot, and without one nothing is offered."""
    live = {path.stem: "initThebeSBT" in path.read_text() for path in kept_book.glob("notebooks/**/*.html")}
    assert live == {path.stem: path in how_tos() for path in NOTEBOOKS}
    assert 'repo: "someone/somewhere"' in (kept_book / "notebooks" / "howto" / "2_dynamic_hedge_ratio.html").read_text()
    for path in study.html.glob("**/*.html"):
        assert not re.search(r"unpkg\.com|x-thebe-config|mybinder", path.read_text()), path


QUESTIONS = re.findall(r"^\| ([^|]+\?) \| ([^|]+) \| [^|]+ \|$", (ROOT / "book" / "paths.md").read_text(), re.M)[:4]
FOLLOW = """
(name => {
  const links = [...document.querySelectorAll("article a[href], .bd-toc a[href], .page-toc a[href]")];
  const plain = each => each.textContent.replace(/^[\\d. ]+/, "").trim();
  const link = links.find(each => each.offsetParent && plain(each) === name);
  return link ? link.href : null;
})
"""
PLACE = "document.getElementById(decodeURIComponent(location.hash.slice(1)))"
IN_VIEW = f"(place => place.getBoundingClientRect().top < innerHeight)({PLACE})"


@pytest.mark.parametrize(("question", "path"), QUESTIONS, ids=lambda text: text)
def test_a_stranger_s_question_is_answered(browser, study, question, path):
    """Following the links that the page on learning paths names, from the first one on, brings the answer into view."""
    answers = {
        "What did they find?": verdicts()[0].answer.replace("'", "\N{RIGHT SINGLE QUOTATION MARK}"),
        "Is it robust?": chapter_findings("09_robustness", load_profile("smoke"), Run(study.artifacts))[:40],
        "How do I rerun 07 at 2 bps?": "costs.fees_bps=[0, 2]",
        "Where is the filter?": "def filter_hedge_ratio",
    }
    browser.open((study.html / "index.html").as_uri())
    for name in re.findall(r"\*([^*]+)\*", path):
        address = browser.ask(f"{FOLLOW}({name!r})")
        assert address, name
        browser.open(address)  # a click would take the page away under the question whether it is there
        browser.settle()
    browser.wait(f"!location.hash || {IN_VIEW}")  # pages scroll smoothly
    where = f"(location.hash ? {PLACE} : document.body).textContent.includes({answers[question]!r})"
    assert browser.ask(where)
