"""How nbval compares the chapters: figure for figure on the kind of processor that their outputs were kept on.

The last bits of a trained network depend on the instructions that a processor offers, and a policy that differs in its
last bits trades differently. On another kind of processor the chapters still have to run and to show the same tables
with the same rows and words; what their figures must satisfy there is held by the tests of the artifacts.
"""

from pathlib import Path

import pytest
from nbval.plugin import IPyNbFile

from perpfut_lib.chapters.keep import processor

WITHOUT_FIGURES = Path(__file__).resolve().parents[1] / "tests" / "notebooks" / "without_figures.cfg"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave figures out of the comparison of chapters that were kept on another kind of processor."""
    for chapter in {item.parent for item in items if isinstance(item.parent, IPyNbFile)}:
        if chapter.nb.metadata["perpfut"].get("processor") != processor():
            chapter.skip_compare += ("text/plain",)  # the same tables as in HTML, laid out by the width of figures
            chapter.get_sanitize_files = lambda: [str(WITHOUT_FIGURES)]
