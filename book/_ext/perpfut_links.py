"""From a name in a cell to its entry in the reference, and from there, or from a path in the text, to the source."""

import importlib
import inspect
import os
import re
from operator import attrgetter
from pathlib import Path

import sphinx_codeautolink.extension
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.ext import viewcode
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import import_object
from sphinx_codeautolink.extension.backref import SummaryNode
from sphinx_codeautolink.extension.block import CodeBlockAnalyser
from sphinx_codeautolink.parse import NameBreak

import perpfut_lib

REPOSITORY = "PERPFUT_REPOSITORY"
ROOT = Path(perpfut_lib.__file__).resolve().parents[1]
PACKAGES = ("perpfut_lib", "agent")
PATH = re.compile(rf"(?:{'|'.join(PACKAGES)})/[\w/]+\.py")


def has_title(section):
    """Return whether a section has a heading of its own."""
    return any(isinstance(child, nodes.title) for child in section)


class Cells(CodeBlockAnalyser):
    """Passes sections without a title, such as the body of an exercise: the extension would count one title too few."""

    def visit_section(self, node):
        if has_title(node):
            super().visit_section(node)

    def depart_section(self, node):
        if has_title(node):
            super().depart_section(node)


def where_defined(name):
    """Return the full name of a documented thing in the module that defines it; a field's is made from its class's."""
    try:
        thing = import_object(name)
        return f"{thing.__module__}.{thing.__qualname__}"
    except (AttributeError, ExtensionError):
        owner, _, field = name.rpartition(".")
        return f"{where_defined(owner)}.{field}" if "." in owner else name


def is_ours(path):
    """Return whether a name in a cell is of this project, and not merely a variable that holds what a call returned."""
    return path[0] in PACKAGES and path[-1] != NameBreak.call


def prepare_links(app, env):
    """Let sphinx-codeautolink look for our own names alone, and find them where they are defined, too."""
    documented = env.domains["py"].objects
    known = {where_defined(name): name for name in documented if name.startswith(PACKAGES)}
    app.config.codeautolink_inventory_map.update({key: name for key, name in known.items() if key not in documented})
    for blocks in getattr(env, "sphinx_codeautolink_transforms", {}).values():
        for block in blocks:
            block.names = [name for name in block.names if is_ours(name.import_components)]


def address_of(path, line=None):
    """Return the address of a file in the repository, or None where the environment names no repository."""
    address = os.environ.get(REPOSITORY, "").rstrip("/")
    return f"{address}/blob/main/{path}" + (f"#L{line}" if line else "") if address else None


def address_of_entry(domain, info):
    """Return where the repository holds the source of an entry of the reference; None for a field of a class."""
    try:
        thing = inspect.unwrap(attrgetter(info["fullname"])(importlib.import_module(info["module"])))
        thing = thing.fget if isinstance(thing, property) else thing
        path = Path(inspect.getsourcefile(thing)).resolve().relative_to(ROOT)
        return address_of(path.as_posix(), inspect.getsourcelines(thing)[1])
    except (AttributeError, TypeError, OSError, ValueError):
        return None


def module_of(path):
    """Return the name of the module in a file."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def show_sources(app, env):
    """Let the book hold the source of every module that a page names by its path, as of those in the reference."""
    shown = env.__dict__.setdefault("_viewcode_modules", {})
    for path in sorted(getattr(env, "perpfut_sources", ())):
        if not shown.get(module_of(path)):
            analyzer = ModuleAnalyzer.for_file(ROOT / path, module_of(path))
            analyzer.find_tags()
            shown[module_of(path)] = analyzer.code, analyzer.tags, {}, module_of(path)


def link_paths(app, doctree):
    """Link each path of a module that stands in the text to its source: in the repository, or within the book."""
    for literal in list(doctree.findall(nodes.literal)):
        path = literal.astext()
        if not PATH.fullmatch(path) or not (ROOT / path).is_file() or isinstance(literal.parent, nodes.reference):
            continue
        address = address_of(path)
        if address:
            link = nodes.reference("", "", internal=False, refuri=address)
        elif viewcode.is_supported_builder(app.builder):
            app.env.__dict__.setdefault("perpfut_sources", set()).add(path)
            page = f"{viewcode.OUTPUT_DIRNAME}/{module_of(path).replace('.', '/')}"
            link = addnodes.pending_xref("", refdomain=None, reftype="source", refdoc=app.env.docname, reftarget=page)
        else:
            continue
        literal.replace_self(link)
        link += literal


def resolve_source(app, env, node, content):
    """Turn a reference to a module's source into a link to the page that will hold it."""
    if node["reftype"] != "source":
        return None
    address = app.builder.get_relative_uri(node["refdoc"], node["reftarget"])
    return nodes.reference("", "", content, internal=True, refuri=address)


def name_lists(app, doctree, page):
    """Call the list of chapters in an entry what it is: the extension's own words hold a link, and unfold the list."""
    for summary in list(doctree.findall(SummaryNode)):
        summary.children = []
        summary.append(nodes.Text("Called in"))


def settle(app, config):
    """Tell linkcode how to find a source."""
    if os.environ.get(REPOSITORY):
        config.linkcode_resolve = address_of_entry


def setup(app):
    """Show the source of an entry in the repository where there is an address, and within the book otherwise."""
    app.setup_extension("sphinx_codeautolink")
    sphinx_codeautolink.extension.CodeBlockAnalyser = Cells
    app.setup_extension("sphinx.ext.linkcode" if os.environ.get(REPOSITORY) else "sphinx.ext.viewcode")
    app.connect("config-inited", settle, priority=100)
    app.connect("env-updated", prepare_links, priority=400)  # before sphinx-codeautolink resolves names
    app.connect("env-updated", show_sources)  # what a page holds is forgotten while others are read
    app.connect("doctree-read", link_paths)
    app.connect("doctree-resolved", name_lists, priority=600)  # after the lists are made
    app.connect("missing-reference", resolve_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
