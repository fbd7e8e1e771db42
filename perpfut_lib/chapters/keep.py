"""Keep the outputs of executed chapters in the repository, freed of everything that changes from run to run."""

import nbformat

from perpfut_lib.artifacts import write_bytes
from perpfut_lib.chapters.record import Executed

INJECTED = "injected-parameters"
OF_ONE_RUN = ("papermill", "execution")


def keep_outputs(executed: Executed) -> None:
    """Write a current executed chapter over its notebook in ``notebooks/``: same cells, with their outputs.

    Raises
    ------
    perpfut_lib.errors.ChapterError
        The executed copy may not be shown.
    """
    notebook = nbformat.read(executed.require_current(), as_version=4)
    notebook.cells = [cell for cell in notebook.cells if INJECTED not in cell.metadata.get("tags", [])]
    stage = notebook.metadata["perpfut"]["stage"]
    notebook.metadata = {
        "kernelspec": notebook.metadata["kernelspec"],
        "language_info": {"name": "python"},
        "perpfut": {"stage": stage},
    }
    count = 0
    for cell in notebook.cells:
        for name in OF_ONE_RUN:
            cell.metadata.pop(name, None)
        if not cell.metadata.get("tags", True):
            cell.metadata.pop("tags")
        if cell.cell_type == "code":
            count += 1
            cell.execution_count = count
            for output in cell.outputs:
                if output.output_type == "execute_result":
                    output.execution_count = count
    write_bytes(executed.chapter.path, (nbformat.writes(notebook) + "\n").encode())
