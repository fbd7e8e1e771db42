"""Keep the outputs of executed chapters in the repository, freed of everything that changes from run to run."""

import base64

import llvmlite.binding
import nbformat

from perpfut_lib.artifacts import write_bytes
from perpfut_lib.chapters.catalogue import catalogue
from perpfut_lib.chapters.record import Executed
from perpfut_lib.config import project_root

INJECTED = "injected-parameters"
OF_ONE_RUN = ("papermill", "execution")
PICTURE = "fig-costs"
PICTURE_FILE = "book/_static/result.png"
"""The README's picture of the result, and the figure that it is."""


def processor() -> str:
    """Return the kind of this machine's processor: on another kind the last bits of a training may differ."""
    name: str = llvmlite.binding.get_host_cpu_name()
    return name


def keep_outputs(executed: Executed) -> None:
    """Write a current executed chapter over its notebook in ``notebooks/``: same cells, with their outputs.

    The figure that the README shows is written beside the book's own pictures, too.

    Raises
    ------
    perpfut_lib.errors.ChapterError
        The executed copy may not be shown.
    """
    notebook = nbformat.read(executed.require_current(), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if INJECTED not in cell.metadata.get("tags", [])]
    tidy(notebook, stage=notebook.metadata["perpfut"]["stage"])
    before = [chapter.path for chapter in catalogue() if chapter.number < executed.chapter.number]
    taken = {cell.id for path in before for cell in nbformat.read(path, as_version=4).cells}
    renew_ids(notebook, taken, executed.chapter.number)
    for picture in pictures(notebook, PICTURE):
        write_bytes(project_root() / PICTURE_FILE, picture)
    write_bytes(executed.chapter.path, (nbformat.writes(notebook) + "\n").encode())


def tidy(notebook: nbformat.NotebookNode, **marks: str) -> None:
    """Take from an executed notebook what belongs to one run, and mark it with ``marks`` and this processor's kind."""
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
        "perpfut": {**marks, "processor": processor()},
    }
    count = 0
    for cell in notebook.cells:
        for name in OF_ONE_RUN:
            cell.metadata.pop(name, None)
        if not cell.metadata.get("tags", True):
            cell.metadata.pop("tags")
        if figure := cell.metadata.get("mystnb", {}).get("figure"):  # what Jupyter Book 2 calls the same
            cell.metadata.update(label=figure["name"], caption=figure["caption"])
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count


def renew_ids(notebook: nbformat.NotebookNode, taken: set[str], number: int) -> None:
    """Name anew the cells whose name is ``taken`` by an earlier chapter, as those of a copied chapter are."""
    for place, cell in enumerate(notebook.cells):
        if cell.id in taken:
            cell.id = f"chapter-{number:02d}-cell-{place:02d}"


def pictures(notebook: nbformat.NotebookNode, label: str) -> list[bytes]:
    """Return the PNG files that the cell of this label shows."""
    cells = [cell for cell in notebook.cells if cell.metadata.get("label") == label]
    shown = [output["data"] for cell in cells for output in cell.outputs if "data" in output]
    return [base64.b64decode(data["image/png"]) for data in shown if "image/png" in data]
