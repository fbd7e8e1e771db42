"""The how-to guides: five, executed, short, and free of what only holds on one machine."""

import ast
import re

import nbformat
import pytest

from perpfut_lib.chapters.book import how_tos

GUIDES = how_tos()
LEAK = re.compile(r"(?<![\w.])/(?:home|root|Users|tmp|work|mnt|opt)/\w")
LIBRARY = re.compile(r"^\s*(?:from|import) (?:perpfut_lib|agent)\b", re.M)


def _code(path):
    return [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def test_there_are_five():
    """Numbered in the book's order."""
    assert [int(path.stem[0]) for path in GUIDES] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_guide_was_executed_whole_and_shows_no_stray_line(path):
    """In order, without error or warning, without an address of this machine; cells of at most 15 lines."""
    cells = _code(path)
    outputs = [output for cell in cells for output in cell.outputs]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert outputs and not [each for each in outputs if each.output_type == "error" or each.get("name") == "stderr"]
    assert LEAK.search(path.read_text()) is None
    assert max(len(cell.source.splitlines()) for cell in cells) <= 15


def test_the_executor_has_forty_lines_and_needs_the_standard_library_alone():
    """The guide's three functions with their imports and account, before the library comes in to play the agent."""
    cells = [cell.source for cell in _code(GUIDES[4])]
    own = cells[: next(number for number, text in enumerate(cells) if LIBRARY.search(text))]
    lines = [line for text in own for line in text.splitlines() if line.strip()]
    imported = {
        name.name for node in ast.walk(ast.parse("\n".join(own))) if isinstance(node, ast.Import) for name in node.names
    }
    assert len(lines) <= 40 and imported == {"hashlib", "json", "math", "tempfile"}
