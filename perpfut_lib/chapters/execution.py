"""Execute one chapter with papermill."""

import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from perpfut_lib import errors
from perpfut_lib.chapters.monitor import MIB, watched
from perpfut_lib.chapters.record import Executed, Measured
from perpfut_lib.config import project_root

QUIET_KERNEL = ["--log-level=CRITICAL"]  # no advice on transport encryption, no noise after Ctrl-C
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def execute(executed: Executed, source_profile: str, overrides: Sequence[str]) -> Measured:
    """Run a chapter from its first cell to its last and keep the executed copy.

    Parameters
    ----------
    executed : Executed
        Which chapter, under which settings, and so where the copy goes.
    source_profile : str
        Name of the profile's file, which the notebook reads.
    overrides : sequence of str
        Settings that differ from the file.

    Raises
    ------
    ChapterError
        A cell failed or the kernel died; the copy is kept, marked as failed.
    """
    parameters = {"profile": source_profile, "overrides": list(overrides)}
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="perpfut-chapter-") as folder, watched() as monitor:
        running = Path(folder) / executed.chapter.path.name
        try:
            papermill.execute_notebook(
                executed.chapter.path,
                running,
                parameters=parameters,
                progress_bar=False,
                cwd=project_root(),
                kernel_name="python3",
                extra_arguments=QUIET_KERNEL,
            )
        except PapermillExecutionError as error:
            executed.keep(nbformat.read(running, as_version=4), failed=True)
            raise _cell_failed(executed, error) from error
        except DeadKernelError as error:
            executed.keep(nbformat.read(running, as_version=4), failed=True)
            raise _kernel_died(executed) from error
        executed.keep(nbformat.read(running, as_version=4), failed=False)
    return Measured(round(time.monotonic() - started, 1), round(monitor.peak_bytes / MIB, 0))


def _cell_failed(executed: Executed, error: PapermillExecutionError) -> errors.ChapterError:
    """Name the chapter, the cell and the error; an unexpected failure comes with its traceback."""
    first_line = error.source.strip().splitlines()[0]
    found = f"chapter {executed.chapter.name} failing in cell [{error.exec_count}] `{first_line}`: "
    found += f"{error.ename}: {error.evalue}"
    remedy = f"mend the cause and run the same command again (the failed copy: {executed.path})"
    if not _is_on_purpose(error.ename):
        remedy += "\n" + _COLOURS.sub("", "\n".join(error.traceback))
    return errors.ChapterError(found, "every cell to run", remedy)


def _kernel_died(executed: Executed) -> errors.ChapterError:
    found = f"the kernel of chapter {executed.chapter.name} dead"
    return errors.ChapterError(found, "it alive until the last cell", "check memory (a killed process), then run again")


def _is_on_purpose(name: str) -> bool:
    named = getattr(errors, name, None)
    return isinstance(named, type) and issubclass(named, errors.PerpfutError)
