"""What the book's settings cannot say: launch buttons by one address, numbered tables, formulas for e-book readers."""

import os
import re
from pathlib import Path

from docutils import nodes
from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.search.en import SearchEnglish
from sphinx.transforms import SphinxTransform

import agent.console

NAME = "PERPFUT_REPOSITORY"
LIVE = "notebooks/howto/"  # the guides stand alone; a chapter's parameters are not on its page
THEBE = ("init_thebe_core", "update_thebe_context")
GITHUB_ONLY = ("colab_url", "thebe")


def address_buttons(app, config):
    """Give the theme the address that the environment names; without one no button is shown."""
    address = os.environ.get(NAME, "")
    options = config.html_theme_options
    if not address:
        options.pop("launch_buttons", None)
        return
    if "github.com/" not in address:
        for name in GITHUB_ONLY:
            options["launch_buttons"].pop(name, None)
    options |= {"repository_url": address, "repository_branch": "main"}
    options |= {"use_repository_button": True, "use_source_button": True}


def place_in_repository(app, page, template, context, doctree):
    """Say where the page lies in the repository, chapters in ``notebooks/`` and all others in ``book/``, and what runs.

    Thebe runs a page's cells on Binder: where the page holds all that they need.
    """
    folder = "" if page.startswith("notebooks/") else "book"
    options = app.config.html_theme_options
    options["path_to_docs"] = context["theme_path_to_docs"] = context["doc_path"] = folder
    if options.get("launch_buttons", {}).get("thebe") is not None:
        options["launch_buttons"]["thebe"] = page.startswith(LIVE)


CHARTS = Path(agent.console.__file__).parent / "static" / "vendor"  # uPlot, which the operator's console ships


def lend_charts(app, config):
    """Let the book's pages have the charting library of the console; only pages with charts load it."""
    config.html_static_path.append(str(CHARTS))


def load_charts(app, page, template, context, doctree):
    """Load the charting library on a page that has a chart."""
    if doctree is not None and any("data-chart" in raw.astext() for raw in doctree.findall(nodes.raw)):
        app.add_js_file("uPlot.js", priority=100)
        app.add_css_file("uPlot.css")


class TableFigure(nodes.figure):
    """The table that a cell shows, with its caption; it is counted among the tables."""


class TablesOfCells(SphinxTransform):
    """Turn the figures of cells whose name begins with ``tab-`` into tables, before they are numbered."""

    default_priority = 400

    def apply(self, **options):
        """Replace each such figure in place."""
        for figure in list(self.document.findall(nodes.figure)):
            if any(name.startswith("tab-") for name in figure["names"]):
                table = TableFigure("", *figure.children, **figure.attributes)
                table["classes"] = [*table["classes"], "table-figure"]
                figure.replace_self(table)
                self.document.ids.update(dict.fromkeys(table["ids"], table))


def visit_table(translator, node):
    """Open it as any figure."""
    translator.visit_figure(node)


def depart_table(translator, node):
    """Close it as any figure."""
    translator.depart_figure(node)


def caption_of(node):
    """Return the text of its caption."""
    return next((child.astext() for child in node if isinstance(child, nodes.caption)), "")


def mathml(text, display):
    """Return a formula as MathML; lines that are aligned become rows of an array, which the converter knows."""
    for word, stands_for in (("begin", r"\begin{array}{rlrlrlrl}"), ("end", r"\end{array}")):
        text = text.replace(rf"\{word}{{aligned}}", stands_for)
    return convert(text, display=display)


def inline_formula(translator, node):
    """Write a formula within a line as MathML."""
    translator.body.append(mathml(node.astext(), "inline"))
    raise SkipNode


def displayed_formula(translator, node):
    """Write a formula on a line of its own as MathML, with its number."""
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    translator.body.append(mathml(node.astext(), "block") + "</div>")
    raise SkipNode


def borrow_from_html(app):
    """Let the one long page write every node that pages of their own can: some extensions name only one of both."""
    handlers = app.registry.translation_handlers
    handlers["singlehtml"] = handlers.get("html", {}) | handlers.get("singlehtml", {})


class English(SearchEnglish):
    """English whose decimals are words: a reader looks for 1.44, which Sphinx would split into two numbers."""

    js_splitter_code = r"var splitQuery = (query) => query.match(/\d+\.\d+|[\p{Letter}\p{Number}_]+/gu) || [];"

    def split(self, input):
        """Return the words of a text."""
        return re.findall(r"\d+\.\d+|\w+", input)


def leave_thebe_out(app):
    """Take out what sphinx-thebe, which Jupyter Book always loads, adds to each page: it names servers on the network.

    With an address it stays: its script comes from the network when a reader asks for live cells.
    """
    if app.config.html_theme_options.get("launch_buttons", {}).get("thebe"):
        return
    for event in ("env-before-read-docs", "doctree-resolved"):
        listeners = app.events.listeners[event]
        listeners[:] = [each for each in listeners if each.handler.__name__ not in THEBE]


def setup(app):
    """Connect to Sphinx: EPUB takes the renderer that is named for it, HTML the configured one."""
    app.add_search_language(English)
    app.connect("config-inited", address_buttons, priority=100)
    app.connect("config-inited", lend_charts)
    app.connect("html-page-context", load_charts)
    app.connect("builder-inited", borrow_from_html)
    app.connect("builder-inited", leave_thebe_out)
    app.connect("html-page-context", place_in_repository, priority=400)
    as_figure = (visit_table, depart_table)
    app.add_enumerable_node(TableFigure, "table", caption_of, html=as_figure)
    app.add_transform(TablesOfCells)
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.add_config_value("epub_math_renderer", "mathml", "epub")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
