"""What the book's settings cannot say: launch buttons by one address, and formulas that an e-book reader can show."""

import os

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

NAME = "PERPFUT_REPOSITORY"


def address_buttons(app, config):
    """Give the theme the address that the environment names; without one no button is shown."""
    address = os.environ.get(NAME, "")
    options = config.html_theme_options
    if not address:
        options.pop("launch_buttons", None)
        return
    options |= {"repository_url": address, "repository_branch": "main", "path_to_docs": "book"}
    options |= {"use_repository_button": True, "use_source_button": True}


def inline_formula(translator, node):
    """Write a formula within a line as MathML."""
    translator.body.append(convert(node.astext(), display="inline"))
    raise SkipNode


def displayed_formula(translator, node):
    """Write a formula on a line of its own as MathML, with its number."""
    translator.body.append(translator.starttag(node, "div", CLASS="math"))
    if node.get("number"):
        translator.body.append(f'<span class="eqno">({node["number"]})</span>')
    translator.body.append(convert(node.astext(), display="block") + "</div>")
    raise SkipNode


def setup(app):
    """Connect to Sphinx: EPUB takes the renderer that is named for it, HTML the configured one."""
    app.connect("config-inited", address_buttons, priority=100)
    app.add_html_math_renderer("mathml", (inline_formula, None), (displayed_formula, None))
    app.add_config_value("epub_math_renderer", "mathml", "epub")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
