"""The book as one file: a PDF printed by a headless Chromium, and an EPUB with formulas in MathML."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from perpfut_lib.chapters.engine import run_jupyter_book
from perpfut_lib.errors import MissingInputError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
FORMULAS_MS: Final = 20_000  # virtual time for the scripts that set the formulas


def print_pdf(folder: Path) -> Path:
    """Print the book whose sources are in ``folder/source`` from one long page, and return the file.

    Raises
    ------
    MissingInputError
        There is no Chromium on this machine.
    ChapterError
        The book can not be built.
    """
    browser = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if browser is None:
        raise MissingInputError("no Chromium", f"one of {', '.join(BROWSERS)}", "install it, or read the HTML book")
    page = (run_jupyter_book(folder, "singlehtml") / "index.html").as_uri()
    made = folder / "book.pdf"
    with tempfile.TemporaryDirectory(prefix="perpfut-pdf-") as state:
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={state}"]
        flags += ["--no-pdf-header-footer", f"--virtual-time-budget={FORMULAS_MS}"]
        flags += ["--allow-file-access-from-files", f"--print-to-pdf={made}"]
        subprocess.run([browser, *flags, page], check=True, capture_output=True, timeout=300)
    return made


def make_epub(folder: Path) -> Path:
    """Make an EPUB of the book whose sources are in ``folder/source`` and return the file."""
    made = folder / "book.epub"
    built = next(run_jupyter_book(folder, "epub").glob("*.epub"))
    return built.replace(made)
