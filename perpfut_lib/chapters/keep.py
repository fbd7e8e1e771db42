"""Keep the outputs of executed chapters in the repository, without anything that changes from run to run."""

from pathlib import Path

import llvmlite.binding
import nbformat

from perpfut_lib import report
from perpfut_lib.artifacts import write_bytes
from perpfut_lib.chapters.book import PROSE, downloads, made_pages
from perpfut_lib.chapters.catalogue import catalogue
from perpfut_lib.chapters.myst_project import myst_project
from perpfut_lib.chapters.record import Executed
from perpfut_lib.config import Profile, project_root
from perpfut_lib.errors import ChapterError

INJECTED = "injected-parameters"
OF_ONE_RUN = ("papermill", "execution")
README = "README.md"
MARKS = ("<!-- verdicts: `perpfut chapters keep` writes them -->", "<!-- end of verdicts -->")
"""Between these lines the README says what was found."""


def processor() -> str:
    """Return the kind of this machine's processor: on another kind the last bits of a training may differ."""
    name: str = llvmlite.binding.get_host_cpu_name()
    return name


def keep_outputs(executed: Executed) -> None:
    """Write a current executed chapter over its notebook in ``notebooks/``: same cells, with their outputs.

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
    write_bytes(executed.chapter.path, (nbformat.writes(notebook) + "\n").encode())


def tidy(notebook: nbformat.NotebookNode, **marks: str) -> None:
    """Remove what belongs to one run from an executed notebook, and mark it with ``marks`` and the processor's kind."""
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
    """Rename the cells whose name is ``taken`` by an earlier chapter, as those of a copied chapter are."""
    for place, cell in enumerate(notebook.cells):
        if cell.id in taken:
            cell.id = f"chapter-{number:02d}-cell-{place:02d}"


def keep_pages(profile: Profile) -> list[Path]:
    """Write what ``jupyter-book build book/`` shows beside the kept chapters, and the README's verdicts; return both.

    Raises
    ------
    perpfut_lib.errors.ChapterError
        A chapter may not be shown, or the README lacks the lines that the verdicts stand between.
    """
    root = project_root()
    pages = {f"{PROSE}/{name}": content for name, content in made_pages(profile).items()}
    pages[f"{PROSE}/generated/downloads.md"] = downloads(()).encode()
    pages[f"{PROSE}/myst.yml"] = myst_project(root / PROSE).encode()
    pages[README] = with_verdicts((root / README).read_text(encoding="utf-8")).encode()
    for name, content in pages.items():
        write_bytes(root / name, content)
    return [Path(name) for name in pages]


def with_verdicts(text: str) -> str:
    """Return the README with the verdicts of today between their marks; :class:`ChapterError` if a mark is missing."""
    before, found, rest = text.partition(MARKS[0])
    _, closed, after = rest.partition(MARKS[1])
    if not (found and closed):
        raise ChapterError(f"{README} without verdicts", f"the lines {MARKS[0]} and {MARKS[1]}", "put them back")
    return f"{before}{MARKS[0]}\n{report.verdict_lines()}\n{MARKS[1]}{after}"
