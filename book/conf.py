"""Sphinx settings of the book. It executes nothing, needs no network, and treats every warning as an error."""

import os
from pathlib import Path

import yaml

HERE = Path(__file__).parent
PROJECT = yaml.safe_load((HERE / "myst.yml").read_text(encoding="utf-8"))["project"]
REPOSITORY = os.environ.get("PERPFUT_REPOSITORY", "")  # its address turns on the source and launch buttons

project = PROJECT["title"]
author = ", ".join(person["name"] for person in PROJECT["authors"])
project_copyright = author

extensions = ["myst_nb", "sphinxcontrib.katex", "sphinxcontrib.bibtex"]
root_doc = "index"
exclude_patterns = ["generated", "README.md"]
nitpicky = True

nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_links_external_new_tab = True

bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "plain"
numfig = True
math_numfig = True
math_eqref_format = "({number})"

katex_css_path = "katex/katex.min.css"  # in _static; the scripts come with sphinxcontrib-katex

html_theme = "sphinx_book_theme"
html_title = project
html_context = {"default_mode": "auto"}
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_js_files = ["book.js"]
html_show_sourcelink = True
html_copy_source = True
html_last_updated_fmt = None
html_use_index = False  # no index terms are marked: the page would be empty
html_theme_options = {
    "use_download_button": True,
    "use_fullscreen_button": True,
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "home_page_in_toc": True,
    "navbar_persistent": [],  # the side bar has the search field
    "announcement": "For research and education only. Not investment advice.",
    "extra_footer": "<p>For research and education only. Not investment advice. MIT licence.</p>",
}
if REPOSITORY:
    html_theme_options |= {
        "repository_url": REPOSITORY,
        "use_repository_button": True,
        "launch_buttons": {"binderhub_url": os.environ.get("PERPFUT_BINDER", ""), "notebook_interface": "jupyterlab"},
    }


def pages(entries):
    """Return the pages of a list of contents, by document name; a pattern stands for the files that match it."""
    for entry in entries:
        if "pattern" in entry:
            yield from (document(path.relative_to(HERE)) for path in sorted(HERE.glob(entry["pattern"])))
        else:
            yield document(Path(entry["file"]))


def document(path):
    """Return Sphinx's name of a page: its path without the ending."""
    return "/" + path.with_suffix("").as_posix()


def toctrees(entries, page):
    """Yield the toctrees that belong on ``page``: one per titled part on the first, and one per page with children."""
    for entry in entries:
        children = entry.get("children", [])
        if "title" in entry and page == root_doc:
            numbered = ":numbered: 2\n" if any("pattern" in child for child in children) else ""
            yield toctree(pages(children), f":caption: {entry['title']}\n{numbered}")
        elif "file" in entry and children and document(Path(entry["file"])) == f"/{page}":
            yield toctree(pages(children))
        yield from toctrees(children, page)


def toctree(names, option=""):
    """Return one hidden toctree in MyST."""
    return "\n\n```{{toctree}}\n:hidden:\n{}\n{}\n```\n".format(option, "\n".join(names))


def add_contents(app, page, source):
    """Append to a page its part of the table of contents."""
    source[0] += "".join(toctrees(PROJECT["toc"], page))


def setup(app):
    """Let Sphinx read the one table of contents."""
    app.connect("source-read", add_contents)
