"""Jupyter Book, run on a folder of laid-out sources."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from perpfut_lib.errors import ChapterError

BUILDERS: Final = ("html", "singlehtml")
"""What Jupyter Book calls by name; any other builder of Sphinx is a custom one to it."""


def run_jupyter_book(folder: Path, builder: str) -> Path:
    """Render ``folder/source`` strictly and from nothing; return the folder that Jupyter Book wrote.

    Raises
    ------
    ChapterError
        Jupyter Book, or Sphinx below it, warned of something.
    """
    shutil.rmtree(folder / "_build", ignore_errors=True)  # Sphinx would keep old pages and old contents
    chosen = ["custom", "--custom-builder", builder] if builder not in BUILDERS else [builder]
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(folder / "source")]
    command += ["--path-output", str(folder), "-W", "-n", "--keep-going", "-q", "--builder", *chosen]
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        found = f"Jupyter Book complaining:\n{done.stdout[-4000:]}{done.stderr.strip()[-8000:]}\n"
        raise ChapterError(found, "a book without warnings", "mend the page that it names")
    return folder / "_build" / builder
