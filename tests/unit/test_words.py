"""The field's words: coined names and stilted phrases that were taken out do not come back."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = re.compile(
    r"(?i)(?:^|_)"
    r"(desk|brain|tracks|spoil|spoils|school|lesson|lessons|twin|twins|imagined|tile|tiles|luck|heard|lull)(?:_|$)"
)
PHRASES = re.compile(
    r"\b(?:one|a) (?:row|column|line|file|colour) an? "
    r"(?:symbol|fee|day|pair|bar|test|feature|window|seed|case|environment)\b"
    r"|\b(?:bps|costs?) a side\b|\binterval (?:that )?holds zero\b|\b[Pp]rocessor time\b"
    r"|\bignoring costs costs\b|\bdoes so at their own risk\b"
    r"|\b(?:lesson|twins?|[Ii]magined|[Ll]uck|[Ll]ucky|spoilt|(?<!np\.)tile)\b",
)
BREAKS = re.compile(r'(?:\\n",\s*"|\n\s*(?:#|"""|>)?\s*|\s+)')
"""Ends of lines in prose, in a notebook's cells and in comments: a phrase may run over one."""
TELLS = ("CONTRIBUTING.md", "tests/unit/test_words.py", "CHANGELOG.md", "artifacts/", "docker/agent-requirements.lock")


def _tracked(*endings: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in listed.split("\0") if name.endswith(endings) and not name.startswith(TELLS)]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def _names(tree: ast.Module) -> set[str]:
    """Return every name that a module defines: functions, classes, arguments, variables, attributes set."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return found


@pytest.mark.parametrize("room", ["perpfut_lib", "agent"])
def test_no_coined_name_comes_back(room):
    """No module, function, class, argument or variable carries one of the names that newcomers had to learn."""
    sources = [path for path in _tracked(".py") if path.is_relative_to(ROOT / room)]
    assert len(sources) > 50
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources
        for name in {path.stem, *_names(ast.parse(path.read_text(encoding="utf-8")))}
        if NAMES.search(name)
    }
    assert found == set()


def test_no_stilted_phrase_comes_back():
    """No page, docstring, message or notebook carries one of the phrases that CONTRIBUTING.md lists."""
    found = []
    for path in _tracked(".py", ".md", ".ipynb", ".yaml"):
        text = BREAKS.sub(" ", path.read_text(encoding="utf-8"))
        found += [
            f"{path.relative_to(ROOT)}: ...{text[max(0, one.start() - 30) : one.end()]}"
            for one in PHRASES.finditer(text)
        ]
    assert found == []


def test_a_planted_phrase_is_found():
    """The patterns do find what they are for."""
    assert all(PHRASES.search(text) for text in ("one row a symbol", "4.5 bps a side", "an interval that holds zero"))
    assert PHRASES.search(BREAKS.sub(" ", 'an interval that\\n",\n    "holds zero'))
    assert PHRASES.search(BREAKS.sub(" ", "# one row\n    # a symbol"))
    assert NAMES.search("open_brain") and NAMES.search("Twins") and not NAMES.search("textile")
