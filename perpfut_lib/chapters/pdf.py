"""The book as one PDF: all pages in one HTML file, printed by a headless Chromium."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from perpfut_lib.chapters.book import book_folder, build_book, run_sphinx
from perpfut_lib.config import Profile
from perpfut_lib.errors import MissingInputError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
FORMULAS_MS = 20_000  # virtual time for the scripts that set the formulas


def build_pdf(profile: Profile) -> Path:
    """Print the profile's book and return the file.

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
    build_book(profile)
    folder = book_folder(profile)
    run_sphinx(folder, "singlehtml", "onepage")
    made = folder / "book.pdf"
    with tempfile.TemporaryDirectory(prefix="perpfut-pdf-") as state:
        flags = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={state}",
            "--no-pdf-header-footer",
        ]
        flags += [f"--virtual-time-budget={FORMULAS_MS}", "--allow-file-access-from-files", f"--print-to-pdf={made}"]
        page = (folder / "onepage" / "index.html").as_uri()
        subprocess.run([browser, *flags, page], check=True, capture_output=True, timeout=300)
    return made
