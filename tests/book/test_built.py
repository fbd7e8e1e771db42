"""The built book: whole, offline, true to its artifacts; seen by a real browser where this machine has one."""

import base64
import html
import json
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

from agent.testing.browser import executable
from perpfut_lib.artifacts import Run
from perpfut_lib.chapters import Executed, catalogue
from perpfut_lib.chapters.book import build_book
from perpfut_lib.chapters.snippets import snippets
from perpfut_lib.chapters.tables import MOST_ROWS
from perpfut_lib.config import load_profile
from perpfut_lib.errors import ChapterError
from perpfut_lib.frontier import CHOSEN
from perpfut_lib.report import fee_table
from perpfut_lib.report.frontier import frontier_of
from perpfut_lib.report.verdicts import verdicts

WIDTHS = (1400, 400)


def test_every_chapter_has_a_page(study, pages):
    """Each notebook became a page with its figures' captions and its provenance."""
    for chapter in catalogue():
        text = (study.html / "notebooks" / f"{chapter.name}.html").read_text()
        assert "Provenance" in text
        captions = nbformat.read(chapter.path, as_version=4).cells
        for cell in captions:
            figure = cell.metadata.get("mystnb", {}).get("figure", {})
            assert not figure or figure["name"] in text


def test_nothing_is_fetched_from_elsewhere(pages):
    """No script, style, image or font has an address on a network, and every local one exists."""
    for page in pages:
        for address in re.findall(r'<(?:script|link|img)[^>]+?(?:src|href)="([^"]+)"', page.read_text()):
            assert not re.match(r"(?:https?:)?//", address), f"{page.name}: {address}"
            if not address.startswith(("data:", "#")):
                assert (page.parent / address.split("?")[0].split("#")[0]).exists(), f"{page.name}: {address}"


def test_numbers_in_prose_are_those_of_the_artifacts(study, pages):
    """The table and the sentences on the discussion page state what the evaluation's artifacts hold."""
    text = (study.html / "discussion.html").read_text()
    table = fee_table(Run(study.artifacts))
    for value in table["return (%)"].astype(str):
        assert value in text
    told = re.findall(r"returned \*\*(.+?)\*\*", snippets(load_profile("smoke"))["headline"])
    assert told
    assert all(figure in text for figure in told)


def test_no_table_shows_nan_or_is_cut_off(pages):
    """Proves that no cell says NaN, and that neither rows nor words were left out as pandas does by itself."""
    for page in pages:
        cut = re.findall(r"<t[dh][^>]*>(?:NaN|nan|None|\.\.\.|[^<]*\.\.\.)</t[dh]>", page.read_text())
        assert cut == [], page.name


def test_a_page_shows_at_most_a_dozen_rows_of_a_table(pages):
    """The rest of a longer table is folded, and its rows can be had as CSV."""
    for page in pages:
        text = re.sub(r"<details(?: class=\"rest\")?>.*?</details>", "", page.read_text(), flags=re.S)
        for table in re.findall(r"<tbody>(.*?)</tbody>", text, re.S):
            assert table.count("<tr") <= MOST_ROWS, f"{page.name}: {table[:200]}"


def test_a_folded_table_can_be_had_as_csv(study):
    """The link below the fee table holds every row that the table has."""
    run = Run(study.artifacts)
    text = (study.html / "notebooks" / "07_evaluation.html").read_text()
    written = {base64.b64decode(found).decode() for found in re.findall(r"data:text/csv;base64,([\w+/=]+)", text)}
    assert fee_table(run).to_csv() in written


def test_building_again_does_nothing(study):
    """A book whose sources are unchanged is left as it is."""
    assert build_book(load_profile("smoke")) is False


def test_a_failed_chapter_is_refused(study, monkeypatch):
    """A chapter marked as failed stops the build; nothing is rendered."""
    executed = Executed(catalogue()[2], load_profile("smoke"))
    kept = executed.path.read_bytes()
    try:
        notebook = nbformat.reads(kept.decode(), as_version=4)
        notebook.metadata["papermill"]["exception"] = True
        executed.path.write_text(nbformat.writes(notebook))
        with pytest.raises(ChapterError, match=f"chapter {executed.chapter.name} failed"):
            build_book(load_profile("smoke"))
    finally:
        executed.path.write_bytes(kept)


def test_command_says_where_the_book_lies(study):
    """``perpfut book`` prints the path of the first page, relative to the project."""
    command = [sys.executable, "-c", "from perpfut_lib.cli import main; main()", "book", "--profile", "smoke"]
    done = subprocess.run(command, cwd=study.artifacts.parents[1], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "book up to date: book/_build/smoke/html/index.html"


@dataclass(frozen=True)
class Look:
    """One page as a reader meets it; it is loaded once and then made narrow and dark, as a reader would."""

    complaints: list[str]
    """Of the console, and everything that could not be loaded."""
    unset: int
    """Formulas that are still raw."""
    wrong: int
    """Formulas that KaTeX does not understand."""
    broken: list[str]
    """Images without a picture."""
    overflow: dict[int, int]
    """Pixels that the page is wider than its window, by the window's width."""
    beyond: dict[int, list[str]]
    """Tables that end outside of the window or of their box, by the window's width."""
    barriers: dict[str, list[str]]
    """Serious and critical violations of WCAG 2.1 A and AA, by the way of reading."""


UNSET = "[...document.querySelectorAll('.math')].filter(each => !each.querySelector('.katex')).length"
BROKEN = "[...document.images].filter(each => !each.naturalWidth).map(each => each.src)"
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
BEYOND = (
    "[...document.querySelectorAll('table')].filter(each => each.offsetParent)"
    ".filter(each => each.getBoundingClientRect().right > innerWidth + 1"
    " || each.getBoundingClientRect().width > each.parentElement.clientWidth + 1)"
    ".map(each => each.textContent.trim().slice(0, 60))"
)
SERIOUS = "each => ['serious', 'critical'].includes(each.impact)"
TELL = f"found => found.violations.filter({SERIOUS}).map(each => `${{each.id}}: ${{each.nodes[0].html.slice(0, 120)}}`)"
TAGS = "{type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa']}"
ALL = f"{{runOnly: {TAGS}}}"
BUT_COLOURS = f"{{runOnly: {TAGS}, rules: {{'color-contrast': {{enabled: false}}}}}}"  # width changes no colour
COLOURS = "{runOnly: {type: 'rule', values: ['color-contrast']}}"  # the dark page differs in nothing else


def look(browser, page):
    """Open a page and note all that a reader would frown at."""
    desk, telephone = WIDTHS
    browser.open(page.as_uri(), desk)
    facts = [browser.ask(question) for question in (UNSET, "document.querySelectorAll('.katex-error').length", BROKEN)]
    browser.ask((Path(__file__).parent / "axe" / "axe.min.js").read_text() + ";0")
    overflow, beyond = {desk: browser.ask(OVERFLOW)}, {desk: browser.ask(BEYOND)}
    barriers = {"desk": browser.ask(f"axe.run(document, {ALL}).then({TELL})")}
    browser.darken(True)
    barriers["dark"] = browser.ask(f"axe.run(document, {COLOURS}).then({TELL})")
    browser.darken(False)
    browser.resize(telephone)
    browser.settle()
    overflow[telephone], beyond[telephone] = browser.ask(OVERFLOW), browser.ask(BEYOND)
    barriers["telephone"] = browser.ask(f"axe.run(document, {BUT_COLOURS}).then({TELL})")
    return Look(list(browser.complaints), *facts, overflow, beyond, barriers)


@pytest.fixture(scope="session")
def looks(browser, pages):
    """Return what was seen on every page, and on the three longest of those that show a module's source."""
    sources = sorted((page for page in pages if "_modules" in page.parts), key=lambda page: page.stat().st_size)
    return {page.name: look(browser, page) for page in pages if page not in sources[:-3]}


def test_pages_read_well_from_disk_without_network(looks):
    """No console complaint, no raw formula, no broken image, no sideways scrolling on a telephone or a desk."""
    for name, seen in looks.items():
        assert seen.complaints == [], name
        assert (seen.unset, seen.wrong, seen.broken) == (0, 0, []), name
        assert all(pixels <= 0 for pixels in seen.overflow.values()), f"{name}: {seen.overflow}"


def test_no_table_leaves_the_screen(looks):
    """At a desk and on a telephone every table ends within its box and within the window."""
    assert {name: seen.beyond for name, seen in looks.items() if any(seen.beyond.values())} == {}


@pytest.mark.parametrize("reading", ["desk", "dark", "telephone"])
def test_no_serious_barrier_for_any_reader(looks, reading):
    """axe-core finds no serious or critical violation of WCAG 2.1 A and AA on any page: light, dark, and narrow."""
    assert {name: seen.barriers[reading] for name, seen in looks.items() if seen.barriers[reading]} == {}


def test_each_fault_of_a_page_would_be_noticed(browser, tmp_path):
    """A page with a raw formula, a broken image, a wide line, grey on grey only in the dark: all are in the look."""
    page = tmp_path / "bad.html"
    page.write_text(
        "<html lang=en><title>t</title><style>@media (prefers-color-scheme: dark) {p {color:#555; background:#444}}"
        "</style><main><p>grey in the dark</p><span class=math>x^2</span><img alt=none src=none.png>"
        "<div style='width:600px'>wide</div><table style='width:700px'><tr><td>a wide table</table>"
    )
    seen = look(browser, page)
    assert seen.beyond == {WIDTHS[0]: [], WIDTHS[1]: ["a wide table"]}
    assert seen.unset == 1 and len(seen.broken) == 1 and seen.complaints
    assert seen.overflow[WIDTHS[0]] <= 0 < seen.overflow[WIDTHS[1]]
    assert seen.barriers["desk"] == [] and "color-contrast" in seen.barriers["dark"][0]


def test_axe_would_notice(browser, tmp_path):
    """On a page with grey text on grey and a picture without words, it reports both."""
    page = tmp_path / "bad.html"
    page.write_text(
        '<html lang="en"><title>t</title><main><p style="color:#999;background:#aaa">grey</p><img src="data:,">'
    )
    browser.open(page.as_uri())
    browser.ask((Path(__file__).parent / "axe" / "axe.min.js").read_text() + ";0")
    found = browser.ask("axe.run(document).then(found => found.violations.map(each => each.id))")
    assert {"color-contrast", "image-alt"} <= set(found)


def test_charts_are_drawn_and_their_lines_can_be_hidden(browser, study):
    """Three charts; a click on a name hides its line, and the Enter key shows it again."""
    browser.open((study.html / "charts.html").as_uri())
    browser.wait("document.querySelectorAll('figure.chart .uplot canvas').length === 3")
    hidden = "document.querySelectorAll('figure.chart .u-legend .u-off').length"
    assert browser.ask(hidden) == 0
    browser.ask("document.querySelectorAll('figure.chart .u-series:not(:first-child) th')[0].click()")
    assert browser.ask(hidden) > 0
    browser.ask("document.querySelectorAll('figure.chart .u-series:not(:first-child) th')[0].focus()")
    browser.press("Enter")
    browser.wait(f"{hidden} === 0")


def test_slides_say_the_verdicts(browser, study):
    """One slide for each verdict, word for word; the arrow keys turn them; nothing is wider than a telephone."""
    page = study.html / "_static" / "slides.html"
    browser.open(page.as_uri(), 400)
    assert browser.complaints == [] and browser.ask(OVERFLOW) <= 0 and browser.ask(BROKEN) == []
    told = browser.ask("[...document.querySelectorAll('p.answer')].map(each => each.textContent)")
    assert told == [f"{verdict.answer}." for verdict in verdicts()]
    browser.press("ArrowRight")
    browser.wait("scrollY > innerHeight / 2")
    browser.ask((Path(__file__).parent / "axe" / "axe.min.js").read_text() + ";0")
    assert browser.ask(f"axe.run(document, {ALL}).then({TELL})") == []
    assert 'href="_static/slides.html"' in (study.html / "index.html").read_text()


def test_charts_carry_what_was_published(study):
    """The frontier that a reader zooms holds the published break-even costs and their intervals one bar late."""
    page = (study.html / "charts.html").read_text()
    charts = [json.loads(html.unescape(each)) for each in re.findall(r'data-chart="([^"]+)"', page)]
    assert [chart["y_label"] for chart in charts] == ["break-even cost (bps per side)", "return (%)", "spread (std)"]
    wanted = [row for row in frontier_of(simulated=False) if (row.bar, row.interval, row.rule) == (1, 1, CHOSEN)]
    for delay, line in enumerate(charts[0]["series"]):
        told = {x: y for x, y in zip(charts[0]["x"], line["values"], strict=True) if y is not None}
        own = {round(row.holding_minutes, 1): row.break_even.estimate for row in wanted if row.delay == delay}
        assert told == pytest.approx(own, rel=1e-4)
    assert all(len(line["values"]) == len(chart["x"]) for chart in charts for line in chart["series"])


@pytest.mark.parametrize(("word", "title"), [("funding", "Perpetual futures and funding"), ("1.44", "Discussion")])
def test_search_works_from_disk(browser, study, word, title):
    """A reader finds the page on funding, and the one on results at a fee."""
    browser.open((study.html / "search.html").as_uri() + f"?q={word}")
    browser.wait("document.querySelectorAll('#search-results li').length > 0")
    found = browser.ask("[...document.querySelectorAll('#search-results li a')].map(each => each.textContent)")
    assert title in found


def test_dark_mode_is_dark(browser, study):
    """A reader who prefers a dark page gets one."""
    browser.open((study.html / "index.html").as_uri(), dark=True)
    assert browser.ask("document.documentElement.dataset.theme") == "dark"
    shade = browser.ask("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)")
    assert max(shade) < 64


def test_book_moves_with_its_folder(study, tmp_path, browser):
    """A copy of the folder elsewhere reads as well: there is no absolute path inside."""
    shutil.copytree(study.html, tmp_path / "copy")
    browser.open((tmp_path / "copy" / "notebooks" / "05_environment.html").as_uri())
    assert browser.complaints == []
    assert browser.ask("document.querySelectorAll('.katex').length") > 5


def test_book_becomes_one_file_and_its_first_page_links_it(study):
    """The whole book becomes a PDF, where there is a Chromium, and an EPUB with formulas as MathML; both are linked."""
    formats = ["epub", *(["pdf"] if executable() else [])]
    assert build_book(load_profile("smoke"), formats) is True
    first = (study.html / "index.html").read_text()
    assert all(f'href="book.{each}"' in first for each in formats)
    with zipfile.ZipFile(study.html / "book.epub") as epub:
        page = epub.read("notebooks/05_environment.xhtml").decode()
    assert page.count("<math") > 20 and "$" not in re.sub(r"<annotation.*?</annotation>|<pre.*?</pre>", "", page)
    if "pdf" in formats:
        content = (study.html / "book.pdf").read_bytes()
        assert content.startswith(b"%PDF-") and len(content) > 100_000
    assert build_book(load_profile("smoke")) is False  # what was made of the same sources is kept
