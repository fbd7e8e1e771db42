"""Types in the API reference as the source writes them: ``Float2D`` says more than the array type behind it."""

import ast
import inspect
import sys
import textwrap
from enum import Enum

ATTRIBUTES = ("attribute", "property", "data")


def tree_of(thing):
    """Return the syntax tree of a function or class, or None where it has no source."""
    try:
        return ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(thing)))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        return None


def signature_of(thing):
    """Return the arguments and the answer of a function as its source writes them, or None."""
    tree = tree_of(getattr(thing, "__func__", thing))
    if not isinstance(tree, ast.FunctionDef):
        return None
    for node in ast.walk(tree):  # a type in quotes, which only a type checker imports
        for field in ("annotation", "returns"):
            if isinstance(getattr(node, field, None), ast.Constant) and isinstance(getattr(node, field).value, str):
                setattr(node, field, ast.parse(getattr(node, field).value).body[0].value)
    for group in (tree.args.posonlyargs, tree.args.args):
        if group and group[0].arg in ("self", "cls"):
            del group[0]
    return f"({ast.unparse(tree.args)})", ast.unparse(tree.returns) if tree.returns else None


def write_signature(app, what, name, thing, *shown):
    """Put the source's words in the place of evaluated types; a class is called by the names of its fields."""
    _, signature, answer = shown
    if what == "class":
        fields = getattr(thing, "_fields", None) or getattr(thing, "__dataclass_fields__", None)
        if fields:
            return f"({', '.join(fields)})", None
        return ("", None) if hasattr(thing, "model_fields") or issubclass(thing, Enum) else (signature, None)
    return signature_of(thing) or (signature, answer)


def type_of_field(name):
    """Return the annotation of a class's field as its source writes it, by the field's full name, or None."""
    owner, _, field = name.rpartition(".")
    module, _, title = owner.rpartition(".")
    tree = tree_of(getattr(sys.modules.get(module), title, None))
    for node in getattr(tree, "body", ()):
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", None) == field:
            return ast.unparse(node.annotation)
    return None


def write_type(app, what, name, thing, options, lines):
    """Begin a field's description with its type."""
    written = type_of_field(name) if what in ATTRIBUTES else None
    if written and lines:
        lines[0] = f"``{written}``: {lines[0]}"


def skip_settings(app, what, name, thing, skip, options):
    """Leave pydantic's own setting out of the fields of a document."""
    return True if name == "model_config" else None


def settle(app, config):
    """Write types as they are written, link what is documented here, and let other projects' names be plain text."""
    config.autodoc_typehints = "none"
    config.autodoc_member_order = "bysource"
    config.napoleon_google_docstring = False
    config.napoleon_use_param = config.napoleon_use_rtype = False
    config.suppress_warnings += ["ref.python"]  # two classes of one name: the nearer one is linked
    config.nitpick_ignore_regex += [
        (r"py:(class|obj|exc|data)", r"(?!perpfut_lib\.).*"),
        (r"py:.*", r"gymnasium\..*"),
        (r"py:func", r"perpfut_lib\.cointegration\.load_pair_days"),
    ]


def setup(app):
    """Connect to autodoc."""
    for name in ("autodoc", "napoleon"):
        app.setup_extension(f"sphinx.ext.{name}")
    app.connect("config-inited", settle, priority=100)
    app.connect("autodoc-skip-member", skip_settings)
    app.connect("autodoc-process-signature", write_signature)
    app.connect("autodoc-process-docstring", write_type, priority=400)  # before the sections are made
    return {"parallel_read_safe": True, "parallel_write_safe": True}
