"""The book as the tests read it: that of the smoke study, that of the kept chapters, and a browser."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agent.testing.browser import Browser, executable

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "https://github.com/someone/somewhere"


@pytest.fixture(scope="session")
def pages(study):
    """Return the pages of the smoke study's book."""
    return sorted(page for page in study.html.rglob("*.html") if "_static" not in page.parts)


@pytest.fixture(scope="session")
def browser():
    """Open a headless Chromium."""
    if executable() is None:
        pytest.skip("no Chromium on this machine")
    opened = Browser()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def kept_book(tmp_path_factory):
    """Return what ``jupyter-book build book/`` makes of a copy of the kept tree, as on a fresh clone."""
    clone = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "notebooks", clone / "notebooks", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "book", clone / "book", symlinks=True, ignore=shutil.ignore_patterns("_build", "__pycache__")
    )
    command = [str(Path(sys.executable).parent / "jupyter-book"), "build", "book/", "-W", "-n", "--keep-going"]
    environment = os.environ | {"PERPFUT_REPOSITORY": ADDRESS}
    done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False, env=environment, timeout=900)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return clone / "book" / "_build" / "html"
