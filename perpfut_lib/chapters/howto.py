"""The how-to guides: notebooks outside the chapters, executed unchanged and kept with their outputs."""

import os
from pathlib import Path
from typing import Final

import nbformat
from nbclient import NotebookClient

from perpfut_lib.artifacts import write_bytes
from perpfut_lib.chapters.execution import QUIET_KERNEL
from perpfut_lib.chapters.keep import tidy

TIMEOUT: Final = 600  # seconds per cell; compiling for the first time takes most of it


def keep_how_to(path: Path) -> None:
    """Execute a guide and overwrite it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(path.parent)}}  # where nbval executes it, too
    environment = os.environ | {"PERPFUT_PROGRESS": ""}  # a bar would be an output that no two runs share
    client = NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", resources=resources)
    client.extra_arguments = QUIET_KERNEL
    client.execute(env=environment)
    tidy(notebook)
    write_bytes(path, (nbformat.writes(notebook) + "\n").encode())
